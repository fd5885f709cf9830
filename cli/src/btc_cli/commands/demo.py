"""`agent demo`: the whole agent on a practice exchange, with simulated money and no account anywhere."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btc_cli import demo_market
from btc_cli.commands.options import HomeOption, JsonOption

if TYPE_CHECKING:
    from btc_cli.demo_stack import DemoOptions
    from btc_cli.home import Home
    from btc_cli.state import State


def demo(
    home: HomeOption = None,
    detach: Annotated[bool, typer.Option("-d", "--detach", help="Return when everything is healthy.")] = False,
    market: Annotated[str, typer.Option(help="Kind of practice market.")] = demo_market.PRESET,
    seed: Annotated[int, typer.Option(help="Number that decides what the practice market does.")] = demo_market.SEED,
    symbol: Annotated[str, typer.Option(help="Pair to trade.", envvar="SYMBOL")] = "BTC-USDT",
    as_json: JsonOption = False,
    supervise: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the whole agent against a practice exchange. Needs no account, and no real money can move."""
    from btc_cli.demo_stack import DemoOptions
    from btc_cli.home import Home, default_home

    place = Home((home or default_home("demo")).absolute())
    options = DemoOptions(symbol=symbol, market=market, seed=seed)
    if detach:
        code = _detached(place, options, as_json=as_json)
    else:
        code = _foreground(place, options, as_json=as_json, quiet=supervise)
    raise typer.Exit(code)


def _detached(home: "Home", options: "DemoOptions", *, as_json: bool) -> int:
    from btc_cli.session import run_detached
    from btc_cli.state import read_state

    arguments = ["demo", "--supervise", "--home", str(home.path)]
    arguments += ["--market", options.market, "--seed", str(options.seed), "--symbol", options.symbol]
    said: set[str] = set()

    def show(state: "State") -> None:
        lines = [f"{state.doing} …"]
        lines += [f"  {process.name} is {process.status}" for process in state.processes if process.pid]
        for line in lines:
            if line not in said:
                said.add(line)
                print(line, file=sys.stderr)

    code = run_detached(home, arguments, show)
    state = read_state(home)
    if code == 0 and state is not None:
        _print_addresses(home.path, state, as_json=as_json)
    return code


def _foreground(home: "Home", options: "DemoOptions", *, as_json: bool, quiet: bool) -> int:
    import asyncio
    import os

    import httpx
    from rich.console import Console

    from btc_cli.demo_stack import demo_stack
    from btc_cli.screen import display_for, once_healthy
    from btc_cli.session import Display, no_display, run_stack

    async def run() -> "State":
        async with httpx.AsyncClient(trust_env=False) as client:  # everything is on this machine
            display: Display = no_display
            if as_json:
                display = once_healthy(lambda state: _print_addresses(home.path, state, as_json=True))
            elif not quiet:
                display = display_for(Console(), client)
            return await run_stack(
                home, "demo", lambda say: demo_stack(home, options, os.environ, client, say), display
            )

    state = asyncio.run(run())
    if not quiet:
        with contextlib.suppress(OSError):  # the terminal may be gone, which is why we are here
            print(state.error or f"stopped; everything is kept in {home.path}", file=sys.stderr, flush=True)
    return state.exit_code


def _print_addresses(home: Path, state: "State", *, as_json: bool) -> None:
    if as_json:
        import msgspec

        answer = {
            "running": True,
            "kind": state.kind,
            "pid": state.pid,
            "home": str(home),
            "addresses": state.addresses,
        }
        print(msgspec.json.encode(answer).decode(), flush=True)
        return
    for name, address in state.addresses.items():
        print(f"{name}: {address}")
    print("see ./agent status; ./agent down stops it")
