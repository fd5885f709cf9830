"""Final bars on their way to Postgres: kept, within a bound, until the database has them."""

import asyncio
from collections.abc import Callable
from itertools import islice

import structlog

from btc_shared.db import DATABASE_ERRORS
from btc_shared.streams import Retry
from market_feed import metrics
from market_feed.domain.bars import BarChange
from market_feed.outage import Outage
from market_feed.storage import ROWS_PER_STATEMENT, BarToStore, Storage, StoredBar

MAX_WAITING = 3_000

log = structlog.get_logger(__name__)


class BarStore:
    """A bounded backlog in front of the `candles` table. `put` never waits.

    `on_news` gets the bars that were put with `announce` and that the database did not have like this.
    `on_lost` is told when the backlog was full, after the rest has been stored: read the history anew.
    """

    def __init__(self, storage: Storage, on_news: Callable[[BarChange], None], on_lost: Callable[[], None]) -> None:
        self._storage, self._on_news, self._on_lost = storage, on_news, on_lost
        self._waiting: dict[int, BarToStore] = {}
        self._announced: set[int] = set()
        self._lost = False
        self._filled = asyncio.Event()
        self.outage = Outage("database (candles)")

    def put(self, change: BarChange, *, announce: bool = False) -> None:
        """Store a final bar soon; a newer version of a waiting one replaces it."""
        minute = change.candle.open_time_ms
        before = self._waiting.get(minute)
        corrections = (before.corrections if before else 0) + (1 if change.correction else 0)
        self._waiting[minute] = BarToStore(change.candle, corrections)
        if announce:
            self._announced.add(minute)
        if len(self._waiting) > MAX_WAITING:
            oldest = min(self._waiting)
            del self._waiting[oldest]
            self._announced.discard(oldest)
            self._lost = True
            metrics.bars_dropped.inc()
        self._filled.set()

    async def run(self) -> None:
        """Store what waits, for ever; while the database is away, try again with growing pauses."""
        retry = Retry()
        while True:
            await self._filled.wait()
            batch = dict(islice(self._waiting.items(), ROWS_PER_STATEMENT))
            if not batch:
                self._filled.clear()
                if self._lost:
                    self._lost = False
                    self._on_lost()
                continue
            try:
                news = await self._storage.put_bars(list(batch.values()))
            except DATABASE_ERRORS as error:
                self.outage.failed(error)
                await retry.wait()
                continue
            self.outage.over()
            retry.reset()
            self._done(batch, news)

    def _done(self, batch: dict[int, BarToStore], news: list[StoredBar]) -> None:
        for stored in news:
            if stored.open_time_ms in self._announced:
                self._on_news(BarChange(batch[stored.open_time_ms].candle, stored.corrected))
        for minute, bar in batch.items():
            if minute not in self._waiting:  # gave way to newer bars
                continue
            newer = self._waiting[minute]
            if newer is bar:
                del self._waiting[minute]
                self._announced.discard(minute)
            else:  # came while this one was being stored
                self._waiting[minute] = BarToStore(newer.candle, newer.corrections - bar.corrections)
