"""The real market feed against the real practice exchange, Postgres and Valkey."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
import pytest
import redis

from btc_cli.embedded import running_postgres, running_valkey
from btc_shared.db.__main__ import migrate
from btc_shared.kucoin.errors import RejectedError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.kucoin.transport import open_http
from btc_shared.messages import CandleUpdate, TradeBatch, decode
from btc_shared.records import BookPicture
from btc_shared.streams import BOOK_MAXLEN

SYMBOL = "BTC-USDT"
BOOK, TRADES, BARS = (f"market:practice:{SYMBOL}:{kind}" for kind in ("book", "trades", "candles"))

T = TypeVar("T")


def until(what: str, ask: Callable[[], T | None], seconds: float = 30) -> T:
    """Ask until there is an answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError, psycopg.OperationalError, redis.RedisError):
            if (answer := ask()) is not None:
                return answer
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain: {what}")


class Process:
    """A child process of the test; its log lines are read so that it never blocks."""

    def __init__(self, module: str, *arguments: str, **variables: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ.get("PATH", ""), **variables},
        )
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with contextlib.suppress(json.JSONDecodeError):
                self.events.append(json.loads(line))

    def first_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def event(self, name: str) -> dict[str, Any] | None:
        return next((event for event in list(self.events) if event.get("event") == name), None)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.running:
            self._process.send_signal(number)
        try:
            status = self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()  # a failing test leaves no process behind
            self._process.wait()
            raise
        self._reader.join(5)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdout.close()
        self._process.stderr.close()
        return status


@contextlib.contextmanager
def exchange(port: int = 0) -> Iterator[tuple[Process, str]]:
    process = Process("kucoin_sim", "--port", str(port), "--json", "--seed", "7")
    try:
        yield process, json.loads(process.first_line())["rest"]
    finally:
        process.end()


@contextlib.contextmanager
def feed(database: str, redis_url: str, base_url: str) -> Iterator[tuple[Process, str]]:
    process = Process(
        "market_feed",
        DATABASE_URL=database,
        REDIS_URL=redis_url,
        KUCOIN_BASE_URL=base_url,
        VENUE="practice",
        PORT="0",
    )
    try:
        yield process, until("the feed listens", lambda: process.event("listening"))["address"]
    finally:
        process.end()


def checks(address: str) -> dict[str, bool]:
    body = httpx.get(f"{address}/health").json()
    return {name: check["ok"] for name, check in body["checks"].items()}


def healthy(address: str) -> bool | None:
    answer = httpx.get(f"{address}/health")
    return True if answer.status_code == 200 and all(checks(address).values()) else None


def metric(address: str, name: str) -> float:
    for line in httpx.get(f"{address}/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no metric {name}")


