"""The services' wall clock. The pure core never imports it: there, times are arguments."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """The current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def from_ms(milliseconds: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC time, exactly."""
    seconds, rest = divmod(milliseconds, 1_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1_000)


def to_ms(moment: datetime) -> int:
    """An aware time as milliseconds since the epoch."""
    return round(moment.timestamp() * 1_000)
