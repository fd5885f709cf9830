"""What the operator, the feed and the executor tell each other through Postgres. Nothing here commits."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from btc_shared import clock
from btc_shared.codes import Mode
from btc_shared.db.models import AuditRow, ControlRow, HeartbeatRow, PreflightRow, SymbolRow
from btc_shared.records import SymbolRules


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator asked for."""

    requested_mode: Mode
    halted: bool


class OperatorRepository:
    """The rows of one venue and symbol that are not the ledger's."""

    def __init__(self, venue: str, symbol: str) -> None:
        self._venue, self._symbol = venue, symbol

    async def rules(self, connection: AsyncConnection) -> SymbolRules | None:
        """The exchange's rules for the symbol, as the feed stored them; None before it did."""
        found = await connection.scalar(
            select(SymbolRow.rules).where(SymbolRow.venue == self._venue, SymbolRow.symbol == self._symbol)
        )
        return None if found is None else msgspec.convert(found, SymbolRules, strict=False)

    async def control(self, connection: AsyncConnection) -> Control:
        """Requested mode and kill switch; DRY and not halted while nobody asked for anything."""
        row = (
            await connection.execute(
                select(ControlRow.requested_mode, ControlRow.halted).where(ControlRow.venue == self._venue)
            )
        ).one_or_none()
        if row is None:
            return Control(requested_mode=Mode.DRY, halted=False)
        return Control(requested_mode=Mode(row.requested_mode), halted=row.halted)

    async def effective_mode(self, connection: AsyncConnection) -> Mode | None:
        """The mode in effect that the last executor's heartbeat told."""
        found = await connection.scalar(
            select(HeartbeatRow.effective_mode).where(
                HeartbeatRow.venue == self._venue, HeartbeatRow.service == "executor"
            )
        )
        return None if found is None else Mode(found)

    async def audit_mode_in_effect(self, connection: AsyncConnection, before: Mode | None, after: Mode) -> None:
        await connection.execute(
            insert(AuditRow).values(
                at=clock.now(),
                venue=self._venue,
                kind="effective_mode",
                from_value=before,
                to_value=after,
                route="executor",
                origin="executor",
                accepted=True,
            )
        )

    async def store_preflight(self, connection: AsyncConnection, passed: bool, reasons: Sequence[str]) -> None:
        values = {"checked_at": clock.now(), "passed": passed, "reasons": list(reasons)}
        await connection.execute(
            insert(PreflightRow)
            .values(venue=self._venue, **values)
            .on_conflict_do_update(index_elements=["venue"], set_=values)
        )
