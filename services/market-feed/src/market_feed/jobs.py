"""The feed's periodic work beside the socket: market state, symbol rules, and REST while the socket is silent."""

import asyncio

import structlog

from btc_shared import clock
from btc_shared.codes import DataSource
from btc_shared.db import DATABASE_ERRORS
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.outage import Outage
from market_feed import metrics
from market_feed.domain.sources import Sources
from market_feed.feed import Feed
from market_feed.polling import POLL_ATTEMPTS, pause_secs, poll
from market_feed.storage import MarketState, Storage

STATE_SECS = 1.0
RULES_SECS = 3_600.0

log = structlog.get_logger(__name__)


async def write_market_state(feed: Feed, storage: Storage, outage: Outage) -> None:
    """Store the newest picture of the market, at most once a second and only when it changed; for ever."""
    written: MarketState | None = None
    while True:
        state = feed.state
        if state is not None and state != written:
            try:
                await storage.put_market_state(state)
            except DATABASE_ERRORS as error:
                outage.failed(error)
            else:
                outage.over()
                written = state
        await asyncio.sleep(STATE_SECS)


async def keep_symbol_rules(symbol: str, client: PublicClient, storage: Storage) -> None:
    """Store the symbol's rules now and every hour; for ever."""
    outage = Outage("symbol rules")
    while True:
        try:
            rules = await client.symbol_rules(symbol)
            await storage.put_symbol(rules)
        except (KucoinError, *DATABASE_ERRORS) as error:
            outage.failed(error)
            await asyncio.sleep(pause_secs(error))
            continue
        outage.over()
        if not rules.trading_enabled:
            log.warning("symbol_not_tradable", symbol=symbol)
        await asyncio.sleep(RULES_SECS)


class RestFallback:
    """Reads book and trades over REST while the socket does not deliver them. (`BarKeeper` does so for bars.)

    Five seconds apart these are reads of weight 2 and 3, 30 in half a minute, beside the candles' 3 a poll: far below
    the 2,000 that KuCoin's public pool allows an address.
    """

    def __init__(self, symbol: str, client: PublicClient, feed: Feed, sources: Sources) -> None:
        self._symbol, self._client, self._feed, self._sources = symbol, client, feed, sources
        self._unbridged = True

    def on_connection(self, connected: bool) -> None:
        """After a connection the recent trades are read once: those that happened between two connections."""
        self._unbridged = self._unbridged or connected

    async def book(self) -> None:
        """Poll the book while REST is its source; for ever."""

        async def read() -> None:
            self._feed.on_rest_book(await self._client.book(self._symbol, 100, attempts=POLL_ATTEMPTS))

        await poll(lambda: self._in_use(metrics.BOOK), read, Outage("kucoin book"))

    async def trades(self) -> None:
        """Poll the trades while REST is their source, and once after each connection; for ever."""

        async def read() -> None:
            unbridged, self._unbridged = self._unbridged, False
            try:
                trades = await self._client.recent_trades(self._symbol, attempts=POLL_ATTEMPTS)
                self._feed.on_rest_trades(trades, clock.now_ms())
            except KucoinError:
                self._unbridged = self._unbridged or unbridged
                raise

        outage = Outage("kucoin histories")
        await poll(lambda: self._in_use(metrics.TRADES), read, outage, urgent=lambda: self._unbridged)

    def _in_use(self, kind: str) -> bool:
        return self._sources[kind].source is DataSource.REST
