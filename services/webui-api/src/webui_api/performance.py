"""What trading brought, over a ledger's whole life or a part of it: pure. Undefined is None, never 0.

Money is USDT, net of fees. Closed round trips are what wins, loses, and has an average, a best and a worst.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from btc_shared.clock import to_ms
from btc_shared.codes import Mode
from btc_shared.equity_curve import EquityPoint, max_drawdown, sharpe_ratio
from btc_shared.figures import Ledger, Totals, equity, unrealised_pnl

DAYS_A_YEAR = 365  # the market never closes
_ZERO = Decimal(0)


class Period(StrEnum):
    """`today` is the UTC day so far; the others reach back from now."""

    ALL = "all"
    TODAY = "today"
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    YEAR = "365d"


_LENGTHS = {
    Period.HOUR: timedelta(hours=1),
    Period.DAY: timedelta(days=1),
    Period.WEEK: timedelta(days=7),
    Period.MONTH: timedelta(days=30),
    Period.QUARTER: timedelta(days=90),
    Period.YEAR: timedelta(days=365),
}


def period_start(period: Period, now: datetime) -> datetime | None:
    """The first moment of a period that ends now; None for all of history."""
    if period is Period.ALL:
        return None
    if period is Period.TODAY:
        return now.replace(hour=0, minute=0, second=0, microsecond=0)
    return now - _LENGTHS[period]


@dataclass(frozen=True, kw_only=True)
class Result:
    """An amount that was realised: by an exit's fill, or by writing off dust."""

    at: datetime
    realised: Decimal


@dataclass(frozen=True, kw_only=True)
class FirstTrade:
    """The first executed order of a period, of either side."""

    executed_at: datetime
    price: Decimal


@dataclass(frozen=True, kw_only=True)
class History:
    """What happened in a period. `gross_profit` and `gross_loss` sum up closed round trips by sign, both ≥ 0.

    `results` are in the order of their time.
    """

    totals: Totals
    gross_profit: Decimal = _ZERO
    gross_loss: Decimal = _ZERO
    results: Sequence[Result] = ()
    first_trade: FirstTrade | None = None


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Figures of one mode and period.

    `unrealised`, `equity` and `buy_and_hold` are as of now. `buy_and_hold` is what the money that the ledger had at
    the period's start would have made, had it bought at the period's first trade and price and sold at the bid now,
    with the taker's fee on both. Drawdown and Sharpe ratio are over the realised curve (`realised_curve`).
    """

    mode: Mode
    period: Period
    totals: Totals
    unrealised: Decimal | None
    equity: Decimal | None
    profit_factor: float | None
    max_drawdown: float | None
    max_drawdown_usdt: Decimal | None
    sharpe: float | None
    buy_and_hold: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What Q-learning has learned so far. The reward is in basis points of the stakes."""

    episodes: int = 0
    total_reward_bp: float = 0.0


def performance(
    ledger: Ledger,
    history: History,
    period: Period,
    *,
    bid: Decimal | None,
    taker_fee: Decimal,
    now: datetime,
) -> Performance:
    """All figures; `bid` is None when the market's price is missing."""
    start_equity = equity_at_start(ledger, history)
    curve = realised_curve(ledger, history, period, now)
    drawdown, drawdown_usdt = max_drawdown(curve)
    return Performance(
        mode=ledger.mode,
        period=period,
        totals=history.totals,
        unrealised=unrealised_pnl(ledger, bid, taker_fee),
        equity=equity(ledger, bid, taker_fee),
        profit_factor=float(history.gross_profit / history.gross_loss) if history.gross_loss else None,
        max_drawdown=drawdown,
        max_drawdown_usdt=drawdown_usdt,
        sharpe=sharpe_ratio(curve),
        buy_and_hold=_buy_and_hold(start_equity, history.first_trade, bid, taker_fee),
    )


def equity_at_start(ledger: Ledger, history: History) -> Decimal | None:
    """Realised equity when the period began: what the ledger started with and had realised until then."""
    if ledger.initial_balance is None:
        return None
    return ledger.initial_balance + ledger.totals.realised_pnl - history.totals.realised_pnl


def realised_curve(ledger: Ledger, history: History, period: Period, now: datetime) -> Sequence[EquityPoint]:
    """Realised equity from the period's start (or the first trade ever, if later) to now, a point for each result.

    Open positions count at cost. Empty without an account or without any trade ever.
    """
    value = equity_at_start(ledger, history)
    start = period_start(period, now)
    traded_before = ledger.totals.trades > history.totals.trades
    if start is None or not traded_before:
        start = history.first_trade.executed_at if history.first_trade else None
    if value is None or start is None:
        return ()
    return curve_points(value, start, history.results, now)


def curve_points(value: Decimal, start: datetime, results: Sequence[Result], now: datetime) -> Sequence[EquityPoint]:
    """A curve that begins with `value` at `start`: a point for each result, and one now."""
    points = [EquityPoint(time_ms=to_ms(start), equity=value)]
    for result in results:
        value += result.realised
        points.append(EquityPoint(time_ms=to_ms(result.at), equity=value))
    # What was booked while this was read may be a little later than `now`.
    return [*points, EquityPoint(time_ms=max(to_ms(now), points[-1].time_ms), equity=value)]


def _buy_and_hold(
    stake: Decimal | None, first_trade: FirstTrade | None, bid: Decimal | None, taker_fee: Decimal
) -> Decimal | None:
    if stake is None or stake <= 0 or first_trade is None or bid is None:
        return None
    coins = stake / (first_trade.price * (1 + taker_fee))
    return coins * bid * (1 - taker_fee) - stake
