"""kill -9, wherever it hurts: the running system loses nothing, doubles nothing, and goes on."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from .books import kept
from .conftest import NEAR_EXITS, OFTEN, SYMBOL, NewSystem, Row, System

# What a restart must leave as it was. The position's marks may grow; they are looked at apart.
LEDGER = ("accounts", "totals", "orders", "fills", "trades", "bookings", "round_trips", "signal_outcomes", "q_tables")
MARKS = ("high_bid", "trailing_armed", "partial_done", "updated_at")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]


@pytest.fixture
def system(new_system: NewSystem) -> Iterator[System]:
    system = new_system(**OFTEN, **{name.upper(): value for name, value in NEAR_EXITS.items()})
    system.start(system.start_exchange("--market", "crash", "--seed", "2"))
    yield system
    # Killed is killed, but nothing may end by itself.
    assert system.crashes() == []


def ledger(system: System) -> dict[str, list[Row]]:
    found = {
        "accounts": system.rows("SELECT * FROM accounts"),
        "totals": system.rows("SELECT * FROM totals"),
        "orders": system.rows("SELECT * FROM orders ORDER BY created_at, intent_id"),
        "fills": system.rows("SELECT * FROM fills ORDER BY id"),
        "trades": system.rows("SELECT * FROM trades ORDER BY id"),
        "bookings": system.rows("SELECT * FROM bookings ORDER BY id"),
        "round_trips": system.rows("SELECT * FROM round_trips ORDER BY id"),
        "signal_outcomes": system.rows("SELECT * FROM signal_outcomes ORDER BY consumed_at, signal_id"),
        "refusal_totals": system.rows("SELECT * FROM refusal_totals ORDER BY code"),
        "q_tables": system.rows("SELECT * FROM q_tables"),
    }
    position = system.rows("SELECT * FROM positions")
    found["positions"] = [{name: row[name] for name in row if name not in MARKS} for row in position]
    return found


def kill_and_restart(system: System, service: str) -> None:
    system.services[service].kill()
    system.services[service].start(timeout_secs=60)


def decided_since(system: System, moment: datetime) -> bool:
    """True once a decision was made after `moment` on a fresh book and fresh trades."""
    rows = system.rows(
        "SELECT 1 FROM decisions WHERE decided_at > %s AND score_orderbook IS NOT NULL AND score_flow IS NOT NULL"
        " LIMIT 1",
        moment,
    )
    return bool(rows)


def now(system: System) -> datetime:
    moment: datetime = system.row("SELECT now() AS at")["at"]
    return moment


def learned(system: System) -> bool:
    tables = system.rows("SELECT * FROM q_tables")
    newest = system.row("SELECT max(id) AS id FROM round_trips")["id"]
    return bool(tables) and tables[0]["last_round_trip"] == newest


def assert_books_balance(system: System) -> None:
    """Cash, position, totals and lessons follow from the fills: nothing was lost, nothing doubled."""
    fills = system.rows("SELECT * FROM fills ORDER BY id")
    reasons = {row["intent_id"]: row["exit_reason"] for row in system.rows("SELECT * FROM orders")}
    books = kept(fills, reasons, 1_000)
    totals = system.row("SELECT * FROM totals")
    assert Fraction(system.row("SELECT cash FROM accounts")["cash"]) == books.cash
    assert sum(Fraction(row["size"]) for row in system.rows("SELECT size FROM positions")) == books.size
    assert (totals["buys"], totals["sells"]) == (len(books.of_side("buy")), len(books.of_side("sell")))
    assert totals["winning"] + totals["losing"] == len(books.closed) == system.count("round_trips")
    assert abs(Fraction(totals["realised_pnl"]) - books.realised) < Fraction(1, 10**9)
    assert Fraction(totals["fees"]) == books.fees
    assert system.count("trades") == len(books.orders)
    assert system.count("bookings") == len(books.sales)
    made = system.rows("SELECT action, count(*) AS decisions FROM decisions GROUP BY action ORDER BY action")
    assert system.rows("SELECT action, decisions FROM decision_totals ORDER BY action") == made
    episodes = system.row('SELECT episodes, last_round_trip, "table" FROM q_tables')
    assert episodes["episodes"] == len(books.closed)
    assert sum(episodes["table"]["buy_visits"]) == len(books.closed)


def bars_stored(system: System) -> dict[int, tuple[Any, ...]]:
    rows = system.rows("SELECT open_time, open, close, high, low, volume, turnover FROM candles")
    return {int(row["open_time"].timestamp()): tuple(row.values())[1:] for row in rows}


def bars_of_the_exchange(system: System, first: int, last: int) -> dict[int, tuple[Any, ...]]:
    assert system.exchange is not None
    params: dict[str, str | int] = {"symbol": SYMBOL, "type": "1min", "startAt": first, "endAt": last + 59}
    answer = system.http.get(f"{system.exchange.address}/api/v1/market/candles", params=params).json()
    return {int(row[0]): tuple(Decimal(text) for text in row[1:]) for row in answer["data"]}


def test_with_a_position_open_every_service_is_killed_and_nothing_is_lost_or_doubled(system: System) -> None:
    system.wait("round trips", lambda: system.count("round_trips") >= 2, secs=180)
    system.hold_a_position()
    system.wait("the lessons", lambda: learned(system))
    system.wait("a stored high", lambda: system.row("SELECT high_bid FROM positions")["high_bid"] > 0)
    before, marked = ledger(system), system.row("SELECT * FROM positions")

    kill_and_restart(system, "executor")
    assert ledger(system) == before
    # The executor judges again: the high was not forgotten, and only ever grows.
    judged = system.wait(
        "fresh judgement",
        lambda: (
            system.http.get(f"{system.services['executor'].address}/health").json()
            if system.services["executor"].is_healthy()
            else None
        ),
    )
    assert judged["checks"]["ledger"]["ok"]
    after = system.row("SELECT * FROM positions")
    assert after["high_bid"] >= marked["high_bid"]
    assert after["trailing_armed"] >= marked["trailing_armed"]
    assert after["partial_done"] >= marked["partial_done"]

    killed_at = now(system)
    kill_and_restart(system, "decision_engine")
    system.wait("decisions on fresh data", lambda: decided_since(system, killed_at))
    assert ledger(system) == before

    killed_at = now(system)
    kill_and_restart(system, "market_feed")
    system.wait("decisions on fresh data", lambda: decided_since(system, now_of_start(system, killed_at)))
    assert ledger(system) == before

    # All three at once, as in a power cut.
    killed_at = now(system)
    for service in ("market_feed", "decision_engine", "executor"):
        system.services[service].kill()
    for service in ("market_feed", "decision_engine", "executor"):
        system.services[service].launch()
    for service in ("market_feed", "decision_engine", "executor"):
        system.services[service].wait_ready(timeout_secs=60)
    system.wait("decisions on fresh data", lambda: decided_since(system, killed_at))
    assert ledger(system) == before
    assert system.row("SELECT * FROM positions")["high_bid"] >= after["high_bid"]

    # The minute with the kills in it is read from the exchange, not guessed.
    bar = int(killed_at.timestamp()) // 60 * 60
    system.wait("the minute's bar", lambda: bar in bars_stored(system), secs=120)
    bars = bars_stored(system)
    assert sorted(bars) == list(range(min(bars), max(bars) + 60, 60))
    assert bars == bars_of_the_exchange(system, min(bars), max(bars))

    # Exits work: prices as they are now close it, and the agent goes on trading.
    system.change_settings(**NEAR_EXITS)
    (held,) = before["positions"]
    system.wait(
        "the close",
        lambda: system.rows("SELECT 1 FROM round_trips WHERE round_trip_id = %s", held["round_trip_id"]),
        secs=180,
    )
    system.change_settings(confirm_secs=None)
    wait_for_round_trip(system)
    settle(system)
    assert_books_balance(system)


def now_of_start(system: System, killed_at: datetime) -> datetime:
    """When the restarted feed's first sign of life was stored; later than `killed_at`."""
    started: datetime = system.row("SELECT started_at FROM heartbeats WHERE service = 'market-feed'")["started_at"]
    return max(started, killed_at)


