"""Statistics over round trips and equity."""

import math
from decimal import Decimal
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.equity_curve import EquityPoint, max_drawdown, sharpe_ratio
from executor.domain.limits import DAY_MS
from executor.domain.performance import performance
from executor.domain.position import RoundTrip

D = Decimal


def trip(net: str | Decimal) -> RoundTrip:
    return RoundTrip(
        round_trip_id="t",
        symbol="BTC-USDT",
        entry_intent_id="i",
        entry_decision_id=None,
        entry_signal_id=None,
        opened_at_ms=0,
        closed_at_ms=1,
        entry_size=D(1),
        entry_cost=D(300),
        entry_fee=D("0.3"),
        exit_size=D(1),
        exit_funds=D(300),
        exit_fee=D("0.2"),
        dust=D(0),
        net=D(net),
        net_bp=D(0),
        exit_reasons=(),
    )


def points(*equities: str, step_ms: int = DAY_MS) -> list[EquityPoint]:
    return [EquityPoint(time_ms=n * step_ms, equity=D(equity)) for n, equity in enumerate(equities)]


def test_nothing_gives_nothing_and_not_zero() -> None:
    empty = performance([], [])
    assert [empty.round_trips, empty.net, empty.fees] == [0, 0, 0]
    fields = ("win_rate", "average", "best", "worst", "profit_factor", "max_drawdown", "max_drawdown_usdt", "sharpe")
    assert [getattr(empty, field) for field in fields] == [None] * len(fields)


def test_figures_over_round_trips() -> None:
    figures = performance([trip("6"), trip("-2"), trip("0"), trip("-1")], [])
    assert (figures.round_trips, figures.winning, figures.losing) == (4, 1, 3)
    assert [figures.net, figures.best, figures.worst] == [D(3), D(6), D(-2)]
    assert figures.average == D("0.75")
    assert figures.win_rate == 0.25
    assert figures.profit_factor == 2.0
    assert figures.fees == D(2)


def test_the_profit_factor_is_undefined_without_a_loss() -> None:
    assert performance([trip("6"), trip("0")], []).profit_factor is None
    assert performance([trip("-6")], []).profit_factor == 0.0


def test_the_drawdown_is_the_largest_fall_from_an_earlier_peak() -> None:
    fraction, money = max_drawdown(points("1000", "1200", "900", "2000", "1600", "2100"))
    assert fraction == 0.25  # 1200 → 900
    assert money == D(400)  # 2000 → 1600
    assert max_drawdown(points("1", "2", "3")) == (0.0, D(0))
    assert max_drawdown(points("0", "-5")) == (None, D(5))


@given(st.lists(st.decimals(min_value=1, max_value=10_000, places=2), min_size=1, max_size=20))
def test_the_drawdown_equals_the_worst_of_all_pairs(equities: list[Decimal]) -> None:
    fraction, money = max_drawdown(points(*map(str, equities)))
    pairs = [(high, low) for i, high in enumerate(equities) for low in equities[i:]]
    assert money == max(max(high - low for high, low in pairs), D(0))
    assert fraction == pytest.approx(max(max(float((high - low) / high) for high, low in pairs), 0.0))


def test_the_sharpe_ratio_is_of_daily_returns_and_annualised_over_365_days() -> None:
    returns = [0.01, -0.02, 0.03]
    expected = mean(returns) / stdev(returns) * math.sqrt(365)
    assert sharpe_ratio(points("1000", "1010", "989.8", "1019.494")) == pytest.approx(expected)


def test_only_a_days_last_point_counts_and_a_day_without_points_stands_still() -> None:
    hourly = [
        EquityPoint(time_ms=0, equity=D(5)),
        EquityPoint(time_ms=DAY_MS - 1, equity=D(1000)),
        EquityPoint(time_ms=DAY_MS, equity=D(1010)),
        EquityPoint(time_ms=3 * DAY_MS, equity=D("989.8")),
    ]
    returns = [0.01, 0.0, -0.02]
    assert sharpe_ratio(hourly) == pytest.approx(mean(returns) / stdev(returns) * math.sqrt(365))


@pytest.mark.parametrize(
    "equities", [(), ("1000",), ("1000", "1010"), ("1000", "1000", "1000"), ("1000", "0", "1000"), ("-1", "5", "7")]
)
def test_the_sharpe_ratio_is_undefined_without_two_varying_returns(equities: tuple[str, ...]) -> None:
    assert sharpe_ratio(points(*equities)) is None
