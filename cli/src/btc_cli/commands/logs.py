"""`agent logs`: what the processes have written, whichever way they run."""

import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from btc_cli.commands.options import HomeOption, ProjectOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from btc_cli.installation import Installation, Logs
    from btc_cli.loglines import LogLine, Wanted

_POLL_SECS = 0.25
# As a program that one of these signals has ended.
_EXIT_INTERRUPTED, _EXIT_PIPE_CLOSED, _EXIT_TERMINATED = (
    128 + number for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM)
)


def logs(
    services: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Whose; all without it.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is written from now on.")] = False,
    tail: Annotated[int | None, typer.Option("-n", "--tail", min=0, help="The last so many of each service.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From a time on: 10m, 2h, 1d ago, or 2026-01-31T08:00 (UTC).")
    ] = None,
    home: HomeOption = None,
    project: ProjectOption = None,
) -> None:
    """Show logs, merged by time. Unless one service is named, each line stands behind the name of its service."""
    wanted = _wanted(since, tail, follow=follow)
    installation, remarks = _choose(home, project)
    names = _named(services or [], installation)
    for remark in remarks:
        print(f"agent: {remark}", file=sys.stderr)
    is_mixed = len(set(services or [])) != 1  # also when there is only one yet
    reader = installation.open_logs(names, wanted, follow=follow)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(_EXIT_TERMINATED))  # so that the reader is closed
    try:
        _write(reader.history(), is_mixed=is_mixed)
        if follow:
            _follow(reader, is_mixed=is_mixed)
    except BrokenPipeError:
        _pipe_closed()
    except KeyboardInterrupt:
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    finally:
        reader.close()
        signal.signal(signal.SIGTERM, before)


def _wanted(since: str | None, tail: int | None, *, follow: bool) -> "Wanted":
    from datetime import UTC, datetime

    from btc_cli.installation import UsageError
    from btc_cli.loglines import TimeError, Wanted, parse_since

    now = datetime.now(UTC)
    try:
        start = None if since is None else parse_since(since, now)
    except TimeError as error:
        raise UsageError(str(error)) from error
    if follow and tail == 0:  # nothing of the past, but all from now on, whatever restarts meanwhile
        return Wanted(since=max(now, start or now))
    return Wanted(since=start, tail=tail)


def _choose(home: "Path | None", project: str | None) -> "tuple[Installation, list[str]]":
    """What runs, else what has left logs; with remarks when it is not plain which one that is."""
    from btc_cli.installation import UsageError, find

    found = find(home, project)
    running = found.running()
    candidates = running or [one for one in found.installations if one.log_names()]
    if not candidates:
        first = found.installations[0]
        problem = f"; {found.problem}" if found.problem else ""
        raise UsageError(f"there are no logs {first.where}: {first.without_logs}{problem}")
    chosen = candidates[0]
    remarks = [] if running else [f"not running {chosen.where}; this is what is left from before"]
    remarks += [f"there are logs {other.where} too: ./agent logs {other.option}" for other in candidates[1:]]
    return chosen, remarks


def _named(services: "Sequence[str]", installation: "Installation") -> list[str]:
    from btc_cli.installation import UsageError

    known = installation.log_names()
    unknown = [name for name in services if name not in known]
    if unknown:
        raise UsageError(f"there is no log of {', '.join(unknown)} {installation.where}, but of {', '.join(known)}")
    return list(dict.fromkeys(services)) or known


def _follow(reader: "Logs", *, is_mixed: bool) -> None:
    """Write what comes until nothing more can, or until nobody reads it any more."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # it reports a closed pipe unasked, before there is anything to write
    while (lines := reader.new_lines()) is not None:
        _write(lines, is_mixed=is_mixed)
        if output.poll(_POLL_SECS * 1_000):
            _pipe_closed()


def _write(lines: "Iterable[LogLine]", *, is_mixed: bool) -> None:
    from btc_cli.loglines import shown

    for line in lines:
        sys.stdout.buffer.write(shown(line, named=is_mixed))
    sys.stdout.buffer.flush()


def _pipe_closed() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or else the interpreter complains at its end
    raise typer.Exit(_EXIT_PIPE_CLOSED)
