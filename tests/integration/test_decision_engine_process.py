"""The decision engine as a real process: what it stores, when it signals, what it learns and survives."""

import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
import pytest
import redis as redis_client
from psycopg.rows import dict_row

from btc_shared import clock, streams
from btc_shared.codes import Mode, Side
from btc_shared.messages import CandleUpdate, Execution, Message, Signal, TradeBatch, decode, encode
from btc_shared.records import MINUTE_MS, BookPicture, Candle, LedgerKey, Level, PublicTrade

SYMBOL, VENUE = "BTC-USDT", "practice"
HISTORY = 330


class World:
    """The test's side: bars in Postgres, a market on the streams, and what the engine stored."""

    def __init__(self, postgres_url: str, redis_url: str, engine: Any) -> None:
        self.database = psycopg.connect(postgres_url, autocommit=True, row_factory=dict_row)
        self.redis = redis_client.Redis.from_url(redis_url)
        self.engine = engine
        # A bar that is final now and stays fresh for longer than a test takes.
        self.last_bar_ms = (clock.now_ms() - MINUTE_MS) // MINUTE_MS * MINUTE_MS
        self._trades = 0

    def close(self) -> None:
        self.database.close()
        self.redis.close()

    def rows(self, query: LiteralString) -> list[dict[str, Any]]:
        return self.database.execute(query).fetchall()

    def store_bars(self, closes: Callable[[int], float]) -> None:
        for number in range(HISTORY):
            close = closes(number)
            opened = clock.from_ms(self.last_bar_ms - (HISTORY - 1 - number) * MINUTE_MS)
            self.database.execute(
                "INSERT INTO candles (venue, symbol, open_time, open, high, low, close, volume, turnover)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [VENUE, SYMBOL, opened, close, close, close, close, 1 + number % 3, close],
            )

    def publish(self, stream: str, message: Message) -> None:
        self.redis.xadd(stream, encode(message))  # type: ignore[arg-type]

    def market(self, *, imbalance: str = "0.9", side: Side = Side.BUY, price: str = "50000") -> None:
        """Publish a book that leans by `imbalance` and ten trades of one side."""
        now_ms = clock.now_ms()
        best, lean = Decimal(price), Decimal(imbalance)
        self.publish(
            streams.book_stream(VENUE, SYMBOL),
            BookPicture(
                symbol=SYMBOL,
                event_time_ms=now_ms,
                received_at_ms=now_ms,
                bids=(Level(best, 1 + lean),),
                asks=(Level(best + Decimal("0.1"), 1 - lean),),
            ),
        )
        batch = []
        for _ in range(10):
            self._trades += 1
            batch.append(
                PublicTrade(
                    symbol=SYMBOL,
                    trade_id=str(self._trades),
                    event_time_ms=now_ms,
                    price=best,
                    size=Decimal(1),
                    side=side,
                )
            )
        self.publish(
            streams.trades_stream(VENUE, SYMBOL),
            TradeBatch(symbol=SYMBOL, received_at_ms=now_ms, trades=tuple(batch)),
        )

    def wait(self, what: str, condition: Callable[[], Any], **market: Any) -> Any:
        """Wait for a condition while the market goes on."""
        deadline = time.monotonic() + 25
        while time.monotonic() < deadline:
            self.market(**market)
            found = condition()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{what} did not happen; the engine's log:\n{self.engine.log()}")

    def newest(self) -> dict[str, Any] | None:
        found = self.rows("SELECT * FROM decisions ORDER BY id DESC LIMIT 1")
        return found[0] if found else None

    def signals(self) -> list[Signal]:
        entries: Any = self.redis.xrange(streams.signals_stream(VENUE, SYMBOL))
        found = [decode(fields) for _, fields in entries]
        return [message for message in found if isinstance(message, Signal)]

    def close_a_round_trip(self, *, minutes: int = 5) -> None:
        """Store what the executor stores when a position that was opened and closed lately is over."""
        opened = clock.from_ms(self.last_bar_ms - minutes * MINUTE_MS + 1_000)
        closed = clock.from_ms(self.last_bar_ms + 30_000)
        trip = uuid.uuid4()
        for side, when, reason in (("buy", opened, None), ("sell", closed, "take_profit")):
            intent = uuid.uuid4()
            self.database.execute(
                "INSERT INTO orders (intent_id, client_oid, venue, account, mode, symbol, side, exit_reason,"
                " from_signal, round_trip_id, requested_size, state, created_at)"
                " VALUES (%s, %s, %s, 'paper', 'dry', %s, %s, %s, false, %s, 1, 'filled', now())",
                [intent, intent.hex, VENUE, SYMBOL, side, reason, trip],
            )
            self.database.execute(
                "INSERT INTO fills (fill_id, intent_id, venue, account, mode, symbol, side, price, size, funds, fee,"
                " fee_currency, fee_quote, filled_at, booked_at)"
                " VALUES (%s, %s, %s, 'paper', 'dry', %s, %s, 100, 1, 100, 0.1, 'USDT', 0.1, %s, now())",
                [intent.hex, intent, VENUE, SYMBOL, side, when],
            )
        self.database.execute(
            "INSERT INTO round_trips (round_trip_id, venue, account, mode, symbol, opened_at, closed_at, entry_size,"
            " entry_funds, exit_funds, fees, dust, net_pnl, net_bp, exit_reasons)"
            " VALUES (%s, %s, 'paper', 'dry', %s, %s, %s, 1, 100, 100, 0.2, 0, -0.2, -20, '{take_profit}')",
            [trip, VENUE, SYMBOL, opened, closed],
        )
        self.publish(
            streams.executions_stream(VENUE, SYMBOL),
            Execution(
                intent_id="any",
                ledger=LedgerKey(venue=VENUE, account="paper", mode=Mode.DRY),
                symbol=SYMBOL,
                side=Side.SELL,
                reason=None,
                size="1",
                price="100",
                round_trip_id=trip.hex,
                round_trip_closed=True,
                executed_at_ms=clock.now_ms(),
            ),
        )


