"""Reads containers' logs with `docker logs`, one process for each, and goes on through restarts."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from btc_cli.docker.command import failure, start
from btc_cli.docker.containers import Container
from btc_cli.loglines import LogLine, Wanted, merged

_LOOK_SECS = 2.0  # how often it is looked whether containers came or went


class DockerLogs:
    """The logs of `containers`. With `look`, which says what containers there are now, they can be followed."""

    def __init__(
        self,
        containers: Sequence[Container],
        wanted: Wanted,
        look: Callable[[], list[Container]] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logs = {one.id: _ContainerLog(one, wanted) for one in containers}
        self._look, self._clock = look, clock
        self._look_at = 0.0

    def history(self) -> Iterator[LogLine]:
        """What is there now, in the order of time.

        Raises:
            DockerError: when Docker does not give it.
        """
        return merged([log.history() for log in self._logs.values()])

    def new_lines(self) -> list[LogLine] | None:
        """What came since the last call, without waiting for more; None when nothing runs any more.

        Raises:
            DockerError: when Docker cannot be asked any more.
        """
        assert self._look is not None, "opened without following"
        if self._clock() < self._look_at:
            return self._take()
        running = [one for one in self._look() if one.runs]
        for one in running:
            self._logs.setdefault(one.id, _ContainerLog(one, Wanted())).attach()
        self._look_at = self._clock() + _LOOK_SECS
        lines = self._take()
        return lines if lines or running else None

    def close(self) -> None:
        """End what still reads."""
        for log in self._logs.values():
            log.detach()

    def _take(self) -> list[LogLine]:
        return sorted((line for log in self._logs.values() for line in log.new_lines()), key=lambda line: line.at)


class _ContainerLog:
    """One container's log. Docker writes the time of each line before it."""

    def __init__(self, container: Container, wanted: Wanted) -> None:
        self._container, self._wanted = container, wanted
        self._last = b""  # time of the last line seen, as Docker wrote it
        self._process: subprocess.Popen[bytes] | None = None
        self._unfinished = b""
        self._is_again = False  # Docker sends the line at the time that was asked for again

    def history(self) -> Iterator[LogLine]:
        said = b""
        with start(self._arguments(), stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            try:
                for text in process.stdout:
                    line = self._line(text.rstrip(b"\n"))
                    if line is None:
                        said = text
                    else:
                        yield line
            except BaseException:  # nobody reads on
                process.kill()
                raise
        if process.returncode != 0:
            raise failure(said.decode(errors="replace"))

    def attach(self) -> None:
        """Begin to follow, after the last line seen. The reading ends by itself whenever the container stops."""
        if self._process is not None:
            return
        self._process = start(["logs", "--follow", *self._arguments()[1:]], stderr=subprocess.STDOUT)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._is_again = bool(self._last)

    def new_lines(self) -> Iterator[LogLine]:
        if self._process is None or self._process.stdout is None:
            return
        pieces, has_ended = _available(self._process.stdout.fileno())
        *texts, self._unfinished = (self._unfinished + pieces).split(b"\n")
        for text in texts:
            before = self._last
            line = self._line(text)
            if line is None or (self._is_again and self._last <= before):
                continue
            self._is_again = False
            yield line
        if has_ended:
            self.detach()

    def detach(self) -> None:
        if self._process is not None:
            with self._process as process:
                process.kill()
            self._process = None
            self._unfinished = b""

    def _arguments(self) -> list[str]:
        since, tail = self._wanted.since, self._wanted.tail
        arguments = ["logs", "--timestamps"]
        if self._last:
            arguments += ["--since", self._last.decode()]
        else:
            arguments += [] if since is None else ["--since", since.isoformat()]
            arguments += [] if tail is None else ["--tail", str(tail)]
        return [*arguments, self._container.id]

    def _line(self, text: bytes) -> LogLine | None:
        """The line without Docker's time; None for what Docker itself says."""
        stamp, _, rest = text.partition(b" ")
        try:
            at = datetime.fromisoformat(stamp.decode())
        except ValueError:
            return None
        if at.tzinfo is None:
            return None
        self._last = stamp
        return LogLine(at, self._container.service, rest)


def _available(descriptor: int) -> tuple[bytes, bool]:
    """What can be read without waiting, and whether that was the end."""
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(descriptor, 65_536)
        except BlockingIOError:
            return b"".join(pieces), False
        if not piece:
            return b"".join(pieces), True
        pieces.append(piece)