def stored_bars(database: str) -> dict[int, tuple[Decimal, ...]]:
    """Opening second → open, close, high, low, volume, turnover: the order in which the exchange gives them."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT open_time, open, close, high, low, volume, turnover FROM candles").fetchall()
    return {int(row[0].timestamp()): tuple(row[1:]) for row in rows}


def exchange_bars(base_url: str, first: int, last: int) -> dict[int, tuple[Decimal, ...]]:
    params: dict[str, str | int] = {"symbol": SYMBOL, "type": "1min", "startAt": first, "endAt": last + 59}
    rows = httpx.get(f"{base_url}/api/v1/market/candles", params=params).json()["data"]
    return {int(row[0]): tuple(Decimal(text) for text in row[1:]) for row in rows}


async def test_the_client_reads_every_public_endpoint_and_the_clock_of_the_practice_exchange() -> None:
    with exchange() as (_, base_url):
        async with open_http(base_url) as http:
            client = PublicClient(http)
            server_clock = ServerClock(client)
            assert abs(await server_clock.measure()) < 1_000  # the same machine
            now_ms = server_clock.exchange_now_ms()
            assert (await client.symbol_rules(SYMBOL)).min_funds > 0
            ticker, book = await client.ticker(SYMBOL), await client.book(SYMBOL, 100)
            assert abs(ticker.mid / book.mid - 1) < Decimal("0.01")
            assert len(book.bids) > 20
            bars = await client.candles(SYMBOL, now_ms - 2_000 * 60_000, now_ms)
            assert [bar.open_time_ms for bar in bars] == sorted({bar.open_time_ms for bar in bars})
            assert bars[-1].open_time_ms > now_ms - 2 * 60_000
            trades = await client.recent_trades(SYMBOL)
            assert [trade.event_time_ms for trade in trades] == sorted(trade.event_time_ms for trade in trades)
            assert (await client.public_token()).servers[0].endpoint.startswith("ws://127.0.0.1:")
            with pytest.raises(RejectedError):
                await client.symbol_rules("NO-SUCH")


def test_bars_equal_the_exchanges_and_a_restarted_exchange_is_found_again(postgres_url: str, redis_url: str) -> None:
    with exchange() as (venue, base_url):
        port = int(base_url.rpartition(":")[2])
        with feed(postgres_url, redis_url, base_url) as (service, address):
            until("everything is fresh", lambda: healthy(address))
            until("a day of bars is stored", lambda: len(stored_bars(postgres_url)) >= 1_440 or None)
            history = len(stored_bars(postgres_url))

            # The running minute is REST's; the next one ends while the feed listens, and REST confirms it later.
            until("a bar is closed live", lambda: len(stored_bars(postgres_url)) > history + 1 or None, seconds=150)
            read = metric(address, 'kucoin_request_seconds_count{endpoint="candles"}')
            until(
                "REST confirms it",
                lambda: metric(address, 'kucoin_request_seconds_count{endpoint="candles"}') > read or None,
                seconds=90,
            )
            until("corrections are stored", lambda: checks(address)["database"] or None)
            bars = stored_bars(postgres_url)
            assert bars == exchange_bars(base_url, min(bars), max(bars))
            assert sorted(bars) == list(range(min(bars), max(bars) + 60, 60))

            with redis.Redis.from_url(redis_url) as client:
                assert BOOK_MAXLEN / 2 < client.xlen(BOOK) <= BOOK_MAXLEN + 200
                newest: dict[str, Any] = {
                    name: decode(client.xrevrange(name, count=1)[0][1]) for name in (BOOK, TRADES, BARS)
                }
            assert isinstance(newest[BOOK], BookPicture)
            assert len(newest[BOOK].bids) == 50
            assert isinstance(newest[TRADES], TradeBatch)
            assert isinstance(newest[BARS], CandleUpdate)
            assert newest[BARS].candle.open_time_ms == max(bars) * 1_000
            with psycopg.connect(postgres_url) as connection:
                state = connection.execute("SELECT bid, ask, imbalance, flow, book_time FROM market_state").fetchone()
                rules = connection.execute("SELECT rules ->> 'min_funds' FROM symbols").fetchone()
                beat = connection.execute("SELECT status, details FROM heartbeats").fetchone()
            assert state is not None
            assert state[0] < state[1]
            assert -1 <= state[2] <= 1
            assert -1 <= state[3] <= 1
            assert rules == ("0.1",)
            assert beat is not None
            assert beat[0] == "healthy"
            assert set(beat[1]) >= {"feed_age_ms", "reconnects", "last_error", "clock_offset_ms"}

            venue.end(signal.SIGKILL)
            until("the socket is known to be lost", lambda: not checks(address)["socket"] or None)
            lost_at = datetime.now(UTC)
            with exchange(port):
                until("the feed is fresh again", lambda: healthy(address), seconds=60)
                until("its state moves on", lambda: newer_state(postgres_url, lost_at), seconds=30)
            assert service.running
            assert service.end() == 0
            assert service.event("crashed") is None


def newer_state(database: str, than: datetime) -> bool | None:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT book_time FROM market_state").fetchone()
    return True if row is not None and row[0] > than else None


def test_restarts_of_valkey_and_postgres_are_survived_and_bars_are_made_up_for(agent_home: Path) -> None:
    with contextlib.ExitStack() as processes:
        _, base_url = processes.enter_context(exchange())
        with running_postgres(agent_home, durable=False) as database:
            migrate(database)
            with running_valkey(agent_home) as redis_url:
                service, address = processes.enter_context(feed(database, redis_url, base_url))
                until("everything is fresh", lambda: healthy(address))
                until("a day of bars is stored", lambda: len(stored_bars(database)) >= 1_440 or None)
            until("Valkey's absence is seen", lambda: not checks(address)["redis"] or None)
            books = 'market_feed_events_in_total{kind="book"}'
            seen = metric(address, books)
            until("the socket is still read", lambda: metric(address, books) > seen + 10 or None)
        until("the database's absence is seen", lambda: not checks(address)["database"] or None)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(database, connect_timeout=2)
        lost_at = datetime.now(UTC)
        with running_postgres(agent_home, durable=False) as again, running_valkey(agent_home) as redis_again:
            if (again, redis_again) != (database, redis_url):
                pytest.skip("another process took a port of the stopped servers")
            until("everything is fresh", lambda: healthy(address))
            until("the state moves on", lambda: newer_state(database, lost_at))
            with redis.Redis.from_url(redis_url) as client:
                until("books are published again", lambda: client.xlen(BOOK) > 5 or None)
            bars = stored_bars(database)
            assert sorted(bars) == list(range(min(bars), max(bars) + 60, 60))
            assert service.running
            outages = [event["dependency"] for event in service.events if event.get("event") == "outage_began"]
            assert len(outages) == len(set(outages))  # said once per outage
            assert service.end() == 0
