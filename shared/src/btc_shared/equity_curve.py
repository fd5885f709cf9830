"""What an equity curve says: drawdown and Sharpe ratio. What is not defined is None, never 0."""

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, stdev

import msgspec

DAY_MS = 86_400_000
# The market never closes, so a year has 365 daily returns.
DAYS_A_YEAR = 365


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Equity at one moment, in USDT; free of deposits and withdrawals."""

    time_ms: int
    equity: Decimal


def max_drawdown(points: Sequence[EquityPoint]) -> tuple[float | None, Decimal | None]:
    """The largest fall from an earlier peak: as a fraction of that peak, and in USDT; both None without points.

    The two may belong to different falls. The fraction is None when no peak was above 0. `points` are in order.
    """
    if not points:
        return None, None
    peak = points[0].equity
    fraction: Decimal | None = None
    money = Decimal(0)
    for point in points:
        peak = max(peak, point.equity)
        money = max(money, peak - point.equity)
        if peak > 0:
            fraction = max(fraction or Decimal(0), (peak - point.equity) / peak)
    return (None if fraction is None else float(fraction)), money


def sharpe_ratio(points: Sequence[EquityPoint]) -> float | None:
    """Annualised Sharpe ratio of daily returns, risk-free rate 0: mean / sample standard deviation × √365.

    A day's value is its last point's (UTC); a day without points keeps the value of the day before. None with fewer
    than two daily returns, without any variation, or when the equity is not above 0. `points` are in order.
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
