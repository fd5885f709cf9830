"""Starts a stack in order, keeps it running, and ends it in reverse order."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from btc_cli.home import Home
from btc_cli.keeper import EXIT_WRONG_SETTINGS, Keeper, Timing
from btc_cli.logfiles import last_lines
from btc_cli.processes import ProcessSpec, Stack
from btc_cli.state import Phase, State, Status, write_state

_CRASHES_AT_START = 3  # so often in a row before it was ever healthy, and the start has failed
_KEPT_EVENTS = 50


class StartError(Exception):
    """The stack did not come up. The message says which process, why, and quotes its log."""


@dataclass(frozen=True)
class Event:
    """Something a person may want to read."""

    at: datetime
    text: str


class Supervisor:
    """Runs the processes of a stack. Use from one thread: children die when the thread that started them ends."""

    def __init__(self, home: Home, state: State, timing: Timing | None = None) -> None:
        self.home = home
        self.state = state
        self.events: deque[Event] = deque(maxlen=_KEPT_EVENTS)
        self.on_change: Callable[[], None] = lambda: None
        self._timing = timing or Timing()
        self._stages: list[list[Keeper]] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self._log = home.logs / "supervisor.log"

    async def start(self, stack: Stack, stop: asyncio.Event, *, deadline_secs: float) -> None:
        """Start stage after stage; returns when all is healthy, or when `stop` is set.

        Raises:
            StartError: when a process fails, or not all are healthy within `deadline_secs`.
        """
        deadline = time.monotonic() + deadline_secs
        self._stages = [
            [Keeper(spec, self.home.logs / f"{spec.name}.log", self._changed, self._timing) for spec in stage]
            for stage in stack.stages
        ]
        self.state.addresses = dict(stack.addresses)
        self.state.processes = [keeper.state for stage in self._stages for keeper in stage]
        for stage in self._stages:
            self.state.doing = f"starting {', '.join(keeper.spec.name for keeper in stage)}"
            for keeper in stage:
                run = keeper.run_once() if keeper.spec.runs_once else keeper.keep_running()
                self._tasks[keeper.spec.name] = asyncio.create_task(run)
            await self._until_healthy(stage, stop, deadline)
            if stop.is_set():
                return
        self.phase(Phase.RUNNING)

    async def run(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set. What fails inside the supervisor itself is raised."""
        stopping = asyncio.create_task(stop.wait())
        try:
            keeping = [task for task in self._tasks.values() if not task.done()]
            done, _ = await asyncio.wait((stopping, *keeping), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            stopping.cancel()

    async def stop(self, hurry: asyncio.Event) -> None:
        """End all processes, the last started first. `hurry` cuts their grace short."""
        self.phase(Phase.STOPPING)
        for stage in reversed(self._stages):
            await asyncio.gather(*(keeper.stop(hurry) for keeper in stage))
            tasks = [self._tasks[keeper.spec.name] for keeper in stage if keeper.spec.name in self._tasks]
            await asyncio.gather(*tasks, return_exceptions=True)  # a bug was raised by `run` or `start` before

    def say(self, text: str) -> None:
        """Record what is being done or has happened."""
        self.state.doing = text
        self._record(text)

    def phase(self, phase: Phase) -> None:
        """Enter a phase of life."""
        self.state.phase = phase
        self.say(f"{self.state.kind} {'has' if phase is Phase.FAILED else 'is'} {phase}")

    def fail(self, error: str, exit_code: int) -> None:
        """Record why it cannot go on."""
        self.state.error, self.state.exit_code = error, exit_code
        self.say(f"{self.state.kind} has failed: {error.splitlines()[0]}")

    def finish(self) -> None:
        """Record that nothing runs any more."""
        self.phase(Phase.FAILED if self.state.error else Phase.STOPPED)

    def _changed(self, sentence: str) -> None:
        self._news.set()
        if sentence:
            self._record(sentence)
        else:
            self._publish()

    def _record(self, text: str) -> None:
        event = Event(datetime.now(UTC), text)
        self.events.append(event)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{event.at:%Y-%m-%dT%H:%M:%SZ} {text}\n")
        self._publish()

    def _publish(self) -> None:
        write_state(self.home, self.state)
        self.on_change()

    async def _until_healthy(self, stage: list[Keeper], stop: asyncio.Event, deadline: float) -> None:
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._news.clear()
                for keeper in stage:
                    self._check(keeper)
                missing = [k for k in stage if k.state.status not in (Status.HEALTHY, Status.DONE)]
                if not missing:
                    return
                left = deadline - time.monotonic()
                if left <= 0:
                    raise StartError("\n".join(self._report(keeper, _not_healthy(keeper)) for keeper in missing))
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait((news, stopping), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            stopping.cancel()

    def _check(self, keeper: Keeper) -> None:
        """Raise when a process of the stage has failed for good."""
        spec: ProcessSpec = keeper.spec
        task = self._tasks[spec.name]
        if task.done() and (error := task.exception()) is not None:
            raise StartError(f"{spec.name} cannot be run: {error}") from error
        if spec.runs_once:
            if keeper.last_exit:
                raise StartError(self._report(keeper, f"failed: {keeper.exit_text()}"))
        elif keeper.crashes >= _CRASHES_AT_START or keeper.last_exit == EXIT_WRONG_SETTINGS:
            raise StartError(self._report(keeper, f"does not start: {keeper.exit_text()}"))

    def _report(self, keeper: Keeper, what: str) -> str:
        lines = [f"{keeper.spec.name} {what}"]
        lines += [f"  | {line}" for line in last_lines(keeper.log)]
        lines.append(f"  log: {keeper.log}")
        return "\n".join(lines)


def _not_healthy(keeper: Keeper) -> str:
    return f"is not healthy in time: {keeper.state.detail or keeper.state.status}"
