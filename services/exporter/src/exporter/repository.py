"""All SQL of the exporter. A scrape costs the same whatever the history: running totals and index ranges."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Text, column, func, insert, select, true, update, values
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from btc_shared.codes import Action, Mode, Side
from btc_shared.db import reads
from btc_shared.db.models import (
    AuditRow,
    BookingRow,
    ControlRow,
    DecisionRow,
    PreflightRow,
    RuntimeSettingsRow,
    TotalsRow,
    TradeRow,
)
from btc_shared.figures import Control
from btc_shared.settings import RiskSettings
from exporter.business import LastTrade, Picture, Recent
from exporter.control import AuditEntry, Preflight

MAX_REFUSALS_A_MINUTE = 100
"""Refused requests that are stored; more of them are only logged, so that nobody can fill the disk."""


async def read_picture(
    connection: AsyncConnection, venue: str, symbol: str, risk: RiskSettings, now: datetime
) -> Picture:
    """What a scrape shows, on the caller's transaction."""
    decisions = await reads.read_decisions(connection, venue, symbol, limit=1)
    return Picture(
        symbol=symbol,
        market=await reads.read_market(connection, venue, symbol),
        beats=await reads.read_beats(connection, venue),
        ledgers=await reads.read_ledgers(connection, venue, symbol),
        recent=await _read_recent(connection, venue, symbol, now),
        last_trades=await _read_last_trades(connection, venue, symbol),
        decision=decisions[0] if decisions else None,
        decision_totals=await reads.read_decision_totals(connection, venue, symbol),
        decisions_1h=await _read_decisions_1h(connection, venue, symbol, now),
        risk=risk,
    )


def _of_ledger(row: type[TradeRow] | type[BookingRow]) -> tuple[ColumnElement[bool], ...]:
    """Joins to `totals`, which has a row for every ledger that ever traded: so that table's index is used."""
    return (
        row.venue == TotalsRow.venue,
        row.account == TotalsRow.account,
        row.mode == TotalsRow.mode,
        row.symbol == TotalsRow.symbol,
    )


async def _read_recent(connection: AsyncConnection, venue: str, symbol: str, now: datetime) -> dict[Mode, Recent]:
    day_ago, hour_ago = now - timedelta(days=1), now - timedelta(hours=1)
    trades = (
        select(
            func.count().filter(TradeRow.executed_at >= hour_ago).label("trades_1h"), func.count().label("trades_24h")
        )
        .where(*_of_ledger(TradeRow), TradeRow.executed_at >= day_ago)
        .lateral("recent_trades")
    )
    booked = (
        select(func.coalesce(func.sum(BookingRow.realised), 0).label("pnl_24h"))
        .where(*_of_ledger(BookingRow), BookingRow.booked_for >= day_ago)
        .lateral("booked")
    )
    rows = await connection.execute(
        select(
            TotalsRow.mode,
            func.sum(trades.c.trades_1h).label("trades_1h"),
            func.sum(trades.c.trades_24h).label("trades_24h"),
            func.sum(booked.c.pnl_24h).label("pnl_24h"),
        )
        .select_from(TotalsRow)
        .join(trades, onclause=true())
        .join(booked, onclause=true())
        .where(TotalsRow.venue == venue, TotalsRow.symbol == symbol)
        .group_by(TotalsRow.mode)
    )
    found = {
        Mode(row.mode): Recent(trades_1h=int(row.trades_1h), trades_24h=int(row.trades_24h), pnl_24h=row.pnl_24h)
        for row in rows
    }
    return {mode: found.get(mode, Recent()) for mode in Mode}


async def _read_last_trades(connection: AsyncConnection, venue: str, symbol: str) -> dict[tuple[Mode, Side], LastTrade]:
    sides = values(column("side", Text), name="sides").data([(side,) for side in Side])
    newest = (
        select(TradeRow.executed_at, TradeRow.price, TradeRow.size, TradeRow.pnl)
        .where(*_of_ledger(TradeRow), TradeRow.side == sides.c.side)
        .order_by(TradeRow.executed_at.desc(), TradeRow.id.desc())
        .limit(1)
        .lateral("newest")
    )
    rows = await connection.execute(
        select(TotalsRow.mode, sides.c.side, newest)
        .select_from(TotalsRow)
        .join(sides, onclause=true())
        .join(newest, onclause=true())
        .where(TotalsRow.venue == venue, TotalsRow.symbol == symbol)
        .order_by(newest.c.executed_at)
    )
    return {  # of several accounts the newest row wins
        (Mode(row.mode), Side(row.side)): LastTrade(
            executed_at=row.executed_at, price=row.price, size=row.size, pnl=row.pnl
        )
        for row in rows
    }


