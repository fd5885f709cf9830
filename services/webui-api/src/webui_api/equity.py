"""The equity curve as a chart needs it: few points, nothing important lost. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from btc_shared.codes import Mode
from btc_shared.equity_curve import EquityPoint
from btc_shared.figures import Ledger, equity
from webui_api.performance import Period, Result, curve_points, period_start

MAX_POINTS = 1_000
_KEPT_OF_A_GROUP = 4  # first, lowest, highest, last


@dataclass(frozen=True, kw_only=True)
class NewestResults:
    """The newest results of a period, in the order of their time; not `complete` when older ones were left out."""

    results: Sequence[Result]
    complete: bool


@dataclass(frozen=True, kw_only=True)
class EquityCurve:
    """Realised equity over a period: `points` at most `MAX_POINTS`, made of `results` results.

    `equity_now` is with the open position at the bid less the fee. The curve is reckoned back from what the ledger has
    realised by now, so it is right wherever it begins: also when it is not `complete` and begins late.
    """

    mode: Mode
    period: Period
    since: datetime | None
    start_capital: Decimal | None
    equity_now: Decimal | None
    results: int
    complete: bool
    points: Sequence[EquityPoint]


def equity_curve(
    ledger: Ledger,
    newest: NewestResults,
    first_trade_at: datetime | None,
    period: Period,
    *,
    bid: Decimal | None,
    taker_fee: Decimal,
    now: datetime,
) -> EquityCurve:
    """From the period's start (or the ledger's first trade, if later) to now; no points before any trade."""
    since = period_start(period, now)
    points: Sequence[EquityPoint] = ()
    if ledger.initial_balance is not None and first_trade_at is not None:
        realised = sum((result.realised for result in newest.results), Decimal(0))
        before = ledger.initial_balance + ledger.totals.realised_pnl - realised
        start = first_trade_at if since is None else max(since, first_trade_at)
        if not newest.complete:
            start = newest.results[0].at
        points = downsample(curve_points(before, start, newest.results, now), MAX_POINTS)
    return EquityCurve(
        mode=ledger.mode,
        period=period,
        since=since,
        start_capital=ledger.initial_balance,
        equity_now=equity(ledger, bid, taker_fee),
        results=len(newest.results),
        complete=newest.complete,
        points=points,
    )


def downsample(points: Sequence[EquityPoint], limit: int) -> Sequence[EquityPoint]:
    """At most `limit` (6 or more) of `points`, in their order: the two ends, and the first, lowest, highest and last
    of each of the equal times between them. So no extreme is lost, and a pause keeps the level that it had.
    """
    if len(points) <= limit:
        return points
    groups = (limit - 2) // _KEPT_OF_A_GROUP
    begin, length = points[0].time_ms, points[-1].time_ms - points[0].time_ms + 1
    kept = [points[0]]
    for _, group in groupby(points[1:-1], lambda point: (point.time_ms - begin) * groups // length):
        members = list(group)
        values = [point.equity for point in members]
        chosen = {0, values.index(min(values)), values.index(max(values)), len(members) - 1}
        kept += [members[index] for index in sorted(chosen)]
    return [*kept, points[-1]]
