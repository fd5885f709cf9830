"""The exchange's clock: how far ours is from it, measured anew every ten minutes and whenever that seems wrong."""

import asyncio
import statistics
import time
from collections.abc import Callable

from prometheus_client import Gauge

from btc_shared import clock
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.outage import Outage

SAMPLES, QUICKEST = 5, 3
REFRESH_SECS = 600.0
LOOK_SECS = 5.0
DOUBT_SECS = 60.0
JUMP_MS = 250.0

clock_offset = Gauge("kucoin_clock_offset_ms", "KuCoin's clock minus this machine's, in milliseconds")


def monotonic_ms() -> float:
    """This machine's clock that nobody sets, in milliseconds since some moment."""
    return time.monotonic() * 1_000


class ServerClock:
    """The exchange's time, from samples of it; between them this machine's monotonic clock carries it on.

    So a jump of this machine's clock moves no minute: it is only told in `offset_ms` (exchange minus ours), once it is
    measured. A sample compares the exchange's answer with the middle of the request, so it is wrong by at most half the
    round trip; slow ones, such as the first with its TLS handshake, do not count. Until `ready` is set nothing was
    measured and our time is taken for the exchange's.
    """

    def __init__(
        self,
        client: PublicClient,
        *,
        now_ms: Callable[[], int] = clock.now_ms,
        at_ms: Callable[[], float] = monotonic_ms,
    ) -> None:
        self._client, self._now_ms, self._at_ms = client, now_ms, at_ms
        self._exchange_minus_monotonic_ms: float | None = None
        self._wall_minus_monotonic_ms = 0.0
        self._measured_at_ms = float("-inf")
        self._doubted = False
        self._outage = Outage("kucoin timestamp")
        self.offset_ms = 0
        self.ready = asyncio.Event()

    def exchange_now_ms(self) -> int:
        """The exchange's time now, milliseconds since the epoch."""
        if self._exchange_minus_monotonic_ms is None:
            return self._now_ms()
        return round(self._exchange_minus_monotonic_ms + self._at_ms())

    def doubt(self) -> None:
        """Something from the exchange has a time that cannot be: measure soon, at most once a minute."""
        self._doubted = True

    async def measure(self) -> int:
        """Take new samples and return the offset in milliseconds.

        Raises:
            KucoinError: not even one sample could be had; the former measurement stays.
        """
        samples: list[tuple[float, float]] = []
        for _ in range(SAMPLES):
            before = self._at_ms()
            try:
                # One attempt: a repetition's wait would count as travelling time.
                server = await self._client.server_time_ms(attempts=1)
            except KucoinError:
                if not samples:
                    raise
                break
            after = self._at_ms()
            samples.append((after - before, server - (before + after) / 2))
        quickest = sorted(samples)[:QUICKEST]
        self._exchange_minus_monotonic_ms = statistics.median(difference for _, difference in quickest)
        self._wall_minus_monotonic_ms = self._now_ms() - self._at_ms()
        self.offset_ms = round(self._exchange_minus_monotonic_ms - self._wall_minus_monotonic_ms)
        self._measured_at_ms, self._doubted = self._at_ms(), False
        clock_offset.set(self.offset_ms)
        self.ready.set()
        return self.offset_ms

    async def run(self) -> None:
        """Measure now, every ten minutes, after a jump of this machine's clock, and when in doubt; for ever."""
        while True:
            if self._is_due():
                try:
                    await self.measure()
                except KucoinError as error:
                    self._outage.failed(error)
                else:
                    self._outage.over()
            await asyncio.sleep(LOOK_SECS)

    def _is_due(self) -> bool:
        now = self._at_ms()
        age_secs = (now - self._measured_at_ms) / 1_000
        # A machine that slept has a monotonic clock that stood still, which shows as a jump too.
        jumped = abs(self._now_ms() - now - self._wall_minus_monotonic_ms) >= JUMP_MS
        return age_secs >= REFRESH_SECS or jumped or (self._doubted and age_secs >= DOUBT_SECS)
