"""`agent up`: the whole agent on KuCoin's market, with simulated money and no account."""

import typer

from btc_cli.commands.options import DetachOption, HomeOption, JsonOption, SuperviseOption


def up(
    home: HomeOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
    supervise: SuperviseOption = False,
) -> None:
    """Run the whole agent on KuCoin's public data, without Docker. It trades simulated money.

    With -d the exit status is 0 when everything is healthy, 4 when it runs but waits for the exchange, 1 when it
    did not start, and 2 when settings are wrong.
    """
    from btc_cli.commands.running import run

    raise typer.Exit(run(home, "agent", None, ["up"], detach=detach, as_json=as_json, quiet=supervise))
