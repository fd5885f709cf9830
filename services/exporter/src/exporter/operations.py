"""The operator's actions: each one transaction, with its audit row."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from btc_shared.codes import Mode
from btc_shared.db import reads
from btc_shared.figures import Beats, Control, Ledger
from btc_shared.settings.runtime import RuntimeSettings
from exporter import repository
from exporter.control import (
    AuditEntry,
    Caller,
    ModeOutcome,
    decide_mode,
    is_double_click,
    live_obstacles,
    why_not_authorised,
)
from exporter.overrides import merged
from exporter.settings import ExporterSettings

TIMEOUT_SECS = 5.0

log = structlog.get_logger(__name__)


class NotAuthorisedError(Exception):
    """The action needs the control token; the text says what to do."""


class ForbiddenError(Exception):
    """A foreign page may have sent the request; the text says what gave it away."""


@dataclass(frozen=True, kw_only=True)
class ModeFacts:
    """What is asked for and what is so: two facts, each with its time."""

    control: Control
    beats: Beats
    ledgers: Mapping[Mode, Ledger]
    obstacles: tuple[str, ...]


class Operations:
    """Changes what the operator asks for. The executor reads it and makes it so."""

    def __init__(self, engine: AsyncEngine, settings: ExporterSettings, runtime: RuntimeSettings) -> None:
        self._engine, self._settings, self._runtime = engine, settings, runtime
        self._venue = settings.venue

    async def facts(self, now: datetime) -> ModeFacts:
        """Both modes, the kill switch, and what keeps LIVE from being requested."""
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            return ModeFacts(
                control=await reads.read_control(connection, self._venue),
                beats=await reads.read_beats(connection, self._venue),
                ledgers=await reads.read_ledgers(connection, self._venue, self._settings.symbol),
                obstacles=await self._obstacles(connection, now),
            )

    async def request_mode(self, wanted: Mode | None, caller: Caller, now: datetime) -> ModeOutcome:
        """Request a mode; None stands for the other one. Asking for what is already requested changes nothing."""
        async with asyncio.timeout(TIMEOUT_SECS), self._engine.begin() as connection:
            control = await repository.lock_control(connection, self._venue, now)
            current = control.requested
            if wanted is None:
                last = await repository.last_mode_change(connection, self._venue)
                wanted = current if is_double_click(caller, last, now) else _other(current)
                if wanted is current:
                    return ModeOutcome(status=200, previous=current, current=current, wanted=current)
            outcome = decide_mode(
                current,
                wanted,
                caller,
                token_configured=self._settings.control_token is not None,
                obstacles=await self._obstacles(connection, now),
            )
            accepted = outcome.status == 200
            if accepted and outcome.current is not current:
                await repository.store_control(
                    connection, self._venue, control, requested=outcome.current, halted=control.halted, now=now
                )
            if outcome.current is not current or (wanted is Mode.LIVE and not accepted):
                entry = AuditEntry(
                    kind="mode",
                    caller=caller,
                    from_value=current,
                    to_value=wanted,
                    accepted=accepted,
                    reason="; ".join(outcome.reasons) or None,
                )
                await self._audit(connection, entry, now)
        return outcome

    async def set_halted(self, halted: bool, caller: Caller, now: datetime) -> tuple[Control, Control]:
        """Halt or resume; returns the wishes before and after. Repeating changes nothing.

        Raises:
            ForbiddenError: for a request that a foreign page may have sent.
            NotAuthorisedError: to resume without the control token.
        """
        if caller.forbidden is not None:
            raise ForbiddenError(caller.forbidden)
        async with asyncio.timeout(TIMEOUT_SECS), self._engine.begin() as connection:
            control = await repository.lock_control(connection, self._venue, now)
            refused = not halted and not caller.authorised
            changed = control
            if control.halted is not halted and not refused:
                changed = await repository.store_control(
                    connection, self._venue, control, requested=control.requested, halted=halted, now=now
                )
            if changed is not control or refused:
                entry = AuditEntry(
                    kind="halt" if halted else "resume",
                    caller=caller,
                    from_value=_state(control.halted),
                    to_value=_state(halted),
                    accepted=not refused,
                    reason=self._why_not_authorised() if refused else None,
                )
                await self._audit(connection, entry, now)
        if refused:
            raise NotAuthorisedError(self._why_not_authorised())
        return control, changed

    async def change_settings(self, changes: Mapping[str, object], caller: Caller, now: datetime) -> list[str]:
        """Store run-time settings (None unsets one); return the names that changed. All of them or none.

        Raises:
            ForbiddenError: for a request that a foreign page may have sent.
            NotAuthorisedError: without the control token.
            SettingsError: with one sentence for each change that is wrong.
        """
        if caller.forbidden is not None:
            raise ForbiddenError(caller.forbidden)
        if not caller.authorised:
            raise NotAuthorisedError(self._why_not_authorised())
        async with asyncio.timeout(TIMEOUT_SECS), self._engine.begin() as connection:
            version, stored = await repository.lock_overrides(connection, self._venue, now)
            wanted = merged(stored, changes, self._runtime.environment_risk, self._runtime.environment_engine)
            names = sorted(name for name in stored.keys() | wanted.keys() if stored.get(name) != wanted.get(name))
            if names:
                await repository.store_overrides(connection, self._venue, version + 1, wanted, now)
                entry = AuditEntry(
                    kind="settings",
                    caller=caller,
                    from_value=json.dumps({name: stored.get(name) for name in names}),
                    to_value=json.dumps({name: wanted.get(name) for name in names}),
                    accepted=True,
                )
                await self._audit(connection, entry, now)
        return names

    async def read_settings(self) -> datetime | None:
        """Bring the settings in effect up to date; returns when they were last changed at run time."""
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            version, overrides, changed_at = await repository.read_overrides(connection, self._venue)
        self._runtime.apply(version, overrides)
        return changed_at if version else None

    async def _obstacles(self, connection: AsyncConnection, now: datetime) -> tuple[str, ...]:
        preflight = await repository.read_preflight(connection, self._venue)
        return live_obstacles(allow_live=self._settings.allow_live, preflight=preflight, now=now)

    async def _audit(self, connection: AsyncConnection, entry: AuditEntry, now: datetime) -> None:
        stored = await repository.add_audit(connection, self._venue, entry, now)
        log.info(
            "operator_request",
            kind=entry.kind,
            route=entry.caller.route,
            origin=entry.caller.origin,
            from_value=entry.from_value,
            to_value=entry.to_value,
            accepted=entry.accepted,
            reason=entry.reason,
            stored=stored,
        )

    def _why_not_authorised(self) -> str:
        return why_not_authorised(token_configured=self._settings.control_token is not None)


def _other(mode: Mode) -> Mode:
    return Mode.DRY if mode is Mode.LIVE else Mode.LIVE


def _state(halted: bool) -> str:
    return "halted" if halted else "running"
