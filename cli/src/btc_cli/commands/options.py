"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Folder for all state: data, logs, secrets. Default: agent (for up) or demo, in /var/lib/btc-agent as "
        "root, else in ~/.local/share/btc-agent.",
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
DetachOption = Annotated[bool, typer.Option("-d", "--detach", help="Go on in the background once it has started.")]
SuperviseOption = Annotated[bool, typer.Option(hidden=True)]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON, for programs.")]
