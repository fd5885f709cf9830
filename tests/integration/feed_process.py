"""The market feed and the practice exchange as processes of a test, and looks at what the feed does."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, TypeVar

import httpx
import psycopg
import redis

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
def feed(database: str, redis_url: str, base_url: str, **variables: str) -> Iterator[tuple[Process, str]]:
    process = Process(
        "market_feed",
        DATABASE_URL=database,
        REDIS_URL=redis_url,
        KUCOIN_BASE_URL=base_url,
        VENUE="practice",
        PORT="0",
        **variables,
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
