"""`agent demo`: the whole agent on a practice exchange, with simulated money and no account anywhere."""

from typing import Annotated

import typer

from btc_cli import demo_market
from btc_cli.commands.options import DetachOption, HomeOption, JsonOption, SuperviseOption


def demo(
    home: HomeOption = None,
    detach: DetachOption = False,
    market: Annotated[
        str, typer.Option(help="Film to play (demo, selloff, flash-crash, bleed, rally, calm …), or crash or calm2022.")
    ] = demo_market.FILM,
    seed: Annotated[
        int | None, typer.Option(help="Number that decides what crash or calm2022 does; a film has its own.")
    ] = None,
    symbol: Annotated[str, typer.Option(help="Pair to trade.", envvar="SYMBOL")] = "BTC-USDT",
    as_json: JsonOption = False,
    supervise: SuperviseOption = False,
) -> None:
    """Run the whole agent against a practice exchange. Needs no account, and no real money can move."""
    from btc_cli.commands.running import run
    from btc_cli.demo_market import PracticeMarket

    practice = PracticeMarket(symbol=symbol, market=market, seed=seed)
    arguments = ["demo", "--market", market, "--symbol", symbol]
    arguments += [] if seed is None else ["--seed", str(seed)]
    raise typer.Exit(run(home, "demo", practice, arguments, detach=detach, as_json=as_json, quiet=supervise))
