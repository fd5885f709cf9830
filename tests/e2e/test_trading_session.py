"""A session of real trades on the practice market: every figure, wherever it is shown, follows from the fills."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

import pytest

from btc_shared import streams

from .books import Books, kept
from .conftest import NEAR_EXITS, OFTEN, SYMBOL, VENUE, Metrics, NewSystem, Row, System

INITIAL = 1_000
FEE = Decimal("0.0001")
REASONS = ("stop_loss", "take_profit", "partial_exit", "trailing_stop", "signal", "manual")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(500)]
T = TypeVar("T")


class Session(NamedTuple):
    """The system with its ledger at rest, and the books that its fills make. All services go on."""

    system: System
    books: Books
    bounds: dict[str, int]

    def at_rest(self, ask: Callable[[], T]) -> tuple[T, Row]:
        """An answer, and what was stored both before and after it: the market state and the counted `decisions`."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            before = self._stored()
            answer = ask()
            if self._stored() == before:
                return answer, before
        raise AssertionError("what is stored never stood still for one request")

    def _stored(self) -> Row:
        counted = self.system.rows("SELECT action, count(*) AS made FROM decisions GROUP BY action")
        made = {"BUY": 0, "SELL": 0, "HOLD": 0} | {row["action"]: row["made"] for row in counted}
        return {**self.system.row("SELECT * FROM market_state"), "decisions": made}


@pytest.fixture(scope="module")
def session(new_system: NewSystem) -> Session:
    """Trade until enough round trips of different ends are closed, then let things come to rest with one open."""
    system = new_system(TAKER_FEE=str(FEE), **OFTEN, **{name.upper(): value for name, value in NEAR_EXITS.items()})
    system.start(system.start_exchange("--market", "crash", "--seed", "1"))
    system.wait("a session of trades", lambda: _enough(system), secs=240)
    system.hold_a_position()
    system.change_settings(poll_interval=10)
    system.wait("the last lesson", lambda: _learned(system))
    system.wait("a full stream", lambda: _pictures(system) > streams.BOOK_MAXLEN + 200)
    bounds = {
        streams.book_stream(VENUE, SYMBOL): streams.BOOK_MAXLEN,
        streams.trades_stream(VENUE, SYMBOL): streams.TRADES_MAXLEN,
        streams.candles_stream(VENUE, SYMBOL): streams.CANDLES_MAXLEN,
        streams.signals_stream(VENUE, SYMBOL): streams.SIGNALS_MAXLEN,
        streams.executions_stream(VENUE, SYMBOL): streams.EXECUTIONS_MAXLEN,
    }
    orders = system.rows("SELECT * FROM orders")
    fills = system.rows("SELECT * FROM fills ORDER BY id")
    books = kept(fills, {order["intent_id"]: order["exit_reason"] for order in orders}, INITIAL)
    assert books.open is not None
    assert len(books.closed) >= 5
    return Session(system, books, bounds)


def _enough(system: System) -> bool:
    """Some of everything that the figures tell apart: wins, losses, exits of different kinds, refusals."""
    closed = system.row("SELECT count(*) AS all, count(*) FILTER (WHERE net_pnl > 0) AS won FROM round_trips")
    reasons = system.rows("SELECT DISTINCT exit_reason FROM trades WHERE side = 'sell'")
    mixed = 0 < closed["won"] < closed["all"] and len(reasons) >= 3 and system.count("refusal_totals") > 0
    return mixed and closed["all"] >= 6


def _pictures(system: System) -> float:
    return system.metrics("market_feed")['market_feed_events_out_total{kind="book"}']


def _learned(system: System) -> bool:
    learned = system.rows("SELECT last_round_trip FROM q_tables")
    return bool(learned) and learned[0]["last_round_trip"] == system.row("SELECT max(id) FROM round_trips")["max"]


def same(stored: Any, expected: Fraction) -> bool:
    """Equal but for the 1e-12 USDT to which shares of a cost are rounded."""
    return abs(Fraction(stored) - expected) < Fraction(1, 10**9)


def test_cash_is_what_the_fills_moved(session: Session) -> None:
    account = session.system.row("SELECT * FROM accounts")
    assert account["initial_balance"] == INITIAL
    assert Fraction(account["cash"]) == session.books.cash


