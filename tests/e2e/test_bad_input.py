"""Nonsense from the exchange and on the streams: it is counted, it never becomes a price, and nobody falls over."""

import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from btc_shared import streams
from btc_shared.messages import CandleUpdate, TradeBatch, decode
from btc_shared.records import BookPicture

from ..conftest import ServiceProcess
from .conftest import SYMBOL, VENUE, NewSystem, System

PROGRAMS = Path(__file__).parent / "programs"
STREAMS = (
    streams.book_stream(VENUE, SYMBOL),
    streams.trades_stream(VENUE, SYMBOL),
    streams.candles_stream(VENUE, SYMBOL),
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@pytest.fixture
def spoiler(tmp_path: Path) -> Iterator[ServiceProcess]:
    process = ServiceProcess(
        "spoiling_exchange",
        {"PYTHONPATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PYTHONPATH", "")])},
        tmp_path / "spoiling_exchange.log",
        marker='{"rest": "http://127.0.0.1:',
    )
    yield process
    process.stop()


def spoiled(spoiler: ServiceProcess) -> tuple[dict[str, int], list[str]]:
    """How many wrong messages were sent, and which frames there are to be sent."""
    answer = httpx.get(f"{spoiler.address}/spoiled").json()
    return answer["sent"], answer["kinds"]


def stored_prices(system: System) -> dict[str, list[Any]]:
    """Every price that Postgres holds, by where it stands."""
    found = {
        "candles": system.rows(
            "SELECT least(open, high, low, close) a, greatest(open, high, low, close) b FROM candles"
        ),
        "market_state": system.rows("SELECT bid a, ask b, last_trade_price c FROM market_state"),
        "decisions": system.rows("SELECT price a FROM decisions"),
        "fills": system.rows("SELECT price a FROM fills"),
    }
    return {
        table: [value for row in rows for value in row.values() if value is not None] for table, rows in found.items()
    }


def streamed_prices(system: System) -> list[Decimal]:
    """Every price on the market's streams."""
    prices: list[Decimal] = []
    for name in STREAMS:
        entries: Any = system.redis.xrange(name)
        for _, fields in entries:
            message = decode(fields)
            if isinstance(message, BookPicture):
                prices += [level.price for level in (*message.bids, *message.asks)]
            elif isinstance(message, TradeBatch):
                prices += [trade.price for trade in message.trades]
            elif isinstance(message, CandleUpdate):
                prices += [message.candle.high, message.candle.low]
    return prices


def assert_all_plausible(prices: list[Any], exchange: str) -> None:
    """Within the range that the exchange's own candles have: poison is a hundred times lower, or no number."""
    params: dict[str, str | int] = {"symbol": SYMBOL, "type": "1min", "startAt": 1}
    rows = httpx.get(f"{exchange}/api/v1/market/candles", params=params).json()["data"]
    low, high = min(Decimal(row[4]) for row in rows), max(Decimal(row[3]) for row in rows)
    assert prices
    assert [price for price in prices if not low * Decimal("0.9") < price < high * Decimal("1.1")] == []


