"""Composition root of the market feed: wires the exchange, Redis and Postgres together and runs until told to stop.

Reads KuCoin's public REST and WebSocket. Writes the streams of book pictures, trades and final bars, and the tables
`candles`, `market_state`, `symbols` and its own row in `heartbeats`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from starlette.applications import Starlette

from btc_shared import clock, streams
from btc_shared.codes import ServiceName
from btc_shared.db import create_engine
from btc_shared.health import Heartbeat
from btc_shared.kucoin import frames
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.kucoin.socket import Socket, Subscription
from btc_shared.kucoin.transport import open_http
from btc_shared.outage import Outage
from btc_shared.service import HttpServer, run_until
from market_feed import jobs
from market_feed.bar_keeper import BarKeeper
from market_feed.domain.sources import Sources
from market_feed.feed import Feed
from market_feed.health import SILENCE_SECS, Signs
from market_feed.outbox import Outbox
from market_feed.settings import MarketFeedSettings
from market_feed.storage import Storage

# Pictures come every 100 ms when something changes. Without any for this long, the connection is suspect.
BOOK_SILENCE_SECS = 15.0


class MarketFeed:
    """Everything of one market-feed process but its connections to Postgres and Redis.

    Args:
        now_ms: this machine's clock.
        at_secs: its clock that nobody sets.
    """

    def __init__(
        self,
        symbol: str,
        client: PublicClient,
        storage: Storage,
        outbox: Outbox,
        *,
        history_bars: int,
        now_ms: Callable[[], int] = clock.now_ms,
        at_secs: Callable[[], float] = monotonic,
    ) -> None:
        self._symbol, self._client, self._storage, self._outbox = symbol, client, storage, outbox
        self.clock = ServerClock(client, now_ms=now_ms, at_ms=lambda: at_secs() * 1_000)
        self.sources = Sources(SILENCE_SECS, now_ms())
        self.bars = BarKeeper(symbol, client, self.clock, storage, outbox, self.sources, history_bars=history_bars)
        self.feed = Feed(symbol, self.clock, self.bars, outbox, self.sources, at_secs=at_secs)
        self.fallback = jobs.RestFallback(symbol, client, self.feed, self.sources)
        self.socket = Socket(
            client.public_token,
            [
                Subscription(frames.depth_topic(symbol), max_silence_secs=BOOK_SILENCE_SECS),
                Subscription(frames.trades_topic(symbol)),
                Subscription(frames.candles_topic(symbol)),
            ],
            self.feed.on_frame,
            on_connection=self._on_connection,
            now_ms=now_ms,
        )
        self.signs = Signs(symbol, self.feed, self.socket, self.clock, self.sources, self.bars.repair, at_secs=at_secs)
        self._state_outage = Outage("database (market state)")
        self.health = self.signs.health(outbox.outage, [self.bars.store.outage, self._state_outage])

    def works(self) -> list[Awaitable[None]]:
        """All that has to run side by side, for ever."""
        return [
            self.clock.run(),
            self._listen(),
            self._outbox.run(),
            self.bars.close(),
            self.bars.confirm(),
            self.bars.store.run(),
            self.bars.repair.run(),
            self.fallback.book(),
            self.fallback.trades(),
            self.signs.watch(),
            jobs.write_market_state(self.feed, self._storage, self._state_outage),
            jobs.keep_symbol_rules(self._symbol, self._client, self._storage),
        ]

    def _on_connection(self, connected: bool) -> None:
        self.sources.on_connection(connected)
        self.bars.on_connection(connected)
        self.fallback.on_connection(connected)

    async def _listen(self) -> None:
        await self.clock.ready.wait()  # what the socket covered is told in exchange time
        await self.socket.run()


async def main(settings: MarketFeedSettings, stop: asyncio.Event) -> None:
    """Run the market feed until `stop` is set."""
    engine = create_engine(settings.database_url, application_name=str(ServiceName.MARKET_FEED))
    redis = streams.connect(settings.redis_url.get_secret_value())
    try:
        async with open_http(settings.kucoin_base_url) as http:
            storage = Storage(engine, settings.venue, settings.symbol)
            outbox = Outbox(redis, settings.venue, settings.symbol)
            parts = MarketFeed(settings.symbol, PublicClient(http), storage, outbox, history_bars=settings.history_bars)
            heartbeat = Heartbeat(engine, settings.venue, parts.health, details=parts.signs.details)
            async with HttpServer(Starlette(routes=parts.health.routes()), settings.bind_host, settings.port):
                await run_until(stop, *parts.works(), heartbeat.run(stop))
    finally:
        await redis.aclose()
        await engine.dispose()
