"""Publishing never waits, never fails and never grows; bars outlast an outage, the rest does not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from btc_shared.codes import Side
from btc_shared.messages import CandleUpdate, Message, TradeBatch, decode
from btc_shared.records import BookPicture, Candle, Level, PublicTrade
from market_feed import metrics, outbox
from market_feed.outbox import Outbox


class FakeRedis:
    """Takes entries, or fails while `away`."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Message, int]] = []
        self.away = False
        self.failures = 0
        self.changed = asyncio.Condition()

    async def xadd(self, stream: str, fields: dict[bytes, bytes], *, maxlen: int, approximate: bool) -> bytes:
        assert approximate
        async with self.changed:
            self.changed.notify_all()
            if self.away:
                self.failures += 1
                raise RedisConnectionError("away")
            self.entries.append((stream, decode(fields), maxlen))
        return b"1-1"

    async def until(self, condition: Any) -> None:
        async with self.changed, asyncio.timeout(20):
            await self.changed.wait_for(condition)


def book(number: int) -> BookPicture:
    levels = (Level(Decimal(1), Decimal(1)),), (Level(Decimal(2), Decimal(1)),)
    return BookPicture(symbol="X-Y", event_time_ms=number, received_at_ms=number, bids=levels[0], asks=levels[1])


def trades(*numbers: int) -> TradeBatch:
    return TradeBatch(
        symbol="X-Y",
        received_at_ms=numbers[0],
        trades=tuple(
            PublicTrade(
                symbol="X-Y", trade_id=str(n), event_time_ms=n, price=Decimal(1), size=Decimal(1), side=Side.BUY
            )
            for n in numbers
        ),
    )


def bar(minute: int) -> CandleUpdate:
    one = Decimal(1)
    candle = Candle(
        symbol="X-Y", open_time_ms=minute * 60_000, open=one, high=one, low=one, close=one, volume=one, turnover=one
    )
    return CandleUpdate(candle=candle, correction=False, published_at_ms=0)


@contextlib.asynccontextmanager
async def running(box: Outbox) -> AsyncIterator[None]:
    task = asyncio.create_task(box.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def made() -> tuple[FakeRedis, Outbox]:
    redis = FakeRedis()
    return redis, Outbox(cast("Redis", redis), "practice", "X-Y")


async def test_each_kind_goes_to_its_own_bounded_stream() -> None:
    redis, box = made()
    for message in (book(1), trades(1), bar(1)):
        box.put(message)
    async with running(box):
        await redis.until(lambda: len(redis.entries) == 3)
    assert {(stream, type(message), maxlen) for stream, message, maxlen in redis.entries} == {
        ("market:practice:X-Y:book", BookPicture, 600),
        ("market:practice:X-Y:trades", TradeBatch, 5_000),
        ("market:practice:X-Y:candles", CandleUpdate, 1_500),
    }


async def test_trades_in_a_row_become_one_batch_in_order_and_books_keep_their_place() -> None:
    redis, box = made()
    for message in (trades(1), trades(2, 3), book(9), trades(4)):
        box.put(message)
    async with running(box):
        await redis.until(lambda: len(redis.entries) == 3)
    batches = [message for _, message, _ in redis.entries if isinstance(message, TradeBatch)]
    assert [[trade.trade_id for trade in batch.trades] for batch in batches] == [["1", "2", "3"], ["4"]]
    assert isinstance(redis.entries[1][1], BookPicture)


async def test_a_long_history_of_bars_does_not_hold_up_the_book() -> None:
    redis, box = made()
    for minute in range(100):
        box.put(bar(minute))
    box.put(book(1))
    async with running(box):
        await redis.until(lambda: len(redis.entries) == 101)
    assert isinstance(redis.entries[1][1], BookPicture)
    published = [message.candle.open_time_ms for _, message, _ in redis.entries if isinstance(message, CandleUpdate)]
    assert published == [minute * 60_000 for minute in range(100)]


async def test_the_queue_is_bounded_and_gives_up_the_oldest() -> None:
    redis, box = made()
    dropped = metrics.events_dropped.labels("book")._value.get()
    for number in range(outbox.MAX_WAITING + 10):
        box.put(book(number))
    for minute in range(outbox.MAX_WAITING_BARS + 10):
        box.put(bar(minute))
    async with running(box):
        await redis.until(lambda: len(redis.entries) == outbox.MAX_WAITING + outbox.MAX_WAITING_BARS)
    assert metrics.events_dropped.labels("book")._value.get() - dropped == 10
    books = [message.event_time_ms for _, message, _ in redis.entries if isinstance(message, BookPicture)]
    assert books[0] == 10
    bars = [message.candle.open_time_ms for _, message, _ in redis.entries if isinstance(message, CandleUpdate)]
    assert bars[0] == 10 * 60_000


async def test_while_redis_is_away_bars_wait_and_the_rest_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("btc_shared.outage.log.warning", lambda event, **_: warnings.append(event))
    redis, box = made()
    redis.away = True
    async with running(box):
        box.put(book(1))
        box.put(bar(7))
        await redis.until(lambda: redis.failures >= 3)
        assert box.outage.error == "away"
        assert box.outage.detail().endswith("away")
        redis.away = False
        await redis.until(lambda: len(redis.entries) == 1)
        box.put(book(2))
        await redis.until(lambda: len(redis.entries) == 2)
        assert box.outage.detail() == "answers"
    assert [type(message) for _, message, _ in redis.entries] == [CandleUpdate, BookPicture]
    assert warnings == ["outage_began"]


async def test_it_ends_when_told_even_if_the_client_swallows_the_cancellation() -> None:
    class Swallowing(FakeRedis):
        async def xadd(self, stream: str, fields: dict[bytes, bytes], *, maxlen: int, approximate: bool) -> bytes:
            entered.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return b"1-1"

    entered = asyncio.Event()
    box = Outbox(cast("Redis", Swallowing()), "practice", "X-Y")
    box.put(book(1))
    task = asyncio.create_task(box.run())
    await entered.wait()
    task.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait([task])
