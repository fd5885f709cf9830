"""Signs of life: named checks, the `/health` and `/metrics` routes, and the heartbeat row in Postgres."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from btc_shared import clock
from btc_shared.codes import Mode, ServiceName
from btc_shared.db.models import HeartbeatRow
from btc_shared.outage import Outage

HEARTBEAT_SECS = 2.0
HEARTBEAT_TIMEOUT_SECS = 5.0

heartbeat_failures = Counter("heartbeat_failures", "Heartbeats that could not be stored")
database_outage = Outage("database", settle_secs=10.0)
"""The database as all parts of this process see it, so that its outage is logged once, whoever meets it."""


class Check(NamedTuple):
    """One thing that must hold for the service to do its work. `critical`: without it the service cannot serve."""

    ok: bool
    detail: str
    critical: bool = True


class Health:
    """The checks of one service; each is a function asked anew at every look."""

    def __init__(self, service: ServiceName) -> None:
        self.service = service
        self.started_at = clock.now()
        self._checks: dict[str, Callable[[], Check]] = {}
        self._facts: dict[str, Callable[[], Any]] = {}

    def tell(self, name: str, fact: Callable[[], Any]) -> None:
        """Have the body of `/health` say more under `name`; `fact` is asked anew at every look."""
        self._facts[name] = fact

    def add(self, name: str, check: Callable[[], Check]) -> None:
        self._checks[name] = check

    def report(self) -> tuple[bool, dict[str, Any]]:
        """`(can serve, body of /health)`."""
        results = {name: check() for name, check in self._checks.items()}
        serving = all(check.ok for check in results.values() if check.critical)
        healthy = all(check.ok for check in results.values())
        body = {
            "service": str(self.service),
            "status": "healthy" if healthy else "degraded",
            "checks": {name: {"ok": check.ok, "detail": check.detail} for name, check in results.items()},
            "started_at": self.started_at.isoformat().replace("+00:00", "Z"),
            **{name: fact() for name, fact in self._facts.items()},
        }
        return serving, body

    def routes(self) -> list[Route]:
        """`GET /health` (503 when it cannot serve) and `GET /metrics` of this process."""

        async def health(_: Request) -> Response:
            serving, body = self.report()
            return JSONResponse(body, status_code=200 if serving else 503)

        async def metrics(_: Request) -> Response:
            return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

        return [Route("/health", health), Route("/metrics", metrics)]


class Heartbeat:
    """Writes the service's row in `heartbeats` every two seconds."""

    def __init__(
        self,
        engine: AsyncEngine,
        venue: str,
        health: Health,
        *,
        effective_mode: Callable[[], Mode | None] = lambda: None,
        details: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._engine, self._venue, self._health = engine, venue, health
        self._effective_mode, self._details = effective_mode, details
        self.last_success: datetime | None = None

    async def beat(self) -> None:
        """Store one heartbeat.

        Raises:
            SQLAlchemyError, OSError, TimeoutError: the database did not take it.
        """
        serving, body = self._health.report()
        status = body["status"] if serving else "starting" if self.last_success is None else "degraded"
        values = {
            "started_at": self._health.started_at,
            "beat_at": clock.now(),
            "status": status,
            "effective_mode": self._effective_mode(),
            "details": {"checks": body["checks"], **self._details()},
        }
        statement = insert(HeartbeatRow).values(venue=self._venue, service=str(self._health.service), **values)
        async with asyncio.timeout(HEARTBEAT_TIMEOUT_SECS), self._engine.begin() as connection:
            await connection.execute(statement.on_conflict_do_update(index_elements=["venue", "service"], set_=values))
        self.last_success = clock.now()

    async def run(self, stop: asyncio.Event, *, acting: Callable[[], bool] = lambda: True) -> None:
        """Beat until `stop` while `acting`; a database that is away is logged once per outage and tried again."""
        while not stop.is_set():
            try:
                if acting():
                    await self.beat()
                    database_outage.over()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                heartbeat_failures.inc()
                database_outage.failed(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), HEARTBEAT_SECS)
