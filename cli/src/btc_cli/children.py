"""How a child process is started: in a session of its own, as a given account, and never outliving its starter."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_CHILD_SCRIPT = Path(__file__).with_name("child.py")


class Account(NamedTuple):
    """A user of this machine under which a child runs."""

    name: str
    uid: int
    gid: int


def bound_command(
    command: Sequence[str | os.PathLike[str]],
    *,
    death_signal: signal.Signals = signal.SIGKILL,
    account: Account | None = None,
) -> list[str]:
    """Command line that runs `command` and gets `death_signal` when the thread that started it ends.

    Start it from a thread that lives as long as the child may: on Linux the signal comes at the thread's end.
    On other systems there is no such signal; the next start finds and ends what was left.
    """
    return [
        sys.executable,
        "-I",
        "-S",
        os.fspath(_CHILD_SCRIPT),
        str(os.getpid()),
        str(int(death_signal)),
        f"{account.uid}:{account.gid}" if account else "-",
        *(os.fspath(part) for part in command),
    ]
