"""`agent logs` as a person types it: through rotations, to a pipe that closes, and with refusals in one line."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from btc_cli.logfiles import rotate

_DEADLINE_SECS = 60.0


def _command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "btc_cli", "logs", "--home", str(home), *arguments]


@contextmanager
def _following(home: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(_command(home, "-f", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def log(agent_home: Path) -> Path:
    """The log of an executor that once ran."""
    path = agent_home / "logs" / "executor.log"
    path.parent.mkdir()
    path.write_bytes(b"one\ntwo\n")
    return path


def _add(log: Path, text: bytes) -> None:
    with log.open("ab") as file:
        file.write(text)


def test_following_goes_on_through_a_rotation_until_it_is_ended(agent_home: Path, log: Path) -> None:
    with _following(agent_home, "executor", "-n", "1") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"two\n"
        _add(log, b"three\n")
        assert rotate(log, max_bytes=1)
        _add(log, b"four\n")
        assert [process.stdout.readline() for _ in range(2)] == [b"three\n", b"four\n"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(_DEADLINE_SECS) == 128 + signal.SIGTERM
        assert process.stdout.read() == b""


def test_following_all_takes_up_logs_that_come_later(agent_home: Path, log: Path) -> None:
    with _following(agent_home) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == [b"executor | one\n", b"executor | two\n"]
        _add(log.with_name("exporter.log"), b"hello\n")
        assert process.stdout.readline() == b"exporter | hello\n"


@pytest.mark.usefixtures("log")
def test_a_closed_pipe_ends_it_quietly_though_nothing_more_is_written(agent_home: Path) -> None:
    with _following(agent_home, "executor") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"one\n"
        process.stdout.close()
        assert process.wait(_DEADLINE_SECS) == 128 + signal.SIGPIPE
        assert b"Traceback" not in process.stderr.read()


def test_a_long_log_into_a_closed_pipe_ends_quietly(agent_home: Path, log: Path) -> None:
    _add(log, b"x\n" * 500_000)
    done = subprocess.run(
        f"{shlex.join(_command(agent_home))} | head -n 1",
        shell=True,
        capture_output=True,
        check=False,
        timeout=_DEADLINE_SECS,
    )
    assert done.stdout == b"executor | one\n"
    assert done.stderr.splitlines() == [
        f"agent: not running on {agent_home}; this is what is left from before".encode()
    ]


@pytest.mark.parametrize("arguments", [["nobody"], ["--since", "soon"], ["--project", "x"]])
@pytest.mark.usefixtures("log")
def test_what_cannot_be_shown_is_refused_in_one_line(agent_home: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        _command(agent_home, *arguments),
        env=os.environ | {"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_DEADLINE_SECS,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("agent: ")