def wait_for_round_trip(system: System) -> None:
    closed = system.count("round_trips")
    system.wait("a round trip", lambda: system.count("round_trips") > closed, secs=180)


def settle(system: System) -> None:
    """Let everything that is under way come to its end."""
    system.hold_a_position()
    system.wait("the last lesson", lambda: learned(system))


def test_killed_while_it_learns_the_engine_learns_no_round_trip_twice_and_none_never(system: System) -> None:
    for _ in range(4):
        wait_for_round_trip(system)
        kill_and_restart(system, "decision_engine")
    settle(system)
    assert_books_balance(system)


def test_killed_with_an_order_under_way_the_executor_never_sends_it_again(system: System) -> None:
    system.hold_a_position()
    before, (position,) = ledger(system), system.rows("SELECT * FROM positions")

    # An exit that will take long, and a kill in the middle of it.
    system.change_settings(dry_latency=30, take_profit_pct=0.0001, stop_loss_pct=0.0001)
    (exit_order,) = system.wait("an exit under way", lambda: system.open_orders())
    system.change_settings(dry_latency=0.05)
    kill_and_restart(system, "executor")
    ended = system.row("SELECT * FROM orders WHERE intent_id = %s", exit_order["intent_id"])
    assert (ended["state"], ended["filled_size"]) == ("absent", 0)
    (sold,) = system.wait(
        "the exit made anew",
        lambda: system.rows("SELECT * FROM round_trips WHERE round_trip_id = %s", position["round_trip_id"]),
    )
    exits = system.rows("SELECT * FROM fills WHERE side = 'sell' AND id > %s", before["fills"][-1]["id"])
    assert sum(row["size"] for row in exits) == position["size"]
    assert exit_order["intent_id"] not in {row["intent_id"] for row in exits}
    assert sold["dust"] == 0

    # The same with an entry.
    system.change_settings(dry_latency=30, confirm_secs=0)
    (entry,) = system.wait("an entry under way", lambda: system.open_orders())
    assert entry["side"] == "buy"
    cash = system.row("SELECT cash FROM accounts")["cash"]
    system.change_settings(dry_latency=0.05, confirm_secs=3_600)
    kill_and_restart(system, "executor")
    ended = system.row("SELECT * FROM orders WHERE intent_id = %s", entry["intent_id"])
    assert (ended["state"], ended["filled_size"]) == ("absent", 0)
    assert system.row("SELECT cash FROM accounts")["cash"] == cash
    assert system.rows("SELECT * FROM positions") == []
    decision = system.row("SELECT * FROM decisions WHERE decision_id = %s", entry["decision_id"])
    assert (decision["outcome"], decision["outcome_code"]) == ("failed", "absent")
    assert system.row("SELECT outcome FROM signal_outcomes WHERE signal_id = %s", entry["signal_id"]) == {
        "outcome": "intent"
    }

    system.change_settings(confirm_secs=None)
    settle(system)
    assert_books_balance(system)
