"""What the supervisor runs, as data: commands, how to see that they are well, and how to stop them."""

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from btc_cli.children import Account


class Condition(StrEnum):
    """What a look at a running process found."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    SILENT = "silent"  # it gave no answer at all: still starting, or stuck


class Finding(NamedTuple):
    """A condition and, unless healthy, why."""

    condition: Condition
    detail: str = ""


Probe = Callable[[int], Awaitable[Finding]]
"""Looks at the process with the given id. Must answer within seconds and never raise."""


async def alive_is_healthy(_pid: int) -> Finding:
    """For a process with nothing to ask: it runs, so it is well."""
    return Finding(Condition.HEALTHY)


@dataclass(frozen=True)
class ProcessSpec:
    """One process. With `runs_once` it must end with exit status 0 before the next stage starts."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)  # holds passwords
    probe: Probe = alive_is_healthy
    port: int | None = None
    runs_once: bool = False
    needs_exchange: bool = False  # it can run without the exchange, but is not healthy then
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_secs: float = 12.0  # a service ends its connections within 5 s and its work within a few more
    abort_signal: signal.Signals = signal.SIGKILL  # when it is still there after that
    advice: str = ""  # what a person can do when it does not start, besides reading why
    # What the kernel sends when the supervisor itself is killed. Nothing may stay behind, so it is not a request.
    death_signal: signal.Signals = signal.SIGKILL


@dataclass(frozen=True)
class Stack:
    """All processes, in stages: a stage starts when the one before it is healthy; they stop in reverse order."""

    stages: Sequence[Sequence[ProcessSpec]]
    addresses: Mapping[str, str]  # what a person may open, by name
    remarks: Sequence[str] = ()  # what a person should know about this run
    # Says why the exchange is not reached, or nothing when it is. None: the exchange is one of the processes.
    ask_exchange: Callable[[], Awaitable[str]] | None = None

    @property
    def processes(self) -> list[ProcessSpec]:
        """All of them in starting order."""
        return [spec for stage in self.stages for spec in stage]
