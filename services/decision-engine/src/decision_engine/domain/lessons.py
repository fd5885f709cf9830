"""From a closed round trip's fills and the bars around it to the lesson that it teaches."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from btc_shared.codes import Side
from btc_shared.records import Candle
from decision_engine.domain.indicators import compute_indicators
from decision_engine.domain.qlearning import LongBar, RoundTripLesson, sale_result_bp
from decision_engine.domain.qtable import cells_of

ZERO = Decimal(0)


class TripFill(msgspec.Struct, frozen=True, kw_only=True):
    """One fill of a round trip's orders; funds and fee in USDT, size in BTC."""

    side: Side
    size: Decimal
    funds: Decimal
    fee: Decimal
    time_ms: int


class ClosedRoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """A closed round trip of the ledger; times in milliseconds.

    `number` grows in the order of closing. `entry_bar_ms` is the opening time of the last final bar that the entry's
    decision knew; None when the decision is not stored any more.
    """

    number: int
    entry_bar_ms: int | None
    opened_at_ms: int
    closed_at_ms: int
    net_bp: float
    fills: tuple[TripFill, ...]


def lesson(trip: ClosedRoundTrip, bars: Sequence[Candle]) -> RoundTripLesson:
    """The lesson of a round trip. Where a bar is missing, or too few bars lie before it, its cell is None.

    The value of selling at a bar is reckoned at the bar's close, with the round trip's own fee rate.

    Args:
        bars: final bars, oldest first, from some hundred before the entry to the close.

    Raises:
        ValueError: if the round trip has no entry fill.
    """
    cells = _cells(bars)
    entry_bar_ms = trip.entry_bar_ms
    if entry_bar_ms is None:
        entry_bar_ms = _last_final(bars, trip.opened_at_ms)
    return RoundTripLesson(
        number=trip.number,
        entry_cell=cells.get(entry_bar_ms),
        long_bars=tuple(
            LongBar(cell=cells[bar.open_time_ms], sold_here_bp=_sold_at(trip, bar))
            for bar in bars
            if trip.opened_at_ms <= bar.close_time_ms < trip.closed_at_ms
        ),
        close_cell=cells.get(_last_final(bars, trip.closed_at_ms)),
        net_result_bp=trip.net_bp,
    )


def _cells(bars: Sequence[Candle]) -> dict[int | None, int | None]:
    """The cell of each bar by its opening time; indicators never reach across a missing minute."""
    found: dict[int | None, int | None] = {}
    for run in _runs_without_gap(bars):
        arrays = compute_indicators([float(bar.close) for bar in run], [float(bar.volume) for bar in run])
        cells = cells_of(rsi=arrays.rsi, momentum=arrays.momentum, volatility=arrays.volatility, trend=arrays.trend)
        for bar, cell in zip(run, cells.tolist(), strict=True):
            found[bar.open_time_ms] = None if cell < 0 else cell
    return found


def _runs_without_gap(bars: Sequence[Candle]) -> list[list[Candle]]:
    runs: list[list[Candle]] = []
    for bar in bars:
        if runs and bar.open_time_ms == runs[-1][-1].close_time_ms:
            runs[-1].append(bar)
        else:
            runs.append([bar])
    return runs


def _last_final(bars: Sequence[Candle], at_ms: int) -> int | None:
    """Opening time of the newest bar that had closed at `at_ms`."""
    return max((bar.open_time_ms for bar in bars if bar.close_time_ms <= at_ms), default=None)


def _sold_at(trip: ClosedRoundTrip, bar: Candle) -> float:
    entries = [fill for fill in trip.fills if fill.side is Side.BUY]
    if not entries:
        raise ValueError(f"round trip {trip.number} has no entry fill")
    exits = [fill for fill in trip.fills if fill.side is Side.SELL and fill.time_ms <= bar.close_time_ms]
    cost, fee = sum((fill.funds for fill in entries), ZERO), sum((fill.fee for fill in entries), ZERO)
    return sale_result_bp(
        entry_cost=cost,
        entry_fee=fee,
        proceeds=sum((fill.funds - fill.fee for fill in exits), ZERO),
        open_size=sum((fill.size for fill in entries), ZERO) - sum((fill.size for fill in exits), ZERO),
        bid=bar.close,
        taker_fee=fee / cost,
    )
