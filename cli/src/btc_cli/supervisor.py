"""Starts a stack in order, keeps it running, and ends it in reverse order."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from btc_cli import disk
from btc_cli.home import Home
from btc_cli.keeper import EXIT_WRONG_SETTINGS, Keeper, Timing
from btc_cli.logfiles import rotate
from btc_cli.processes import ProcessSpec, Stack
from btc_cli.state import Phase, State, Status, write_state

_CRASHES_AT_START = 3  # so often in a row before it was ever healthy, and the start has failed
_KEPT_EVENTS = 50
# What can trouble a run from outside, and what is said when that is over.
_OVER = {"disk": "there is room on the disk again", "exchange": "the exchange is reached again"}
_LOOK_SECS = 2.0  # between looks at the disk and, while something waits for it, at the exchange


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
        self._looking: asyncio.Task[None] | None = None
        self._problems = dict.fromkeys(_OVER, "")
        self._log = home.logs / "supervisor.log"

    async def start(self, stack: Stack, stop: asyncio.Event, *, deadline_secs: float) -> None:
        """Start stage after stage; returns when all is healthy, or when `stop` is set.

        What needs an exchange outside only has to run: without the exchange, the start is over as soon as it does, and
        with it after `deadline_secs` at the latest.

        Raises:
            StartError: when a process fails, or not all others are healthy within `deadline_secs`.
        """
        deadline = time.monotonic() + deadline_secs
        self._stages = [
            [Keeper(spec, self.home.logs / f"{spec.name}.log", self._changed, self._timing) for spec in stage]
            for stage in stack.stages
        ]
        self.state.addresses = dict(stack.addresses)
        self.state.processes = [keeper.state for stage in self._stages for keeper in stage]
        self.state.attention = list(stack.remarks)
        for remark in stack.remarks:
            self._record(remark)
        self._looking = asyncio.create_task(self._look_around(stack))
        for stage in self._stages:
            self.state.doing = f"starting {', '.join(keeper.spec.name for keeper in stage)}"
            for keeper in stage:
                run = keeper.run_once() if keeper.spec.runs_once else keeper.keep_running()
                self._tasks[keeper.spec.name] = asyncio.create_task(run)
            self.state.healthy_at_start &= await self._until_healthy(stage, stop, deadline)
            if stop.is_set():
                return
            for keeper in stage:
                keeper.start_is_over()
        self.phase(Phase.RUNNING)

    async def run(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set. What fails inside the supervisor itself is raised."""
        stopping = asyncio.create_task(stop.wait())
        try:
            keeping = [task for task in self._tasks.values() if not task.done()]
            looking = [self._looking] if self._looking is not None else []
            done, _ = await asyncio.wait((stopping, *looking, *keeping), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            stopping.cancel()

    async def stop(self, hurry: asyncio.Event) -> None:
        """End all processes, the last started first. `hurry` cuts their grace short."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        self.state.attention = []
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
        with _room_or_not(), self._log.open("a", encoding="utf-8") as file:
            file.write(f"{event.at:%Y-%m-%dT%H:%M:%SZ} {text}\n")
        self._publish()

    def _publish(self) -> None:
        with _room_or_not():
            write_state(self.home, self.state)
        self.on_change()

    async def _look_around(self, stack: Stack) -> None:
        """Keep `state.attention` true: what was remarked at the start, a disk that fills, an exchange out of reach."""
        while True:
            folders = (self.home.path, self.home.postgres.resolve())
            short = next((text for folder in folders if (text := disk.shortage(folder, disk.LOW_BYTES))), "")
            self._problems, before = {"disk": short, "exchange": await self._ask_exchange(stack)}, self._problems
            self.state.attention = [*stack.remarks, *filter(None, self._problems.values())]
            for name, text in self._problems.items():
                if bool(text) != bool(before[name]):
                    self._record(text or _OVER[name])
            if self._problems != before:
                self._publish()
            self._news.set()
            rotate(self._log)
            await asyncio.sleep(_LOOK_SECS)

    async def _ask_exchange(self, stack: Stack) -> str:
        """Why the exchange is not reached. It is asked only while something may be waiting for it."""
        waiting = [
            keeper
            for stage in self._stages
            for keeper in stage
            if keeper.spec.needs_exchange and keeper.state.status is not Status.HEALTHY
        ]
        return await stack.ask_exchange() if stack.ask_exchange is not None and waiting else ""

    async def _until_healthy(self, stage: list[Keeper], stop: asyncio.Event, deadline: float) -> bool:
        """True when all of the stage is healthy, False when what is not can only wait for the exchange."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._news.clear()
                for keeper in stage:
                    self._check(keeper)
                missing = [k for k in stage if k.state.status not in (Status.HEALTHY, Status.DONE)]
                if not missing:
                    return True
                left = deadline - time.monotonic()
                if all(keeper.spec.needs_exchange and keeper.answers for keeper in missing) and (
                    self._problems["exchange"] or left <= 0
                ):
                    return False
                if left <= 0:
                    raise StartError("\n".join(self._report(keeper, _not_healthy(keeper)) for keeper in missing))
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait((news, stopping), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
            return False
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
        text = f"{keeper.spec.name} {what}"
        return "; ".join(
            part for part in (text, disk.way_out(text) or keeper.spec.advice, f"log: {keeper.log}") if part
        )


@contextlib.contextmanager
def _room_or_not() -> Iterator[None]:
    """What a full disk keeps from being written must not end the supervisor: its processes need it, and `attention`
    tells of the disk."""
    try:
        yield
    except OSError as error:
        if not disk.is_full(error):
            raise


def _not_healthy(keeper: Keeper) -> str:
    return f"is not healthy in time: {keeper.state.detail or keeper.state.status}"
