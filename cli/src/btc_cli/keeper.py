"""Keeps one process running: starts it, looks at it, starts it anew with growing delays, ends it."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from btc_cli import disk
from btc_cli.children import bound_command
from btc_cli.logfiles import last_lines, rotate
from btc_cli.process_ids import start_mark
from btc_cli.processes import Condition, ProcessSpec
from btc_cli.reasons import reason_in
from btc_cli.state import ProcessState, Status

EXIT_WRONG_SETTINGS = 2  # a restart would not help


@dataclass(frozen=True)
class Timing:
    """Seconds between looks and before restarts. Tests shorten them."""

    probe_secs: float = 1.0
    starting_probe_secs: float = 0.1
    first_delay_secs: float = 1.0
    longest_delay_secs: float = 30.0
    forgiven_after_secs: float = 60.0  # so long healthy, and the next delay is the first one again
    silent_secs: float = 60.0  # so long without any answer, after having been healthy: it is stuck
    abort_secs: float = 5.0


def restart_delay(crashes: int, timing: Timing) -> float:
    """Seconds to wait before the restart after the `crashes`-th crash in a row (1, 2, 4 … up to the longest)."""
    return float(min(timing.longest_delay_secs, timing.first_delay_secs * 2 ** min(crashes - 1, 30)))


class Keeper:
    """One process and its `state`. `changed` is called after every change, with a sentence about it or an empty one."""

    def __init__(
        self,
        spec: ProcessSpec,
        log: Path,
        changed: Callable[[str], None],
        timing: Timing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spec = spec
        self.log = log
        self.state = ProcessState(spec.name, port=spec.port)
        self.crashes = 0  # in a row
        self.last_exit: int | None = None
        self._changed, self._timing, self._clock = changed, timing, clock
        self._stopping = asyncio.Event()
        self._spawning = asyncio.Lock()  # so that `stop` never misses a process that is just being started
        self._process: asyncio.subprocess.Process | None = None
        self._healthy_since: float | None = None
        self._last_answer: float | None = None
        self._start_is_over = False
        self._log_start = 0  # where the log of the present run begins

    @property
    def answers(self) -> bool:
        """True when it has answered since it was started, if only that it is not well."""
        return self._process is not None and self._last_answer is not None

    def start_is_over(self) -> None:
        """From now on, one that answers but is not well is no longer starting."""
        self._start_is_over = True

    async def run_once(self) -> None:
        """Run to the end, unless `stop` was called before; `last_exit` has the exit status."""
        process = await self._spawn()
        if process is None:
            return
        code = await process.wait()
        self._process = None
        self.last_exit = code
        done = code == 0
        self._set(Status.DONE if done else Status.STOPPED, "" if done else self.exit_text())

    async def keep_running(self) -> None:
        """Run and restart until `stop` is called."""
        while (process := await self._spawn()) is not None:
            ending = asyncio.create_task(process.wait())
            watching = asyncio.create_task(self._watch(process.pid))
            try:
                await asyncio.wait((ending, watching), return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    watching.result()  # raises: a bug in a probe ends the supervisor; blind it is of no use
                code = await ending
            finally:
                ending.cancel()
                watching.cancel()
            self._process = None
            if self._stopping.is_set():
                break
            await self._wait_before_restart(code)
        self.state.pid = self.state.pid_mark = None
        self._set(Status.STOPPED)

    async def stop(self, hurry: asyncio.Event) -> None:
        """End the process and all that it started: ask, wait for its grace (not when in a hurry), then force it."""
        self._stopping.set()
        async with self._spawning:
            process = self._process
        if process is None:
            return
        self._set(Status.STOPPING)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.spec.stop_signal)
        if not await self._ends(process, self.spec.stop_secs, hurry):
            self._changed(f"{self.spec.name} does not end by itself: forcing it")
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.spec.abort_signal)
            if not await self._ends(process, self._timing.abort_secs):
                process.kill()
                await process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it may have started itself

    def exit_text(self) -> str:
        """How the process last ended, and what its log says of it."""
        code = self.last_exit or 0
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        how = f"{how}, {self.crashes} times in a row" if self.crashes > 1 else how
        reason = reason_in(last_lines(self.log, start=self._log_start))
        return f"{how}: {reason}" if reason else how

    async def _spawn(self) -> asyncio.subprocess.Process | None:
        """Start the process; None once `stop` was called."""
        spec = self.spec
        async with self._spawning:
            if self._stopping.is_set():
                return None
            with self._open_log() as output:
                self._log_start = output.tell()
                self._process = process = await asyncio.create_subprocess_exec(
                    *bound_command(spec.command, death_signal=spec.death_signal, account=spec.account),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env=dict(spec.environment),
                    start_new_session=True,  # Ctrl-C at the terminal reaches only the supervisor, which stops in order
                )
            self._healthy_since = self._last_answer = None
            self.state.pid, self.state.pid_mark = process.pid, start_mark(process.pid)
            self._set(Status.STARTING)
        return process

    def _open_log(self) -> BinaryIO:
        try:
            return self.log.open("ab")
        except OSError as error:
            if not disk.is_full(error):
                raise
            return Path(os.devnull).open("wb")  # better to run without a log than not at all

    async def _watch(self, pid: int) -> None:
        while True:
            finding = await self.spec.probe(pid)
            if self._stopping.is_set():
                return
            now = self._clock()
            if finding.condition is Condition.HEALTHY:
                self._last_answer = now
                if self._healthy_since is None:
                    self._healthy_since = now
                self._set(Status.HEALTHY)
            else:
                if finding.condition is Condition.UNHEALTHY:
                    self._last_answer = now
                self._healthy_since = None
                was_up = self.state.status not in (Status.STARTING, Status.RESTARTING)
                is_up = was_up or (self._start_is_over and finding.condition is Condition.UNHEALTHY)
                self._set(Status.UNHEALTHY if is_up else Status.STARTING, finding.detail)
                if self._last_answer is not None and now - self._last_answer > self._timing.silent_secs:
                    self._changed(f"{self.spec.name} has not answered for {now - self._last_answer:.0f} s: ending it")
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(pid, signal.SIGKILL)
                    return
            rotate(self.log)
            starting = self.state.status is Status.STARTING
            await asyncio.sleep(self._timing.starting_probe_secs if starting else self._timing.probe_secs)

    async def _wait_before_restart(self, code: int) -> None:
        healthy_secs = 0.0 if self._healthy_since is None else self._clock() - self._healthy_since
        self.crashes = 1 if healthy_secs >= self._timing.forgiven_after_secs else self.crashes + 1
        self.last_exit = code
        self.state.restarts += 1
        self.state.pid = self.state.pid_mark = None
        delay = restart_delay(self.crashes, self._timing)
        self._set(Status.RESTARTING, f"{self.exit_text()}; starts again in {delay:.0f} s")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay)

    async def _ends(self, process: asyncio.subprocess.Process, secs: float, hurry: asyncio.Event | None = None) -> bool:
        """True when the process ends within `secs` or before `hurry`."""
        ending = asyncio.ensure_future(process.wait())
        hurrying = asyncio.ensure_future((hurry or asyncio.Event()).wait())
        try:
            await asyncio.wait((ending, hurrying), timeout=secs, return_when=asyncio.FIRST_COMPLETED)
            return ending.done()
        finally:
            for waiting in (ending, hurrying):
                waiting.cancel()

    def _set(self, status: Status, detail: str = "") -> None:
        if (self.state.status, self.state.detail) == (status, detail) and status is not Status.STARTING:
            return
        status_changed = self.state.status is not status
        self.state.status, self.state.detail = status, detail
        sentence = f"{self.spec.name} is {status}{f': {detail}' if detail else ''}"
        self._changed(sentence if status_changed else "")
