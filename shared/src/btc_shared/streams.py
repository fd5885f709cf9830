"""Redis streams: names, bounded publishing, reading from now on, and consumer groups that lose nothing.

Redis is transport only. Whatever matters is in Postgres and every effect of a message is idempotent, so a
flushed, lost or replayed stream changes no order and no figure.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, cast

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from btc_shared.messages import Message, UnknownMessageError, decode, encode
from btc_shared.outage import Outage

DEAD_LETTER_STREAM = "dead-letter"
DEAD_LETTER_MAXLEN = 1_000
DEAD_LETTER_PAYLOAD_BYTES = 4_096
# Bounds per stream: a minute of book pictures, some minutes of trades, a day of bars, days of signals.
BOOK_MAXLEN, TRADES_MAXLEN, CANDLES_MAXLEN, SIGNALS_MAXLEN, EXECUTIONS_MAXLEN = (
    600,
    5_000,
    1_500,
    10_000,
    10_000,
)
BLOCK_MS = 1_000
MAX_RETRY_SECS = 5.0
CLAIM_IDLE_MS = 30_000

log = structlog.get_logger(__name__)
dead_letters = Counter("stream_dead_letters", "Stream entries that were not a known message", ["stream"])
stream_errors = Counter("stream_errors", "Redis errors while reading or writing streams", ["operation"])


def book_stream(venue: str, symbol: str) -> str:
    """Order-book pictures (`BookPicture`)."""
    return f"market:{venue}:{symbol}:book"


def trades_stream(venue: str, symbol: str) -> str:
    """Public trades (`TradeBatch`)."""
    return f"market:{venue}:{symbol}:trades"


def candles_stream(venue: str, symbol: str) -> str:
    """Final bars and corrections (`CandleUpdate`)."""
    return f"market:{venue}:{symbol}:candles"


def signals_stream(venue: str, symbol: str) -> str:
    """Signals of the decision engine (`Signal`)."""
    return f"signals:{venue}:{symbol}"


def executions_stream(venue: str, symbol: str) -> str:
    """Booked orders of the executor (`Execution`)."""
    return f"executions:{venue}:{symbol}"


def connect(url: str) -> "Redis":
    """A client for `url` that gives up on a silent server instead of waiting for ever."""
    return Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5, health_check_interval=15)


async def publish(redis: "Redis", stream: str, message: Message, *, maxlen: int) -> None:
    """Append `message` to a stream that never holds many more than `maxlen` entries."""
    await redis.xadd(stream, cast("dict[Any, Any]", encode(message)), maxlen=maxlen, approximate=True)


class Retry:
    """Waits after a failure: 0.1 s doubling to 5 s, jittered; `reset` after a success."""

    def __init__(self) -> None:
        self._secs = 0.1

    def reset(self) -> None:
        self._secs = 0.1

    async def wait(self) -> None:
        await asyncio.sleep(self._secs * random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret
        self._secs = min(self._secs * 2, MAX_RETRY_SECS)


async def _dead_letter(redis: "Redis", stream: str, entry_id: bytes, fields: dict[bytes, bytes], reason: str) -> None:
    dead_letters.labels(stream).inc()
    log.warning("dead_letter", stream=stream, entry_id=entry_id.decode(), reason=reason)
    payload = b" ".join(key + b"=" + value for key, value in fields.items())[:DEAD_LETTER_PAYLOAD_BYTES]
    with contextlib.suppress(RedisError):  # already counted and logged; the copy is a convenience
        await redis.xadd(
            DEAD_LETTER_STREAM,
            {"stream": stream, "id": entry_id, "reason": reason, "payload": payload},
            maxlen=DEAD_LETTER_MAXLEN,
            approximate=True,
        )


async def _decoded(redis: "Redis", stream: str, entry_id: bytes, fields: dict[bytes, bytes]) -> Message | None:
    try:
        return decode(fields)
    except UnknownMessageError as error:
        await _dead_letter(redis, stream, entry_id, fields, str(error))
        return None


async def read_from_now(redis: "Redis", streams: Sequence[str]) -> AsyncGenerator[tuple[str, Message]]:
    """Yield `(stream, message)` for entries added from now on, for ever, through reconnects.

    Market data only: what was missed while Redis was away is not asked for again.
    """
    retry, outage = Retry(), Outage(f"redis (reading {', '.join(streams)})")
    positions: dict[str, bytes | str] = {}
    while True:
        try:
            for stream in streams:
                if stream not in positions:
                    newest = await redis.xrevrange(stream, count=1)
                    positions[stream] = cast("bytes", newest[0][0]) if newest else "0-0"
            answer = await redis.xread(cast("dict[Any, Any]", positions), count=500, block=BLOCK_MS)
            retry.reset()
            outage.over()
        except (RedisError, OSError) as error:
            stream_errors.labels("read").inc()
            outage.failed(error)
            await retry.wait()
            positions.clear()  # a restarted server may count from lower ids: start from its newest again
            continue
        for name, entries in _entries(answer):
            for entry_id, fields in entries:
                positions[name] = entry_id
                message = await _decoded(redis, name, entry_id, fields)
                if message is not None:
                    yield name, message


def _entries(answer: Any) -> list[tuple[str, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """XREAD's and XREADGROUP's answer as `(stream, entries)` pairs, whichever protocol version it came in."""
    pairs = answer.items() if isinstance(answer, dict) else (answer or [])
    found = []
    for name, entries in pairs:
        flat = entries[0] if entries and isinstance(entries[0], list) else entries
        found.append((name.decode() if isinstance(name, bytes) else name, flat))
    return found


class GroupReader:
    """Reads one stream as a member of a consumer group: own pending entries first, then what dead members left,
    then new ones. Nothing is acknowledged before `ack`, so a crash in between delivers the entry again.
    """

    def __init__(self, redis: "Redis", stream: str, group: str, consumer: str) -> None:
        self._redis, self._stream, self._group, self._consumer = redis, stream, group, consumer
        self._outage = Outage(f"redis (reading {stream} as {group})")

    async def ack(self, entry_id: bytes) -> None:
        """The entry's effects are committed: never deliver it again. A failure only means one more delivery."""
        try:
            await self._redis.xack(self._stream, self._group, entry_id)
        except (RedisError, OSError) as error:
            stream_errors.labels("ack").inc()
            self._outage.failed(error)

    async def __aiter__(self) -> AsyncIterator[tuple[bytes, Message]]:
        retry = Retry()
        pending_from: bytes | None = b"0"  # own pending entries are read from the start once per (re)connection
        while True:
            try:
                entries = await self._next(pending_from)
                retry.reset()
                self._outage.over()
            except (RedisError, OSError) as error:
                # Whatever the server answers, it must not end the process: exits go on without Redis.
                pending_from = b"0"
                if isinstance(error, ResponseError) and str(error).startswith("NOGROUP"):
                    await self._create_group(retry)
                    continue
                stream_errors.labels("read").inc()
                self._outage.failed(error)
                await retry.wait()
                continue
            if pending_from is not None:
                pending_from = entries[-1][0] if entries else None
            for entry_id, fields in entries:
                message = await _decoded(self._redis, self._stream, entry_id, fields) if fields else None
                if message is None:  # not ours, or trimmed away while pending
                    await self.ack(entry_id)
                    continue
                yield entry_id, message

    async def _next(self, pending_from: bytes | None) -> list[tuple[bytes, dict[bytes, bytes]]]:
        if pending_from is None:
            claimed = await self._redis.xautoclaim(
                self._stream, self._group, self._consumer, min_idle_time=CLAIM_IDLE_MS, count=100
            )
            if claimed[1]:
                return list(claimed[1])
        answer = await self._redis.xreadgroup(
            self._group,
            self._consumer,
            {self._stream: pending_from if pending_from is not None else ">"},
            count=100,
            block=None if pending_from is not None else BLOCK_MS,
        )
        return [entry for _, entries in _entries(answer) for entry in entries]

    async def _create_group(self, retry: Retry) -> None:
        try:
            # From the stream's beginning: what waited there is delivered; effects are idempotent.
            await self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
            log.info("consumer_group_created", stream=self._stream, group=self._group)
        except (RedisError, OSError) as error:
            if isinstance(error, ResponseError) and "BUSYGROUP" in str(error):
                return
            stream_errors.labels("create_group").inc()
            self._outage.failed(error)
            await retry.wait()
