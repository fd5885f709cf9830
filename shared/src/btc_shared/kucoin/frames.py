"""WebSocket frames of the public topics, turned into records."""

from typing import Final

import msgspec

from btc_shared.codes import DataSource
from btc_shared.kucoin import wire
from btc_shared.records import BookPicture, Candle, PublicTrade

DEPTH: Final = "/spotMarket/level2Depth50:"
TRADES: Final = "/market/match:"
CANDLES: Final = "/market/candles:"
MINUTE: Final = "_1min"


def depth_topic(symbol: str) -> str:
    """Pictures of the best 50 levels, at most every 100 ms."""
    return DEPTH + symbol


def trades_topic(symbol: str) -> str:
    """Every public trade."""
    return TRADES + symbol


def candles_topic(symbol: str) -> str:
    """The forming 1-minute bar, 1.0–1.6 s after the trades that change it; nothing says that a bar is closed."""
    return CANDLES + symbol + MINUTE


class Frame(msgspec.Struct, frozen=True):
    """A pushed message: its topic, what the topic calls it, its undecoded data, and our time of receipt."""

    topic: str
    subject: str
    data: bytes
    received_at_ms: int

    @property
    def key(self) -> str:
        """What follows the topic's colon: a symbol, or a symbol with a bar length."""
        return self.topic.rpartition(":")[2]


class Envelope(msgspec.Struct):
    """What all frames share. `type` is message, welcome, ack, pong or error; keys come in any order."""

    type: str
    topic: str = ""
    subject: str = ""
    id: str | int | None = None
    code: str | int | None = None
    data: msgspec.Raw = msgspec.Raw()


class _Depth(msgspec.Struct):
    bids: list[wire.LevelText]
    asks: list[wire.LevelText]
    timestamp: wire.Moment


class _Match(wire.TradeText, kw_only=True):
    symbol: str


class _Bar(msgspec.Struct):
    symbol: str
    candles: wire.CandleText


_envelope = msgspec.json.Decoder(Envelope)
_depth = msgspec.json.Decoder(_Depth)
_match = msgspec.json.Decoder(_Match)
_bar = msgspec.json.Decoder(_Bar)


def envelope(body: bytes) -> Envelope:
    """The outer part of any frame.

    Raises:
        MalformedError: not a JSON object with a `type`.
    """
    return wire.read("frame", _envelope, body, lambda decoded: decoded)


def book_picture(frame: Frame) -> BookPicture:
    """The book of a Depth50 frame; `timestamp` is in milliseconds, there is no sequence.

    ```
    {"topic":"/spotMarket/level2Depth50:BTC-USDT","type":"message","subject":"level2",
     "data":{"bids":[["67000.1","0.4"],["67000","1.25"]],"asks":[["67000.2","0.031"]],"timestamp":1790000000123}}
    ```

    Raises:
        MalformedError: a side is empty, unsorted or crosses the other, or a number is none.
    """
    return wire.read(
        frame.topic,
        _depth,
        frame.data,
        lambda data: wire.book(
            frame.key,
            wire.milliseconds(data.timestamp, "timestamp"),
            frame.received_at_ms,
            data.bids,
            data.asks,
            DataSource.SOCKET,
        ),
    )


def public_trade(frame: Frame) -> PublicTrade:
    """The trade of a match frame, see `wire.TradeText`.

    ```
    {"topic":"/market/match:BTC-USDT","type":"message","subject":"trade.l3match",
     "data":{"symbol":"BTC-USDT","sequence":"11000000000000001","tradeId":"11000000000000001","side":"sell",
             "price":"67000.1","size":"0.0021","time":"1790000000123000000","type":"match",
             "makerOrderId":"…","takerOrderId":"…"}}
    ```

    Raises:
        MalformedError: a field is missing or not what it must be, or the symbol is not the topic's.
    """

    def build(data: _Match) -> PublicTrade:
        _same_symbol(data.symbol, frame.key)
        return wire.trade(data.symbol, data)

    return wire.read(frame.topic, _match, frame.data, build)


def candle(frame: Frame) -> Candle:
    """The 1-minute bar of a candles frame as it is so far; `trade.candles.add` and `.update` mean the same to us.

    ```
    {"topic":"/market/candles:BTC-USDT_1min","type":"message","subject":"trade.candles.update",
     "data":{"symbol":"BTC-USDT","candles":["1789999980","67000","67010.5","67012","66999.9","1.5","100510.25"],
             "time":1790000001300000000}}
    ```

    Raises:
        MalformedError: another bar length, figures that do not fit each other, or the symbol is not the topic's.
    """

    def build(data: _Bar) -> Candle:
        _same_symbol(data.symbol + MINUTE, frame.key)
        return wire.candle(data.symbol, data.candles)

    return wire.read(frame.topic, _bar, frame.data, build)


def _same_symbol(named: str, key: str) -> None:
    if named != key:
        raise wire.InvalidError(f"symbol is {named[:40]!r} in a topic of {key!r}")
