"""A run of the launcher on a home folder, also one that has ended: its state and its logs stay."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from btc_cli.home import Home
from btc_cli.log_file import LogFile
from btc_cli.loglines import LogLine, Wanted, merged
from btc_cli.state import State, View, read_state


class LauncherRun:
    """The present or last run on a home."""

    without_logs = "nothing has run there"

    def __init__(self, home: Home) -> None:
        self.home = home

    @cached_property
    def state(self) -> State | None:
        """What its supervisor wrote down.

        Raises:
            HomeError: when the home belongs to someone else.
        """
        return read_state(self.home)

    @property
    def where(self) -> str:
        """Where it is, in a sentence."""
        return f"on {self.home.path}"

    @property
    def identity(self) -> dict[str, object]:
        """What names it for programs."""
        pid = self.state.pid if self.state is not None and self.view is not None else None
        return {"runs_with": "launcher", "home": str(self.home.path), "project": None, "pid": pid}

    @property
    def footer(self) -> str:
        """The supervisor, besides the view."""
        return f"home {self.home.path}, process {self.identity['pid']}"

    @property
    def option(self) -> str:
        """What a command is told to mean this one."""
        return f"--home {shlex.quote(str(self.home.path))}"

    @cached_property
    def view(self) -> View | None:
        """What is shown of it; None when it does not run."""
        return self.state if self.state is not None and self.state.is_alive() else None

    @property
    def failure(self) -> str:
        """Why its last start failed, if it did."""
        return self.state.error if self.state is not None else ""

    def log_names(self) -> list[str]:
        """Whose logs there are: those of the last run in starting order, then what else is in the folder."""
        names = [process.name for process in self.state.processes] if self.state else []
        files = sorted(path.stem for path in self.home.logs.glob("*.log"))
        return list(dict.fromkeys([*(name for name in names if name in files), *files]))

    def open_logs(self, services: Sequence[str], wanted: Wanted, *, follow: bool) -> "LauncherLogs":
        """The logs of these services; of all when they are all that there are, also of those still to come."""
        is_all = set(services) == set(self.log_names())
        return LauncherLogs(self.home, services, wanted, look=self.log_names if is_all else None, follows=follow)


class LauncherLogs:
    """Log files of a home, merged."""

    def __init__(
        self,
        home: Home,
        services: Sequence[str],
        wanted: Wanted,
        *,
        look: Callable[[], Sequence[str]] | None,
        follows: bool,
    ) -> None:
        self._home, self._wanted, self._look, self._follows = home, wanted, look, follows
        self._files = {name: self._open(name) for name in services}

    def history(self) -> Iterator[LogLine]:
        """What is there now, in the order of time."""
        return merged([file.history(self._wanted) for file in self._files.values()])

    def new_lines(self) -> list[LogLine]:
        """What came since the last call, without waiting for more. A stopped run may start again, so it has no end."""
        for name in self._look() if self._look else ():
            if name not in self._files:
                self._files[name] = self._open(name)
        lines = [line for file in self._files.values() for line in file.new_lines()]
        return sorted(lines, key=lambda line: line.at)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _open(self, name: str) -> LogFile:
        return LogFile(name, self._home.logs / f"{name}.log", follows=self._follows)
