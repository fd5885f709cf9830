"""All SQL of the API that it does not share with the exporter. Every answer is read from one snapshot."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import LateralFromClause

from btc_shared.codes import ExitReason, Mode, Side
from btc_shared.db.models import BookingRow, CandleRow, QTableRow, RoundTripRow, TotalsRow, TradeRow
from btc_shared.figures import Ledger, Totals
from webui_api.equity import NewestResults
from webui_api.performance import FirstTrade, History, Learning, Result

MAX_RESULTS = 20_000
"""How many results (one for each fill of a sell) one equity curve reads: a year or more at the default limits."""
PRICE_CHANGE_TOLERANCE = timedelta(minutes=10)
"""How much older than 24 hours a candle may be and still be the price of 24 hours ago."""


async def read_learning(connection: AsyncConnection, venue: str, symbol: str) -> Learning:
    row = (
        await connection.execute(
            select(QTableRow.episodes, QTableRow.total_reward_bp).where(
                QTableRow.venue == venue, QTableRow.symbol == symbol
            )
        )
    ).one_or_none()
    return Learning(episodes=row.episodes, total_reward_bp=row.total_reward_bp) if row else Learning()


async def read_close_before(connection: AsyncConnection, venue: str, symbol: str, moment: datetime) -> Decimal | None:
    """The close of the last bar that was over at `moment`; None when there is none near it."""
    latest_open = moment - timedelta(minutes=1)
    return await connection.scalar(
        select(CandleRow.close)
        .where(
            CandleRow.venue == venue,
            CandleRow.symbol == symbol,
            CandleRow.open_time <= latest_open,
            CandleRow.open_time >= latest_open - PRICE_CHANGE_TOLERANCE,
        )
        .order_by(CandleRow.open_time.desc())
        .limit(1)
    )


def _of_ledger(row: type[TradeRow] | type[BookingRow] | type[RoundTripRow]) -> tuple[ColumnElement[bool], ...]:
    """Joins to `totals`, which has a row for every ledger that ever traded: so that table's index is used."""
    return (
        row.venue == TotalsRow.venue,
        row.account == TotalsRow.account,
        row.mode == TotalsRow.mode,
        row.symbol == TotalsRow.symbol,
    )


def _from_ledgers(columns: Any, rows: LateralFromClause, venue: str, symbol: str, mode: Mode) -> Select[Any]:
    return (
        select(*columns)
        .select_from(TotalsRow)
        .join(rows, onclause=true())
        .where(TotalsRow.venue == venue, TotalsRow.symbol == symbol, TotalsRow.mode == mode)
    )


async def read_candles(connection: AsyncConnection, venue: str, symbol: str, limit: int) -> Sequence[Row[Any]]:
    """The newest final bars, oldest first: rows with the columns of `candles`."""
    rows = await connection.execute(
        select(CandleRow.__table__)
        .where(CandleRow.venue == venue, CandleRow.symbol == symbol)
        .order_by(CandleRow.open_time.desc())
        .limit(limit)
    )
    return rows.all()[::-1]


async def read_trades(
    connection: AsyncConnection, venue: str, symbol: str, mode: Mode, limit: int, since: datetime | None = None
) -> list[Row[Any]]:
    """The newest executed orders (since a moment), newest first: rows with the columns of `trades`."""
    newest = (
        select(TradeRow.__table__)
        .where(*_of_ledger(TradeRow), *_since(TradeRow.executed_at, since))
        .order_by(TradeRow.executed_at.desc(), TradeRow.id.desc())
        .limit(limit)
        .lateral("newest")
    )
    statement = _from_ledgers([newest], newest, venue, symbol, mode)
    rows = await connection.execute(statement.order_by(newest.c.executed_at.desc(), newest.c.id.desc()).limit(limit))
    return list(rows)


async def read_history(
    connection: AsyncConnection, venue: str, symbol: str, ledger: Ledger, start: datetime | None
) -> History:
    """What one mode's ledger did since `start` (None: ever). Reads the period's rows, so a long one costs more."""
    results = await _read_results(connection, venue, symbol, ledger.mode, start)
    trips, profit, loss = await _read_round_trips(connection, venue, symbol, ledger.mode, start)
    if start is None:  # the running totals: the same numbers that the metrics show
        totals = ledger.totals
    else:
        realised = sum((result.realised for result in results), Decimal(0))
        counts = await _read_counts(connection, venue, symbol, ledger.mode, start)
        totals = replace(trips, realised_pnl=realised, **counts)
    return History(
        totals=totals,
        gross_profit=profit,
        gross_loss=loss,
        results=results,
        first_trade=await read_first_trade(connection, venue, symbol, ledger.mode, start),
    )


def _since(column: Any, start: datetime | None) -> tuple[ColumnElement[bool], ...]:
    return () if start is None else (column >= start,)


