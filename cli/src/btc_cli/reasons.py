"""Which line of a log says why its process ended. Pure."""

import json
import re
from collections.abc import Sequence

_LONGEST = 400
# A server's own prefix (time and process), and how PostgreSQL and Python mark what ends them.
_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ \w+ \[\d+\] ")
_FATAL = re.compile(r"\b(FATAL|PANIC|Fatal|CRITICAL)\b")


def reason_in(lines: Sequence[str]) -> str:
    """What the newest of the lines that tell of an end says, else the last line; empty without lines."""
    told = [text for line in lines if (text := _error_in(line))]
    return (told or [_plain(line) for line in lines] or [""])[-1][:_LONGEST]


def _error_in(line: str) -> str:
    """What the line says if it tells of an end."""
    record = _record(line)
    if record is None:
        return _plain(line) if _FATAL.search(line) else ""
    return _text(record) if record.get("level") in ("error", "critical") else ""


def _plain(line: str) -> str:
    record = _record(line)
    return _PREFIX.sub("", line.strip()) if record is None else _text(record)


def _record(line: str) -> dict[str, object] | None:
    """The line as a structured record, when it is one."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "event" in record else None


def _text(record: dict[str, object]) -> str:
    """A record's own reason, or the error that it carries, or just what happened."""
    error = str(record.get("exception") or "").strip().splitlines()
    return str(record.get("reason") or (error[-1] if error else record["event"]))
