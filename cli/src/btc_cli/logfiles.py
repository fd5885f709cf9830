"""Log files that stay small and can be quoted."""

import shutil
from pathlib import Path

MAX_BYTES = 10_000_000
KEPT = 3


def rotate(path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> bool:
    """Copy a log that has grown past `max_bytes` to `<name>.1` (older ones to `.2` … `.kept`) and empty it.

    Its writer keeps the same open file, in append mode, and goes on at the new end. So no process depends on
    another for writing its log; a line written between the copy and the emptying is lost.
    """
    if not path.exists() or path.stat().st_size <= max_bytes:
        return False
    for number in range(kept - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def last_lines(path: Path, count: int = 8, *, max_bytes: int = 20_000) -> list[str]:
    """The last lines that are not empty; none when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - max_bytes))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]