async def _read_decisions_1h(connection: AsyncConnection, venue: str, symbol: str, now: datetime) -> dict[Action, int]:
    rows = await connection.execute(
        select(DecisionRow.action, func.count())
        .where(
            DecisionRow.venue == venue,
            DecisionRow.symbol == symbol,
            DecisionRow.decided_at >= now - timedelta(hours=1),
        )
        .group_by(DecisionRow.action)
    )
    return dict.fromkeys(Action, 0) | {Action(action): count for action, count in rows}


async def lock_control(connection: AsyncConnection, venue: str, now: datetime) -> Control:
    """The operator's wishes, made on first use, locked until the transaction ends."""
    await connection.execute(
        upsert(ControlRow)
        .values(venue=venue, requested_mode=Mode.DRY, halted=False, changed_at=now, version=0)
        .on_conflict_do_nothing()
    )
    await connection.execute(select(ControlRow.venue).where(ControlRow.venue == venue).with_for_update())
    return await reads.read_control(connection, venue)


async def store_control(
    connection: AsyncConnection, venue: str, control: Control, *, requested: Mode, halted: bool, now: datetime
) -> Control:
    """Change what `lock_control` gave; the version counts the changes."""
    changed = Control(requested=requested, halted=halted, changed_at=now, version=control.version + 1)
    await connection.execute(
        update(ControlRow)
        .where(ControlRow.venue == venue)
        .values(requested_mode=requested, halted=halted, changed_at=now, version=changed.version)
    )
    return changed


async def read_preflight(connection: AsyncConnection, venue: str) -> Preflight | None:
    row = (
        await connection.execute(
            select(PreflightRow.checked_at, PreflightRow.passed, PreflightRow.reasons).where(
                PreflightRow.venue == venue
            )
        )
    ).one_or_none()
    return Preflight(checked_at=row.checked_at, passed=row.passed, reasons=tuple(row.reasons)) if row else None


async def last_mode_change(connection: AsyncConnection, venue: str) -> tuple[str, datetime] | None:
    """Route and time of the newest change of the requested mode."""
    row = (
        await connection.execute(
            select(AuditRow.route, AuditRow.at)
            .where(AuditRow.venue == venue, AuditRow.kind == "mode", AuditRow.accepted)
            .order_by(AuditRow.id.desc())
            .limit(1)
        )
    ).one_or_none()
    return (row.route, row.at) if row else None


async def add_audit(connection: AsyncConnection, venue: str, entry: AuditEntry, now: datetime) -> bool:
    """Store an entry; False for a refusal beyond `MAX_REFUSALS_A_MINUTE`."""
    if not entry.accepted:
        recent = (
            select(AuditRow.at).where(~AuditRow.accepted).order_by(AuditRow.id.desc()).limit(MAX_REFUSALS_A_MINUTE)
        ).subquery()
        count = await connection.scalar(select(func.count()).where(recent.c.at > now - timedelta(minutes=1)))
        if (count or 0) >= MAX_REFUSALS_A_MINUTE:
            return False
    await connection.execute(
        insert(AuditRow).values(
            at=now,
            venue=venue,
            kind=entry.kind,
            from_value=entry.from_value,
            to_value=entry.to_value,
            route=entry.caller.route,
            origin=entry.caller.origin,
            accepted=entry.accepted,
            reason=entry.reason,
        )
    )
    return True


async def read_overrides(connection: AsyncConnection, venue: str) -> tuple[int, dict[str, str], datetime | None]:
    """Version, values and time of the run-time settings; version 0 before the first change."""
    row = (
        await connection.execute(
            select(RuntimeSettingsRow.version, RuntimeSettingsRow.values, RuntimeSettingsRow.changed_at).where(
                RuntimeSettingsRow.venue == venue
            )
        )
    ).one_or_none()
    return (row[0], row[1], row[2]) if row else (0, {}, None)


async def lock_overrides(connection: AsyncConnection, venue: str, now: datetime) -> tuple[int, dict[str, str]]:
    """The run-time settings, made on first use, locked until the transaction ends."""
    await connection.execute(
        upsert(RuntimeSettingsRow)
        .values({"venue": venue, "version": 0, "values": {}, "changed_at": now})
        .on_conflict_do_nothing()
    )
    await connection.execute(
        select(RuntimeSettingsRow.venue).where(RuntimeSettingsRow.venue == venue).with_for_update()
    )
    version, stored, _ = await read_overrides(connection, venue)
    return version, stored


async def store_overrides(
    connection: AsyncConnection, venue: str, version: int, overrides: Mapping[str, str], now: datetime
) -> None:
    await connection.execute(
        update(RuntimeSettingsRow)
        .where(RuntimeSettingsRow.venue == venue)
        .values({"version": version, "values": dict(overrides), "changed_at": now})
    )
