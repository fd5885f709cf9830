"""The live screen of a running stack, and its plain-line sister for pipes and logs."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

import httpx
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from btc_cli import words
from btc_cli.home import KINDS
from btc_cli.readings import Readings, read_agent
from btc_cli.session import Display
from btc_cli.state import Phase, ProcessState, State, Status, View
from btc_cli.supervisor import Event, Supervisor

_REDRAW_SECS = 0.25
_READ_SECS = 1.0
_SUMMARY_SECS = 60.0
_SHOWN_EVENTS = 4
_STATUS_STYLES = {
    Status.HEALTHY: "green",
    Status.DONE: "green",
    Status.UNHEALTHY: "red",
    Status.RESTARTING: "red",
    Status.STARTING: "yellow",
}


def once_running(write: Callable[[State], None]) -> Display:
    """Shows nothing but one text when the start is over: for programs."""

    @contextlib.asynccontextmanager
    async def display(supervisor: Supervisor, _stop: asyncio.Event) -> AsyncIterator[None]:
        def changed() -> None:
            if supervisor.state.phase is Phase.RUNNING:
                supervisor.on_change = lambda: None
                write(supervisor.state)

        supervisor.on_change = changed
        yield

    return display


def display_for(console: Console, client: httpx.AsyncClient) -> Display:
    """The live screen on a terminal, plain lines elsewhere."""
    show = _screen if console.is_terminal else _lines

    @contextlib.asynccontextmanager
    async def display(supervisor: Supervisor, stop: asyncio.Event) -> AsyncIterator[None]:
        latest = _Latest(supervisor, client)
        tasks = [asyncio.create_task(latest.keep_reading()), asyncio.create_task(show(console, supervisor, latest))]

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                stop.set()  # the terminal or pipe is gone; the error is raised below unless it is just that

        tasks[1].add_done_callback(ended)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                    raise outcome

    return display


class _Latest:
    """The newest readings, taken once a second while the web service runs."""

    def __init__(self, supervisor: Supervisor, client: httpx.AsyncClient) -> None:
        self.readings = Readings()
        self._supervisor, self._client = supervisor, client

    async def keep_reading(self) -> None:
        while True:
            address = self._supervisor.state.addresses.get("web api")
            if address is not None and self._supervisor.state.phase in (Phase.STARTING, Phase.RUNNING):
                self.readings = await read_agent(self._client, address)
            await asyncio.sleep(_READ_SECS)


async def _screen(console: Console, supervisor: Supervisor, latest: _Latest) -> None:
    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        while True:
            picture = draw(supervisor.state, latest.readings, list(supervisor.events), time.time())
            live.update(picture, refresh=True)
            await asyncio.sleep(_REDRAW_SECS)


async def _lines(_console: Console, supervisor: Supervisor, latest: _Latest) -> None:
    """What happens, as it happens, and a summary each minute or when a decision changes its action."""
    shown: Event | None = None
    last_summary, last_action = 0.0, None
    announced = False

    def print_news() -> None:
        nonlocal shown
        events = list(supervisor.events)
        for event in events[events.index(shown) + 1 if shown in events else 0 :]:
            shown = event
            _print_line(event.at, event.text)

    try:
        while True:
            print_news()
            if supervisor.state.phase is Phase.RUNNING:
                if not announced:
                    announced = True
                    for name, address in supervisor.state.addresses.items():
                        _print_line(datetime.now(UTC), f"{name}: {address}")
                found = latest.readings.decision
                if found and (found.action != last_action or time.monotonic() - last_summary >= _SUMMARY_SECS):
                    last_summary, last_action = time.monotonic(), found.action
                    _print_line(datetime.now(UTC), words.summary(latest.readings))
            await asyncio.sleep(_REDRAW_SECS)
    finally:
        print_news()


def _print_line(at: datetime, text: str) -> None:
    sys.stdout.write(f"{at:%H:%M:%SZ} {text}\n")
    sys.stdout.flush()


def draw(state: State, now: Readings, events: Sequence[Event], at: float) -> RenderableType:
    """The whole screen; `at` is the present time in epoch seconds."""
    shown = [
        Text(f"{event.at:%H:%M:%SZ} {event.text}", "dim", no_wrap=True, overflow="ellipsis")
        for event in events[-_SHOWN_EVENTS:]
    ]
    stopping = state.phase is Phase.STOPPING
    hint = Text("stopping; once more Ctrl-C does not wait" if stopping else "Ctrl-C stops", "bold")
    return Group(describe(state, now, at), *shown, hint)


def describe(state: View, now: Readings, at: float) -> RenderableType:
    """What runs, how it is, and what the agent does; `at` is the present time in epoch seconds."""
    what = "" if state.kind == KINDS[0] else f" {state.kind}"
    head = Text.assemble(("btc agent", "bold"), f"{what}  ", (state.phase.upper(), _phase_style(state)))
    head.append(f"  up {words.duration(max(0.0, at - state.started_at))}")
    if state.phase is Phase.RUNNING or now.status is not None:
        middle: RenderableType = Panel(_market(now), title=now.symbol, box=box.ROUNDED)
    elif state.phase is Phase.FAILED:
        middle = Text(state.doing, "red")
    else:
        middle = Text(f"{state.doing} …", "yellow")
    addresses = Table.grid(padding=(0, 2))
    for name, address in state.addresses.items():
        addresses.add_row(Text(name, "dim"), Text(address, "cyan"))
    attention = [Text(text, "yellow") for text in state.attention]
    return Group(head, *attention, middle, _processes(state.processes), addresses)


def _market(now: Readings) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    spread = f"bid {words.money(now.bid)}  ask {words.money(now.ask)}  24 h {words.percentage(now.change_24h_pct)}"
    table.add_row("price", Text.assemble((words.price(now), "bold"), f"  {spread}"))
    table.add_row("mode", words.mode(now))
    table.add_row("decision", words.decision(now.decision))
    table.add_row("", words.scores(now.decision))
    table.add_row("reason", (now.decision.reason if now.decision else None) or words.DASH)
    table.add_row(
        "position", Text(words.position(now), _result_style(now.position.unrealised if now.position else None))
    )
    table.add_row("result", Text(words.result(now), _result_style(now.realised)))
    table.add_row("equity", f"{words.money(now.equity)} USDT, fees {words.money(now.fees)}")
    for sentence in now.why:
        table.add_row("attention", Text(sentence, "yellow"))
    return table


def _processes(processes: Sequence[ProcessState]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for process in processes:
        table.add_row(
            process.name,
            Text(process.status, _STATUS_STYLES.get(process.status, "dim")),
            words.DASH if process.port is None else f":{process.port}",
            f"{process.restarts} restarts" if process.restarts else "",
            Text(process.detail, "dim", no_wrap=True, overflow="ellipsis"),
        )
    return table


def _phase_style(state: View) -> str:
    if state.is_healthy():
        return "bold green"
    return "bold red" if state.phase in (Phase.RUNNING, Phase.FAILED) else "bold yellow"


def _result_style(value: float | None) -> str:
    if not value:
        return ""
    return "green" if value > 0 else "red"
