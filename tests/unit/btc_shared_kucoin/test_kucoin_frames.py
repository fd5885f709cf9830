"""Frames become exact records; anything that is not as documented is refused by name of the field."""

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from btc_shared.codes import Side
from btc_shared.kucoin import frames
from btc_shared.kucoin.errors import MalformedError
from btc_shared.kucoin.frames import Frame
from btc_shared.records import Level

RECEIVED = 1_790_000_000_200
PARSERS = {frames.DEPTH: frames.book_picture, frames.TRADES: frames.public_trade, frames.CANDLES: frames.candle}
BOOK = {"bids": [["67000.1", "0.4"], ["67000", "1.25"]], "asks": [["67000.2", "0.031"]], "timestamp": 1_790_000_000_123}
TRADE = {
    "symbol": "BTC-USDT",
    "sequence": "11000000000000001",
    "side": "sell",
    "price": "67000.1",
    "size": "0.0021",
    "time": "1790000000123000000",
}
CANDLE = ["1789999980", "67000", "67010.5", "67012", "66999.9", "1.5", "100510.25"]


def frame(topic: str, data: Any) -> Frame:
    return Frame(topic, "", json.dumps(data).encode(), RECEIVED)


def depth(**changes: Any) -> Frame:
    return frame(frames.depth_topic("BTC-USDT"), BOOK | changes)


def match(**changes: Any) -> Frame:
    return frame(frames.trades_topic("BTC-USDT"), TRADE | changes)


def candle(position: int | None = None, value: Any = None, symbol: str = "BTC-USDT") -> Frame:
    row: list[Any] = list(CANDLE)
    if position is not None:
        row[position] = value
    return frame(frames.candles_topic("BTC-USDT"), {"symbol": symbol, "candles": row, "time": 1})


def opened(text: str | bytes) -> Frame:
    body = text.encode() if isinstance(text, str) else text
    envelope = frames.envelope(body)
    return Frame(envelope.topic, envelope.subject, bytes(envelope.data), RECEIVED)


def test_a_depth_frame_becomes_a_book_with_its_own_time_and_ours() -> None:
    book = frames.book_picture(depth())
    assert book.symbol == "BTC-USDT"
    assert (book.event_time_ms, book.received_at_ms) == (1_790_000_000_123, RECEIVED)
    assert book.bids == (Level(Decimal("67000.1"), Decimal("0.4")), Level(Decimal(67000), Decimal("1.25")))
    assert book.asks == (Level(Decimal("67000.2"), Decimal("0.031")),)


def test_a_match_frame_becomes_a_trade_whose_id_is_its_sequence() -> None:
    trade = frames.public_trade(match(tradeId="another"))
    assert (trade.trade_id, trade.side) == ("11000000000000001", Side.SELL)
    assert trade.event_time_ms == 1_790_000_000_123
    assert (trade.price, trade.size) == (Decimal("67000.1"), Decimal("0.0021"))


def test_a_candle_row_is_read_in_the_exchanges_order_with_the_close_third() -> None:
    bar = frames.candle(candle())
    assert bar.open_time_ms == 1_789_999_980_000
    assert (bar.open, bar.close) == (Decimal(67000), Decimal("67010.5"))
    assert (bar.high, bar.low) == (Decimal(67012), Decimal("66999.9"))
    assert (bar.volume, bar.turnover) == (Decimal("1.5"), Decimal("100510.25"))


@pytest.mark.parametrize("parser", list(PARSERS.values()))
def test_the_documented_frame_is_one_that_the_parser_reads(parser: Any) -> None:
    sample = parser.__doc__.split("```")[1]
    assert parser(opened(sample)).symbol == "BTC-USDT"


@pytest.mark.parametrize("text", ["0", "-1", "NaN", "Infinity", "1e99", "1E-30", "", " 1", "1\n", "١", "0x10", "1_0"])
def test_what_is_no_plausible_price_never_becomes_one(text: str) -> None:
    for bad in (depth(bids=[[text, "1"]]), depth(asks=[["67000.2", text]]), match(price=text), match(size=text)):
        with pytest.raises(MalformedError):
            PARSERS[bad.topic.partition(":")[0] + ":"](bad)
    for position in (1, 2, 3, 4):
        with pytest.raises(MalformedError):
            frames.candle(candle(position, text))


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (depth(bids=[]), "bids is empty"),
        (depth(asks=[]), "asks is empty"),
        (depth(bids=None), "$.bids"),
        (depth(bids=[["67000.2", "1"]]), "crossed"),
        (depth(bids=[["67000.3", "1"]]), "crossed"),
        (depth(bids=[["67000", "1"], ["67000.1", "1"]]), "bids is not sorted"),
        (depth(asks=[["67000.2", "1"], ["67000.2", "2"]]), "asks is not sorted"),
        (depth(bids=[["67000"]]), "bids"),
        (depth(bids=[[67000.1, "1"]]), "bids"),
        (depth(timestamp=1_790_000_000), "timestamp"),
        (depth(timestamp=1_790_000_000_123.5), "timestamp"),
        (depth(timestamp="soon"), "timestamp"),
        (match(side="short"), "side"),
        (match(side=None), "side"),
        (match(sequence="6085c09b69bc506996295e53"), "sequence"),
        (match(sequence=1.5), "sequence"),
        (match(sequence=-1), "sequence"),
        (match(sequence=10**20), "sequence"),
        (match(time="1790000000123"), "time"),
        (match(symbol="ETH-USDT"), "symbol"),
        (candle(0, "1789999981"), "time"),
        (candle(0, "1789999980000"), "time"),
        (candle(3, "66999.95"), "high"),
        (candle(4, "67000.1"), "low"),
        (candle(5, "-1"), "candles"),
        (candle(6, None), "candles"),
        (candle(symbol="ETH-USDT"), "symbol"),
    ],
)
def test_a_wrong_field_is_named_with_the_bodys_beginning(bad: Frame, problem: str) -> None:
    with pytest.raises(MalformedError) as caught:
        PARSERS[bad.topic.partition(":")[0] + ":"](bad)
    assert problem in caught.value.problem
    assert repr(bad.data[:40])[:-1] in str(caught.value)


