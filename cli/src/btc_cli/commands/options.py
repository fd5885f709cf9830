"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder for all state: data, logs, secrets. Default: /var/lib/btc-agent/demo as root, "
        "else ~/.local/share/btc-agent/demo.",
    ),
]
ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="NAME",
        help="Docker Compose project to look at. Default: what the launcher runs, else btc-agent, else btc-practice.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON, for programs.")]