async def _read_counts(
    connection: AsyncConnection, venue: str, symbol: str, mode: Mode, start: datetime
) -> dict[str, Any]:
    """A period's executed orders as fields of `Totals`."""
    trades = (
        select(TradeRow.side, TradeRow.exit_reason, TradeRow.fee)
        .where(*_of_ledger(TradeRow), TradeRow.executed_at >= start)
        .lateral("period_trades")
    )
    exits = [func.count().filter(trades.c.exit_reason == reason).label(f"exit_{reason}") for reason in ExitReason]
    columns = [
        func.count().filter(trades.c.side == Side.BUY).label("buys"),
        func.count().filter(trades.c.side == Side.SELL).label("sells"),
        func.coalesce(func.sum(trades.c.fee), 0).label("fees"),
        *exits,
    ]
    row = (await connection.execute(_from_ledgers(columns, trades, venue, symbol, mode))).one()
    by_reason = {reason: getattr(row, f"exit_{reason}") for reason in ExitReason}
    return {"buys": row.buys, "sells": row.sells, "fees": row.fees, "exits": by_reason}


async def _read_round_trips(
    connection: AsyncConnection, venue: str, symbol: str, mode: Mode, start: datetime | None
) -> tuple[Totals, Decimal, Decimal]:
    """Closed round trips as totals, the sum of their profits and the sum of their losses (both ≥ 0)."""
    trips = (
        select(RoundTripRow.net_pnl)
        .where(*_of_ledger(RoundTripRow), *_since(RoundTripRow.closed_at, start))
        .lateral("trips")
    )
    net = trips.c.net_pnl
    columns = [
        func.count().filter(net > 0).label("winning"),
        func.count().filter(net <= 0).label("losing"),
        func.coalesce(func.sum(net), 0).label("closed_pnl"),
        func.max(net).label("best_pnl"),
        func.min(net).label("worst_pnl"),
        func.coalesce(func.sum(case((net > 0, net), else_=0)), 0).label("profit"),
        func.coalesce(func.sum(case((net <= 0, -net), else_=0)), 0).label("loss"),
    ]
    row = (await connection.execute(_from_ledgers(columns, trips, venue, symbol, mode))).one()
    totals = Totals(
        winning=row.winning,
        losing=row.losing,
        closed_pnl=row.closed_pnl,
        best_pnl=row.best_pnl,
        worst_pnl=row.worst_pnl,
    )
    return totals, row.profit, row.loss


async def _read_results(
    connection: AsyncConnection, venue: str, symbol: str, mode: Mode, start: datetime | None
) -> Sequence[Result]:
    booked = (
        select(BookingRow.id, BookingRow.booked_for, BookingRow.realised)
        .where(*_of_ledger(BookingRow), *_since(BookingRow.booked_for, start))
        .lateral("booked")
    )
    statement = _from_ledgers([booked.c.booked_for, booked.c.realised], booked, venue, symbol, mode)
    rows = await connection.execute(statement.order_by(booked.c.booked_for, booked.c.id))
    return [Result(at=row.booked_for, realised=row.realised) for row in rows]


async def read_newest_results(
    connection: AsyncConnection, venue: str, symbol: str, mode: Mode, start: datetime | None
) -> NewestResults:
    """A period's newest results, at most `MAX_RESULTS`: the cost does not grow with the ledger's history."""
    newest = (
        select(BookingRow.id, BookingRow.booked_for, BookingRow.realised)
        .where(*_of_ledger(BookingRow), *_since(BookingRow.booked_for, start))
        .order_by(BookingRow.booked_for.desc(), BookingRow.id.desc())
        .limit(MAX_RESULTS + 1)
        .lateral("newest")
    )
    statement = _from_ledgers([newest.c.booked_for, newest.c.realised], newest, venue, symbol, mode)
    rows = (
        await connection.execute(
            statement.order_by(newest.c.booked_for.desc(), newest.c.id.desc()).limit(MAX_RESULTS + 1)
        )
    ).all()
    results = [Result(at=row.booked_for, realised=row.realised) for row in reversed(rows[:MAX_RESULTS])]
    return NewestResults(results=results, complete=len(rows) <= MAX_RESULTS)


async def read_first_trade(
    connection: AsyncConnection, venue: str, symbol: str, mode: Mode, start: datetime | None
) -> FirstTrade | None:
    first = (
        select(TradeRow.executed_at, TradeRow.price)
        .where(*_of_ledger(TradeRow), *_since(TradeRow.executed_at, start))
        .order_by(TradeRow.executed_at, TradeRow.id)
        .limit(1)
        .lateral("first_trade")
    )
    statement = _from_ledgers([first], first, venue, symbol, mode).order_by(first.c.executed_at).limit(1)
    row = (await connection.execute(statement)).one_or_none()
    return FirstTrade(executed_at=row.executed_at, price=row.price) if row else None