def test_a_wrong_message_of_the_exchange_never_becomes_a_price(new_system: NewSystem, spoiler: ServiceProcess) -> None:
    system = new_system(POLL_INTERVAL="0.5")
    exchange = system.start_exchange("--market", "calm2022", "--seed", "3")
    spoiler.arguments = (exchange,)
    spoiler.start()
    system.start(spoiler.address)

    def all_sent() -> bool:
        sent, kinds = spoiled(spoiler)
        return all(sent.get(kind, 0) >= 2 for kind in kinds)

    # The minute in which the nonsense began must end as a bar.
    started = system.row("SELECT date_trunc('minute', now()) AS minute")
    seen: list[Any] = []
    deadline = time.monotonic() + 180
    while not (all_sent() and system.rows("SELECT 1 FROM candles WHERE open_time >= %s", started["minute"])):
        assert time.monotonic() < deadline, f"not all was sent: {spoiled(spoiler)}\n{system.logs()}"
        seen += stored_prices(system)["market_state"]
        time.sleep(0.1)

    # Every wrong frame is counted under its topic.
    sent, _ = spoiled(spoiler)
    topics = {
        "depth": f"/spotMarket/level2Depth50:{SYMBOL}",
        "match": f"/market/match:{SYMBOL}",
        "candles": f"/market/candles:{SYMBOL}_1min",
        "other": "other",
    }
    for kind, topic in topics.items():
        wrong = sum(number for name, number in sent.items() if name.startswith(f"{kind}: "))
        metric = f'kucoin_malformed_total{{source="{topic}"}}'
        system.wait(f"the count of {kind}", lambda m=metric, w=wrong: system.metrics("market_feed").get(m, 0) >= w)  # type: ignore[misc]
    answers = sum(number for name, number in sent.items() if name.startswith("answer: "))
    failed = sum(
        value
        for service in ("market_feed", "executor")
        for name, value in system.metrics(service).items()
        if name.startswith("kucoin_request_errors_total")
    )
    assert answers > 0
    assert failed >= answers

    # And none of it is a price anywhere.
    assert_all_plausible(seen, exchange)
    for table, prices in stored_prices(system).items():
        if prices or table != "fills":
            assert_all_plausible(prices, exchange)
    assert_all_plausible(streamed_prices(system), exchange)
    bars = system.rows("SELECT open_time, open, close, high, low, volume, turnover FROM candles ORDER BY open_time")
    params: dict[str, str | int] = {"symbol": SYMBOL, "type": "1min", "startAt": int(bars[0]["open_time"].timestamp())}
    rows = httpx.get(f"{exchange}/api/v1/market/candles", params=params).json()["data"]
    served = {int(row[0]): [Decimal(text) for text in row[1:]] for row in rows}
    for bar in bars:
        assert list(bar.values())[1:] == served[int(bar["open_time"].timestamp())]

    assert_lives(system)


def assert_lives(system: System) -> None:
    """Everything runs, nothing crashed, and decisions go on with all four voices."""
    assert system.crashes() == []
    assert {name: service.running for name, service in system.services.items()} == dict.fromkeys(system.services, True)
    newest = system.row("SELECT max(id) AS id FROM decisions")["id"]
    system.wait(
        "a decision on fresh data",
        lambda: system.rows(
            "SELECT 1 FROM decisions WHERE id > %s AND score_technical IS NOT NULL AND score_orderbook IS NOT NULL"
            " AND score_flow IS NOT NULL AND score_qlearning IS NOT NULL",
            newest,
        ),
    )
    assert all(service.is_healthy() for service in system.services.values())


