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
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON, for programs.")]