def rising(number: int) -> float:
    return 40_000 + 30 * number + (number * 7) % 11


@pytest.fixture
def world(postgres_url: str, redis_url: str, service_process: Any) -> Iterator[World]:
    with psycopg.connect(postgres_url, autocommit=True) as database:
        database.execute(
            "TRUNCATE candles, decisions, decision_totals, orders, round_trips, positions, q_tables, heartbeats"
            " RESTART IDENTITY CASCADE"
        )
    with redis_client.Redis.from_url(redis_url) as redis:
        redis.flushall()
    engine = service_process(
        "decision_engine",
        {
            "DATABASE_URL": postgres_url,
            "REDIS_URL": redis_url,
            "VENUE": VENUE,
            "POLL_INTERVAL": "0.2",
            "CONFIRM_SECS": "1",
            "Q_EXPLORATION": "0",
        },
    )
    made = World(postgres_url, redis_url, engine)
    yield made
    made.close()


def test_it_waits_for_bars_and_then_decides_with_all_its_inputs_stored(world: World) -> None:
    world.engine.start(wait_healthy=False)
    assert not world.engine.is_healthy()
    world.store_bars(rising)
    decision = world.wait(
        "a decision on fresh data",
        lambda: (found := world.newest()) and found["score_flow"] is not None and found["score_orderbook"] and found,
    )
    assert decision["action"] == "BUY"
    assert decision["inputs"]["imbalance"] == pytest.approx(0.9)
    assert decision["inputs"]["flow"] == 1
    assert decision["price"] == Decimal("50000.05")
    assert clock.to_ms(decision["bar_time"]) == world.last_bar_ms
    assert set(decision["weights"]) == {"technical", "orderbook", "flow", "qlearning"}
    assert sum(decision["weights"].values()) == pytest.approx(1)
    assert "decision" in decision["reasons"]
    counted = {row["action"]: row["decisions"] for row in world.rows("SELECT * FROM decision_totals")}
    stored = {row["action"]: row["n"] for row in world.rows("SELECT action, count(*) n FROM decisions GROUP BY 1")}
    assert all(stored[action] >= count for action, count in counted.items())


def test_without_market_data_strategies_abstain_and_it_holds(world: World) -> None:
    world.store_bars(rising)
    world.engine.start()
    decision = world.newest()
    assert decision is not None
    assert (decision["score_orderbook"], decision["score_flow"]) == (None, None)
    assert decision["score_technical"] is not None
    assert decision["threshold"] == pytest.approx(0.5)


def test_a_signal_is_sent_once_its_condition_has_held_and_carries_the_decision(world: World) -> None:
    world.store_bars(rising)
    world.engine.start()
    world.wait("a signal", world.signals)
    signal = world.signals()[0]
    (decision,) = world.rows("SELECT * FROM decisions WHERE signal_id IS NOT NULL ORDER BY id LIMIT 1")
    assert signal.signal_id == str(decision["signal_id"])
    assert signal.decision_id == str(decision["decision_id"])
    assert (signal.action, signal.mode, signal.symbol) == (decision["action"], Mode.DRY, SYMBOL)
    assert signal.confidence == decision["confidence"]
    first = world.rows("SELECT min(decided_at) AS at FROM decisions WHERE action = 'BUY'")[0]["at"]
    assert (decision["decided_at"] - first).total_seconds() >= 1


