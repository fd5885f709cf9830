"""`agent status`: what runs, how it is, and what the agent is doing."""

import time
from typing import TYPE_CHECKING

import typer

from btc_cli.commands.options import HomeOption, JsonOption

if TYPE_CHECKING:
    from btc_cli.readings import Readings
    from btc_cli.state import State

EXIT_DEGRADED = 1
EXIT_NOT_RUNNING = 3


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what runs. Exit status: 0 all healthy, 1 not all, 3 nothing runs."""
    from btc_cli.home import Home, default_home
    from btc_cli.state import read_state

    place = Home((home or default_home("demo")).absolute())
    state = read_state(place)
    if state is None or not state.is_alive():
        if as_json:
            _print_json({"running": False, "healthy": False, "home": str(place.path)})
        else:
            print(f"not running on {place.path}")
            if state is not None and state.error:
                print(f"the last start failed: {state.error}")
        raise typer.Exit(EXIT_NOT_RUNNING)
    now = _readings(state)
    if as_json:
        _print_json(answer(str(place.path), state, now))
    else:
        _print_table(str(place.path), state, now)
    raise typer.Exit(0 if state.is_healthy() else EXIT_DEGRADED)


def answer(home: str, state: "State", now: "Readings") -> dict[str, object]:
    """What `--json` prints."""
    return {
        "running": True,
        "healthy": state.is_healthy(),
        "kind": state.kind,
        "phase": state.phase,
        "pid": state.pid,
        "home": home,
        "uptime_secs": round(time.time() - state.started_at, 1),
        "addresses": state.addresses,
        "processes": [
            {
                "name": process.name,
                "status": process.status,
                "detail": process.detail,
                "pid": process.pid,
                "port": process.port,
                "restarts": process.restarts,
            }
            for process in state.processes
        ],
        "agent": now,
    }


def _readings(state: "State") -> "Readings":
    import asyncio

    import httpx

    from btc_cli.readings import Readings, read_agent

    address = state.addresses.get("web api")
    if address is None:
        return Readings()

    async def read() -> Readings:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await read_agent(client, address)

    return asyncio.run(read())


def _print_json(value: object) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def _print_table(home: str, state: "State", now: "Readings") -> None:
    from rich.console import Console

    from btc_cli.screen import describe

    console = Console()
    console.print(describe(state, now, time.time()))
    console.print(f"home {home}, process {state.pid}", style="dim", highlight=False)
