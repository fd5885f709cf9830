"""An installation of the agent on this machine, whichever way it runs: what the commands that look at it need."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from btc_cli.docker import DockerAbsentError, DockerError, DockerProject, projects
from btc_cli.home import KINDS, Home, default_home
from btc_cli.launcher_run import LauncherRun
from btc_cli.loglines import LogLine, Wanted
from btc_cli.state import View


class UsageError(Exception):
    """What was asked for does not exist or does not go together. The message says what would be right."""


class Logs(Protocol):
    """Logs of one or more services."""

    def history(self) -> Iterator[LogLine]:
        """What is there now, in the order of time. Read it to its end before anything else."""

    def new_lines(self) -> list[LogLine] | None:
        """What came since, without waiting for more; None when nothing more can come."""

    def close(self) -> None:
        """End what still reads."""


class Installation(Protocol):
    """One look at it."""

    @property
    def where(self) -> str:
        """Where it is, such as `on /a/home`."""

    @property
    def identity(self) -> Mapping[str, object]:
        """What names it for programs: `runs_with`, `home`, `project` and `pid`; what there is none of is None."""

    @property
    def option(self) -> str:
        """What a command is told to mean this one."""

    @property
    def view(self) -> View | None:
        """What is shown of it; None when nothing of it runs."""

    @property
    def failure(self) -> str:
        """Why its last start failed; empty when it did not, or nobody knows."""

    @property
    def footer(self) -> str:
        """What a person may want to know besides the view."""

    @property
    def without_logs(self) -> str:
        """Why there may be no logs."""

    def log_names(self) -> list[str]:
        """Whose logs there are."""

    def open_logs(self, services: Sequence[str], wanted: Wanted, *, follow: bool) -> Logs:
        """Logs of some of them."""


class Found(NamedTuple):
    """The installations that a command means, and why Docker could not be asked although it is there."""

    installations: list[Installation]
    problem: str = ""

    def running(self) -> list[Installation]:
        """Those of which something runs."""
        return [installation for installation in self.installations if installation.view is not None]


def find(home: Path | None, project: str | None) -> Found:
    """The one installation that is named, or else all on this machine: the launcher's on the default homes (at least
    one of them, also when nothing ever ran), and the Compose projects that have containers.

    Raises:
        UsageError: when a home and a project are given.
        DockerError: when a project is given and Docker cannot be asked.
    """
    if home is not None and project is not None:
        raise UsageError("give either --home (a run of the launcher) or --project (one of Docker Compose), not both")
    if project is not None:
        return Found([*projects([project])] or [DockerProject(project, ())])
    launchers = launcher_runs(home)
    if home is not None:
        return Found([*launchers])
    try:
        return Found([*launchers, *projects()])
    except DockerAbsentError:
        return Found([*launchers])
    except DockerError as error:
        return Found([*launchers], str(error))


def launcher_runs(home: Path | None) -> list[LauncherRun]:
    """The launcher's present or last run on a home; without one, those on the default homes on which something ever
    ran, or else that on the first of them, so that there is always one to speak of."""
    if home is not None:
        return [LauncherRun(Home(home.absolute()))]
    runs = [LauncherRun(Home(default_home(kind).absolute())) for kind in KINDS]
    return [run for run in runs if run.home.run.exists()] or runs[:1]
