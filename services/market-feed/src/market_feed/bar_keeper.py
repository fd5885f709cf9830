"""Runs the bars: feeds `domain.bars` with frames, trades, time and REST, and hands on what it decides."""

import asyncio

import structlog

from btc_shared import clock
from btc_shared.codes import DataSource
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.messages import CandleUpdate
from btc_shared.outage import Outage
from btc_shared.records import MINUTE_MS, Candle, PublicTrade
from market_feed import metrics
from market_feed.bar_store import BarStore, KnownBar
from market_feed.domain.bars import CONFIRM_AFTER_MS, BarChange, Bars, Coverage
from market_feed.domain.sources import Sources
from market_feed.gap_repair import GapRepair
from market_feed.outbox import Outbox
from market_feed.polling import POLL_ATTEMPTS, POLL_SECS, pause_secs
from market_feed.settings import MAX_HISTORY_BARS
from market_feed.storage import Storage

TICK_SECS = 0.2
# Bars that are read again over REST, every minute.
CONFIRMED_BARS = 5
CONFIRM_SLACK_MS = 500

log = structlog.get_logger(__name__)


class BarKeeper:
    """Keeps the final bars of one symbol: history at the start, each minute's close, later corrections."""

    def __init__(
        self,
        symbol: str,
        client: PublicClient,
        server_clock: ServerClock,
        storage: Storage,
        outbox: Outbox,
        sources: Sources,
        *,
        history_bars: int,
    ) -> None:
        self._symbol, self._client, self._clock = symbol, client, server_clock
        self._outbox, self._sources = outbox, sources
        self._history_ms = history_bars * MINUTE_MS
        self._bars = Bars()
        self._covered_since_ms: int | None = None
        self._heard_until_ms = 0
        self._confirmed_until_ms = 0
        self.outage = Outage("kucoin candles")
        self.store = BarStore(storage, self._announce, lambda: self.repair.want())
        self.repair = GapRepair(symbol, client, server_clock, storage, self.store)

    @property
    def newest(self) -> Candle | None:
        """The newest final bar."""
        return self._bars.newest

    def on_connection(self, connected: bool) -> None:
        """The socket's subscriptions are complete from now on, or not any more."""
        self._covered_since_ms = self._clock.exchange_now_ms() if connected else None
        self._heard_until_ms = 0

    def on_heard(self, event_time_ms: int) -> None:
        """The socket delivered something that happened at this time on the exchange."""
        self._heard_until_ms = max(self._heard_until_ms, event_time_ms)

    def on_frame(self, candle: Candle) -> None:
        """A candle frame came."""
        self._apply(self._bars.on_frame(candle, self._clock.exchange_now_ms()))

    def on_trade(self, trade: PublicTrade, source: DataSource) -> None:
        """A trade came that was not seen before."""
        self._apply(self._bars.on_trade(trade, self._clock.exchange_now_ms(), source))

    async def close(self) -> None:
        """Close minutes when their time has come, for ever."""
        while True:
            self._apply(self._bars.close_due(self._clock.exchange_now_ms(), self._coverage()))
            await asyncio.sleep(TICK_SECS)

    async def confirm(self) -> None:
        """Read the history, then the last bars over REST: every minute, and while a bar waits for it; for ever."""
        await self._clock.ready.wait()
        while True:
            try:
                if self._bars.newest is None:
                    await self._read_history()
                await self._read_newest()
            except KucoinError as error:
                self.outage.failed(error)
                await asyncio.sleep(pause_secs(error))
                continue
            self.outage.over()
            await self._until_next_read()

    def _coverage(self) -> Coverage | None:
        if self._covered_since_ms is None:
            return None
        return Coverage(self._covered_since_ms, self._heard_until_ms)

    async def _read_history(self) -> None:
        asked_at_ms = self._clock.exchange_now_ms()
        start_ms = self._past_ms(asked_at_ms, self._history_ms)
        rows = await self._client.candles(self._symbol, start_ms, asked_at_ms)
        changes = self._bars.on_rest(rows, start_ms, asked_at_ms)
        for change in changes:
            _count(change)
        self._store_past(changes)
        self._confirmed_until_ms = self._past_ms(asked_at_ms)
        self.repair.want()
        log.info("history_read", bars=len(changes), filled=sum(change.candle.filled for change in changes))

    async def _read_newest(self) -> None:
        oldest_ms, next_ms = self._bars.oldest_open_ms, self._bars.next_open_ms
        if oldest_ms is None or next_ms is None:
            return
        asked_at_ms = self._clock.exchange_now_ms()
        # An outage may have been long: all of it is read in order, up to a bound.
        bound_ms = self._past_ms(asked_at_ms, MAX_HISTORY_BARS * MINUTE_MS)
        unconfirmed_ms = max(bound_ms, self._confirmed_until_ms)
        if unconfirmed_ms < oldest_ms:
            await self._read_unconfirmed(unconfirmed_ms, oldest_ms)
        start_ms = max(oldest_ms, min(next_ms - CONFIRMED_BARS * MINUTE_MS, self._confirmed_until_ms))
        if next_ms < bound_ms:
            start_ms = bound_ms
            metrics.bars_given_up.inc((bound_ms - next_ms) // MINUTE_MS)
            log.warning("bars_given_up", minutes=(bound_ms - next_ms) // MINUTE_MS, from_ms=next_ms)
        rows = await self._client.candles(self._symbol, start_ms, asked_at_ms, attempts=POLL_ATTEMPTS)
        self._apply(self._bars.on_rest(rows, start_ms, asked_at_ms))
        self._confirmed_until_ms = self._past_ms(asked_at_ms)

    async def _read_unconfirmed(self, start_ms: int, end_ms: int) -> None:
        """Bars that the socket closed while REST was away, and that are too old to be corrected in memory.

        The database has them: it says which of REST's figures are news.
        """
        rows = await self._client.candles(self._symbol, start_ms, end_ms, attempts=POLL_ATTEMPTS)
        changes = Bars().on_rest(rows, start_ms, end_ms + CONFIRM_AFTER_MS)
        self._store_past(changes)
        log.info("bars_confirmed_late", from_ms=start_ms, bars=len(changes))

    def _store_past(self, changes: list[BarChange]) -> None:
        received_at_ms = clock.now_ms()
        for change in changes:
            self.store.put(KnownBar(change, received_at_ms), announce=True)

    def _past_ms(self, asked_at_ms: int, back_ms: int = 0) -> int:
        """The minute up to which REST, asked then, speaks with authority; or so much before it."""
        return (asked_at_ms - CONFIRM_AFTER_MS - back_ms) // MINUTE_MS * MINUTE_MS

    async def _until_next_read(self) -> None:
        """Wait for the moment in the minute at which REST speaks about the one before with authority.

        While a bar waits for REST, only as long as one poll is from the next.
        """
        now_ms = self._clock.exchange_now_ms()
        late_ms = (now_ms - CONFIRM_AFTER_MS - CONFIRM_SLACK_MS) % MINUTE_MS
        due_ms, poll_ms = now_ms + MINUTE_MS - late_ms, now_ms + POLL_SECS * 1_000
        while (left_ms := due_ms - self._clock.exchange_now_ms()) > 0:
            now_ms = self._clock.exchange_now_ms()
            if now_ms >= poll_ms and self._bars.waits_for_rest(now_ms, self._coverage()):
                return
            await asyncio.sleep(min(TICK_SECS, left_ms / 1_000))

    def _apply(self, changes: list[BarChange]) -> None:
        received_at_ms = clock.now_ms()
        for change in changes:
            _count(change)
            if not change.correction:
                self._sources.use(metrics.CANDLE, change.source, received_at_ms)
            known = KnownBar(change, received_at_ms)
            self.store.put(known)
            self._announce(known)

    def _announce(self, known: KnownBar) -> None:
        change = known.change
        self._outbox.put(
            CandleUpdate(
                candle=change.candle,
                correction=change.correction,
                published_at_ms=clock.now_ms(),
                received_at_ms=known.received_at_ms,
                source=change.source,
            )
        )


def _count(change: BarChange) -> None:
    if change.correction:
        metrics.bar_corrections.inc()
        log.debug("bar_corrected", open_time_ms=change.candle.open_time_ms, source=change.source)
    else:
        metrics.bars_final.labels("filled" if change.candle.filled else "traded").inc()
