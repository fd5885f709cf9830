"""Statistics over closed round trips and equity points. What is not defined is None, never 0.

Money is `Decimal`; ratios are floats, as nothing is booked or sent from them.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, stdev

import msgspec

from executor.domain.arithmetic import ZERO, exact
from executor.domain.limits import DAY_MS
from executor.domain.position import RoundTrip

# The market never closes, so a year has 365 daily returns.
DAYS_A_YEAR = 365


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Equity at one moment, in USDT; free of deposits and withdrawals."""

    time_ms: int
    equity: Decimal


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Money in USDT, net.

    `max_drawdown` is the largest fall from an earlier peak as a fraction of that peak, `max_drawdown_usdt` the
    largest in money. `profit_factor` is Σ wins / Σ losses, None without a loss. `sharpe`: see `sharpe_ratio`.
    """

    round_trips: int
    winning: int
    losing: int
    net: Decimal
    fees: Decimal
    win_rate: float | None
    average: Decimal | None
    best: Decimal | None
    worst: Decimal | None
    profit_factor: float | None
    max_drawdown: float | None
    max_drawdown_usdt: Decimal | None
    sharpe: float | None


@exact
def performance(round_trips: Sequence[RoundTrip], points: Sequence[EquityPoint]) -> Performance:
    """Figures over round trips in any order and equity points in ascending time."""
    nets = [round_trip.net for round_trip in round_trips]
    wins = [net for net in nets if net > 0]
    losses = [net for net in nets if net <= 0]
    lost = -sum(losses, ZERO)
    drawdown, drawdown_usdt = max_drawdown(points)
    return Performance(
        round_trips=len(nets),
        winning=len(wins),
        losing=len(losses),
        net=sum(nets, ZERO),
        fees=sum((round_trip.fees for round_trip in round_trips), ZERO),
        win_rate=len(wins) / len(nets) if nets else None,
        average=sum(nets, ZERO) / len(nets) if nets else None,
        best=max(nets, default=None),
        worst=min(nets, default=None),
        profit_factor=float(sum(wins, ZERO) / lost) if lost else None,
        max_drawdown=drawdown,
        max_drawdown_usdt=drawdown_usdt,
        sharpe=sharpe_ratio(points),
    )


@exact
def max_drawdown(points: Sequence[EquityPoint]) -> tuple[float | None, Decimal | None]:
    """The largest fall from an earlier peak: as a fraction of that peak, and in USDT; both None without points.

    The two may belong to different falls. The fraction is None when no peak was above 0.
    """
    if not points:
        return None, None
    peak = points[0].equity
    fraction: Decimal | None = None
    money = ZERO
    for point in points:
        peak = max(peak, point.equity)
        money = max(money, peak - point.equity)
        if peak > 0:
            fraction = max(fraction or ZERO, (peak - point.equity) / peak)
    return (None if fraction is None else float(fraction)), money


def sharpe_ratio(points: Sequence[EquityPoint]) -> float | None:
    """Annualised Sharpe ratio of daily returns, risk-free rate 0: mean / sample standard deviation × √365.

    A day's value is its last point's (UTC); a day without points keeps the value of the day before. None with fewer
    than two daily returns, without any variation, or when the equity is not above 0.
    """
    closes = {point.time_ms // DAY_MS: float(point.equity) for point in points}
    if not closes or min(closes.values()) <= 0:
        return None
    daily: list[float] = []
    for day in range(min(closes), max(closes) + 1):
        daily.append(closes.get(day, daily[-1] if daily else 0.0))
    returns = [after / before - 1 for before, after in pairwise(daily)]
    if len(returns) < 2:
        return None
    deviation = stdev(returns)
    return fmean(returns) / deviation * math.sqrt(DAYS_A_YEAR) if deviation > 0 else None
