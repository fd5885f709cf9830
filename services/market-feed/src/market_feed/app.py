"""Composition root of the market feed: wires the exchange, Redis and Postgres together and runs until told to stop.

Reads KuCoin's public REST and WebSocket. Writes the streams of book pictures, trades and final bars, and the tables
`candles`, `market_state`, `symbols` and its own row in `heartbeats`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette

from btc_shared import streams
from btc_shared.codes import ServiceName
from btc_shared.db import create_engine
from btc_shared.health import Check, Health, Heartbeat
from btc_shared.kucoin import frames
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.kucoin.socket import Socket, Subscription
from btc_shared.kucoin.transport import open_http
from btc_shared.service import HttpServer, run_until
from market_feed import jobs
from market_feed.bar_keeper import BarKeeper
from market_feed.feed import Feed
from market_feed.outage import Outage
from market_feed.outbox import Outbox
from market_feed.settings import MarketFeedSettings
from market_feed.storage import Storage

# Fresh means (trading rules): the oldest that each may be.
FRESH_MS = {"book": 10_000, "trade": 60_000, "bar": 120_000}
# Pictures come every 100 ms when something changes. Without any for this long, the connection is suspect.
BOOK_SILENCE_SECS = 15.0


async def main(settings: MarketFeedSettings, stop: asyncio.Event) -> None:
    """Run the market feed until `stop` is set."""
    engine = create_engine(settings.database_url, application_name=str(ServiceName.MARKET_FEED))
    redis = streams.connect(settings.redis_url.get_secret_value())
    try:
        async with open_http(settings.kucoin_base_url) as http:
            client = PublicClient(http)
            server_clock = ServerClock(client)
            storage = Storage(engine, settings.venue, settings.symbol)
            outbox = Outbox(redis, settings.venue, settings.symbol)
            bars = BarKeeper(settings.symbol, client, server_clock, storage, outbox, history_bars=settings.history_bars)
            feed = Feed(settings.symbol, server_clock, bars, outbox)
            trades_wanted = asyncio.Event()
            trades_wanted.set()

            def on_connection(connected: bool) -> None:
                bars.on_connection(connected)
                if connected:
                    trades_wanted.set()

            socket = Socket(
                client.public_token,
                [
                    Subscription(frames.depth_topic(settings.symbol), max_silence_secs=BOOK_SILENCE_SECS),
                    Subscription(frames.trades_topic(settings.symbol)),
                    Subscription(frames.candles_topic(settings.symbol)),
                ],
                feed.on_frame,
                on_connection=on_connection,
            )
            state_outage = Outage("database (market state)")
            health = _health(socket, feed, outbox, [bars.store.outage, state_outage])
            heartbeat = Heartbeat(engine, settings.venue, health, details=lambda: _details(socket, feed, server_clock))

            async def listen() -> None:
                await server_clock.ready.wait()  # what the socket covered is told in exchange time
                await socket.run()

            async with HttpServer(Starlette(routes=health.routes()), settings.bind_host, settings.port):
                await run_until(
                    stop,
                    server_clock.run(),
                    listen(),
                    outbox.run(),
                    bars.close(),
                    bars.confirm(),
                    bars.store.run(),
                    jobs.write_market_state(feed, storage, state_outage),
                    jobs.keep_symbol_rules(settings.symbol, client, storage),
                    jobs.seed_trades(settings.symbol, client, feed, trades_wanted),
                    jobs.poll_book(settings.symbol, client, feed, socket),
                    heartbeat.run(stop),
                )
    finally:
        await redis.aclose()
        await engine.dispose()


def _health(socket: Socket, feed: Feed, outbox: Outbox, database: list[Outage]) -> Health:
    health = Health(ServiceName.MARKET_FEED)

    def connection() -> Check:
        if socket.connected:
            return Check(True, "connected", critical=False)
        return Check(False, f"not connected: {socket.last_error or 'connecting'}", critical=False)

    def age(kind: str, *, critical: bool) -> Callable[[], Check]:
        def check() -> Check:
            age_ms, limit_ms = feed.age_ms()[kind], FRESH_MS[kind]
            if age_ms is None:
                return Check(False, "none yet", critical)
            return Check(age_ms <= limit_ms, f"{age_ms} ms old, fresh up to {limit_ms} ms", critical)

        return check

    def stored() -> Check:
        away = [outage.check() for outage in database if outage.error is not None]
        return Check(not away, away[0].detail if away else "answers", critical=False)

    health.add("socket", connection)
    health.add("book", age("book", critical=True))
    health.add("trades", age("trade", critical=False))
    health.add("bars", age("bar", critical=False))
    health.add("redis", outbox.outage.check)
    health.add("database", stored)
    return health


def _details(socket: Socket, feed: Feed, server_clock: ServerClock) -> dict[str, Any]:
    return {
        "feed_age_ms": feed.age_ms(),
        "socket_connected": socket.connected,
        "reconnects": socket.reconnects,
        "last_error": socket.last_error,
        "clock_offset_ms": server_clock.offset_ms if server_clock.ready.is_set() else None,
    }