def test_the_open_position_is_what_the_fills_left(session: Session) -> None:
    books, position = session.books, session.system.row("SELECT * FROM positions")
    trip = books.open
    assert trip is not None
    assert Fraction(position["size"]) == books.size
    assert Fraction(position["entry_size"]) == trip.entry_size
    assert Fraction(position["entry_funds"]) == trip.entry_funds
    assert same(position["open_funds"], books.open_funds)
    assert same(position["open_fee"], books.open_fee)
    assert same(position["realised_pnl"], trip.net)
    assert position["opened_at"] == trip.opened_at
    assert float(position["entry_price"]) == pytest.approx(float(trip.entry_funds / trip.entry_size), rel=1e-12)


def test_every_executed_order_is_one_trade_with_the_sums_of_its_fills(session: Session) -> None:
    trades = session.system.rows("SELECT * FROM trades")
    assert {trade["intent_id"] for trade in trades} == set(session.books.orders)
    for trade in trades:
        order = session.books.orders[trade["intent_id"]]
        assert (trade["side"], trade["exit_reason"]) == (order.side, order.reason)
        assert (trade["executed_at"], trade["last_fill_at"]) == (order.first_at, order.last_at)
        assert (Fraction(trade["size"]), Fraction(trade["funds"])) == (order.size, order.funds)
        assert Fraction(trade["fee"]) == order.fee
        assert float(trade["price"]) == pytest.approx(float(order.funds / order.size), rel=1e-12)
        if order.side == "buy":
            assert (trade["pnl"], trade["pnl_pct"]) == (None, None)
        else:
            assert same(trade["pnl"], order.realised)
            assert same(trade["cost"], order.cost)
            assert trade["pnl_pct"] == pytest.approx(float(order.realised / order.cost), rel=1e-9)


def test_every_order_s_own_row_agrees(session: Session) -> None:
    for row in session.system.rows("SELECT * FROM orders"):
        order = session.books.orders.get(row["intent_id"])
        filled = (order.size, order.funds, order.fee) if order else (0, 0, 0)
        assert (row["filled_size"], row["filled_funds"], row["fee"]) == filled
        assert (row["state"] == "filled") == (order is not None)


def test_every_sale_is_booked_once(session: Session) -> None:
    bookings = session.system.rows("SELECT * FROM bookings ORDER BY id")
    assert [row["fill_id"] for row in bookings] == [fill_id for fill_id, _ in session.books.sales]
    for row, (_, realised) in zip(bookings, session.books.sales, strict=True):
        assert same(row["realised"], realised)
        assert row["dust"] == 0


def test_round_trips_go_from_flat_to_flat(session: Session) -> None:
    rows = session.system.rows("SELECT * FROM round_trips ORDER BY id")
    for row, trip in zip(rows, session.books.closed, strict=True):
        assert (row["opened_at"], row["closed_at"]) == (trip.opened_at, trip.closed_at)
        assert Fraction(row["net_pnl"]) == trip.net == trip.exit_funds - trip.entry_funds - trip.fees
        assert (Fraction(row["entry_size"]), Fraction(row["entry_funds"])) == (trip.entry_size, trip.entry_funds)
        assert (Fraction(row["exit_funds"]), Fraction(row["fees"])) == (trip.exit_funds, trip.fees)
        assert row["net_bp"] == pytest.approx(float(trip.net / trip.entry_funds * 10_000), abs=1e-9)
        assert (row["dust"], row["exit_reasons"]) == (0, trip.reasons)
        orders = session.system.rows(
            "SELECT intent_id FROM orders WHERE round_trip_id = %s AND filled_size > 0", row["round_trip_id"]
        )
        assert {order["intent_id"] for order in orders} == set(trip.intents)


def test_the_running_totals_are_the_sums(session: Session) -> None:
    totals, books = session.system.row("SELECT * FROM totals"), session.books
    nets = books.net_of_closed
    assert (totals["buys"], totals["sells"]) == (len(books.of_side("buy")), len(books.of_side("sell")))
    assert (totals["winning"], totals["losing"]) == (sum(net > 0 for net in nets), sum(net <= 0 for net in nets))
    assert same(totals["realised_pnl"], books.realised)
    assert Fraction(totals["closed_pnl"]) == sum(nets)
    assert (Fraction(totals["best_pnl"]), Fraction(totals["worst_pnl"])) == (max(nets), min(nets))
    assert Fraction(totals["fees"]) == books.fees
    assert totals["dust"] == 0
    assert {reason: totals[f"exit_{reason}"] for reason in REASONS} == {
        reason: books.exits(reason) for reason in REASONS
    }


