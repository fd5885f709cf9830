"""The executor's own view of the market: the newest order book, from the stream or, when that is silent, over REST."""

import asyncio
from time import monotonic

from btc_shared import clock
from btc_shared.records import BookPicture


class Market:
    """Holds the newest picture of the order book and wakes those who wait for one."""

    def __init__(self) -> None:
        self._newest: BookPicture | None = None
        self._arrived = asyncio.Event()
        self._age_when_offered_secs = 0.0
        self._offered_at = 0.0

    @property
    def newest(self) -> BookPicture | None:
        return self._newest

    def age_secs(self) -> float | None:
        """Seconds since the newest picture was received; None when there is none. No clock that is set changes it."""
        if self._newest is None:
            return None
        return self._age_when_offered_secs + monotonic() - self._offered_at

    def offer(self, picture: BookPicture) -> bool:
        """Take a picture unless a newer one is there already; True if it was taken."""
        if self._newest is not None and picture.event_time_ms < self._newest.event_time_ms:
            return False
        self._newest = picture
        self._age_when_offered_secs = max(0, clock.now_ms() - picture.received_at_ms) / 1_000
        self._offered_at = monotonic()
        self._arrived.set()
        return True

    async def next_picture(self) -> BookPicture:
        """Wait until a picture arrives that was not there when this was called."""
        self._arrived.clear()
        await self._arrived.wait()
        assert self._newest is not None
        return self._newest
