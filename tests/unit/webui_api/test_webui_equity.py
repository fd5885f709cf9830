"""The equity curve: right wherever it begins, and small without losing what matters."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from btc_shared.clock import to_ms
from btc_shared.codes import Mode
from btc_shared.equity_curve import EquityPoint
from btc_shared.figures import Ledger, Totals
from webui_api.equity import MAX_POINTS, EquityCurve, NewestResults, downsample, equity_curve
from webui_api.performance import Period, Result

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
FEE = Decimal("0.001")

curves = st.lists(st.integers(-1_000, 1_000), max_size=400).map(
    lambda values: [EquityPoint(time_ms=index, equity=Decimal(value)) for index, value in enumerate(values)]
)


@given(curves, st.integers(6, 60))
def test_thinning_keeps_order_ends_and_extremes(points: list[EquityPoint], limit: int) -> None:
    kept = downsample(points, limit)
    assert len(kept) <= limit
    times = [point.time_ms for point in kept]
    assert times == sorted(set(times))
    assert set(kept) <= set(points)
    if len(points) <= limit:
        assert kept == points
        return
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    for extreme in (min, max):
        assert extreme(point.equity for point in kept) == extreme(point.equity for point in points)


def test_thinning_keeps_a_spike_among_many_points_and_the_level_of_a_pause() -> None:
    points = [EquityPoint(time_ms=index, equity=Decimal(1000 + index % 7)) for index in range(20_000)]
    points[12_345] = EquityPoint(time_ms=12_345, equity=Decimal(1))
    kept = downsample(points, MAX_POINTS)
    assert points[12_345] in kept
    assert MAX_POINTS * 0.9 < len(kept) <= MAX_POINTS


@given(st.lists(st.integers(1, 5_000), min_size=100, max_size=300))
def test_thinning_keeps_the_level_of_every_long_pause(pauses: list[int]) -> None:
    times = list(accumulate(pauses))
    points = [EquityPoint(time_ms=time, equity=Decimal(index * 37 % 101)) for index, time in enumerate(times)]
    limit = 50
    longest_blurred = (times[-1] - times[0] + 1) / ((limit - 2) // 4)
    kept = set(downsample(points, limit))
    for before, after in pairwise(points):
        if after.time_ms - before.time_ms > longest_blurred:
            assert before in kept


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def drawn(
    newest: NewestResults, *, realised: str, period: Period = Period.ALL, first: datetime | None = None
) -> EquityCurve:
    ledger = Ledger(
        mode=Mode.DRY,
        totals=Totals(realised_pnl=Decimal(realised)),
        initial_balance=Decimal(1000),
        cash=Decimal(1000) + Decimal(realised),
    )
    return equity_curve(ledger, newest, first, period, bid=None, taker_fee=FEE, now=NOW)


def results(*pairs: tuple[float, str], complete: bool = True) -> NewestResults:
    return NewestResults(
        results=[Result(at=ago(hours), realised=Decimal(amount)) for hours, amount in pairs], complete=complete
    )


def test_all_of_history_begins_with_the_capital_at_the_first_trade() -> None:
    curve = drawn(results((5, "10"), (2, "-4")), realised="6", first=ago(6))
    assert [(point.time_ms, point.equity) for point in curve.points] == [
        (to_ms(ago(6)), Decimal(1000)),
        (to_ms(ago(5)), Decimal(1010)),
        (to_ms(ago(2)), Decimal(1006)),
        (to_ms(NOW), Decimal(1006)),
    ]
    assert (curve.start_capital, curve.equity_now, curve.results, curve.since) == (
        Decimal(1000),
        Decimal(1006),
        2,
        None,
    )


def test_a_period_begins_with_what_was_realised_before_it() -> None:
    curve = drawn(results((2, "-4")), realised="6", period=Period.DAY, first=ago(100))
    assert curve.since == ago(24)
    assert (curve.points[0].time_ms, curve.points[0].equity) == (to_ms(ago(24)), Decimal(1010))
    assert curve.points[-1].equity == Decimal(1006)


def test_a_cut_curve_begins_later_with_the_right_value() -> None:
    curve = drawn(results((3, "1"), (2, "2"), complete=False), realised="500", first=ago(9_000))
    assert not curve.complete
    assert (curve.points[0].time_ms, curve.points[0].equity) == (to_ms(ago(3)), Decimal(1497))
    assert curve.points[-1].equity == Decimal(1500)


def test_without_account_or_trade_there_is_no_curve_and_no_zero() -> None:
    untraded = drawn(results(), realised="0")
    assert (list(untraded.points), untraded.start_capital, untraded.equity_now) == ([], Decimal(1000), Decimal(1000))
    bare = equity_curve(Ledger(mode=Mode.LIVE), results(), None, Period.ALL, bid=None, taker_fee=FEE, now=NOW)
    assert (list(bare.points), bare.start_capital, bare.equity_now) == ([], None, None)


def test_what_was_booked_while_it_was_read_does_not_turn_time_back() -> None:
    curve = drawn(results((1, "1"), (-0.001, "2")), realised="3", first=ago(2))
    times = [point.time_ms for point in curve.points]
    assert times == sorted(times)
