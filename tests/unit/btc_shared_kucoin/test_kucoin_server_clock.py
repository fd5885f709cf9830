"""The exchange's clock is the median of quick samples, and failures keep the former offset."""

import asyncio
from collections.abc import Sequence

import pytest

from btc_shared.kucoin import server_clock
from btc_shared.kucoin.errors import UnavailableError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock

NOW = 1_790_000_000_000


class Journeys(PublicClient):
    """An exchange whose clock is `ahead_ms` ahead; each request takes the next `(there, back)` milliseconds."""

    def __init__(self, ahead_ms: int, journeys: Sequence[tuple[int, int] | None]) -> None:
        self.now = NOW
        self.ahead_ms, self.journeys, self.asked = ahead_ms, list(journeys), 0

    async def server_time_ms(self, *, attempts: int | None = None) -> int:
        assert attempts == 1  # a repetition's wait would count as travelling time
        self.asked += 1
        journey = self.journeys.pop(0)
        if journey is None:
            raise UnavailableError("away")
        there, back = journey
        self.now += there
        answer = self.now + self.ahead_ms
        self.now += back
        return answer


async def test_slow_and_lopsided_samples_do_not_move_the_offset() -> None:
    client = Journeys(1_500, [(900, 10), (20, 20), (21, 19), (600, 0), (20, 21)])
    clock = ServerClock(client, now_ms=lambda: client.now)
    assert not clock.ready.is_set()
    assert await clock.measure() == 1_500
    assert clock.ready.is_set()
    assert clock.exchange_now_ms() == client.now + 1_500


async def test_some_samples_are_enough_and_none_keeps_the_former_offset() -> None:
    client = Journeys(-300, [(10, 10), (10, 10), None, None])
    clock = ServerClock(client, now_ms=lambda: client.now)
    assert await clock.measure() == -300
    with pytest.raises(UnavailableError):
        await clock.measure()
    assert clock.offset_ms == -300
    assert client.asked == 4


async def test_a_jump_of_this_machines_clock_is_measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_clock, "LOOK_SECS", 0.001)
    client = Journeys(0, [(0, 0)] * 10)
    clock = ServerClock(client, now_ms=lambda: client.now)
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
