"""The whole system as processes: practice exchange, all services, Postgres and Valkey."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, LiteralString, Protocol, TypeVar

import httpx
import psycopg
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from psycopg.rows import dict_row

from ..conftest import ServiceProcess

SYMBOL, VENUE = "BTC-USDT", "practice"
CONTROL_TOKEN = "a token of the end-to-end tests"
FAR_EXITS = {"stop_loss_pct": 0.5, "take_profit_pct": 10, "partial_exit_pct": 10, "trailing_activation_pct": 10}
SERVICES = ("market_feed", "decision_engine", "executor", "webui_api", "exporter")

# Settings, not other rules: decide and trade often, on the book above all.
OFTEN = {
    "POLL_INTERVAL": "0.5",
    "CONFIRM_SECS": "0",
    "DECISION_THRESHOLD": "0.05",
    "SMOOTHING_SECS": "3",
    "WEIGHT_ORDERBOOK": "0.7",
    "WEIGHT_TECHNICAL": "0.1",
    "WEIGHT_FLOW": "0.1",
    "WEIGHT_QLEARNING": "0.1",
    "MIN_CONFIDENCE": "0.1",
    "MIN_TRADE_INTERVAL": "1",
    "MAX_DAILY_TRADES": "10000",
    "MAX_DAILY_LOSS": "100000",
    "DRY_LATENCY": "0.05",
}
# Leave early.
NEAR_EXITS = {
    "stop_loss_pct": "0.0010",
    "take_profit_pct": "0.0012",
    "partial_exit_pct": "0.0005",
    "trailing_activation_pct": "0.0005",
    "trailing_distance_pct": "0.0003",
}

Row = dict[str, Any]
Metrics = dict[str, float]
T = TypeVar("T")


class System:
    """Everything of one agent. `exchange` and `services` are processes, the rest is the test's side."""

    def __init__(self, folder: Path, postgres_url: str, redis_url: str, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = {
            "DATABASE_URL": postgres_url,
            "REDIS_URL": redis_url,
            "VENUE": VENUE,
            "SYMBOL": SYMBOL,
            "CONTROL_TOKEN": CONTROL_TOKEN,
            **environ,
        }
        self.database = psycopg.connect(postgres_url, autocommit=True, row_factory=dict_row)
        self.redis = redis.Redis.from_url(redis_url)
        self.http = httpx.Client(timeout=10)
        self.services: dict[str, ServiceProcess] = {}
        self.exchange: ServiceProcess | None = None

    def start_exchange(self, *arguments: str) -> str:
        """Start the practice exchange; returns its address."""
        self.exchange = ServiceProcess(
            "kucoin_sim",
            {},
            self._folder / "kucoin_sim.log",
            arguments=("--json", "--port", "0", *arguments),
            marker='{"rest": "http://127.0.0.1:',
        )
        self.exchange.launch()
        # A recording is read and checked in full first.
        self.exchange.wait_ready(timeout_secs=60)
        return self.exchange.address

    def start(self, exchange_address: str) -> None:
        """Start all services and wait until they listen."""
        for module in SERVICES:
            environ = {**self._environ, "KUCOIN_BASE_URL": exchange_address}
            self.services[module] = ServiceProcess(module, environ, self._folder / f"{module}.log")
        for service in self.services.values():
            service.launch()
        for service in self.services.values():
            service.wait_ready(wait_healthy=False, timeout_secs=60)

    def close(self) -> None:
        for service in self.services.values():
            service.stop()
        if self.exchange is not None:
            self.exchange.stop()
        self.http.close()
        self.redis.close()
        self.database.close()

    def rows(self, query: LiteralString, *parameters: Any) -> list[Row]:
        return self.database.execute(query, parameters).fetchall()

    def row(self, query: LiteralString, *parameters: Any) -> Row:
        (found,) = self.rows(query, *parameters)
        return found

    def count(self, table: LiteralString) -> int:
        return int(self.row("SELECT count(*) AS rows FROM " + table)["rows"])

    def wait(self, what: str, condition: Callable[[], T | None], *, secs: float = 60) -> T:
        """Ask until there is an answer; the deadline only keeps a failing test from hanging."""
        deadline = time.monotonic() + secs
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.05)
        raise AssertionError(f"{what} did not happen within {secs} s:\n{self.logs()}")

    def get(self, service: str, path: str) -> httpx.Response:
        return self.http.get(self.services[service].address + path)

    def api(self, path: str) -> Any:
        """An answer of the API that must succeed."""
        answer = self.get("webui_api", path)
        assert answer.status_code == 200, f"{path} answered {answer.status_code}: {answer.text}"
        return answer.json()

    def metrics(self, service: str = "exporter") -> Metrics:
        """What `/metrics` shows: `name` or `name{label="value",…}`, labels in alphabetical order → value."""
        answer = self.get(service, "/metrics")
        assert answer.status_code == 200
        written = {line.partition("{")[0].partition(" ")[0] for line in answer.text.splitlines()}
        found: Metrics = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                # The parser adds `_total` to counters that do not have it.
                name = sample.name if sample.name in written else sample.name.removesuffix("_total")
                labels = ",".join(f'{label}="{value}"' for label, value in sorted(sample.labels.items()))
                found[f"{name}{{{labels}}}" if labels else name] = sample.value
        return found

    def change_settings(self, **changes: Any) -> None:
        """Change settings at run time as an operator does, and wait until executor and engine have them in effect."""
        answer = self.http.patch(
            self.services["exporter"].address + "/config",
            json=changes,
            headers={"Authorization": f"Bearer {CONTROL_TOKEN}"},
        )
        assert answer.status_code == 200, answer.text
        version = self.row("SELECT version FROM runtime_settings")["version"]

        def in_effect() -> bool:
            beats = self.rows("SELECT details FROM heartbeats WHERE service IN ('executor', 'decision-engine')")
            return [beat["details"].get("settings_version") for beat in beats] == [version, version]

        self.wait("the changed settings' taking effect", in_effect)

    def hold_a_position(self) -> None:
        """Wait for an entry and keep it: no exit is near, no further signal is sent, no order is under way."""
        self.change_settings(**FAR_EXITS)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            self.wait("an entry", lambda: self.rows("SELECT * FROM positions"), secs=180)
            self.change_settings(confirm_secs=3_600)
            self.wait("the last signal's outcome", lambda: not self.unanswered_signals())
            self.wait("the end of all orders", lambda: not self.open_orders())
            if self.rows("SELECT * FROM positions"):
                return
            self.change_settings(confirm_secs=None)  # a SELL signal was quicker
        raise AssertionError(f"no position lasted:\n{self.logs()}")

    def open_orders(self) -> list[Row]:
        return self.rows("SELECT * FROM orders WHERE finished_at IS NULL")

    def unanswered_signals(self) -> list[Row]:
        """Signals that the executor may still act on. (An engine killed before it sent one leaves it unanswered.)"""
        return self.rows(
            "SELECT decision_id FROM decisions WHERE decided_at > now() - interval '10 s' AND signal_id IS NOT NULL"
            " AND signal_id NOT IN (SELECT signal_id FROM signal_outcomes)"
        )

    def events(self, service: str) -> list[Row]:
        """A service's log, one dictionary a line."""
        lines = self.services[service].log().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def crashes(self) -> list[str]:
        """What services logged about ends that nobody asked for."""
        logs = {name: service.log() for name, service in self.services.items()}
        return [
            f"{name}: {line}"
            for name, log in logs.items()
            for line in log.splitlines()
            if '"crashed"' in line or line.startswith("Traceback")
        ]

    def logs(self) -> str:
        processes = [*self.services.values(), *([self.exchange] if self.exchange else [])]
        return "\n".join(f"== {process.module}\n{process.log()[-3_000:]}" for process in processes)


class NewSystem(Protocol):
    def __call__(self, **environ: str) -> System: ...


@pytest.fixture(scope="module")
def new_system(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewSystem]:
    """Make a system with these variables for all its services, on empty servers. The one before is stopped."""
    made: list[System] = []

    def stop() -> None:
        for system in made:
            system.close()
        made.clear()

    def make(**environ: str) -> System:
        stop()
        with psycopg.connect(postgres_url, autocommit=True) as database:
            tables = database.execute(
                "SELECT string_agg(quote_ident(tablename), ',') FROM pg_tables"
                " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            ).fetchone()
            assert tables is not None
            database.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY CASCADE")
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        made.append(System(tmp_path_factory.mktemp("system"), postgres_url, redis_url, environ))
        return made[-1]

    yield make
    stop()
