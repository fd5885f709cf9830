"""The feed's periodic work beside the socket: market state, symbol rules, and REST while the socket is silent."""

import asyncio
import contextlib

import structlog

from btc_shared import clock
from btc_shared.db import DATABASE_ERRORS
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.socket import Socket
from market_feed.feed import Feed
from market_feed.outage import Outage
from market_feed.storage import MarketState, Storage

STATE_SECS = 1.0
RULES_SECS = 3_600.0
RETRY_SECS = 5.0
REST_BOOK_SECS = 5.0

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
            await asyncio.sleep(RETRY_SECS)
            continue
        outage.over()
        if not rules.trading_enabled:
            log.warning("symbol_not_tradable", symbol=symbol)
        await asyncio.sleep(RULES_SECS)


async def seed_trades(symbol: str, client: PublicClient, feed: Feed, wanted: asyncio.Event) -> None:
    """Read the recent trades whenever `wanted` is set: what happened before, or between two connections; for ever."""
    outage = Outage("kucoin histories")
    while True:
        await wanted.wait()
        wanted.clear()
        try:
            feed.on_rest_trades(await client.recent_trades(symbol), clock.now_ms())
        except KucoinError as error:
            outage.failed(error)
            wanted.set()
            await asyncio.sleep(RETRY_SECS)
            continue
        outage.over()


async def poll_book(symbol: str, client: PublicClient, feed: Feed, socket: Socket) -> None:
    """While the socket is down, read the book over REST every five seconds; for ever."""
    while True:
        await asyncio.sleep(REST_BOOK_SECS)
        if not socket.connected:
            with contextlib.suppress(KucoinError):  # counted by the client; the book's age tells
                feed.on_rest_book(await client.book(symbol, 100, attempts=1))
