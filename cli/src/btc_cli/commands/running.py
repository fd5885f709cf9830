"""What `up` and `demo` share: one run of the agent, in the foreground or detached."""

import contextlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from btc_cli.demo_market import PracticeMarket
    from btc_cli.home import Home
    from btc_cli.processes import Stack
    from btc_cli.session import Say
    from btc_cli.state import State


def run(
    home: "Path | None",
    kind: str,
    practice: "PracticeMarket | None",
    arguments: "Sequence[str]",
    *,
    detach: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run until it is ended, or with `detach` until it runs without us; returns the exit status.

    `kind` is one of `home.KINDS`, `arguments` are the command line that runs the same in another process.
    """
    import os

    from btc_cli.home import Home, default_home
    from btc_cli.service_environment import with_absolute_files

    place = Home((home or default_home(kind)).absolute())
    environ = with_absolute_files(os.environ)
    if detach:
        return _detached(place, [*arguments, "--supervise", "--home", str(place.path)], environ, as_json=as_json)
    return _foreground(place, kind, practice, environ, as_json=as_json, quiet=quiet)


def _detached(home: "Home", arguments: "Sequence[str]", environ: "Mapping[str, str]", *, as_json: bool) -> int:
    from btc_cli.session import EXIT_NOT_HEALTHY, run_detached
    from btc_cli.state import read_state

    said: set[str] = set()

    def show(state: "State") -> None:
        lines = [f"{state.doing} …", *state.attention]
        lines += [f"  {process.name} is {process.status}" for process in state.processes if process.pid]
        for line in lines:
            if line not in said:
                said.add(line)
                print(line, file=sys.stderr)

    code = run_detached(home, arguments, environ, show)
    state = read_state(home)
    if state is None or code not in (0, EXIT_NOT_HEALTHY):
        return code
    if code == EXIT_NOT_HEALTHY:
        names = ", ".join(process.name for process in state.processes if not process.is_well())
        print(f"it runs, but is not healthy yet: {names} wait for the exchange and go on trying", file=sys.stderr)
    _print_addresses(home, state, as_json=as_json)
    return code


def _foreground(
    home: "Home",
    kind: str,
    practice: "PracticeMarket | None",
    environ: "Mapping[str, str]",
    *,
    as_json: bool,
    quiet: bool,
) -> int:
    import asyncio

    import httpx
    from rich.console import Console

    from btc_cli.readings import api_headers
    from btc_cli.screen import display_for, once_running
    from btc_cli.session import Display, no_display, run_stack

    async def launch() -> "State":
        # Everything is on this machine.
        async with httpx.AsyncClient(trust_env=False, headers=api_headers(environ)) as client:

            def prepare(say: "Say") -> "Stack":
                from btc_cli.agent_stack import agent_stack  # takes a second, while the screen is there already

                return agent_stack(home, practice, environ, client, say)

            display: Display = no_display
            if as_json:
                display = once_running(lambda state: _print_addresses(home, state, as_json=True))
            elif not quiet:
                display = display_for(Console(), client)
            return await run_stack(home, kind, prepare, display)

    state = asyncio.run(launch())
    if not quiet:
        with contextlib.suppress(OSError):  # the terminal may be gone, which is why we are here
            print(state.error or f"stopped; everything is kept in {home.path}", file=sys.stderr, flush=True)
    return state.exit_code


def _print_addresses(home: "Home", state: "State", *, as_json: bool) -> None:
    if as_json:
        import msgspec

        answer = {
            "running": True,
            "healthy": state.healthy_at_start,
            "kind": state.kind,
            "pid": state.pid,
            "home": str(home.path),
            "addresses": state.addresses,
            "attention": state.attention,
        }
        print(msgspec.json.encode(answer).decode(), flush=True)
        return
    for name, address in state.addresses.items():
        print(f"{name}: {address}")
    print("see ./agent status; ./agent down stops it")