@pytest.mark.parametrize("missing", list(TRADE))
def test_a_missing_field_is_named(missing: str) -> None:
    data = {key: value for key, value in TRADE.items() if key != missing}
    with pytest.raises(MalformedError, match=missing):
        frames.public_trade(frame(frames.trades_topic("BTC-USDT"), data))


def test_bars_of_another_length_are_refused() -> None:
    other = frame("/market/candles:BTC-USDT_1hour", {"symbol": "BTC-USDT", "candles": CANDLE})
    with pytest.raises(MalformedError, match="1hour"):
        frames.candle(other)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"null", b"[]", b'{"topic":"x"}', b'{"type":1}', b"<html>", b'{"type":"x","y":' + b"[" * 9_999],
)
def test_what_is_no_frame_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        frames.envelope(body)


def test_endless_digits_are_malformed_not_a_crash() -> None:
    with pytest.raises(MalformedError):
        frames.book_picture(Frame("/x:BTC-USDT", "", b'{"bids":[],"asks":[],"timestamp":' + b"9" * 9_999 + b"}", 1))


def test_control_frames_are_recognised() -> None:
    assert frames.envelope(b'{"id":"a1","type":"welcome"}').type == "welcome"
    assert frames.envelope(b'{"type":"pong","timestamp":1768824067407080}').id is None
    error = frames.envelope(b'{"code":404,"data":"topic /x is not found","id":"7","type":"error"}')
    assert (error.code, bytes(error.data)) == (404, b'"topic /x is not found"')


def official(folder: Path, name: str) -> Frame:
    return opened(
        json.dumps(json.loads((folder / "ws_spec" / f"spot-public.{name}.json").read_text())["frame_example"])
    )


def test_the_official_examples_are_read(shared_data: Path) -> None:
    kucoin = shared_data / "kucoin"
    book = frames.book_picture(official(kucoin, "orderbookLevel50"))
    assert (len(book.bids), len(book.asks)) == (50, 50)
    assert book.best_ask == Decimal("95964.3")
    assert len(frames.book_picture(official(kucoin, "orderbookLevel5")).bids) == 5
    assert frames.public_trade(official(kucoin, "trade")).trade_id == "11067996711960577"
    hourly = official(kucoin, "klines")
    minute = Frame(hourly.topic.replace("1hour", "1min"), hourly.subject, hourly.data, RECEIVED)
    assert frames.candle(minute).close == Decimal("67437.6")


def test_the_examples_of_another_library_are_read(shared_data: Path) -> None:
    read = Counter[str]()
    for name in ("Book", "Trades", "Klines"):
        path = shared_data / "kucoin" / "jkorf_fixtures" / f"Subscriptions.Spot.{name}.json"
        for item in json.loads(path.read_text()):
            envelope = frames.envelope(json.dumps(item["frame"]).encode())
            if item["dir"] != "server_push":
                read[envelope.type] += 1
                continue
            pushed = opened(json.dumps(item["frame"]).replace("_8hour", "_1min"))
            record: Any = PARSERS[pushed.topic.partition(":")[0].replace("Depth5", "Depth50") + ":"](pushed)
            assert record.symbol == "BTC-USDT"
            read["message"] += 1
    assert read == {"subscribe": 3, "ack": 3, "message": 3}


def test_a_recorded_half_minute_is_read_without_a_malformed_frame(shared_data: Path) -> None:
    read = Counter[str]()
    last = dict[str, int]()
    with gzip.open(shared_data / "kucoin" / "cryptofeed_capture" / "KUCOIN.ws.1.0.gz", "rt") as lines:
        for line in lines:
            moment, _, body = line.partition(": ")
            if "wss:" in moment or not body:  # what the recording client did
                continue
            envelope = frames.envelope(body.encode())
            read[envelope.type] += 1
            parser = PARSERS.get(envelope.topic.partition(":")[0] + ":")
            if parser is None:
                continue
            record: Any = parser(opened(body))
            read[type(record).__name__] += 1
            if parser is frames.public_trade:
                assert int(record.trade_id) > last.get(record.symbol, 0)
                last[record.symbol] = int(record.trade_id)
    assert read["message"] == 830 + 3853 + 18 + 6
    assert (read["PublicTrade"], read["Candle"]) == (18, 6)
    assert read["welcome"] == 1
    assert read["ack"] == 13


def test_the_recorded_frames_of_2026_have_the_known_envelope(shared_data: Path) -> None:
    recorded = json.loads((shared_data / "kucoin" / "ws_live" / "public_recorded_2026-10-03.json").read_text())
    topics = [frames.envelope(json.dumps(value).encode()).topic for value in recorded.values()]
    assert "/market/ticker:ETH-USDT" in topics
    assert all(topic.startswith("/market/") for topic in topics)
