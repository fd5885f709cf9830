"""Log files that stay small and can be quoted."""

import shutil
from pathlib import Path

from btc_cli import disk

MAX_BYTES = 10_000_000
KEPT = 3


def rotate(path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> bool:
    """Copy a log that has grown past `max_bytes` to `<name>.1` (older ones to `.2` … `.kept`) and empty it.

    Its writer keeps the same open file, in append mode, and goes on at the new end. So no process depends on
    another for writing its log; a line written between the copy and the emptying is lost. Where the disk has no room
    for the copy, nothing is emptied: the file itself cannot grow either.
    """
    if not path.exists() or path.stat().st_size <= max_bytes:
        return False
    copy = path.with_name(f"{path.name}.new")
    try:
        shutil.copyfile(path, copy)
    except OSError as error:
        copy.unlink(missing_ok=True)
        if disk.is_full(error):
            return False
        raise
    for number in range(kept - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    copy.replace(path.with_name(f"{path.name}.1"))
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def last_lines(path: Path, count: int = 8, *, start: int = 0, max_bytes: int = 20_000) -> list[str]:
    """The last lines from byte `start` on that are not empty; none when there is no such file."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(start if start <= size else 0, size - max_bytes))  # emptied since: all of it is newer
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
