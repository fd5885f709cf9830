"""Of the processes that could do one job, one acts and the others stand by: a Postgres advisory lock decides which."""

import asyncio
import contextlib
import hashlib

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

CHECK_SECS = 1.0
CHECK_TIMEOUT_SECS = 3.0

log = structlog.get_logger(__name__)


def lock_key(job: str) -> int:
    """The advisory lock's number for a job: 63 bits of a hash, the same in every process and version."""
    digest = hashlib.sha256(job.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Leadership:
    """Holds a job's lock on a connection of its own. A lost connection is lost leadership, found within seconds.

    `job` names what only one process may do, such as "executor|practice|paper|dry".
    """

    def __init__(self, engine: AsyncEngine, job: str) -> None:
        self._engine, self._job, self._key = engine, job, lock_key(job)
        self._connection: AsyncConnection | None = None
        self.acquired = asyncio.Event()

    @property
    def held(self) -> bool:
        return self._connection is not None

    async def acquire(self, stop: asyncio.Event) -> bool:
        """Wait until this process leads; False when `stop` was set first."""
        waiting = False
        while not stop.is_set():
            if await self._try():
                log.info("leading", job=self._job)
                return True
            if not waiting:
                log.info("standing_by", job=self._job, reason="another process does this job, or the database is away")
                waiting = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CHECK_SECS)
        return False

    async def _try(self) -> bool:
        connection: AsyncConnection | None = None
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECS):
                connection = await self._engine.connect()
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                locked = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key})
        except (SQLAlchemyError, OSError, TimeoutError):
            locked = False
        if locked:
            self._connection = connection
            self.acquired.set()
            return True
        if connection is not None:
            await _discard(connection)
        return False

    async def watch(self) -> None:
        """Return when the lock's connection is lost: from then on another process may lead."""
        while self._connection is not None:
            await asyncio.sleep(CHECK_SECS)
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_SECS):
                    await self._connection.execute(text("SELECT 1"))
            except (SQLAlchemyError, OSError, TimeoutError):
                log.warning("leadership_lost", job=self._job, reason="the lock's database connection is gone")
                await self.release()

    async def release(self) -> None:
        """Give the lock up by closing its connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await _discard(connection)


async def _discard(connection: AsyncConnection) -> None:
    """Close for good: a connection that went back to the pool would keep the lock."""
    with contextlib.suppress(SQLAlchemyError, OSError, TimeoutError):
        async with asyncio.timeout(CHECK_TIMEOUT_SECS):
            await connection.invalidate()
    with contextlib.suppress(SQLAlchemyError, OSError, TimeoutError):
        async with asyncio.timeout(CHECK_TIMEOUT_SECS):
            await connection.close()
