"""One run of a stack, from the lock to the last process's end, in the foreground or detached."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

from btc_cli import disk
from btc_cli.embedded import EmbeddedError
from btc_cli.home import Home, HomeError
from btc_cli.keeper import Timing
from btc_cli.leftovers import end_leftovers
from btc_cli.logfiles import last_lines, rotate
from btc_cli.ports import PortError
from btc_cli.processes import Stack
from btc_cli.state import Phase, State, exclusive, new_state, read_state, write_state
from btc_cli.supervisor import StartError, Supervisor
from btc_shared.settings import SettingsError

EXIT_FAILED = 1
EXIT_WRONG_SETTINGS = 2
EXIT_NOT_HEALTHY = 4  # of a detached start: it runs, but waits for the exchange
START_SECS = 120.0
STOP_SECS = 90.0  # more than all graces together: services 12 s, exchange 12 s, servers 30 s
_KILLED_SECS = 10.0

Say = Callable[[str], None]
"""Tells a person what is being done."""

Prepare = Callable[[Say], Stack]
"""Makes the stack, telling what it does; runs in a thread."""

Display = Callable[[Supervisor, asyncio.Event], AbstractAsyncContextManager[None]]
"""Shows a supervisor while it runs; may set the event to end the run (its terminal is gone)."""


@contextlib.asynccontextmanager
async def no_display(_supervisor: Supervisor, _stop: asyncio.Event) -> AsyncIterator[None]:
    """For a detached run: `status` and the logs show it."""
    yield


async def run_stack(
    home: Home, kind: str, prepare: Prepare, display: Display = no_display, timing: Timing | None = None
) -> State:
    """Run until a signal asks to end; leaves no process behind. Returns the final state: `exit_code` and `error`.

    Raises:
        AlreadyRunningError, HomeError: nothing was started.
        OSError: the disk is full; nothing was started.
    """
    home.create()
    with exclusive(home):
        previous = read_state(home)
        rotate(home.logs / "supervisor.log")
        supervisor = Supervisor(home, new_state(kind, time.time()), timing)
        write_state(home, supervisor.state)  # the only time that it must succeed
        supervisor.phase(Phase.STARTING)
        stop, hurry = asyncio.Event(), asyncio.Event()
        _on_signals(lambda: hurry.set() if stop.is_set() else stop.set())
        async with display(supervisor, stop):
            try:
                await asyncio.to_thread(end_leftovers, home, previous, supervisor.say)
                stack = await asyncio.to_thread(prepare, supervisor.say)
                if not stop.is_set():
                    await supervisor.start(stack, stop, deadline_secs=START_SECS)
                await supervisor.run(stop)
            except SettingsError as error:
                supervisor.fail(str(error), EXIT_WRONG_SETTINGS)
            except (StartError, EmbeddedError, HomeError, PortError) as error:
                supervisor.fail(str(error), EXIT_FAILED)
            except Exception as error:
                if not isinstance(error, OSError) or not disk.is_full(error):
                    supervisor.fail(f"the supervisor itself failed: {error!r}", EXIT_FAILED)
                    raise
                supervisor.fail(disk.full_sentence(error), EXIT_FAILED)
            finally:
                await supervisor.stop(hurry)
        supervisor.finish()
        return supervisor.state


def _on_signals(ask: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            loop.add_signal_handler(number, ask)


def run_detached(
    home: Home, arguments: Sequence[str], environ: Mapping[str, str], show: Callable[[State], None]
) -> int:
    """Start `python -m btc_cli <arguments>` in a session of its own and wait until all is healthy, or until everything
    runs and only the exchange is missing.

    `show` is called for every change until then. Returns the exit status.

    Raises:
        AlreadyRunningError: when something runs on the home already.
    """
    home.create()
    with exclusive(home):  # a clear answer now rather than in a log; the child takes the lock for itself
        pass
    log = home.logs / "supervisor.log"
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "btc_cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=environ,
            start_new_session=True,
        )
    shown = ""
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.1)
            state = read_state(home)
            if state is None or state.pid != child.pid:
                state = None
            elif (news := repr(state)) != shown:
                shown = news
                show(state)
            if child.returncode is not None:
                return _explain_end(state, child.returncode, last_lines(log))
            if state is not None and state.phase is Phase.RUNNING:
                child.returncode = 0  # it goes on without us
                return 0 if state.healthy_at_start else EXIT_NOT_HEALTHY
    except KeyboardInterrupt:
        child.send_signal(signal.SIGTERM)
        child.wait()
        raise


def _explain_end(state: State | None, exit_code: int, log: Sequence[str]) -> int:
    if state is not None and state.error:
        print(state.error, file=sys.stderr)
    elif state is not None and state.phase is Phase.STOPPED:
        print("stopped before everything was healthy", file=sys.stderr)
    elif log and log[-1].startswith("agent: "):
        print(log[-1], file=sys.stderr)
    else:
        print("it ended before everything was healthy:", *log, sep="\n  ", file=sys.stderr)
    return exit_code or EXIT_FAILED


def stop_running(home: Home, show: Callable[[str], None], deadline_secs: float = STOP_SECS) -> bool:
    """Ask the home's supervisor to end and wait until no process of it is left. False when nothing ran.

    A supervisor that does not end in time is killed, and its processes with it.

    Raises:
        TimeoutError: when something runs even then.
    """
    state = read_state(home)
    if state is None or not anything_runs(state):
        return False
    if state.is_alive():
        show(f"stopping {state.kind} (process {state.pid})")
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.pid, signal.SIGTERM)
        if not _ends(home, deadline_secs):
            show("it does not end in time: killing it")
            with contextlib.suppress(ProcessLookupError):
                os.kill(state.pid, signal.SIGKILL)
            _ends(home, _KILLED_SECS)
    remaining = read_state(home) or state
    if anything_runs(remaining):  # where the kernel does not end a killed supervisor's children
        with exclusive(home):
            end_leftovers(home, remaining, show)
    if anything_runs(remaining):
        running = ", ".join(f"{process.name} ({process.pid})" for process in remaining.processes if process.is_alive())
        raise TimeoutError(f"still running: {running}")
    return True


def anything_runs(state: State) -> bool:
    """True while the supervisor or one of its processes runs."""
    return state.is_alive() or any(process.is_alive() for process in state.processes)


def _ends(home: Home, secs: float) -> bool:
    """True when supervisor and processes end within `secs`."""
    deadline = time.monotonic() + secs
    while (state := read_state(home)) is not None and anything_runs(state):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # another session's process cannot be awaited, only looked at
    return True