def test_no_buy_signal_is_sent_while_a_position_is_open(world: World) -> None:
    world.store_bars(rising)
    world.database.execute(
        "INSERT INTO positions (venue, account, mode, symbol, round_trip_id, size, entry_price, entry_size,"
        " entry_funds, entry_fee, high_bid, open_funds, open_fee, entry_intent_id, opened_at, last_fill_at, updated_at)"
        " VALUES (%s, 'paper', 'dry', %s, %s, 1, 1, 1, 1, 0, 1, 1, 0, %s, now(), now(), now())",
        [VENUE, SYMBOL, uuid.uuid4(), uuid.uuid4()],
    )
    world.engine.start()
    world.wait(
        "two seconds of BUY decisions",
        lambda: world.rows(
            "SELECT 1 FROM decisions WHERE action = 'BUY' HAVING max(decided_at) - min(decided_at) > '2 s'"
        ),
    )
    assert world.signals() == []
    assert all(row["in_position"] for row in world.rows("SELECT in_position FROM decisions"))


def test_a_new_final_bar_is_decided_on_at_once_and_a_correction_only_from_the_next_bar_on(world: World) -> None:
    world.engine.environ["POLL_INTERVAL"] = "60"
    world.store_bars(rising)
    world.engine.start()
    stream = streams.candles_stream(VENUE, SYMBOL)

    def bar(open_time_ms: int, close: int, *, correction: bool) -> None:
        price = Decimal(close)
        candle = Candle(
            symbol=SYMBOL,
            open_time_ms=open_time_ms,
            open=price,
            high=price,
            low=price,
            close=price,
            volume=Decimal(1),
            turnover=price,
        )
        world.publish(stream, CandleUpdate(candle=candle, correction=correction, published_at_ms=clock.now_ms()))

    next_ms = world.last_bar_ms + MINUTE_MS
    decision = None
    deadline = time.monotonic() + 20
    while decision is None and time.monotonic() < deadline:
        # Repeated until the engine reads "from now on": a bar that is known already changes nothing.
        bar(next_ms, 50_500, correction=False)
        found = world.rows("SELECT * FROM decisions WHERE trigger = 'bar' ORDER BY id")
        decision = found[0] if found else None
        time.sleep(0.1)
    assert decision is not None, world.engine.log()
    assert clock.to_ms(decision["bar_time"]) == next_ms
    assert decision["inputs"]["close"] == 50_500
    bar(next_ms, 60_000, correction=True)
    bar(next_ms + MINUTE_MS, 50_600, correction=False)
    later = world.wait(
        "the next bar's decision",
        lambda: (
            (found := world.rows("SELECT * FROM decisions WHERE trigger = 'bar' ORDER BY id DESC LIMIT 1"))
            and found[0]["inputs"]["close"] == 50_600
            and found[0]
        ),
    )
    closes = [rising(number) for number in range(HISTORY)] + [60_000, 50_600]
    assert later["inputs"]["sma_10"] == pytest.approx(sum(closes[-10:]) / 10)


def test_a_closed_round_trip_teaches_once_even_through_kill_9(world: World) -> None:
    world.store_bars(rising)
    world.engine.start()
    world.close_a_round_trip()
    table = world.wait("a lesson", lambda: world.rows("SELECT * FROM q_tables"))[0]
    assert (table["episodes"], table["last_round_trip"]) == (1, 1)
    assert table["total_reward_bp"] == -20
    assert sum(table["table"]["buy_visits"]) == 1
    assert sum(table["table"]["hold_visits"]) == 5
    world.engine.kill()
    world.engine.start()
    world.close_a_round_trip()
    again = world.wait("the next lesson", lambda: world.rows("SELECT * FROM q_tables WHERE episodes > 1"))[0]
    assert (again["episodes"], again["last_round_trip"], again["version"]) == (2, 2, 2)
    assert sum(again["table"]["buy_visits"]) == 2
    versions = world.rows("SELECT DISTINCT model_version FROM decisions")
    assert len(versions) >= 2


def test_a_table_for_other_states_is_refused_with_the_remedy(world: World) -> None:
    world.store_bars(rising)
    world.database.execute(
        'INSERT INTO q_tables VALUES (%s, %s, 1, 0, 0, 0, \'{"schema": "q-table-0"}\', now())', [VENUE, SYMBOL]
    )
    with pytest.raises(AssertionError, match="ended with 1") as caught:
        world.engine.start()
    assert "Q table refused" in str(caught.value)
    assert "DELETE FROM q_tables" in str(caught.value)


def test_old_decisions_are_pruned_but_those_that_traded_are_kept(world: World) -> None:
    world.store_bars(rising)
    world.engine.start()
    world.wait("some decisions", lambda: len(world.rows("SELECT 1 FROM decisions")) > 2)
    world.engine.stop()
    world.database.execute("UPDATE decisions SET decided_at = decided_at - interval '91 days'")
    world.database.execute("UPDATE decisions SET outcome = 'executed' WHERE id = (SELECT min(id) FROM decisions)")
    world.engine.start()
    world.wait("pruning", lambda: "decisions_pruned" in world.engine.log())
    old = world.rows("SELECT outcome FROM decisions WHERE decided_at < now() - interval '90 days'")
    assert [row["outcome"] for row in old] == ["executed"]
