"""Frames become state and messages; garbage changes neither."""

import json
from decimal import Decimal
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from btc_shared.codes import DataSource, Side
from btc_shared.kucoin.errors import MalformedError
from btc_shared.kucoin.frames import Frame
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.messages import CandleUpdate, TradeBatch
from btc_shared.records import BookPicture, Candle, Level, PublicTrade
from market_feed import metrics
from market_feed.bar_keeper import BarKeeper
from market_feed.domain.sources import Sources
from market_feed.feed import Feed
from market_feed.health import SILENCE_SECS
from market_feed.outbox import Outbox

NOW = 1_790_000_000_000
DEPTH, MATCH, BARS = "/spotMarket/level2Depth50:X-Y", "/market/match:X-Y", "/market/candles:X-Y_1min"


class Sent(Outbox):
    def __init__(self) -> None:
        super().__init__(cast("Redis", None), "practice", "X-Y")
        self.messages: list[BookPicture | TradeBatch | CandleUpdate] = []

    def put(self, message: BookPicture | TradeBatch | CandleUpdate) -> None:
        self.messages.append(message)


class Heard(BarKeeper):
    def __init__(self) -> None:
        self.candles: list[Candle] = []
        self.trades: list[PublicTrade] = []
        self.moments: list[int] = []

    @property
    def newest(self) -> Candle | None:
        return self.candles[-1] if self.candles else None

    def on_heard(self, event_time_ms: int) -> None:
        self.moments.append(event_time_ms)

    def on_frame(self, candle: Candle) -> None:
        self.candles.append(candle)

    def on_trade(self, trade: PublicTrade, source: DataSource) -> None:
        self.trades.append(trade)


class Clock(ServerClock):
    def __init__(self) -> None:
        super().__init__(cast("PublicClient", None), now_ms=lambda: NOW)
        self.ready.set()
        self.doubts = 0

    def doubt(self) -> None:
        self.doubts += 1


class Scene:
    def __init__(self) -> None:
        self.clock = Clock()
        self.outbox, self.bars = Sent(), Heard()
        self.sources = Sources(SILENCE_SECS, NOW)
        self.sources.on_connection(True)
        self.feed = Feed("X-Y", self.clock, self.bars, self.outbox, self.sources, at_secs=lambda: 100.0)

    def push(self, topic: str, data: Any) -> None:
        self.feed.on_frame(Frame(topic, "", json.dumps(data).encode(), NOW + 3))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def depth(time_ms: int = NOW, levels: int = 12) -> dict[str, Any]:
    return {
        "bids": [[str(100 - n), "2"] for n in range(levels)],
        "asks": [[str(101 + n), "1"] for n in range(levels)],
        "timestamp": time_ms,
    }


def match(number: int, *, size: str = "1", side: str = "buy", time_ms: int = NOW) -> dict[str, Any]:
    return {
        "symbol": "X-Y",
        "sequence": str(number),
        "side": side,
        "price": "100",
        "size": size,
        "time": str(time_ms * 1_000_000),
    }


def test_a_book_is_published_and_becomes_the_state(scene: Scene) -> None:
    scene.push(DEPTH, depth(NOW - 40))
    (book,) = scene.outbox.messages
    assert isinstance(book, BookPicture)
    assert (book.event_time_ms, book.received_at_ms) == (NOW - 40, NOW + 3)
    state = scene.feed.state
    assert state is not None
    assert (state.book, state.flow, state.last_trade) == (book, None, None)
    assert scene.feed.age_ms() == {"book": 40, "trades": None, "candle": None}
    assert scene.bars.moments == [NOW - 40]


