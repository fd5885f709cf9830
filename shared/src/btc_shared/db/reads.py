"""What the exporter and the API read. Every query is bounded: its cost does not grow with the ledger's history."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from btc_shared.codes import Action, ExitReason, Mode, ServiceName, Strategy
from btc_shared.db.models import (
    AccountRow,
    ControlRow,
    DecisionRow,
    DecisionTotalRow,
    HeartbeatRow,
    MarketStateRow,
    PositionRow,
    TotalsRow,
)
from btc_shared.figures import Beat, Control, Decision, Ledger, Market, Position, Totals


@asynccontextmanager
async def snapshot(engine: AsyncEngine, *, timeout_secs: float) -> AsyncIterator[AsyncConnection]:
    """One read-only transaction in which every query sees the same moment.

    Raises:
        TimeoutError: reading took longer than `timeout_secs`, connecting included.
    """
    async with asyncio.timeout(timeout_secs), engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        async with connection.begin():
            yield connection


async def read_market(connection: AsyncConnection, venue: str, symbol: str) -> Market | None:
    row = (
        await connection.execute(
            select(MarketStateRow.__table__).where(MarketStateRow.venue == venue, MarketStateRow.symbol == symbol)
        )
    ).one_or_none()
    if row is None:
        return None
    return Market(
        book_time=row.book_time,
        received_at=row.received_at,
        bid=row.bid,
        ask=row.ask,
        bid_volume=row.bid_volume,
        ask_volume=row.ask_volume,
        imbalance=row.imbalance,
        spread_bp=row.spread_bp,
        flow=row.flow,
    )


async def read_beats(connection: AsyncConnection, venue: str) -> dict[ServiceName, Beat]:
    """The newest heartbeat of every service that ever sent one."""
    rows = await connection.execute(select(HeartbeatRow.__table__).where(HeartbeatRow.venue == venue))
    return {
        ServiceName(row.service): Beat(
            started_at=row.started_at,
            beat_at=row.beat_at,
            status=row.status,
            effective_mode=Mode(row.effective_mode) if row.effective_mode else None,
            details=row.details,
        )
        for row in rows
    }


async def read_control(connection: AsyncConnection, venue: str) -> Control:
    row = (await connection.execute(select(ControlRow.__table__).where(ControlRow.venue == venue))).one_or_none()
    if row is None:
        return Control()
    return Control(
        requested=Mode(row.requested_mode), halted=row.halted, changed_at=row.changed_at, version=row.version
    )


async def read_ledgers(connection: AsyncConnection, venue: str, symbol: str) -> dict[Mode, Ledger]:
    """Both modes' ledgers, also one that has no rows yet. A mode's accounts are summed; modes never mix."""
    accounts = {
        Mode(row.mode): row
        for row in await connection.execute(
            select(
                AccountRow.mode,
                func.sum(AccountRow.initial_balance).label("initial_balance"),
                func.sum(AccountRow.cash).label("cash"),
            )
            .where(AccountRow.venue == venue)
            .group_by(AccountRow.mode)
        )
    }
    totals = await _read_totals(connection, venue, symbol)
    positions: dict[Mode, list[Position]] = {mode: [] for mode in Mode}
    for row in await connection.execute(
        select(PositionRow.__table__)
        .where(PositionRow.venue == venue, PositionRow.symbol == symbol)
        .order_by(PositionRow.account)
    ):
        positions[Mode(row.mode)].append(_position(row))
    return {
        mode: Ledger(
            mode=mode,
            totals=totals.get(mode, Totals()),
            positions=tuple(positions[mode]),
            initial_balance=accounts[mode].initial_balance if mode in accounts else None,
            cash=accounts[mode].cash if mode in accounts else None,
        )
        for mode in Mode
    }


async def _read_totals(connection: AsyncConnection, venue: str, symbol: str) -> dict[Mode, Totals]:
    summed = ["buys", "sells", "winning", "losing", "realised_pnl", "closed_pnl", "fees"]
    exits = [f"exit_{reason}" for reason in ExitReason]
    rows = await connection.execute(
        select(
            TotalsRow.mode,
            *(func.sum(getattr(TotalsRow, name)).label(name) for name in summed + exits),
            func.max(TotalsRow.best_pnl).label("best_pnl"),
            func.min(TotalsRow.worst_pnl).label("worst_pnl"),
        )
        .where(TotalsRow.venue == venue, TotalsRow.symbol == symbol)
        .group_by(TotalsRow.mode)
    )
    return {
        Mode(row.mode): Totals(
            buys=int(row.buys),
            sells=int(row.sells),
            winning=int(row.winning),
            losing=int(row.losing),
            realised_pnl=row.realised_pnl,
            closed_pnl=row.closed_pnl,
            best_pnl=row.best_pnl,
            worst_pnl=row.worst_pnl,
            fees=row.fees,
            exits={reason: int(getattr(row, f"exit_{reason}")) for reason in ExitReason},
        )
        for row in rows
    }


def _position(row: Any) -> Position:
    return Position(
        account=row.account,
        size=row.size,
        entry_price=row.entry_price,
        open_cost=row.open_funds + row.open_fee,
        high_bid=row.high_bid,
        trailing_armed=row.trailing_armed,
        partial_done=row.partial_done,
        opened_at=row.opened_at,
    )


async def read_decisions(connection: AsyncConnection, venue: str, symbol: str, limit: int) -> Sequence[Decision]:
    """The newest decisions, newest first."""
    rows = await connection.execute(
        select(DecisionRow.__table__)
        .where(DecisionRow.venue == venue, DecisionRow.symbol == symbol)
        .order_by(DecisionRow.decided_at.desc(), DecisionRow.id.desc())
        .limit(limit)
    )
    return [_decision(row) for row in rows]


def _decision(row: Any) -> Decision:
    return Decision(
        decision_id=str(row.decision_id),
        symbol=row.symbol,
        mode=Mode(row.mode),
        decided_at=row.decided_at,
        trigger=row.trigger,
        bar_time=row.bar_time,
        price=row.price,
        action=Action(row.action),
        score=row.score,
        agreement=row.agreement,
        confidence=row.confidence,
        threshold=row.threshold,
        scores={strategy: getattr(row, f"score_{strategy}") for strategy in Strategy},
        weights=row.weights,
        reasons=row.reasons,
        inputs=row.inputs,
        in_position=row.in_position,
        explored=row.explored,
        settings_version=row.settings_version,
        model_version=row.model_version,
        signal_id=str(row.signal_id) if row.signal_id else None,
        outcome=row.outcome,
        outcome_code=row.outcome_code,
        outcome_detail=row.outcome_detail,
        outcome_at=row.outcome_at,
    )


async def read_decision_totals(connection: AsyncConnection, venue: str, symbol: str) -> dict[Action, int]:
    """How many decisions of each action there ever were; every action is there."""
    rows = await connection.execute(
        select(DecisionTotalRow.action, DecisionTotalRow.decisions).where(
            DecisionTotalRow.venue == venue, DecisionTotalRow.symbol == symbol
        )
    )
    return dict.fromkeys(Action, 0) | {Action(row.action): int(row.decisions) for row in rows}
