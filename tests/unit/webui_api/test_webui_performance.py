"""Performance figures against a recomputation that is plain to see."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.clock import to_ms
from btc_shared.codes import Mode
from btc_shared.equity_curve import EquityPoint
from btc_shared.figures import Ledger, Position, Totals
from webui_api.performance import (
    FirstTrade,
    History,
    Period,
    Result,
    performance,
    period_start,
    realised_curve,
)

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
FEE = Decimal("0.001")

money = st.decimals(-50, 50, places=2)


def ledger(**changes: Any) -> Ledger:
    values: dict[str, Any] = {"mode": Mode.DRY, "initial_balance": Decimal(1000), "cash": Decimal(1000)}
    return Ledger(**(values | changes))


def history(results: list[tuple[float, str]], **totals: Any) -> History:
    """Results as (hours ago, amount)."""
    rows = tuple(Result(at=NOW - timedelta(hours=hours), realised=Decimal(amount)) for hours, amount in results)
    summed = sum((row.realised for row in rows), Decimal(0))
    return History(totals=Totals(realised_pnl=summed, **totals), results=rows)


@pytest.mark.parametrize(
    ("period", "start"),
    [
        (Period.ALL, None),
        (Period.TODAY, datetime(2026, 3, 10, tzinfo=UTC)),
        (Period.HOUR, NOW - timedelta(hours=1)),
        (Period.DAY, NOW - timedelta(days=1)),
        (Period.YEAR, NOW - timedelta(days=365)),
    ],
)
def test_periods_begin_where_their_names_say(period: Period, start: datetime | None) -> None:
    assert period_start(period, NOW) == start


@given(st.lists(st.tuples(st.floats(0, 500), money), max_size=20), st.sampled_from(list(Period)), money)
def test_the_realised_curve_begins_before_and_ends_with_all_that_was_realised(
    results: list[tuple[float, Decimal]], period: Period, before: Decimal
) -> None:
    start = period_start(period, NOW)
    inside = sorted(
        (Result(at=NOW - timedelta(hours=hours), realised=amount) for hours, amount in results),
        key=lambda result: result.at,
    )
    inside = [result for result in inside if start is None or result.at >= start]
    realised = sum((result.realised for result in inside), Decimal(0))
    first = FirstTrade(executed_at=inside[0].at, price=Decimal(100)) if inside else None
    of_period = Totals(sells=len(inside), realised_pnl=realised)
    past = Decimal(0) if start is None else before
    whole = Totals(sells=len(inside) + (0 if start is None else 1), realised_pnl=realised + past)
    curve = realised_curve(
        ledger(totals=whole), History(totals=of_period, results=inside, first_trade=first), period, NOW
    )
    if not curve:
        assert (start, first) == (None, None)
        return
    assert curve[0].equity == 1000 + past
    assert curve[-1] == EquityPoint(time_ms=to_ms(NOW), equity=1000 + past + realised)
    times = [point.time_ms for point in curve]
    assert times == sorted(times)
    assert len(curve) == len(inside) + 2


def test_buy_and_hold_pays_fees_and_starts_with_what_the_ledger_had() -> None:
    traded = History(
        totals=Totals(sells=1, realised_pnl=Decimal(-10)),
        results=(Result(at=NOW, realised=Decimal(-10)),),
        first_trade=FirstTrade(executed_at=NOW - timedelta(hours=2), price=Decimal(50_000)),
    )
    before = ledger(totals=Totals(sells=5, realised_pnl=Decimal(90)))  # 100 were made before the period
    found = performance(before, traded, Period.DAY, bid=Decimal(55_000), taker_fee=FEE, now=NOW)
    coins = Decimal(1100) / (Decimal(50_000) * (1 + FEE))
    assert found.buy_and_hold == coins * 55_000 * (1 - FEE) - 1100
    assert performance(before, traded, Period.DAY, bid=None, taker_fee=FEE, now=NOW).buy_and_hold is None


def test_equity_is_what_was_started_with_plus_all_results() -> None:
    position = Position(
        account="paper", size=Decimal("0.01"), entry_price=Decimal(50_000), open_cost=Decimal("500.5"),
        high_bid=Decimal(50_000), trailing_armed=False, partial_done=False, opened_at=NOW,
    )  # fmt: skip
    held = ledger(
        totals=Totals(buys=2, sells=1, realised_pnl=Decimal(20)), positions=(position,), cash=Decimal("519.5")
    )
    found = performance(held, history([(1, "20")]), Period.ALL, bid=Decimal(49_000), taker_fee=FEE, now=NOW)
    assert found.unrealised == Decimal(490) * (1 - FEE) - Decimal("500.5")
    assert found.equity == 1000 + 20 + found.unrealised


def test_undefined_is_none() -> None:
    bare = performance(
        Ledger(mode=Mode.LIVE), History(totals=Totals()), Period.ALL, bid=Decimal(1), taker_fee=FEE, now=NOW
    )
    assert (bare.equity, bare.profit_factor, bare.max_drawdown, bare.sharpe, bare.buy_and_hold) == (None,) * 5
    assert (bare.totals.win_rate, bare.totals.average_pnl) == (None, None)
    assert bare.unrealised == 0
    only_wins = History(totals=Totals(winning=1), gross_profit=Decimal(5))
    assert performance(ledger(), only_wins, Period.ALL, bid=None, taker_fee=FEE, now=NOW).profit_factor is None
