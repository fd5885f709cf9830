"""Ends what a killed supervisor left behind, so that the next start finds its ports and data free."""

import contextlib
import os
import signal
from collections.abc import Callable

import psutil

from btc_cli.embedded import EmbeddedError, leftover_process
from btc_cli.home import Home
from btc_cli.state import State

# The kernel ends the children of a killed supervisor by itself; the database takes a moment for it.
_PATIENCE_SECS = 5.0
_DATABASE_SECS = 30.0


def end_leftovers(home: Home, previous: State | None, say: Callable[[str], None]) -> None:
    """Wait for the previous supervisor's processes to end, and end those that do not.

    Call only with the home's lock held: then none of them has an owner.

    Raises:
        EmbeddedError: when the previous database server cannot be ended.
    """
    database = leftover_process(home)
    others = [process for process in (previous.processes if previous else []) if process.is_alive()]
    if database is None and not others:
        return
    say("ending what an earlier run left behind")
    if database is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            database.send_signal(signal.SIGINT)
            _, alive = psutil.wait_procs([database], timeout=_DATABASE_SECS)
            if alive:
                raise EmbeddedError(f"an earlier database server (process {database.pid}) does not end: kill it")
    waiting = [_process(other.pid) for other in others]
    _, stubborn = psutil.wait_procs([process for process in waiting if process], timeout=_PATIENCE_SECS)
    for process in stubborn:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # each leads a group of its own
    psutil.wait_procs(stubborn, timeout=_PATIENCE_SECS)


def _process(pid: int | None) -> psutil.Process | None:
    try:
        return psutil.Process(pid) if pid is not None else None
    except psutil.NoSuchProcess:
        return None
