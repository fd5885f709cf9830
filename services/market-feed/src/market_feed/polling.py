"""How REST is asked again and again: the rhythm, and the pause that a failure asks for."""

import asyncio
from collections.abc import Awaitable, Callable

from btc_shared.kucoin.errors import KucoinError, RateLimitedError
from btc_shared.outage import Outage

POLL_SECS = 5.0
LOOK_SECS = 0.5
# A kept connection that the server closes just then (some keep them for these five seconds) costs no poll; after the
# second failure the next poll asks again.
POLL_ATTEMPTS = 2


def pause_secs(error: BaseException) -> float:
    """How long to wait after a failure: one poll, or as long as the exchange's rate limit says."""
    return max(POLL_SECS, error.retry_after_ms / 1_000) if isinstance(error, RateLimitedError) else POLL_SECS


async def poll(
    wanted: Callable[[], bool],
    read: Callable[[], Awaitable[None]],
    outage: Outage,
    *,
    urgent: Callable[[], bool] = lambda: False,
) -> None:
    """Do `read` as soon as it is `wanted`, and then every five seconds while it is; at once if `urgent`; for ever.

    After a failure even what is urgent waits for the pause.
    """
    loop = asyncio.get_running_loop()
    poll_at = not_before = 0.0
    while True:
        now, is_wanted, is_urgent = loop.time(), wanted(), urgent()
        if now < not_before or not (is_urgent or (is_wanted and now >= poll_at)):
            if not (is_wanted or is_urgent):
                outage.over()
            await asyncio.sleep(LOOK_SECS)
            continue
        try:
            await read()
        except KucoinError as error:
            outage.failed(error)
            not_before = loop.time() + pause_secs(error)
        else:
            outage.over()
            poll_at = now + POLL_SECS