def test_a_trade_is_published_once_and_makes_the_flow(scene: Scene) -> None:
    scene.push(DEPTH, depth())
    scene.push(MATCH, match(1, size="3"))
    scene.push(MATCH, match(2, side="sell"))
    scene.push(MATCH, match(2, side="sell"))
    batches = [message for message in scene.outbox.messages if isinstance(message, TradeBatch)]
    assert [[trade.trade_id for trade in batch.trades] for batch in batches] == [["1"], ["2"]]
    assert [trade.trade_id for trade in scene.bars.trades] == ["1", "2"]
    state = scene.feed.state
    assert state is not None
    assert state.flow == 0.5
    assert state.last_trade is not None
    assert state.last_trade.side is Side.SELL


def test_history_fills_in_what_the_socket_did_not_bring(scene: Scene) -> None:
    scene.push(MATCH, match(5))
    history = [
        PublicTrade(symbol="X-Y", trade_id=str(n), event_time_ms=NOW, price=Decimal(1), size=Decimal(1), side=Side.SELL)
        for n in (3, 4, 5)
    ]
    scene.feed.on_rest_trades(history, NOW)
    assert [trade.trade_id for trade in scene.bars.trades] == ["5", "3", "4"]


def test_a_rest_book_keeps_the_state_fresh_but_is_no_sign_of_the_socket(scene: Scene) -> None:
    levels = tuple(Level(Decimal(100 - n), Decimal(1)) for n in range(99))
    asks = tuple(Level(Decimal(101 + n), Decimal(1)) for n in range(99))
    scene.feed.on_rest_book(BookPicture(symbol="X-Y", event_time_ms=NOW, received_at_ms=NOW, bids=levels, asks=asks))
    assert scene.bars.moments == []
    (book,) = scene.outbox.messages
    assert isinstance(book, BookPicture)
    assert len(book.bids) == len(book.asks) == 50


def test_an_older_book_is_not_used_unless_nothing_newer_has_come_for_a_while(scene: Scene) -> None:
    def book(event_time_ms: int, received_at_ms: int) -> BookPicture:
        bid, ask = (Level(Decimal(100), Decimal(1)),), (Level(Decimal(101), Decimal(1)),)
        return BookPicture(symbol="X-Y", event_time_ms=event_time_ms, received_at_ms=received_at_ms, bids=bid, asks=ask)

    newest, straggler = book(NOW, NOW), book(NOW - 3_600_000, NOW + 9_999)
    scene.feed.on_rest_book(newest)
    scene.feed.on_rest_book(straggler)
    assert scene.outbox.messages == [newest]
    set_back = book(NOW - 3_600_000, NOW + 10_000)  # the exchange's clock was set back
    scene.feed.on_rest_book(set_back)
    assert scene.outbox.messages == [newest, set_back]


def test_candle_frames_go_to_the_bars_only(scene: Scene) -> None:
    scene.push(BARS, {"symbol": "X-Y", "candles": ["1789999980", "1", "1", "1", "1", "1", "1"], "time": 1})
    assert scene.outbox.messages == []
    assert len(scene.bars.candles) == 1


@pytest.mark.parametrize(
    ("topic", "data"),
    [
        (DEPTH, depth() | {"asks": [["99", "1"]]}),
        (DEPTH, depth() | {"bids": []}),
        (DEPTH, depth(NOW + 5_001)),
        (DEPTH, {}),
        (MATCH, match(9, size="0")),
        (MATCH, match(9, time_ms=NOW + 60_000)),
        (BARS, {"symbol": "X-Y", "candles": ["1789999980", "1", "1", "1", "2", "1", "1"]}),
        (BARS, {"symbol": "X-Y", "candles": ["1790000040", "1", "1", "1", "1", "1", "1"]}),
        ("/market/ticker:X-Y", {}),
        ("", None),
    ],
)
def test_garbage_is_reported_and_changes_nothing(scene: Scene, topic: str, data: Any) -> None:
    scene.push(DEPTH, depth())
    scene.push(MATCH, match(1))
    before = scene.feed.state, list(scene.outbox.messages)
    with pytest.raises(MalformedError):
        scene.push(topic, data)
    assert (scene.feed.state, scene.outbox.messages) == before
    assert (len(scene.bars.candles), len(scene.bars.trades)) == (0, 1)


