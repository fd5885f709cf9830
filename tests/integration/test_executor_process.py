"""The executor as a real process on real Postgres and Valkey: what it books, refuses and survives."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, LiteralString, cast

import psycopg
import pytest
import redis as redis_client
from psycopg.rows import dict_row

from btc_shared import streams
from btc_shared.codes import Action, Mode
from btc_shared.messages import Execution, Message, Signal, decode, encode
from btc_shared.records import BookPicture, Level

SYMBOL, VENUE = "BTC-USDT", "practice"
RULES = {
    "symbol": SYMBOL,
    "base_currency": "BTC",
    "quote_currency": "USDT",
    "base_increment": "0.00000001",
    "quote_increment": "0.000001",
    "price_increment": "0.1",
    "base_min_size": "0.00001",
    "quote_min_size": "0.1",
    "min_funds": "0.1",
    "trading_enabled": True,
}


class World:
    """The test's side: a market to publish, signals to send, and the ledger to read."""

    def __init__(self, postgres_url: str, redis_url: str, executor: Any) -> None:
        self.database = psycopg.connect(postgres_url, autocommit=True, row_factory=dict_row)
        self.redis = redis_client.Redis.from_url(redis_url)
        self.executor = executor

    def close(self) -> None:
        self.database.close()
        self.redis.close()

    def rows(self, query: LiteralString) -> list[dict[str, Any]]:
        return self.database.execute(query).fetchall()

    def publish(self, stream: str, message: Message) -> None:
        self.redis.xadd(stream, encode(message))  # type: ignore[arg-type]

    def price(self, bid: str, *, size: str = "5") -> None:
        """Publish a book whose best bid is `bid` and best ask 0.1 above it."""
        now_ms = time.time_ns() // 1_000_000
        best = Decimal(bid)
        picture = BookPicture(
            symbol=SYMBOL,
            event_time_ms=now_ms,
            received_at_ms=now_ms,
            bids=tuple(Level(best - Decimal(n) / 10, Decimal(size)) for n in range(20)),
            asks=tuple(Level(best + Decimal(n + 1) / 10, Decimal(size)) for n in range(20)),
        )
        self.publish(streams.book_stream(VENUE, SYMBOL), picture)

    def signal(self, action: Action, **changes: Any) -> str:
        values: dict[str, Any] = {
            "signal_id": str(uuid.uuid4()),
            "decision_id": str(uuid.uuid4()),
            "venue": VENUE,
            "symbol": SYMBOL,
            "mode": Mode.DRY,
            "action": action,
            "confidence": 0.9,
            "price": 50_000.0,
            "created_at_ms": time.time_ns() // 1_000_000,
        }
        signal = Signal(**(values | changes))
        self.publish(streams.signals_stream(VENUE, SYMBOL), signal)
        return signal.signal_id

    def wait(self, what: str, condition: Callable[[], Any], *, price: str | None = None) -> Any:
        """Wait for a condition, publishing a price all the while if one is given."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if price is not None:
                self.price(price)
            found = condition()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{what} did not happen; the executor's log:\n{self.executor.log()}")

    def outcome(self, signal_id: str) -> Any:
        return self.wait(
            "an outcome",
            lambda: self.rows(f"SELECT * FROM signal_outcomes WHERE signal_id = '{signal_id}'"),
            price=None,
        )[0]

    def buy(self, price: str = "50000") -> None:
        """Open a position at `price` and wait until it is booked and judged."""
        self.see(price)
        self.signal(Action.BUY)
        self.wait("a position", lambda: self.rows("SELECT * FROM positions WHERE high_bid > 0"), price=price)

    def see(self, price: str) -> None:
        """Wait until the executor has a fresh book with this price."""
        self.wait("a fresh book", lambda: self.is_fresh(), price=price)

    def is_fresh(self) -> bool:
        import httpx

        checks = httpx.get(f"http://127.0.0.1:{self.executor.port}/health").json()["checks"]
        return bool(checks["market"]["ok"])


@pytest.fixture
def world(postgres_url: str, redis_url: str, service_process: Any) -> Iterator[World]:
    with psycopg.connect(postgres_url, autocommit=True) as database:
        tables = database.execute(
            "SELECT string_agg(quote_ident(tablename), ',') FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ).fetchone()
        assert tables is not None
        database.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY CASCADE")
        database.execute("INSERT INTO symbols VALUES (%s, %s, %s, now())", [VENUE, SYMBOL, json.dumps(RULES)])
    with redis_client.Redis.from_url(redis_url) as redis:
        redis.flushall()
    executor = service_process(
        "executor",
        {
            "DATABASE_URL": postgres_url,
            "REDIS_URL": redis_url,
            "VENUE": VENUE,
            "DRY_LATENCY": "0.02",
            "MIN_TRADE_INTERVAL": "0",
            # Nobody listens there: REST reads fail at once, and no test ever leaves this machine.
            "KUCOIN_BASE_URL": "http://127.0.0.1:9",
        },
    )
    made = World(postgres_url, redis_url, executor)
    executor.start()
    yield made
    made.close()


def test_a_signal_buys_and_the_ledger_follows_from_the_fills(world: World) -> None:
    world.buy("50000")
    (order,) = world.rows("SELECT * FROM orders")
    (fill,) = world.rows("SELECT * FROM fills")
    (trade,) = world.rows("SELECT * FROM trades")
    (position,) = world.rows("SELECT * FROM positions")
    (account,) = world.rows("SELECT * FROM accounts")
    # 30 % of 1,000 USDT at the best ask 50,000.1, floored to eight decimals.
    assert order["requested_funds"] == Decimal(300)
    assert order["state"] == "filled"
    assert order["client_oid"] == f"btca-{order['intent_id'].hex}"
    assert (fill["price"], fill["size"]) == (Decimal("50000.1"), Decimal("0.00599998"))
    assert fill["funds"] == Decimal("50000.1") * Decimal("0.00599998")
    assert fill["fee"] == fill["funds"] * Decimal("0.001")
    assert account["cash"] == 1000 - fill["funds"] - fill["fee"]
    assert (trade["side"], trade["size"], trade["funds"], trade["pnl"]) == ("buy", fill["size"], fill["funds"], None)
    assert (position["size"], position["entry_funds"]) == (fill["size"], fill["funds"])


@pytest.mark.parametrize(
    ("bid", "reason", "part"),
    [
        ("49000", "stop_loss", 1),
        ("51501", "take_profit", 1),
        ("50751", "partial_exit", Decimal("0.5")),
    ],
)
def test_an_exit_is_taken_when_its_price_comes(world: World, bid: str, reason: str, part: Decimal) -> None:
    world.buy("50000")
    (bought,) = world.rows("SELECT * FROM fills")
    (sold,) = world.wait("an exit", lambda: world.rows("SELECT * FROM trades WHERE side = 'sell'"), price=bid)
    assert sold["exit_reason"] == reason
    assert sold["size"] == bought["size"] * part
    cost = (bought["funds"] + bought["fee"]) * part
    assert sold["pnl"] == sold["funds"] - sold["fee"] - cost
    (totals,) = world.rows("SELECT * FROM totals")
    assert (totals["buys"], totals["sells"], totals[f"exit_{reason}"]) == (1, 1, 1)
    assert totals["realised_pnl"] == sold["pnl"]
    assert len(world.rows("SELECT * FROM positions")) == (0 if part == 1 else 1)
    assert len(world.rows("SELECT * FROM round_trips")) == (1 if part == 1 else 0)


def test_the_trailing_stop_sells_the_rest_after_the_partial_exit(world: World) -> None:
    world.buy("50000")
    world.wait("the partial exit", lambda: world.rows("SELECT * FROM trades WHERE side = 'sell'"), price="50800")
    world.wait("the high", lambda: world.rows("SELECT * FROM positions WHERE high_bid = 51000"), price="51000")
    world.wait("the trailing stop", lambda: world.rows("SELECT * FROM round_trips"), price="50591")
    reasons = world.rows("SELECT exit_reason FROM trades WHERE side = 'sell' ORDER BY id")
    assert [row["exit_reason"] for row in reasons] == ["partial_exit", "trailing_stop"]
    (closed,) = world.rows("SELECT * FROM round_trips")
    fills = world.rows("SELECT * FROM fills")
    moved = sum((row["funds"] if row["side"] == "sell" else -row["funds"]) - row["fee"] for row in fills)
    assert closed["net_pnl"] == moved
    (account,) = world.rows("SELECT * FROM accounts")
    assert account["cash"] == 1000 + moved


def test_a_signal_has_one_effect_however_often_it_is_delivered(world: World) -> None:
    world.see("50000")
    signal_id = world.signal(Action.BUY)
    stream = streams.signals_stream(VENUE, SYMBOL)
    ((_, fields),) = cast("Any", world.redis.xrange(stream))
    for _ in range(5):
        world.redis.xadd(stream, fields)
    last = world.signal(Action.HOLD)
    world.outcome(last)
    assert world.outcome(signal_id)["outcome"] == "intent"
    assert len(world.rows("SELECT * FROM orders")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"action": Action.HOLD}, "invalid_signal"),
        ({"confidence": float("nan")}, "invalid_signal"),
        ({"signal_id": "not a UUID"}, "invalid_signal"),
        ({"symbol": "ETH-USDT"}, "unknown_symbol"),
        ({"created_at_ms": 1}, "stale_signal"),
        ({"mode": Mode.LIVE}, "mode_changed"),
        ({"venue": "kucoin"}, "mode_changed"),
        ({"confidence": 0.59}, "low_confidence"),
        ({"action": Action.SELL}, "no_position"),
    ],
)
def test_a_signal_that_must_not_trade_is_refused_with_its_code_and_stored(
    world: World, changes: dict[str, Any], code: str
) -> None:
    world.see("50000")
    action = changes.pop("action", Action.BUY)
    world.signal(action, **changes)
    (row,) = world.wait("a refusal", lambda: world.rows("SELECT * FROM signal_outcomes"))
    assert (row["outcome"], row["code"]) == ("refused", code)
    assert row["detail"]
    assert world.rows("SELECT code, refusals FROM refusal_totals") == [{"code": code, "refusals": 1}]
    assert world.rows("SELECT * FROM orders") == []


def test_without_a_fresh_book_no_signal_trades(world: World) -> None:
    assert world.outcome(world.signal(Action.BUY))["code"] == "stale_market"


def test_halt_refuses_entries_at_once_and_lets_exits_go_on(world: World) -> None:
    world.buy("50000")
    world.database.execute("INSERT INTO control VALUES (%s, 'dry', true, now(), 1)", [VENUE])
    world.wait("the stop loss", lambda: world.rows("SELECT * FROM round_trips"), price="48999")
    world.see("49000")
    assert world.outcome(world.signal(Action.BUY))["code"] == "halted"


def test_a_second_entry_is_refused_while_in_position(world: World) -> None:
    world.buy("50000")
    assert world.outcome(world.signal(Action.BUY))["code"] == "in_position"


def test_foreign_and_malformed_entries_go_to_the_dead_letters(world: World) -> None:
    world.redis.xadd(streams.signals_stream(VENUE, SYMBOL), {"kind": "signal", "data": "rubbish"})
    world.see("50000")
    assert world.outcome(world.signal(Action.BUY))["outcome"] == "intent"
    assert world.redis.xlen(streams.DEAD_LETTER_STREAM) == 1


def test_the_executor_announces_what_it_booked(world: World) -> None:
    world.buy("50000")
    entries = world.wait("an execution", lambda: world.redis.xrange(streams.executions_stream(VENUE, SYMBOL)))
    execution = decode(entries[0][1])
    (order,) = world.rows("SELECT * FROM orders")
    assert isinstance(execution, Execution)
    assert execution.intent_id == order["intent_id"].hex
    assert execution.round_trip_closed is False


def test_kill_9_with_an_open_position_loses_and_doubles_nothing(world: World) -> None:
    world.buy("50000")
    world.wait("the partial exit", lambda: world.rows("SELECT * FROM trades WHERE side = 'sell'"), price="50800")
    world.wait("the high", lambda: world.rows("SELECT * FROM positions WHERE high_bid = 51000"), price="51000")
    tables = ["positions", "accounts", "totals", "orders", "fills", "trades", "bookings", "signal_outcomes"]
    before = {table: world.rows(f"SELECT * FROM {table}") for table in tables}
    world.executor.kill()
    world.executor.start()
    world.see("51000")
    assert {table: world.rows(f"SELECT * FROM {table}") for table in tables} == before
    # The high survived: this bid is 0.8 % below 51,000 but not below the entry's stop.
    world.wait("the trailing stop", lambda: world.rows("SELECT * FROM round_trips"), price="50592")
    reasons = world.rows("SELECT exit_reason FROM trades WHERE side = 'sell' ORDER BY id")
    assert [row["exit_reason"] for row in reasons] == ["partial_exit", "trailing_stop"]
    assert len(world.rows("SELECT * FROM fills")) == 3


def test_with_another_symbol_it_does_not_start_while_a_position_is_open(world: World, service_process: Any) -> None:
    world.buy("50000")
    world.executor.kill()
    other = service_process("executor", world.executor.environ | {"SYMBOL": "ETH-USDT"})
    with pytest.raises(AssertionError, match="ended with 1") as caught:
        other.start()
    said = "a position of 0.00599998 BTC-USDT is open, and nobody would judge its exits with SYMBOL=ETH-USDT"
    assert said in str(caught.value)
    world.executor.start()
    world.wait("the stop loss", lambda: world.rows("SELECT * FROM round_trips"), price="48000")


def test_an_intent_that_was_never_booked_is_absent_after_a_crash_and_never_sent_again(world: World) -> None:
    world.executor.kill()
    intent_id = uuid.uuid4()
    world.database.execute(
        "INSERT INTO accounts VALUES (%s, 'paper', 'dry', 1000, 1000, now(), now()) ON CONFLICT DO NOTHING", [VENUE]
    )
    world.database.execute(
        "INSERT INTO orders (intent_id, client_oid, venue, account, mode, symbol, side, from_signal, round_trip_id,"
        " requested_funds, state, created_at)"
        " VALUES (%s, %s, %s, 'paper', 'dry', %s, 'buy', true, %s, 300, 'intent', now())",
        [intent_id, f"btca-{intent_id.hex}", VENUE, SYMBOL, uuid.uuid4()],
    )
    world.executor.start()
    world.see("50000")
    (order,) = world.rows("SELECT * FROM orders")
    assert (order["state"], order["error_code"]) == ("absent", "absent")
    assert world.rows("SELECT * FROM fills") == []
    assert world.outcome(world.signal(Action.BUY))["outcome"] == "intent"


def test_limits_survive_a_restart(world: World) -> None:
    world.executor.stop()
    world.executor.environ["MAX_DAILY_TRADES"] = "2"
    world.executor.start()
    world.buy("50000")
    world.wait("the stop loss", lambda: world.rows("SELECT * FROM round_trips"), price="48999")
    world.executor.kill()
    world.executor.start()
    world.see("49000")
    assert world.outcome(world.signal(Action.BUY))["code"] == "daily_trade_limit"


def test_the_day_s_loss_limit_latches_and_survives_a_restart(world: World) -> None:
    world.executor.stop()
    world.executor.environ["MAX_DAILY_LOSS"] = "5"
    world.executor.start()
    world.buy("50000")
    world.wait("the latch", lambda: world.rows("SELECT * FROM days"), price="48999")
    world.wait("the stop loss", lambda: world.rows("SELECT * FROM round_trips"), price="48999")
    world.executor.kill()
    world.executor.start()
    world.see("60000")
    assert world.outcome(world.signal(Action.BUY))["code"] == "daily_loss_limit"
    (day,) = world.rows("SELECT * FROM days")
    assert day["loss_at_latch"] <= -5


def test_a_position_that_does_not_equal_its_fills_stops_entries_and_is_never_corrected(world: World) -> None:
    world.buy("50000")
    world.executor.kill()
    world.database.execute("UPDATE positions SET size = size / 2")
    world.executor.start()
    world.see("50000")
    assert world.outcome(world.signal(Action.BUY))["code"] == "degraded"
    assert "fills sum up to" in world.executor.log()


def test_a_second_executor_stands_by_and_takes_over(world: World, service_process: Any) -> None:
    second = service_process("executor", world.executor.environ)
    second.start(wait_healthy=False)
    assert not second.is_healthy()
    world.executor.kill()
    world.wait("the takeover", second.is_healthy)
    world.executor = second
    world.buy("50000")


def test_wrong_settings_are_all_named_before_anything_starts(world: World, service_process: Any) -> None:
    wrong = service_process("executor", world.executor.environ | {"STOP_LOSS_PCT": "2", "MIN_CONFIDENCE": "high"})
    with pytest.raises(AssertionError, match="ended with 2") as caught:
        wrong.start()
    assert "executor: STOP_LOSS_PCT is '2'" in str(caught.value)
    assert "executor: MIN_CONFIDENCE is 'high'" in str(caught.value)
