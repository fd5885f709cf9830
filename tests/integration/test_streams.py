"""Streams on a real server: bounded, nothing acknowledged is lost, nothing foreign gets through."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from btc_shared import streams
from btc_shared.codes import Action, Mode
from btc_shared.messages import Message, Signal
from btc_shared.records import BookPicture, Level

STREAM = "test:signals"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    client = streams.connect(redis_url)
    await client.flushall()
    yield client
    await client.aclose()


def signal(number: int) -> Signal:
    return Signal(
        signal_id=str(number),
        decision_id="decision",
        venue="practice",
        symbol="BTC-USDT",
        mode=Mode.DRY,
        action=Action.BUY,
        confidence=0.6,
        price=1.0,
        created_at_ms=number,
    )


def picture(number: int) -> BookPicture:
    level = (Level(Decimal(number + 1), Decimal(1)),)
    return BookPicture(symbol="BTC-USDT", event_time_ms=number, received_at_ms=number, bids=level, asks=level)


async def take(reader: streams.GroupReader, count: int, *, ack: bool) -> list[Message]:
    found: list[Message] = []
    async with asyncio.timeout(10):
        async for entry_id, message in reader:
            found.append(message)
            if ack:
                await reader.ack(entry_id)
            if len(found) == count:
                break
    return found


async def test_a_stream_never_grows_far_beyond_its_bound(redis: Any) -> None:
    for number in range(2_000):
        await streams.publish(redis, STREAM, picture(number), maxlen=100)
    assert 100 <= await redis.xlen(STREAM) <= 300


async def test_what_was_not_acknowledged_is_delivered_again_after_a_crash_and_before_anything_new(redis: Any) -> None:
    for number in (1, 2):
        await streams.publish(redis, STREAM, signal(number), maxlen=100)
    crashed = streams.GroupReader(redis, STREAM, "executor", "one")
    assert await take(crashed, 2, ack=False) == [signal(1), signal(2)]
    await streams.publish(redis, STREAM, signal(3), maxlen=100)
    restarted = streams.GroupReader(redis, STREAM, "executor", "one")
    assert await take(restarted, 3, ack=True) == [signal(1), signal(2), signal(3)]
    assert (await redis.xpending(STREAM, "executor"))["pending"] == 0


async def test_another_member_takes_over_what_a_dead_one_left(redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CLAIM_IDLE_MS", 0)
    await streams.publish(redis, STREAM, signal(1), maxlen=100)
    assert await take(streams.GroupReader(redis, STREAM, "executor", "dead"), 1, ack=False) == [signal(1)]
    assert await take(streams.GroupReader(redis, STREAM, "executor", "alive"), 1, ack=True) == [signal(1)]


async def test_a_flushed_server_is_survived_and_the_group_made_again(redis: Any) -> None:
    reader = streams.GroupReader(redis, STREAM, "executor", "one")
    await streams.publish(redis, STREAM, signal(1), maxlen=100)
    assert await take(reader, 1, ack=True) == [signal(1)]
    await redis.flushall()
    await streams.publish(redis, STREAM, signal(2), maxlen=100)
    assert await take(reader, 1, ack=True) == [signal(2)]


async def test_foreign_entries_go_to_a_bounded_dead_letter_stream_and_stop_nothing(redis: Any) -> None:
    await redis.xadd(STREAM, {"kind": "gossip", "data": "x" * 10_000})
    await redis.xadd(STREAM, {"kind": "signal", "data": "not MessagePack"})
    await streams.publish(redis, STREAM, signal(1), maxlen=100)
    reader = streams.GroupReader(redis, STREAM, "executor", "one")
    assert await take(reader, 1, ack=True) == [signal(1)]
    letters = await redis.xrange(streams.DEAD_LETTER_STREAM)
    assert [fields[b"reason"][:12] for _, fields in letters] == [b"unknown kind", b"malformed b'"]
    assert all(fields[b"stream"] == STREAM.encode() for _, fields in letters)
    assert len(letters[0][1][b"payload"]) == streams.DEAD_LETTER_PAYLOAD_BYTES
    assert (await redis.xpending(STREAM, "executor"))["pending"] == 0


async def test_market_data_is_read_from_now_on(redis: Any) -> None:
    await streams.publish(redis, "books", picture(1), maxlen=10)
    reader = streams.read_from_now(redis, ["books", "others"])
    waiting = asyncio.ensure_future(anext(reader))
    while not any(client["cmd"] == "xread" for client in await redis.client_list()):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0)
    await streams.publish(redis, "books", picture(2), maxlen=10)
    async with asyncio.timeout(10):
        assert await waiting == ("books", picture(2))
    await reader.aclose()


async def test_a_server_that_refuses_commands_ends_no_reader(redis: Any) -> None:
    await streams.publish(redis, STREAM, signal(1), maxlen=100)
    reader = streams.GroupReader(redis, STREAM, "executor", "one")
    assert await take(reader, 1, ack=True) == [signal(1)]
    await redis.set("kept", "x")
    await redis.rename("kept", STREAM)  # now every command on the stream is refused with WRONGTYPE
    waiting = asyncio.ensure_future(take(reader, 1, ack=True))
    failures = streams.stream_errors.labels("read")
    before = failures._value.get()
    async with asyncio.timeout(10):
        while failures._value.get() == before:  # noqa: ASYNC110 - a counter has no event
            await asyncio.sleep(0)
    await redis.delete(STREAM)
    await streams.publish(redis, STREAM, signal(2), maxlen=100)
    assert await waiting == [signal(2)]