def test_history_from_the_future_is_not_used(scene: Scene) -> None:
    late = PublicTrade(
        symbol="X-Y", trade_id="1", event_time_ms=NOW + 9_000, price=Decimal(1), size=Decimal(1), side=Side.BUY
    )
    with pytest.raises(MalformedError, match="future"):
        scene.feed.on_rest_trades([late], NOW)
    assert scene.outbox.messages == []


def trade(number: int, time_ms: int = NOW) -> PublicTrade:
    one = Decimal(1)
    return PublicTrade(symbol="X-Y", trade_id=str(number), event_time_ms=time_ms, price=one, size=one, side=Side.SELL)


def test_every_message_says_by_which_way_it_came_and_when(scene: Scene) -> None:
    scene.push(DEPTH, depth(NOW - 40))
    scene.push(MATCH, match(1))
    scene.feed.on_rest_trades([trade(1), trade(2)], NOW + 9)
    book, by_socket, by_rest = scene.outbox.messages
    assert isinstance(book, BookPicture)
    assert (book.source, book.event_time_ms, book.received_at_ms) == (DataSource.SOCKET, NOW - 40, NOW + 3)
    assert isinstance(by_socket, TradeBatch)
    assert (by_socket.source, by_socket.received_at_ms) == (DataSource.SOCKET, NOW + 3)
    assert isinstance(by_rest, TradeBatch)
    assert (by_rest.source, by_rest.received_at_ms) == (DataSource.REST, NOW + 9)
    assert [one.trade_id for one in by_rest.trades] == ["2"]


def test_only_what_the_socket_delivers_makes_it_the_source(scene: Scene) -> None:
    levels = (Level(Decimal(100), Decimal(1)),), (Level(Decimal(101), Decimal(1)),)
    book = BookPicture(symbol="X-Y", event_time_ms=NOW, received_at_ms=NOW, bids=levels[0], asks=levels[1])
    scene.feed.on_rest_book(book)
    scene.feed.on_rest_trades([trade(1)], NOW)
    with pytest.raises(MalformedError):
        scene.push(DEPTH, depth() | {"bids": []})
    assert scene.sources.look(100.0, NOW) == []
    scene.push(DEPTH, depth())
    assert scene.sources.look(100.0, NOW) == ["book"]
    scene.push(MATCH, match(1))  # known already, and all the same a sign of life
    assert scene.sources.look(100.0, NOW) == ["trades"]


def test_trades_that_do_not_go_on_from_the_known_ones_are_a_gap(scene: Scene) -> None:
    gaps = metrics.trade_gaps._value.get()
    scene.feed.on_rest_trades([trade(1), trade(2)], NOW)  # the first ones ever
    scene.feed.on_rest_trades([trade(2), trade(3)], NOW)
    scene.feed.on_rest_trades([], NOW)
    assert metrics.trade_gaps._value.get() == gaps
    scene.feed.on_rest_trades([trade(5), trade(6)], NOW)
    assert metrics.trade_gaps._value.get() == gaps + 1


def test_times_that_cannot_be_have_the_exchanges_clock_measured_anew(scene: Scene) -> None:
    scene.push(DEPTH, depth(NOW - 9_000))
    assert scene.clock.doubts == 0
    with pytest.raises(MalformedError):
        scene.push(DEPTH, depth(NOW + 5_001))
    assert scene.clock.doubts == 1
    levels = (Level(Decimal(100), Decimal(1)),), (Level(Decimal(101), Decimal(1)),)
    set_back = BookPicture(
        symbol="X-Y", event_time_ms=NOW - 60_000, received_at_ms=NOW + 20_000, bids=levels[0], asks=levels[1]
    )
    scene.feed.on_rest_book(set_back)
    assert scene.clock.doubts == 2
