"""All SQL of the decision engine. Nothing here commits: the caller's transaction does."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from btc_shared import clock
from btc_shared.codes import Mode, Side
from btc_shared.db.models import (
    CandleRow,
    DecisionRow,
    DecisionTotalRow,
    FillRow,
    HeartbeatRow,
    OrderRow,
    PositionRow,
    QTableRow,
    RoundTripRow,
)
from btc_shared.records import Candle
from decision_engine.domain import ClosedRoundTrip, QTable, TripFill, table_from_json, table_to_json

PRUNE_BATCH = 5_000


class Stance(msgspec.Struct, frozen=True, kw_only=True):
    """What the executor has in effect: mode, and whether it holds a position."""

    mode: Mode
    is_long: bool


class Repository:
    """The rows of one venue and symbol."""

    def __init__(self, venue: str, symbol: str) -> None:
        self._venue, self._symbol = venue, symbol

    async def stance(self, connection: AsyncConnection) -> Stance:
        """DRY while no executor has told otherwise."""
        mode = select(HeartbeatRow.effective_mode).where(
            HeartbeatRow.venue == self._venue, HeartbeatRow.service == "executor"
        )
        found = await connection.scalar(mode)
        in_effect = Mode.DRY if found is None else Mode(found)
        held = await connection.scalar(
            select(func.count()).where(
                PositionRow.venue == self._venue,
                PositionRow.symbol == self._symbol,
                PositionRow.mode == str(in_effect),
            )
        )
        return Stance(mode=in_effect, is_long=bool(held))

    async def last_bars(self, connection: AsyncConnection, count: int) -> list[Candle]:
        """The newest final bars, oldest first."""
        rows = await connection.execute(
            select(CandleRow.__table__)
            .where(CandleRow.venue == self._venue, CandleRow.symbol == self._symbol)
            .order_by(CandleRow.open_time.desc())
            .limit(count)
        )
        return [_candle(row) for row in reversed(rows.all())]

    async def bars_between(self, connection: AsyncConnection, first: datetime, last: datetime) -> list[Candle]:
        """Final bars that opened in [first, last], oldest first."""
        rows = await connection.execute(
            select(CandleRow.__table__)
            .where(
                CandleRow.venue == self._venue,
                CandleRow.symbol == self._symbol,
                CandleRow.open_time.between(first, last),
            )
            .order_by(CandleRow.open_time)
        )
        return [_candle(row) for row in rows]

    async def insert_decision(self, connection: AsyncConnection, values: dict[str, Any]) -> None:
        """Store a decision and count it."""
        await connection.execute(insert(DecisionRow).values(venue=self._venue, symbol=self._symbol, **values))
        counted = insert(DecisionTotalRow).values(
            venue=self._venue, symbol=self._symbol, action=values["action"], decisions=1
        )
        await connection.execute(
            counted.on_conflict_do_update(
                index_elements=["venue", "symbol", "action"],
                set_={"decisions": DecisionTotalRow.decisions + 1},
            )
        )

    async def prune_decisions(self, connection: AsyncConnection, keep_days: int) -> int:
        """Delete a batch of decisions older than `keep_days` that led to no order; returns how many."""
        old = (
            select(DecisionRow.id)
            .where(
                DecisionRow.venue == self._venue,
                DecisionRow.symbol == self._symbol,
                DecisionRow.decided_at < clock.now() - timedelta(days=keep_days),
                or_(DecisionRow.outcome.is_(None), DecisionRow.outcome == "refused"),
            )
            .order_by(DecisionRow.decided_at)
            .limit(PRUNE_BATCH)
        )
        result = await connection.execute(delete(DecisionRow).where(DecisionRow.id.in_(old)))
        return result.rowcount

    # Learning

    async def q_table(self, connection: AsyncConnection, *, lock: bool = False) -> QTable | None:
        """The stored table; None while nothing was learned.

        Raises:
            TableRefusedError: it was made for other states; the message names the remedy.
        """
        statement = select(QTableRow.table).where(QTableRow.venue == self._venue, QTableRow.symbol == self._symbol)
        content = await connection.scalar(statement.with_for_update() if lock else statement)
        return None if content is None else table_from_json(content)

    async def store_q_table(self, connection: AsyncConnection, table: QTable) -> None:
        """Store the table with the number of the last round trip that it learned from: one row, one commit."""
        values = {
            "last_round_trip": table.last_round_trip,
            "episodes": table.episodes,
            "total_reward_bp": table.total_reward_bp,
            "table": table_to_json(table),
            "updated_at": clock.now(),
        }
        await connection.execute(
            insert(QTableRow)
            .values(venue=self._venue, symbol=self._symbol, version=1, **values)
            .on_conflict_do_update(
                index_elements=["venue", "symbol"], set_={**values, "version": QTableRow.version + 1}
            )
        )

    async def round_trips_after(self, connection: AsyncConnection, number: int, limit: int) -> list[ClosedRoundTrip]:
        """Closed round trips of this venue and symbol with a number above `number`, in order."""
        rows = (
            await connection.execute(
                select(
                    RoundTripRow.id,
                    RoundTripRow.round_trip_id,
                    RoundTripRow.opened_at,
                    RoundTripRow.closed_at,
                    RoundTripRow.net_bp,
                    DecisionRow.bar_time,
                )
                .outerjoin(DecisionRow, DecisionRow.decision_id == RoundTripRow.entry_decision_id)
                .where(
                    RoundTripRow.venue == self._venue,
                    RoundTripRow.symbol == self._symbol,
                    RoundTripRow.id > number,
                )
                .order_by(RoundTripRow.id)
                .limit(limit)
            )
        ).all()
        fills = await self._fills_of(connection, [row.round_trip_id for row in rows])
        return [
            ClosedRoundTrip(
                number=row.id,
                entry_bar_ms=None if row.bar_time is None else clock.to_ms(row.bar_time),
                opened_at_ms=clock.to_ms(row.opened_at),
                closed_at_ms=clock.to_ms(row.closed_at),
                net_bp=row.net_bp,
                fills=tuple(fills.get(row.round_trip_id, ())),
            )
            for row in rows
        ]

    async def _fills_of(
        self, connection: AsyncConnection, round_trip_ids: Sequence[uuid.UUID]
    ) -> dict[uuid.UUID, list[TripFill]]:
        rows = await connection.execute(
            select(
                OrderRow.round_trip_id,
                FillRow.side,
                FillRow.size,
                FillRow.funds,
                FillRow.fee_quote,
                FillRow.filled_at,
            )
            .join(OrderRow, and_(OrderRow.intent_id == FillRow.intent_id))
            .where(OrderRow.round_trip_id.in_(round_trip_ids))
            .order_by(FillRow.filled_at, FillRow.id)
        )
        found: dict[uuid.UUID, list[TripFill]] = {}
        for row in rows:
            fill = TripFill(
                side=Side(row.side),
                size=row.size,
                funds=row.funds,
                fee=row.fee_quote,
                time_ms=clock.to_ms(row.filled_at),
            )
            found.setdefault(row.round_trip_id, []).append(fill)
        return found


def _candle(row: Any) -> Candle:
    return Candle(
        symbol=row.symbol,
        open_time_ms=clock.to_ms(row.open_time),
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        turnover=row.turnover,
        filled=row.filled,
    )
