"""The practice exchange and the feed, twelve times as fast as time passes: minutes of outage in seconds."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from btc_shared import clock
from btc_shared.codes import DataSource
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.transport import open_http
from btc_shared.messages import CandleUpdate, TradeBatch
from btc_shared.records import MINUTE_MS, BookPicture, Candle
from btc_shared.service import HttpServer
from kucoin_sim.app import build, play_forever
from kucoin_sim.board import Board
from kucoin_sim.exchange import Exchange
from kucoin_sim.hub import Hub
from kucoin_sim.markets import make_markets
from kucoin_sim.options import parse
from kucoin_sim.websocket import SocketLimits
from market_feed import metrics
from market_feed.app import MarketFeed
from market_feed.outbox import Outbox
from market_feed.storage import BarToStore, Hole, MarketState, Storage, StoredBar

from .feed_relay import relay_to

SPEED = 12.0
MINUTES = 3
SYMBOL = "BTC-USDT"


class QuickLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock runs `SPEED` times as fast, and with it every sleep and timeout."""

    def __init__(self) -> None:
        super().__init__()
        selector = self._selector  # type: ignore[attr-defined]
        look = selector.select
        selector.select = lambda timeout=None: look(timeout if timeout is None else timeout / SPEED)

    def time(self) -> float:
        return super().time() * SPEED


class Memory(Storage):
    """The candles' table: a bar with trades is never replaced by one that was only filled in."""

    def __init__(self) -> None:
        self.bars: dict[int, Candle] = {}

    async def put_bars(self, bars: Sequence[BarToStore]) -> list[StoredBar]:
        news = []
        for bar in bars:
            candle, known = bar.candle, self.bars.get(bar.candle.open_time_ms)
            if known is None or (candle != known and (known.filled or not candle.filled)):
                self.bars[candle.open_time_ms] = candle
                news.append(StoredBar(candle.open_time_ms, known is not None))
        return news

    async def put_market_state(self, state: MarketState) -> None:
        pass

    async def put_symbol(self, rules: Any) -> None:
        pass

    async def holes(self, since_ms: int, limit: int) -> list[Hole]:
        return []


class Sent(Outbox):
    def __init__(self) -> None:
        super().__init__(cast("Redis", None), "practice", SYMBOL)
        self.messages: list[BookPicture | TradeBatch | CandleUpdate] = []

    def put(self, message: BookPicture | TradeBatch | CandleUpdate) -> None:
        self.messages.append(message)

    def bars_closed(self, since_ms: int) -> list[CandleUpdate]:
        bars = [message for message in self.messages if isinstance(message, CandleUpdate)]
        return [bar for bar in bars if not bar.correction and (bar.received_at_ms or 0) >= since_ms]

    def trade_ids(self) -> list[str]:
        batches = [message for message in self.messages if isinstance(message, TradeBatch)]
        return [trade.trade_id for batch in batches for trade in batch.trades]


async def until(what: str, ask: Callable[[], bool], seconds: float) -> None:
    """Wait until it is so; seconds of the quick clock."""
    for _ in range(round(seconds * 2)):
        if ask():
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"waited {seconds} s in vain: {what}")


async def outage_of_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    began_ms, began = clock.now_ms(), loop.time()

    def now_ms() -> int:
        return began_ms + round((loop.time() - began) * 1_000)

    monkeypatch.setattr("btc_shared.clock.now_ms", now_ms)
    hub, boards = Hub(), dict[str, Board]()
    for market in make_markets(parse(["--seed", "7"], {}), began_ms):
        boards[SYMBOL] = Board(market, began_ms, Random(7))
        boards[SYMBOL].skip_to(began_ms, hub)
    service = build(Exchange(boards, hub, began_ms), hub, now_ms, SocketLimits())
    storage, sent = Memory(), Sent()
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(HttpServer(service.app, "127.0.0.1", 0))
        relay = await stack.enter_async_context(relay_to(server.port))
        http = await stack.enter_async_context(open_http(f"http://127.0.0.1:{relay.port}"))
        client = PublicClient(http, now_ms=now_ms)
        feed = MarketFeed(SYMBOL, client, storage, sent, history_bars=300, now_ms=now_ms, at_secs=loop.time)
        works: list[Awaitable[None]] = [*feed.works(), play_forever(service)]
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await until("the socket is the source", lambda: source_is(feed, DataSource.SOCKET), 30)
            relay.cut()
            cut_ms = now_ms()
            await until("REST is the source", lambda: source_is(feed, DataSource.REST), 5)
            await until("REST closes minutes", lambda: len(sent.bars_closed(cut_ms)) >= MINUTES, 60 * (MINUTES + 3))
            relay.mend()
            mended_ms = now_ms()
            await until("the socket is the source again", lambda: source_is(feed, DataSource.SOCKET), 90)
            closed = lambda: DataSource.SOCKET in {bar.source for bar in sent.bars_closed(mended_ms)}  # noqa: E731
            await until("the socket closes a minute again", closed, 300)
            last_ms = max(storage.bars)
            confirmed = lambda: now_ms() > last_ms + 2 * MINUTE_MS  # noqa: E731
            await until("REST has spoken about it", confirmed, 150)
            asked = await client.candles(SYMBOL, min(storage.bars), last_ms + MINUTE_MS)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ended} == {asyncio.CancelledError}
    between = [message for message in sent.messages if cut_ms + 5_000 < (message.received_at_ms or 0) <= mended_ms]
    assert {type(message) for message in between} == {BookPicture, TradeBatch, CandleUpdate}
    assert {message.source for message in between} == {DataSource.REST}
    opens = [update.candle.open_time_ms for update in sent.bars_closed(0)]
    assert opens == list(range(opens[0], opens[0] + len(opens) * MINUTE_MS, MINUTE_MS))
    assert len(sent.trade_ids()) == len(set(sent.trade_ids()))
    assert [storage.bars[bar.open_time_ms] for bar in asked] == asked


def source_is(feed: MarketFeed, source: DataSource) -> bool:
    return {feed.sources[kind].source for kind in (metrics.BOOK, metrics.TRADES)} == {source}


def test_minutes_without_the_socket_leave_no_hole_and_no_double_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        runner.run(outage_of_minutes(monkeypatch))
