"""What a supervisor writes down about itself (`<home>/run/state.json`), and the lock that makes it the only one."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from btc_cli import disk
from btc_cli.home import Home, HomeError, write_atomically
from btc_cli.process_ids import is_alive, start_mark

# The stored state is never smaller, so that it has the room for another state when the disk is full.
_RESERVED_BYTES = 16_384
_READ_ATTEMPTS = 5
_READ_AGAIN_SECS = 0.01


class Phase(StrEnum):
    """Where a supervisor is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Status(StrEnum):
    """Where one of its processes is."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"


class ProcessState(msgspec.Struct):
    """One process. `pid` and `pid_mark` together name it: numbers are used again."""

    name: str
    status: Status = Status.WAITING
    detail: str = ""
    pid: int | None = None
    pid_mark: float | None = None
    port: int | None = None
    restarts: int = 0

    def is_alive(self) -> bool:
        """True while the process that was started runs."""
        return is_alive(self.pid, self.pid_mark)

    def is_well(self) -> bool:
        """True when it does what it should."""
        return self.status in (Status.HEALTHY, Status.DONE)


class View(msgspec.Struct, kw_only=True):
    """What is shown of an installation that runs, by whatever means it runs."""

    kind: str  # what runs: "agent", "demo", or the name of a Docker Compose project
    started_at: float  # epoch s
    phase: Phase = Phase.STARTING
    doing: str = ""
    addresses: dict[str, str] = msgspec.field(default_factory=dict)
    attention: list[str] = msgspec.field(default_factory=list)  # what a person should know, a sentence each
    processes: list[ProcessState] = msgspec.field(default_factory=list)

    def is_healthy(self) -> bool:
        """True when it runs and everything that should is healthy."""
        return self.phase is Phase.RUNNING and all(process.is_well() for process in self.processes)


class State(View, kw_only=True):
    """One supervisor and its processes. `exit_code` and `error` are set when it failed.

    `healthy_at_start` is False when the start was over before all was healthy, because only the exchange is missing.
    """

    pid: int
    pid_mark: float
    error: str = ""
    exit_code: int = 0
    healthy_at_start: bool = True

    def is_alive(self) -> bool:
        """True while the supervisor runs."""
        return is_alive(self.pid, self.pid_mark)


def new_state(kind: str, started_at: float) -> State:
    """The state of this very process."""
    pid = os.getpid()
    return State(kind=kind, pid=pid, pid_mark=start_mark(pid) or 0.0, started_at=started_at)


def _path(home: Home) -> Path:
    return home.run / "state.json"


def write_state(home: Home, state: State) -> None:
    """Replace the stored state in one step. On a full disk it is overwritten where it is, which takes no room.

    Raises:
        OSError: when that fails too.
    """
    text = msgspec.json.format(msgspec.json.encode(state), indent=1).ljust(_RESERVED_BYTES)
    try:
        write_atomically(_path(home), text.decode())
    except OSError as error:
        if not disk.is_full(error) or not _path(home).exists():
            raise
        with _path(home).open("r+b", buffering=0) as file:
            file.write(text)
            file.truncate()


def read_state(home: Home) -> State | None:
    """The stored state of the present or the last supervisor; None when there is none, or a damaged one.

    Raises:
        HomeError: when the home belongs to someone else.
    """
    for _ in range(_READ_ATTEMPTS):
        try:
            return msgspec.json.decode(_path(home).read_bytes(), type=State)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise HomeError(f"{home.path} belongs to another user: run the command as that user") from error
        except msgspec.DecodeError:
            time.sleep(_READ_AGAIN_SECS)  # possibly half overwritten, see `write_state`
    return None


class AlreadyRunningError(Exception):
    """Another supervisor holds the home."""


@contextlib.contextmanager
def exclusive(home: Home) -> Iterator[None]:
    """Hold the home's lock; the kernel frees it when this process ends, however it ends.

    Raises:
        AlreadyRunningError: naming the process that holds it.
    """
    with os.fdopen(os.open(home.run / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "unknown"
            raise AlreadyRunningError(
                f"already running on {home.path} (process {holder}): see ./agent status, stop it with ./agent down"
            ) from None
        file.truncate(0)
        try:
            file.write(str(os.getpid()))
            file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(home.run / "lock")) from error
        yield
        file.truncate(0)
