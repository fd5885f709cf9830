"""Rate-limit pools: a quota of weights in a window that begins with its first request."""

from dataclasses import dataclass

WINDOW_MS = 30_000
PUBLIC_QUOTA = 2000
_SWEEP_ABOVE = 1000


@dataclass(frozen=True, slots=True)
class Charge:
    """What a request did to its pool. `reset_ms` is the time until the window ends."""

    allowed: bool
    limit: int
    remaining: int
    reset_ms: int

    def headers(self) -> dict[str, str]:
        return {
            "gw-ratelimit-limit": str(self.limit),
            "gw-ratelimit-remaining": str(self.remaining),
            "gw-ratelimit-reset": str(self.reset_ms),
        }


class Pool:
    """A quota for each caller: an IP address in the Public pool, a user in the private ones."""

    def __init__(self, quota: int, window_ms: int = WINDOW_MS) -> None:
        self._quota = quota
        self._window_ms = window_ms
        self._windows: dict[str, tuple[int, int]] = {}

    def charge(self, caller: str, weight: int, now_ms: int) -> Charge:
        """Deduct `weight`; refused requests cost nothing."""
        begin_ms, used = self._windows.get(caller, (now_ms, 0))
        if now_ms >= begin_ms + self._window_ms:
            begin_ms, used = now_ms, 0
        allowed = used + weight <= self._quota
        if allowed:
            used += weight
        self._windows[caller] = (begin_ms, used)
        if len(self._windows) > _SWEEP_ABOVE:
            self._sweep(now_ms)
        return Charge(allowed, self._quota, self._quota - used, begin_ms + self._window_ms - now_ms)

    def _sweep(self, now_ms: int) -> None:
        self._windows = {
            caller: window for caller, window in self._windows.items() if now_ms < window[0] + self._window_ms
        }
