"""The exchange's clock is the median of quick samples, and failures keep the former offset."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from btc_shared.kucoin import server_clock
from btc_shared.kucoin.errors import UnavailableError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock

NOW = 1_790_000_000_000


class Journeys(PublicClient):
    """An exchange whose clock is `ahead_ms` ahead; each request takes the next `(there, back)` milliseconds."""

    def __init__(self, ahead_ms: int, journeys: Sequence[tuple[int, int] | None]) -> None:
        self.now = NOW
        self.uptime = 5_000.0
        self.ahead_ms, self.journeys, self.asked = ahead_ms, list(journeys), 0

    async def server_time_ms(self, *, attempts: int | None = None) -> int:
        assert attempts == 1  # a repetition's wait would count as travelling time
        self.asked += 1
        journey = self.journeys.pop(0)
        if journey is None:
            raise UnavailableError("away")
        there, back = journey
        self.passed(there)
        answer = self.now + self.ahead_ms
        self.passed(back)
        return answer

    def passed(self, ms: int) -> None:
        self.now += ms
        self.uptime += ms


async def test_slow_and_lopsided_samples_do_not_move_the_offset() -> None:
    client = Journeys(1_500, [(900, 10), (20, 20), (21, 19), (600, 0), (20, 21)])
    clock = ServerClock(client, now_ms=lambda: client.now, at_ms=lambda: client.uptime)
    assert not clock.ready.is_set()
    assert await clock.measure() == 1_500
    assert clock.ready.is_set()
    assert clock.exchange_now_ms() == client.now + 1_500


async def test_some_samples_are_enough_and_none_keeps_the_former_offset() -> None:
    client = Journeys(-300, [(10, 10), (10, 10), None, None])
    clock = ServerClock(client, now_ms=lambda: client.now, at_ms=lambda: client.uptime)
    assert await clock.measure() == -300
    with pytest.raises(UnavailableError):
        await clock.measure()
    assert clock.offset_ms == -300
    assert client.asked == 4


async def test_a_jump_of_this_machines_clock_is_measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_clock, "LOOK_SECS", 0.001)
    client = Journeys(0, [(0, 0)] * 10)
    clock = ServerClock(client, now_ms=lambda: client.now, at_ms=lambda: client.uptime)
    running = asyncio.create_task(clock.run())
    await clock.ready.wait()
    assert (clock.offset_ms, client.asked) == (0, 5)
    client.now -= 3_600_000  # the machine's clock is set back by an hour; the exchange's is not
    client.ahead_ms = 3_600_000
    clock.ready.clear()
    await clock.ready.wait()
    assert clock.offset_ms == 3_600_000
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_jump_of_this_machines_clock_does_not_move_the_exchanges_time() -> None:
    client = Journeys(1_500, [(10, 10)] * 5)
    clock = ServerClock(client, now_ms=lambda: client.now, at_ms=lambda: client.uptime)
    assert clock.exchange_now_ms() == NOW  # nothing measured yet: ours is the best guess
    await clock.measure()
    exchange = clock.exchange_now_ms()
    client.now += 3_600_000
    assert clock.exchange_now_ms() == exchange
    client.passed(250)
    assert clock.exchange_now_ms() == exchange + 250


async def test_a_doubt_has_the_clock_measured_anew_once_a_minute_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_clock, "LOOK_SECS", 0.001)
    client = Journeys(0, [(0, 0)] * 10)
    clock = ServerClock(client, now_ms=lambda: client.now, at_ms=lambda: client.uptime)
    running = asyncio.create_task(clock.run())
    await clock.ready.wait()
    client.ahead_ms = -7_000  # the exchange's clock was set back
    clock.ready.clear()
    clock.doubt()
    client.passed(59_999)
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not clock.ready.is_set()
    client.passed(1)
    await clock.ready.wait()
    assert (clock.offset_ms, client.asked) == (-7_000, 10)
    client.passed(60_000)
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert client.asked == 10  # the doubt is settled
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_while_it_cannot_be_measured_the_log_has_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_clock, "LOOK_SECS", 0.001)
    client = Journeys(0, [*([None] * 30), *([(0, 0)] * 5)])
    clock = ServerClock(client, now_ms=lambda: client.now, at_ms=lambda: client.uptime)
    with capture_logs() as lines:
        running = asyncio.create_task(clock.run())
        await clock.ready.wait()
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert [line["event"] for line in lines if line["log_level"] != "debug"] == ["outage_began", "outage_over"]
