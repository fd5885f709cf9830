"""Publishing to Redis without ever waiting for it.

The feed writes three streams: `book_stream`, `trades_stream` and `candles_stream`; it reads none. Books and trades are
worth nothing later, so what Redis does not take is dropped and counted. Bars are few: they wait, within a bound.
"""

import asyncio
from collections import deque

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from btc_shared import clock, streams
from btc_shared.messages import CandleUpdate, TradeBatch
from btc_shared.outage import Outage
from btc_shared.records import BookPicture
from market_feed import metrics

MAX_WAITING = 500
MAX_WAITING_BARS = streams.CANDLES_MAXLEN
MAX_BATCH = 200

MarketMessage = BookPicture | TradeBatch | CandleUpdate


class Outbox:
    """A bounded queue in front of Redis. `put` never waits and never fails."""

    def __init__(self, redis: Redis, venue: str, symbol: str) -> None:
        self._redis = redis
        self._streams: dict[type, tuple[str, str, int]] = {
            BookPicture: (metrics.BOOK, streams.book_stream(venue, symbol), streams.BOOK_MAXLEN),
            TradeBatch: (metrics.TRADES, streams.trades_stream(venue, symbol), streams.TRADES_MAXLEN),
            CandleUpdate: (metrics.CANDLE, streams.candles_stream(venue, symbol), streams.CANDLES_MAXLEN),
        }
        self._market: deque[BookPicture | TradeBatch] = deque()
        self._bars: deque[CandleUpdate] = deque()
        self._bars_turn = False
        self._filled = asyncio.Event()
        self.outage = Outage("redis")

    def put(self, message: MarketMessage) -> None:
        """Queue a message; the oldest one gives way when the queue is full, and trades in a row become one batch."""
        if isinstance(message, CandleUpdate):
            self._bars.append(message)
            if len(self._bars) > MAX_WAITING_BARS:
                self._drop(self._bars.popleft())
        elif isinstance(message, TradeBatch) and (merged := self._merged(message)) is not None:
            self._market[-1] = merged
        else:
            self._market.append(message)
            if len(self._market) > MAX_WAITING:
                self._drop(self._market.popleft())
        self._filled.set()

    async def run(self) -> None:
        """Publish what is queued, for ever; after a failure with growing pauses."""
        retry = streams.Retry()
        this_task = asyncio.current_task()
        # redis-py writes through `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that comes just when
        # the write is done. The request to end is still on the task.
        while this_task is None or not this_task.cancelling():
            await self._filled.wait()
            message = self._next()
            if message is None:
                self._filled.clear()
                continue
            try:
                await self._publish(message)
            except (RedisError, OSError) as error:
                self.outage.failed(error)
                if not isinstance(message, CandleUpdate):
                    self._drop(message)
                while self._market:
                    self._drop(self._market.popleft())
                await retry.wait()
            else:
                self.outage.over()
                retry.reset()
                if self._bars and self._bars[0] is message:
                    self._bars.popleft()

    def _next(self) -> MarketMessage | None:
        """Bars and the rest take turns: a long history at the start must not hold up the book. Bars stay queued."""
        self._bars_turn = bool(self._bars) and (not self._bars_turn or not self._market)
        if self._bars_turn:
            return self._bars[0]
        return self._market.popleft() if self._market else None

    async def _publish(self, message: MarketMessage) -> None:
        kind, stream, maxlen = self._streams[type(message)]
        await streams.publish(self._redis, stream, message, maxlen=maxlen)
        metrics.events_out.labels(kind).inc()
        since_ms = message.published_at_ms if isinstance(message, CandleUpdate) else message.received_at_ms
        metrics.publish_seconds.labels(kind).observe(max(0, clock.now_ms() - since_ms) / 1_000)

    def _merged(self, batch: TradeBatch) -> TradeBatch | None:
        last = self._market[-1] if self._market else None
        if not isinstance(last, TradeBatch) or len(last.trades) + len(batch.trades) > MAX_BATCH:
            return None
        if last.source is not batch.source:
            return None
        return msgspec.structs.replace(last, trades=(*last.trades, *batch.trades))

    def _drop(self, message: MarketMessage) -> None:
        metrics.events_dropped.labels(self._streams[type(message)][0]).inc()
