"""Runs the bars: feeds `domain.bars` with frames, trades, time and REST, and hands on what it decides."""

import asyncio

import structlog

from btc_shared import clock
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.messages import CandleUpdate
from btc_shared.records import MINUTE_MS, Candle, PublicTrade
from market_feed import metrics
from market_feed.bar_store import BarStore
from market_feed.domain.bars import CONFIRM_AFTER_MS, BarChange, Bars, Coverage
from market_feed.outage import Outage
from market_feed.outbox import Outbox
from market_feed.storage import Storage

TICK_SECS = 0.2
# Bars that are read again over REST, every minute.
CONFIRMED_BARS = 5
CONFIRM_SLACK_MS = 500
RETRY_SECS = 5.0

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
        *,
        history_bars: int,
    ) -> None:
        self._symbol, self._client, self._clock, self._outbox = symbol, client, server_clock, outbox
        self._history_ms = history_bars * MINUTE_MS
        self._bars = Bars()
        self._covered_since_ms: int | None = None
        self._heard_until_ms = 0
        self._history_wanted = True
        self.store = BarStore(storage, self._announce, self._want_history)
        self.outage = Outage("kucoin candles")

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

    def on_trade(self, trade: PublicTrade) -> None:
        """A trade came that was not seen before."""
        self._apply(self._bars.on_trade(trade, self._clock.exchange_now_ms()))

    async def close(self) -> None:
        """Close minutes when their time has come, for ever."""
        while True:
            coverage = None
            if self._covered_since_ms is not None:
                coverage = Coverage(self._covered_since_ms, self._heard_until_ms)
            self._apply(self._bars.close_due(self._clock.exchange_now_ms(), coverage))
            await asyncio.sleep(TICK_SECS)

    async def confirm(self) -> None:
        """Read the history, then the last bars every minute, over REST, for ever."""
        await self._clock.ready.wait()
        while True:
            try:
                if self._history_wanted:
                    await self._read_history()
                await self._read_newest()
            except KucoinError as error:
                self.outage.failed(error)
                await asyncio.sleep(RETRY_SECS)
                continue
            self.outage.over()
            await asyncio.sleep(self._until_next_read_secs())

    async def _read_history(self) -> None:
        # Once bars are final, the history goes past them into the database: nothing is closed a second time.
        bars = Bars() if self._bars.newest else self._bars
        asked_at_ms = self._clock.exchange_now_ms()
        start_ms = self._history_start_ms(asked_at_ms)
        rows = await self._client.candles(self._symbol, start_ms, asked_at_ms)
        changes = bars.on_rest(rows, start_ms, asked_at_ms)
        for change in changes:
            if bars is self._bars:
                _count(change)
            self.store.put(change, announce=True)
        self._history_wanted = not changes
        log.info("history_read", bars=len(changes), filled=sum(change.candle.filled for change in changes))

    async def _read_newest(self) -> None:
        oldest_ms, next_ms = self._bars.oldest_open_ms, self._bars.next_open_ms
        if oldest_ms is None or next_ms is None:
            return
        asked_at_ms = self._clock.exchange_now_ms()
        start_ms = max(oldest_ms, next_ms - CONFIRMED_BARS * MINUTE_MS)
        if next_ms < self._history_start_ms(asked_at_ms):
            start_ms = self._history_start_ms(asked_at_ms)
            log.warning("bars_given_up", minutes=(start_ms - next_ms) // MINUTE_MS)
        rows = await self._client.candles(self._symbol, start_ms, asked_at_ms)
        self._apply(self._bars.on_rest(rows, start_ms, asked_at_ms))

    def _history_start_ms(self, now_ms: int) -> int:
        return (now_ms - CONFIRM_AFTER_MS - self._history_ms) // MINUTE_MS * MINUTE_MS

    def _until_next_read_secs(self) -> float:
        """To the moment in a minute at which REST speaks about the minute before with authority."""
        late_ms = (self._clock.exchange_now_ms() - CONFIRM_AFTER_MS - CONFIRM_SLACK_MS) % MINUTE_MS
        return (MINUTE_MS - late_ms) / 1_000

    def _want_history(self) -> None:
        self._history_wanted = True

    def _apply(self, changes: list[BarChange]) -> None:
        for change in changes:
            _count(change)
            self.store.put(change)
            self._announce(change)

    def _announce(self, change: BarChange) -> None:
        self._outbox.put(
            CandleUpdate(candle=change.candle, correction=change.correction, published_at_ms=clock.now_ms())
        )


def _count(change: BarChange) -> None:
    if change.correction:
        metrics.bar_corrections.inc()
        log.info("bar_corrected", open_time_ms=change.candle.open_time_ms)
    else:
        metrics.bars_final.labels("filled" if change.candle.filled else "traded").inc()
