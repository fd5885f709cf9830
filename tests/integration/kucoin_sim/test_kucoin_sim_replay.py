"""A real recording replayed by a real process: the pictures a client gets are the book that was recorded."""

import asyncio
import csv
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kucoin_sim.binance_capture import convert
from kucoin_sim.orderbook import OrderBook
from kucoin_sim.recording import BookChanges, BookSnapshot, Event, RecordedTrade, Recording, RecordingWriter

CAPTURE = Path("market") / "binance_spot_btcusdt_depth_trades_2024-08-08.gz"
PLAYED_MS = 5_000
LEAD_MS = 4_000
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def recorded(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    if not (shared_data / CAPTURE).is_file():
        pytest.skip(f"no {CAPTURE.name} in the recorded market data")
    path = tmp_path_factory.mktemp("recording") / "whole"
    convert(shared_data / CAPTURE, path, "BTC-USDT", "0.01", "0.00000001")
    return Recording(path)


def _moved(event: Event, shift_ms: int) -> Event:
    if isinstance(event, RecordedTrade):
        return RecordedTrade(event.time_ms + shift_ms, event.price, event.size, event.side)
    assert isinstance(event, (BookSnapshot, BookChanges))
    return type(event)(event.time_ms + shift_ms, event.bids, event.asks)


@pytest.fixture
def short(recorded: Recording, tmp_path: Path) -> Recording:
    """The first seconds of the recording, moved so that their second of the minute comes soon."""
    first_ms = recorded.header.first_ms
    shift_ms = (time.time_ns() // 1_000_000 + LEAD_MS - first_ms) % MINUTE_MS
    path = tmp_path / "short"
    with RecordingWriter(
        path, symbol="BTC-USDT", source="test", price_increment="0.01", size_increment="0.00000001"
    ) as writer:
        for event in recorded.events():
            if event.time_ms > first_ms + PLAYED_MS:
                break
            writer.add(_moved(event, shift_ms))
    return Recording(path)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("ts_ms", "open", "high", "low", "close", "volume"))
        writer.writerows((MINUTE_MS * (index + 1), 100, 103, 98, 100 + index % 3, 1.5) for index in range(400))
    return path


def _top(book: OrderBook) -> dict[str, list[list[Decimal]]]:
    top = book.top(50)
    return {
        side: [[Decimal(price).scaleb(-2), Decimal(size).scaleb(-8)] for price, size in levels]
        for side, levels in (("bids", top.bids), ("asks", top.asks))
    }


async def test_a_client_sees_the_recorded_market_exactly_and_then_a_standstill(
    short: Recording, history: Path, start_exchange: Callable[..., Any]
) -> None:
    exchange = start_exchange("--recordings", str(short.path.parent), "--recording", "short", "--history", str(history))
    (state,) = exchange.get("/health").json()["markets"]
    assert state["state"] == "waiting"
    begins_ms = state["begins_ms"]
    shift_ms = begins_ms - short.header.first_ms
    assert shift_ms % MINUTE_MS == 0
    assert state["ends_ms"] == short.header.last_ms + shift_ms
    _check_history(exchange, short, begins_ms)

    pictures: list[Any] = []
    trades: list[Any] = []
    async with exchange.connect() as socket:
        for topic in ("/spotMarket/level2Depth50:BTC-USDT", "/market/match:BTC-USDT"):
            await socket.send(json.dumps({"id": 1, "type": "subscribe", "topic": topic, "response": True}))
        last_book_ms = max(event.time_ms for event in short.events() if not isinstance(event, RecordedTrade))
        while not pictures or pictures[-1]["timestamp"] < last_book_ms + shift_ms:
            async with asyncio.timeout(30):
                frame = json.loads(await socket.recv())
            if "Depth50" in frame.get("topic", ""):
                pictures.append(frame["data"])
            elif "match" in frame.get("topic", ""):
                trades.append(frame["data"])

    book, expected = OrderBook(), {}
    for event in short.events():
        if isinstance(event, BookSnapshot):
            book.replace(event.bids, event.asks)
        elif isinstance(event, BookChanges):
            book.change(event.bids, event.asks)
        else:
            continue
        expected[event.time_ms + shift_ms] = _top(book)
    assert [picture["timestamp"] for picture in pictures] == list(expected)
    for picture in pictures:
        for side in ("bids", "asks"):
            levels = [[Decimal(price), Decimal(size)] for price, size in picture[side]]
            assert levels == expected[picture["timestamp"]][side]
    _check_trades(short, shift_ms, last_book_ms, trades)
    await _check_standstill(exchange, pictures[-1])


def _check_history(exchange: Any, short: Recording, begins_ms: int) -> None:
    rows = exchange.data("/api/v1/market/candles", symbol="BTC-USDT", type="1min", startAt=1)
    assert len(rows) == 400
    assert int(rows[0][0]) * 1000 == begins_ms - begins_ms % MINUTE_MS - MINUTE_MS
    first = next(event for event in short.events() if isinstance(event, RecordedTrade))
    assert Decimal(rows[0][2]) == Decimal(first.price).scaleb(-2)


def _check_trades(short: Recording, shift_ms: int, until_ms: int, trades: list[Any]) -> None:
    expected = [
        (event.time_ms + shift_ms, Decimal(event.price).scaleb(-2), Decimal(event.size).scaleb(-8), event.side)
        for event in short.events()
        if isinstance(event, RecordedTrade) and event.time_ms <= until_ms
    ]
    seen = [
        (int(data["time"]) // 1_000_000, Decimal(data["price"]), Decimal(data["size"]), data["side"]) for data in trades
    ]
    assert len(expected) > 20
    assert seen == expected


async def _check_standstill(exchange: Any, picture: Any) -> None:
    async with asyncio.timeout(30):
        while exchange.get("/health").json()["markets"][0]["state"] != "ended":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    book = exchange.data("/api/v1/market/orderbook/level2_20", symbol="BTC-USDT")
    assert book["bids"] == picture["bids"][:20]
    assert book["asks"] == picture["asks"][:20]
    assert "market_stands_still" in [line["event"] for line in exchange.log()]