def test_the_api_lists_every_trade_newest_first(session: Session) -> None:
    shown = session.system.api("/api/trades?limit=1000")
    orders = sorted(session.books.orders.values(), key=lambda order: order.first_at, reverse=True)
    assert [item["timestamp"] for item in shown] == [order.first_at.timestamp() for order in orders]
    for item in shown:
        (order,) = [one for one in orders if str(one.intent_id) == item["metadata"]["intent_id"]]
        assert (item["side"], item["exit_reason"], item["dry_run"]) == (order.side, order.reason, 1)
        figures = {"size": order.size, "funds": order.funds, "fee": order.fee, "price": order.funds / order.size}
        assert {name: item[name] for name in figures} == pytest.approx(
            {name: float(value) for name, value in figures.items()}, rel=1e-12
        )
        if order.side == "sell":
            assert item["pnl"] == pytest.approx(float(order.realised), abs=1e-9)
            assert item["pnl_pct"] == pytest.approx(float(order.realised / order.cost), abs=1e-9)
        else:
            assert (item["pnl"], item["pnl_pct"]) == (None, None)
    assert session.system.api("/api/trades?limit=3") == shown[:3]
    assert session.system.api("/api/trades?mode=live") == []


def results(books: Books, bid: Decimal) -> dict[str, Any]:
    """The figures that every summary shows, with what is open valued at `bid`."""
    nets = books.net_of_closed
    sold = books.size * Fraction(bid) * (1 - Fraction(FEE))
    wins = sum(net > 0 for net in nets)
    return {
        "total_trades": len(books.orders),
        "winning_trades": wins,
        "losing_trades": len(nets) - wins,
        "win_rate": wins / len(nets),
        "total_pnl": float(books.realised),
        "avg_pnl": float(sum(nets) / len(nets)),
        "best_trade_pnl": float(max(nets)),
        "worst_trade_pnl": float(min(nets)),
        "fees": float(books.fees),
        "unrealized_pnl": float(sold - books.open_funds - books.open_fee),
        "equity": float(books.cash + sold),
    }


