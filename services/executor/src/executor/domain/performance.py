"""Statistics over closed round trips and equity points. What is not defined is None, never 0.

Money is `Decimal`; ratios are floats, as nothing is booked or sent from them.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from btc_shared.equity_curve import EquityPoint, max_drawdown, sharpe_ratio
from executor.domain.arithmetic import ZERO, exact
from executor.domain.position import RoundTrip


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Money in USDT, net.

    `max_drawdown` is the largest fall from an earlier peak as a fraction of that peak, `max_drawdown_usdt` the
    largest in money. `profit_factor` is Σ wins / Σ losses, None without a loss. `sharpe`:
    see `equity_curve`.
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
