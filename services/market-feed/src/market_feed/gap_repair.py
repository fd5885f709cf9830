"""Finds minutes without a bar in the database, reads them over REST, and says what cannot be repaired."""

import asyncio
import contextlib

import structlog

from btc_shared import clock
from btc_shared.db import DATABASE_ERRORS
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.outage import Outage
from btc_shared.records import MINUTE_MS
from market_feed import metrics
from market_feed.bar_store import BarStore, KnownBar
from market_feed.domain.bars import CONFIRM_AFTER_MS, Bars
from market_feed.polling import pause_secs
from market_feed.settings import MAX_HISTORY_BARS
from market_feed.storage import Hole, Storage

LOOK_SECS = 3_600.0
# Holes of one look. Together they are read in at most so many pages more than a week of bars needs.
MAX_HOLES = 20
# So far before a hole REST is asked whether it knows that past: on the market of the agent somebody trades every hour.
KNOWN_BACK_MS = 60 * MINUTE_MS

log = structlog.get_logger(__name__)


class GapRepair:
    """Looks when it is asked to, and every hour, at the bars of the last week.

    Such holes come from outages that ended with the process, or that were longer than what is read at once. A minute
    without a row is one without trades only if REST has a bar from before the hole. Else its history may just not reach
    back so far: the minutes before its first row stay missing.
    """

    def __init__(
        self, symbol: str, client: PublicClient, server_clock: ServerClock, storage: Storage, store: BarStore
    ) -> None:
        self._symbol, self._client, self._clock = symbol, client, server_clock
        self._storage, self._store = storage, store
        self._wanted = asyncio.Event()
        self._told: set[int] = set()
        self._outage = Outage("gap repair")
        self.missing = 0
        """Minutes of the last week that neither the database nor REST has."""

    def want(self) -> None:
        """Look soon."""
        self._wanted.set()

    async def run(self) -> None:
        """Look for ever."""
        await self._wanted.wait()
        while True:
            self._wanted.clear()
            await self._store.stored.wait()  # bars that are on their way are not missing
            try:
                await self.look()
            except (KucoinError, *DATABASE_ERRORS) as error:
                self._outage.failed(error)
                self.want()
                await asyncio.sleep(pause_secs(error))
            else:
                self._outage.over()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), LOOK_SECS)

    async def look(self) -> None:
        """Read what is missing, oldest first.

        Raises:
            KucoinError, `DATABASE_ERRORS`: REST or the database is away; what was read until then is stored.
        """
        since_ms = self._clock.exchange_now_ms() - MAX_HISTORY_BARS * MINUTE_MS
        holes = await self._storage.holes(since_ms, MAX_HOLES)
        repaired = {hole.start_ms: await self._repair(hole) for hole in holes}
        missing = {hole.start_ms: hole.minutes - repaired[hole.start_ms] for hole in holes}
        for start_ms, minutes in missing.items():
            if minutes and start_ms not in self._told:
                log.warning("gap_not_repaired", from_ms=start_ms, minutes=minutes, reason="REST has no bars of it")
        if bars := sum(repaired.values()):
            log.info("gaps_repaired", bars=bars, oldest_ms=holes[0].start_ms)
        self.missing = sum(missing.values())
        metrics.bars_missing.set(self.missing)
        self._told = {start_ms for start_ms, minutes in missing.items() if minutes}
        if len(holes) == MAX_HOLES and bars:
            self.want()  # there may be more

    async def _repair(self, hole: Hole) -> int:
        """Read what REST has of a hole; returns how many bars that are."""
        before_ms = hole.before.open_time_ms
        rows = await self._client.candles(self._symbol, before_ms - KNOWN_BACK_MS, hole.end_ms)
        if rows and rows[0].open_time_ms <= before_ms:
            bars, start_ms = Bars(hole.before), hole.start_ms
        else:
            bars, start_ms = Bars(), rows[0].open_time_ms if rows else hole.end_ms
        changes = bars.on_rest(rows, start_ms, hole.end_ms + CONFIRM_AFTER_MS)
        received_at_ms = clock.now_ms()
        for change in changes:
            self._store.put(KnownBar(change, received_at_ms), announce=True)
        metrics.bars_repaired.inc(len(changes))
        return len(changes)