def test_the_api_s_performance_is_that_of_the_fills(session: Session) -> None:
    shown, state = session.at_rest(lambda: session.system.api("/api/performance"))
    books, nets = session.books, session.books.net_of_closed
    expected = results(books, state["bid"])
    assert {name: shown[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert (shown["mode"], shown["period"]) == ("dry", "all")
    lost = -sum(net for net in nets if net <= 0)
    assert shown["profit_factor"] == pytest.approx(float(sum(net for net in nets if net > 0) / lost), abs=1e-9)
    value = peak = Fraction(INITIAL)
    fall = share = Fraction(0)
    for _, realised in books.sales:
        value += realised
        peak = max(peak, value)
        fall, share = max(fall, peak - value), max(share, (peak - value) / peak)
    assert shown["max_drawdown_usdt"] == pytest.approx(float(fall), abs=1e-9)
    assert shown["max_drawdown"] == pytest.approx(float(share), abs=1e-12)
    first = min(books.orders.values(), key=lambda order: order.first_at)
    coins = INITIAL / (first.funds / first.size * (1 + Fraction(FEE)))
    held = coins * Fraction(state["bid"]) * (1 - Fraction(FEE)) - INITIAL
    assert shown["buy_and_hold_pnl"] == pytest.approx(float(held), abs=1e-9)


def test_the_api_counts_today_by_the_day_of_the_first_fill(session: Session) -> None:
    shown = session.system.api("/api/performance?period=today")
    since = datetime.fromisoformat(shown["since"])
    assert since == datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    booked = {row["fill_id"]: row["filled_at"] for row in session.system.rows("SELECT * FROM fills")}
    realised = sum((amount for fill_id, amount in session.books.sales if booked[fill_id] >= since), Fraction(0))
    closed = [trip for trip in session.books.closed if trip.closed_at is not None and trip.closed_at >= since]
    assert shown["total_trades"] == sum(order.first_at >= since for order in session.books.orders.values())
    assert shown["winning_trades"] + shown["losing_trades"] == len(closed)
    assert shown["total_pnl"] == pytest.approx(float(realised), abs=1e-9)


def test_the_api_s_status_shows_performance_position_and_learning(session: Session) -> None:
    shown, state = session.at_rest(lambda: session.system.api("/api/status"))
    books, trip = session.books, session.books.open
    assert trip is not None
    assert (shown["status"], shown["mode"]) == ("online", {"requested": "dry", "effective": "dry"})
    expected = results(books, state["bid"])
    assert {name: shown["performance"][name] for name in expected} == pytest.approx(expected, abs=1e-9)
    entry_price = trip.entry_funds / trip.entry_size
    position = {
        "size": float(books.size),
        "entry_price": float(entry_price),
        "value": float(books.size * Fraction(state["bid"])),
        "unrealized_pnl": expected["unrealized_pnl"],
        "gain": float(Fraction(state["bid"]) / entry_price - 1),
    }
    assert {name: shown["position"][name] for name in position} == pytest.approx(position, rel=1e-9, abs=1e-9)
    rewards = [trip.net / trip.entry_funds * 10_000 for trip in books.closed]
    learned = shown["model_stats"]
    assert learned["episodes"] == len(rewards)
    assert learned["total_reward"] == pytest.approx(float(sum(rewards)), abs=1e-6)
    assert learned["avg_reward"] == pytest.approx(float(sum(rewards) / len(rewards)), abs=1e-6)


def test_the_exporter_shows_the_same(session: Session) -> None:
    shown, state = session.at_rest(session.system.metrics)
    books, expected = session.books, results(session.books, state["bid"])
    buys, sells = len(books.of_side("buy")), len(books.of_side("sell"))
    names = ("total_trades", "winning_trades", "losing_trades", "win_rate", "total_pnl", "avg_pnl")
    wanted: Metrics = {f"btc_trading_{name}": expected[name] for name in (*names, "best_trade_pnl", "worst_trade_pnl")}
    wanted |= {
        f'btc_price{{symbol="{SYMBOL}"}}': float((state["bid"] + state["ask"]) / 2),
        "btc_trading_cumulative_pnl": expected["total_pnl"],
        "btc_trading_cumulative_pnl_24h": expected["total_pnl"],
        "btc_trading_trades_24h": buys + sells,
        "btc_trading_trades_1h": buys + sells,
        "btc_trading_open_position_btc": float(books.size),
        "btc_trading_open_position_usdt": float(books.size * Fraction(state["bid"])),
        'btc_trading_trades_total{side="buy"}': buys,
        'btc_trading_trades_total{side="sell"}': sells,
        'btc_trading_active_mode{mode="dry"}': 1,
        'btc_trading_active_mode{mode="live"}': 0,
        "btc_trading_live_mode": 0,
        "btc_trading_agent_running": 1,
        "btc_exporter_up": 1,
    }
    for mode, on in (("dry", 1), ("live", 0)):
        wanted |= {
            f'btc_trading_mode_total_trades{{mode="{mode}"}}': on * (buys + sells),
            f'btc_trading_mode_winning{{mode="{mode}"}}': on * expected["winning_trades"],
            f'btc_trading_mode_losing{{mode="{mode}"}}': on * expected["losing_trades"],
            f'btc_trading_mode_pnl{{mode="{mode}"}}': on * expected["total_pnl"],
            f'btc_trading_mode_trades_total{{mode="{mode}",side="buy"}}': on * buys,
            f'btc_trading_mode_trades_total{{mode="{mode}",side="sell"}}': on * sells,
            f'btc_trading_mode_open_position_btc{{mode="{mode}"}}': on * float(books.size),
        }
        for reason in REASONS:
            wanted[f'btc_trading_mode_exits_total{{mode="{mode}",reason="{reason}"}}'] = on * books.exits(reason)
    wanted['btc_trading_mode_win_rate{mode="dry"}'] = expected["win_rate"]
    wanted |= {f"btc_trading_exit_{reason}": books.exits(reason) for reason in REASONS}
    for side in ("buy", "sell"):
        last = max(books.of_side(side), key=lambda order: order.first_at)
        labels = f'{{mode="dry",side="{side}"}}'
        wanted |= {
            f"btc_trading_last_trade_info{labels}": last.first_at.timestamp(),
            f"btc_trading_last_trade_price{labels}": float(last.funds / last.size),
            f"btc_trading_last_trade_size{labels}": float(last.size),
        }
        if side == "sell":
            wanted[f"btc_trading_last_trade_pnl{labels}"] = float(last.realised)
    assert {name: shown.get(name) for name in wanted} == pytest.approx(wanted, rel=1e-12, abs=1e-9)
    assert [name for name in shown if "last_trade" in name and name not in wanted] == []


def test_the_exporter_counts_decisions_by_action_and_shows_the_settings_in_effect(session: Session) -> None:
    shown, stored = session.at_rest(session.system.metrics)
    made = {
        f'btc_trading_decisions_total{{action="{action}"}}': number for action, number in stored["decisions"].items()
    }
    made |= {name.replace("_total{", "_1h{"): number for name, number in made.items()}
    assert {name: shown[name] for name in made} == made
    assert sum(stored["decisions"].values()) > 20
    settings = {
        "stop_loss_pct": 0.5,
        "take_profit_pct": 10,
        "trailing_stop_enabled": 0,
        "trailing_stop_activation_pct": 10,
        "trailing_stop_trail_pct": 0.0003,
        "max_daily_trades": 10_000,
        "max_daily_loss": 100_000,
        "min_confidence": 0.1,
    }
    assert {name: shown[f"btc_trading_{name}"] for name in settings} == settings
    (status, stored) = session.at_rest(lambda: session.system.api("/api/status"))
    assert status["model_stats"]["action_distribution"] == stored["decisions"]


def test_every_signal_has_exactly_one_outcome(session: Session) -> None:
    decisions = {
        row["signal_id"]: row for row in session.system.rows("SELECT * FROM decisions WHERE signal_id IS NOT NULL")
    }
    outcomes = session.system.rows("SELECT * FROM signal_outcomes")
    orders = {row["signal_id"]: row for row in session.system.rows("SELECT * FROM orders WHERE from_signal")}
    assert Counter(list(decisions)) == Counter(row["signal_id"] for row in outcomes)
    assert len(decisions) == session.system.redis.xlen(streams.signals_stream(VENUE, SYMBOL))
    assert {row["outcome"] for row in outcomes} == {"intent", "refused"}
    for row in outcomes:
        decision, order = decisions[row["signal_id"]], orders.get(row["signal_id"])
        assert (row["decision_id"], row["action"]) == (decision["decision_id"], decision["action"])
        if row["outcome"] == "refused":
            assert order is None
            assert (decision["outcome"], decision["outcome_code"]) == ("refused", row["code"])
        else:
            assert order is not None
            executed = order["intent_id"] in session.books.orders
            assert decision["outcome"] == ("executed" if executed else "failed")
            assert order["side"] == decision["action"].lower()
            assert order["decision_id"] == decision["decision_id"]
    assert set(orders) <= set(decisions)
    untouched = session.system.rows("SELECT * FROM decisions WHERE signal_id IS NULL AND outcome IS NOT NULL")
    assert untouched == []


def test_refusals_are_counted_by_their_code(session: Session) -> None:
    stored = session.system.rows(
        "SELECT code, count(*) AS refusals FROM signal_outcomes WHERE code IS NOT NULL GROUP BY code ORDER BY code"
    )
    assert session.system.rows("SELECT code, refusals FROM refusal_totals ORDER BY code") == stored
    assert stored


def test_each_round_trip_teaches_once(session: Session) -> None:
    table = session.system.row("SELECT * FROM q_tables")
    trips = session.system.rows("SELECT id FROM round_trips ORDER BY id")
    assert (table["episodes"], table["last_round_trip"]) == (len(trips), trips[-1]["id"])
    rewards = sum(trip.net / trip.entry_funds * 10_000 for trip in session.books.closed)
    assert table["total_reward_bp"] == pytest.approx(float(rewards), abs=1e-6)
    assert sum(table["table"]["buy_visits"]) == len(trips)


def test_streams_are_bounded(session: Session) -> None:
    """Redis trims whole nodes of 100 entries: a stream is never more than one node too long."""
    lengths = {name: session.system.redis.xlen(name) for name in session.bounds}
    assert all(lengths.values())
    assert [name for name, bound in session.bounds.items() if lengths[name] > bound + 100] == []
    assert _pictures(session.system) > streams.BOOK_MAXLEN
    assert session.system.redis.exists(streams.DEAD_LETTER_STREAM) == 0


def test_no_service_ended_or_complained(session: Session) -> None:
    assert session.system.crashes() == []
    assert all(service.running for service in session.system.services.values())
    errors = [
        event
        for name in session.system.services
        for event in session.system.events(name)
        if event.get("level") in ("error", "critical")
    ]
    assert errors == []
