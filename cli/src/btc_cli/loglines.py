"""Lines of logs: when each was written, which of them are wanted, and how they are shown. Times are in UTC."""

import heapq
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as it was written, without its end: bytes, so that what is shown is what was there."""

    at: datetime
    service: str
    text: bytes


@dataclass(frozen=True)
class Wanted:
    """Which lines are asked for: those `since` a time, and of each service the last `tail`."""

    since: datetime | None = None
    tail: int | None = None


class TimeError(ValueError):
    """A time that cannot be understood. The message says what would be right."""


_DURATION = re.compile(r"(?:\d+[smhd])+")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_since(text: str, now: datetime) -> datetime:
    """The time meant by `text`: so long ago (10m, 2h, 1d, 1h30m), or an ISO time, in UTC unless it says otherwise.

    Raises:
        TimeError: for anything else.
    """
    try:
        if _DURATION.fullmatch(text):
            parts = re.findall(r"(\d+)([smhd])", text)
            return now - sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise TimeError(
            f"--since is '{text}': give how long ago (30s, 10m, 2h, 1d) or a time in UTC (2026-01-31T08:00)"
        ) from None


class _Stamped(msgspec.Struct):
    timestamp: datetime | None = None


_json_line = msgspec.json.Decoder(_Stamped)
# PostgreSQL's log_line_prefix and the supervisor's own lines.
_ISO = re.compile(rb"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?) ?(?:Z|UTC)")
_VALKEY = re.compile(rb"\d+:[A-Z] (\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}) ")


def line_time(text: bytes) -> datetime | None:
    """When a line of a service, the supervisor, PostgreSQL or Valkey says that it was written; None if it does not."""
    try:
        if text.startswith(b"{"):
            at = _json_line.decode(text).timestamp
            return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
        if found := _ISO.match(text):
            return datetime.fromisoformat(found[1].decode()).replace(tzinfo=UTC)
        if found := _VALKEY.match(text):
            return datetime.strptime(found[1].decode(), "%d %b %Y %H:%M:%S.%f").replace(tzinfo=UTC)
    except (ValueError, msgspec.DecodeError):  # it only looked like one
        pass
    return None


def stamped(service: str, texts: Iterable[bytes], written_by: datetime) -> Iterator[LogLine]:
    """The lines with their times. One without a time has that of the line before, at the beginning that of the first
    line with one; where no line has any, `written_by`, when the last of them was written."""
    known: datetime | None = None
    before: list[bytes] = []
    for text in texts:
        at = line_time(text)
        if at is None and known is None:
            before.append(text)
            continue
        known = at or known
        assert known is not None
        yield from (LogLine(known, service, earlier) for earlier in before)
        before.clear()
        yield LogLine(known, service, text)
    yield from (LogLine(written_by, service, text) for text in before)


def select(lines: Iterable[LogLine], wanted: Wanted) -> Iterable[LogLine]:
    """Those of one service's lines that are wanted."""
    since = wanted.since
    if since is not None:
        lines = (line for line in lines if line.at >= since)
    return lines if wanted.tail is None else deque(lines, maxlen=wanted.tail)


def merged(services: Sequence[Iterable[LogLine]]) -> Iterator[LogLine]:
    """The lines of all services in the order of their times; a service's own lines stay in their order."""
    return heapq.merge(*services, key=lambda line: line.at)


def shown(line: LogLine, *, named: bool) -> bytes:
    """What is printed: the line, behind its service's name where lines of several services are mixed."""
    return b"%s | %s\n" % (line.service.encode(), line.text) if named else line.text + b"\n"
