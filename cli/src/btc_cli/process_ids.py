"""Names a process so that another one which later gets its number is not taken for it."""

import sys
from pathlib import Path

import psutil

_ON_LINUX = sys.platform == "linux"


def start_mark(pid: int) -> float | None:
    """When the process was started; None when it is gone or has ended. With the number it names the process.

    On Linux in clock ticks since boot, which no correction of the wall clock changes (a small computer without a
    battery starts in the past); elsewhere in epoch seconds.
    """
    if _ON_LINUX:
        try:
            fields = (Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, started = fields[0], fields[19]  # fields 3 and 22 of proc_pid_stat(5)
        return None if state in "ZX" else float(started)
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int | None, mark: float | None) -> bool:
    """True while the process with this number and this start runs."""
    return pid is not None and mark is not None and start_mark(pid) == mark
