"""One scrape: read within its time, or say that the database is away."""

import asyncio

import structlog
from prometheus_client import Counter, Histogram, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from btc_shared import clock
from btc_shared.db import reads
from btc_shared.settings.runtime import RuntimeSettings
from exporter import repository
from exporter.business import DOWN, samples
from exporter.definitions import DEFINITIONS
from exporter.exposition import Samples, render

READ_TIMEOUT_SECS = 3.0
"""Prometheus gives up after 4 s; until then it must have heard that the database is away."""

log = structlog.get_logger(__name__)
read_seconds = Histogram("btc_exporter_read_seconds", "Time to read the database for a scrape")
read_failures = Counter("btc_exporter_read_failures", "Scrapes for which the database could not be read")


class Scraper:
    """Makes the body of `/metrics`. Nothing is kept between scrapes, so nothing stale can be shown.

    Scrapes that overlap share one read: impatient scrapers can neither take the connections of the control routes nor
    make each other wait until the database seems to be away.
    """

    def __init__(self, engine: AsyncEngine, venue: str, symbol: str, runtime: RuntimeSettings) -> None:
        self._engine, self._venue, self._symbol, self._runtime = engine, venue, symbol, runtime
        self._failing = False
        self._reading: asyncio.Task[Samples] | None = None

    async def body(self) -> bytes:
        """Business metrics, then this process's own, in text format 0.0.4."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._samples())
        return render(DEFINITIONS, await asyncio.shield(self._reading)).encode() + generate_latest()

    async def _samples(self) -> Samples:
        try:
            with read_seconds.time():
                found = await self._read()
        except (SQLAlchemyError, OSError) as error:  # OSError covers TimeoutError
            read_failures.inc()
            if not self._failing:
                log.warning("scrape_without_database", error=repr(error))
            self._failing = True
            return DOWN
        self._failing = False
        return found

    async def _read(self) -> Samples:
        now = clock.now()
        async with reads.snapshot(self._engine, timeout_secs=READ_TIMEOUT_SECS) as connection:
            await self._runtime.refresh(connection)
            picture = await repository.read_picture(connection, self._venue, self._symbol, self._runtime.risk, now)
        return samples(picture, now)
