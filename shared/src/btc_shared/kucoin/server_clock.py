"""The exchange's clock: how far ours is from it, measured anew every ten minutes and after every jump of ours."""

import asyncio
import statistics
import time
from collections.abc import Callable

import structlog
from prometheus_client import Gauge

from btc_shared import clock
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient

SAMPLES, QUICKEST = 5, 3
REFRESH_SECS = 600.0
LOOK_SECS = 5.0
JUMP_MS = 250.0

log = structlog.get_logger(__name__)
clock_offset = Gauge("kucoin_clock_offset_ms", "KuCoin's clock minus this machine's, in milliseconds")


class ServerClock:
    """Exchange time = this machine's time + `offset_ms`, the median of the quickest samples.

    A sample compares the exchange's answer with the middle of the request, so it is wrong by at most half the round
    trip; slow ones, such as the first with its TLS handshake, do not count. Until `ready` is set nothing was measured
    and the offset is 0.
    """

    def __init__(self, client: PublicClient, *, now_ms: Callable[[], int] = clock.now_ms) -> None:
        self._client, self._now_ms = client, now_ms
        self._wall_minus_monotonic_ms = 0.0
        self.offset_ms = 0
        self.ready = asyncio.Event()

    def exchange_now_ms(self) -> int:
        """The exchange's time now, milliseconds since the epoch."""
        return self._now_ms() + self.offset_ms

    async def measure(self) -> int:
        """Take new samples and return the offset in milliseconds.

        Raises:
            KucoinError: not even one sample could be had; the former offset stays.
        """
        samples: list[tuple[int, float]] = []
        for _ in range(SAMPLES):
            before = self._now_ms()
            try:
                # One attempt: a repetition's wait would count as travelling time.
                server = await self._client.server_time_ms(attempts=1)
            except KucoinError:
                if not samples:
                    raise
                break
            after = self._now_ms()
            samples.append((after - before, server - (before + after) / 2))
        quickest = sorted(samples)[:QUICKEST]
        self.offset_ms = round(statistics.median(offset for _, offset in quickest))
        self._wall_minus_monotonic_ms = self._now_ms() - time.monotonic() * 1_000
        clock_offset.set(self.offset_ms)
        self.ready.set()
        return self.offset_ms

    async def run(self) -> None:
        """Measure now, every ten minutes, and as soon as this machine's clock was seen to jump; for ever."""
        measured_at = float("-inf")
        while True:
            age = time.monotonic() - measured_at
            jump = abs(self._now_ms() - time.monotonic() * 1_000 - self._wall_minus_monotonic_ms)
            if age >= REFRESH_SECS or jump >= JUMP_MS:
                try:
                    await self.measure()
                    measured_at = time.monotonic()
                except KucoinError as error:
                    log.warning("clock_not_measured", error=str(error))
            await asyncio.sleep(LOOK_SECS)
