"""Final bars on their way to Postgres: kept, within a bound, until the database has them."""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from btc_shared.db import DATABASE_ERRORS
from btc_shared.outage import Outage
from btc_shared.streams import Retry
from market_feed import metrics
from market_feed.domain.bars import BarChange
from market_feed.settings import MAX_HISTORY_BARS
from market_feed.storage import ROWS_PER_STATEMENT, BarToStore, Storage, StoredBar

# The longest history at once, and days of new bars.
MAX_WAITING = MAX_HISTORY_BARS + 5_000


class KnownBar(NamedTuple):
    """A bar that became final or was corrected, and when its figures were known: our clock, ms."""

    change: BarChange
    received_at_ms: int


class _Waiting(NamedTuple):
    newest: KnownBar
    corrections: int


class BarStore:
    """A bounded backlog in front of the `candles` table. `put` never waits.

    `on_news` gets the bars that were put with `announce` and that the database did not have like this, oldest first.
    `on_lost` is told when the backlog was full, after the rest has been stored: bars are missing. `stored` is set
    while nothing waits.
    """

    def __init__(self, storage: Storage, on_news: Callable[[KnownBar], None], on_lost: Callable[[], None]) -> None:
        self._storage, self._on_news, self._on_lost = storage, on_news, on_lost
        self._waiting: dict[int, _Waiting] = {}
        self._announced: set[int] = set()
        self._lost = False
        self._filled = asyncio.Event()
        self.stored = asyncio.Event()
        self.stored.set()
        self.outage = Outage("database (candles)")

    def put(self, bar: KnownBar, *, announce: bool = False) -> None:
        """Store a final bar soon; a newer version of a waiting one replaces it."""
        minute = bar.change.candle.open_time_ms
        before = self._waiting.get(minute)
        corrections = (before.corrections if before else 0) + (1 if bar.change.correction else 0)
        self._waiting[minute] = _Waiting(bar, corrections)
        if announce:
            self._announced.add(minute)
        if len(self._waiting) > MAX_WAITING:
            oldest = min(self._waiting)
            del self._waiting[oldest]
            self._announced.discard(oldest)
            self._lost = True
            metrics.bars_dropped.inc()
        self.stored.clear()
        self._filled.set()

    async def run(self) -> None:
        """Store what waits, for ever; while the database is away, try again with growing pauses."""
        retry = Retry()
        while True:
            await self._filled.wait()
            batch = dict(islice(self._waiting.items(), ROWS_PER_STATEMENT))
            if not batch:
                self._filled.clear()
                self.stored.set()
                if self._lost:
                    self._lost = False
                    self._on_lost()
                continue
            try:
                rows = [BarToStore(bar.newest.change.candle, bar.corrections) for bar in batch.values()]
                news = await self._storage.put_bars(rows)
            except DATABASE_ERRORS as error:
                self.outage.failed(error)
                await retry.wait()
                continue
            self.outage.over()
            retry.reset()
            self._done(batch, news)

    def _done(self, batch: dict[int, _Waiting], news: list[StoredBar]) -> None:
        for stored in sorted(news):
            if stored.open_time_ms in self._announced:
                known = batch[stored.open_time_ms].newest
                self._on_news(known._replace(change=known.change._replace(correction=stored.corrected)))
        for minute, bar in batch.items():
            if minute not in self._waiting:  # gave way to newer bars
                continue
            newer = self._waiting[minute]
            if newer is bar:
                del self._waiting[minute]
                self._announced.discard(minute)
            else:  # came while this one was being stored
                self._waiting[minute] = newer._replace(corrections=newer.corrections - bar.corrections)
