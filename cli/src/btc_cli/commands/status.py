"""`agent status`: what runs, how it is, and what the agent is doing."""

import os
import sys
import time
from typing import TYPE_CHECKING

import typer

from btc_cli.commands.options import HomeOption, JsonOption, ProjectOption

if TYPE_CHECKING:
    from btc_cli.installation import Found, Installation
    from btc_cli.readings import Readings
    from btc_cli.state import View

EXIT_DEGRADED = 1
EXIT_NOT_RUNNING = 3


def status(home: HomeOption = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Show what runs. Exit status: 0 all healthy, 1 not all, 3 nothing runs."""
    from btc_cli.installation import find

    found = find(home, project)
    running = found.running()
    if not running:
        _not_running(found, as_json=as_json)
        raise typer.Exit(EXIT_NOT_RUNNING)
    shown = running[0]
    view = shown.view
    assert view is not None
    now = _readings(view)
    if as_json:
        _print_json(answer(shown, view, now, time.time()))
    else:
        _print_table(shown, view, now)
    for other in running[1:]:
        _note(f"also running {other.where}: see ./agent status {other.option}", as_json=as_json)
    raise typer.Exit(0 if view.is_healthy() else EXIT_DEGRADED)


def answer(shown: "Installation", view: "View", now: "Readings", at: float) -> dict[str, object]:
    """What `--json` prints; `at` is the present time in epoch seconds. `pid` is the supervisor's; Docker has none."""
    return {
        "running": True,
        "healthy": view.is_healthy(),
        **shown.identity,
        "kind": view.kind,
        "phase": view.phase,
        "uptime_secs": round(at - view.started_at, 1),
        "addresses": view.addresses,
        "attention": view.attention,
        "processes": [
            {
                "name": process.name,
                "status": process.status,
                "detail": process.detail,
                "pid": process.pid,
                "port": process.port,
                "restarts": process.restarts,
            }
            for process in view.processes
        ],
        "agent": now,
    }


def _not_running(found: "Found", *, as_json: bool) -> None:
    if as_json:
        _print_json({"running": False, "healthy": False, **found.installations[0].identity})
    for installation in found.installations:
        if not as_json:
            print(f"not running {installation.where}")
        if installation.failure:
            _note(f"the last start failed: {installation.failure}", as_json=as_json)
    if found.problem:
        _note(f"whether anything runs with Docker is not known: {found.problem}", as_json=as_json)


def _note(text: str, *, as_json: bool) -> None:
    print(text, file=sys.stderr if as_json else sys.stdout)


def _readings(view: "View") -> "Readings":
    import asyncio

    import httpx

    from btc_cli.readings import Readings, api_headers, read_agent

    address = view.addresses.get("web api")
    if address is None:
        return Readings()

    async def read() -> Readings:
        async with httpx.AsyncClient(trust_env=False, headers=api_headers(os.environ)) as client:
            return await read_agent(client, address)

    return asyncio.run(read())


def _print_json(value: object) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def _print_table(shown: "Installation", view: "View", now: "Readings") -> None:
    from rich.console import Console

    from btc_cli.screen import describe

    console = Console()
    console.print(describe(view, now, time.time()))
    console.print(shown.footer, style="dim", highlight=False)