def wrong_entries() -> list[dict[str, bytes]]:
    """Stream entries that are none of ours, and some that only look so."""
    now_ms = time.time_ns() // 1_000_000
    pack = msgspec.msgpack.encode
    book = {
        "symbol": SYMBOL,
        "event_time_ms": now_ms,
        "received_at_ms": now_ms,
        "bids": [["666.6", "1"]],
        "asks": [["666.7", "1"]],
    }
    trade = {
        "symbol": SYMBOL,
        "trade_id": "1",
        "event_time_ms": now_ms,
        "price": "666.6",
        "size": "1",
        "side": "buy",
    }
    batch = {"symbol": SYMBOL, "received_at_ms": now_ms}
    bar = {
        "symbol": SYMBOL,
        "open_time_ms": now_ms // 60_000 * 60_000,
        **dict.fromkeys(("open", "high", "low", "close"), "666.6"),
        "volume": "1",
        "turnover": "1",
    }
    update = {"correction": False, "published_at_ms": now_ms}
    books = [
        {**book, "bids": [["NaN", "1"]]},
        {**book, "asks": [["666.7", "NaN"]]},
        {**book, "bids": [["-666.6", "1"]]},
        {**book, "bids": [["1e400", "1"]]},
        {**book, "bids": []},
        {**book, "asks": [[]]},
        {**book, "asks": "666.7"},
        {**book, "event_time_ms": "now"},
        {name: value for name, value in book.items() if name != "asks"},
    ]
    batches = [
        {**batch, "trades": [{**trade, "price": "NaN"}]},
        {**batch, "trades": [{**trade, "size": "-1"}]},
        {**batch, "trades": [{**trade, "side": "hold"}]},
        {**batch, "trades": [{name: value for name, value in trade.items() if name != "price"}]},
        {**batch, "trades": []},
        batch,
    ]
    updates = [
        {**update, "candle": {**bar, "close": "NaN"}},
        {**update, "candle": {**bar, "volume": "-1"}},
        {**update, "candle": {name: value for name, value in bar.items() if name != "close"}},
        {**update, "candle": None},
    ]
    return [
        {},
        {"data": b"666.6"},
        {"kind": b"price", "data": pack({"price": 666.6})},
        {"kind": b"\xff\xfe", "data": b"\x00"},
        {"kind": b"book"},
        {"kind": b"book", "data": b"\xc1"},
        {"kind": b"book", "data": pack(book)[:-5]},
        {"kind": b"book", "data": pack([book])},
        {"kind": b"trades", "data": pack(666.6)},
        {"kind": b"candle", "data": b"x" * 200_000},
        {"kind": b"signal", "data": pack({"signal_id": "1", "action": "BUY"})},
        {"kind": b"signal", "data": b"rubbish"},
        {"kind": b"execution", "data": pack({})},
        *({"kind": b"book", "data": pack(one)} for one in books),
        *({"kind": b"trades", "data": pack(one)} for one in batches),
        *({"kind": b"candle", "data": pack(one)} for one in updates),
    ]


def test_an_unknown_message_on_a_stream_ends_in_the_bounded_dead_letters(new_system: NewSystem) -> None:
    system = new_system(POLL_INTERVAL="0.5")
    exchange = system.start_exchange("--market", "calm2022", "--seed", "4")
    system.start(exchange)
    system.wait("healthy services", lambda: all(service.is_healthy() for service in system.services.values()))
    readers = {
        streams.book_stream(VENUE, SYMBOL): ("decision_engine", "executor"),
        streams.trades_stream(VENUE, SYMBOL): ("decision_engine",),
        streams.candles_stream(VENUE, SYMBOL): ("decision_engine",),
        streams.executions_stream(VENUE, SYMBOL): ("decision_engine",),
        streams.signals_stream(VENUE, SYMBOL): ("executor",),
    }
    entries = [entry or {"empty": b""} for entry in wrong_entries()]
    rounds = 10
    for _ in range(rounds):
        for name in readers:
            for entry in entries:
                system.redis.xadd(name, entry)  # type: ignore[arg-type]

    # Each reader of a stream counts each entry, and each is kept aside once for each, within bounds.
    for name, services in readers.items():
        for service in services:
            metric = f'stream_dead_letters_total{{stream="{name}"}}'
            system.wait(
                f"the dead letters of {service}",
                lambda s=service, m=metric: system.metrics(s).get(m, 0) == rounds * len(entries),  # type: ignore[misc]
            )
    total = rounds * len(entries) * sum(map(len, readers.values()))
    assert total > streams.DEAD_LETTER_MAXLEN + 100
    kept: Any = system.redis.xrange(streams.DEAD_LETTER_STREAM)
    assert streams.DEAD_LETTER_MAXLEN <= len(kept) <= streams.DEAD_LETTER_MAXLEN + 100
    for _, fields in kept:
        assert fields[b"stream"].decode() in readers
        assert fields[b"reason"]
        assert len(fields[b"payload"]) <= streams.DEAD_LETTER_PAYLOAD_BYTES

    for table, prices in stored_prices(system).items():
        if prices or table != "fills":
            assert_all_plausible(prices, exchange)
    assert_lives(system)
