"""What can go wrong around the launcher ends in one line with the way out, and never in silence."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from btc_cli.embedded import running_postgres
from btc_cli.home import Home
from btc_cli.state import Phase, State, Status, read_state

_SERVERS = Path(__file__).parent / "programs" / "server_stack.py"
_DEADLINE_SECS = 120.0
_MAKE_ROOM = "raise that (ulimit -f unlimited)"


def _agent(*arguments: str | Path, **environment: str) -> tuple[int, list[str]]:
    """Exit status of a command, and its lines on standard error."""
    return _run([sys.executable, "-P", "-m", "btc_cli", *arguments], **environment)


def _run(command: Sequence[str | Path], **environment: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=_DEADLINE_SECS
    )
    return done.returncode, done.stderr.splitlines()


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECS
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        threading.Event().wait(0.05)  # processes of processes cannot be awaited, only looked at


@pytest.mark.parametrize("command", ["up", "demo"])
@pytest.mark.parametrize("variable", ["WEBUI_PORT", "EXPORTER_PORT"])
def test_a_demanded_port_in_use_names_the_port_and_who_has_it(agent_home: Path, command: str, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, lines = _agent(command, "--home", agent_home, **{variable: str(port)})
    holder = f"{psutil.Process().name()} (process {os.getpid()})"
    assert code == 1
    assert lines == [f"{variable} is {port}, but that port is taken by {holder}: choose another port, or free it"]
    assert not (agent_home / "postgres").exists()


# Too small for the state, for a lock even, and for the database's first files.
@pytest.mark.parametrize("kilobytes", [0, 4, 4_000])
@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_a_start_without_room_ends_with_one_line(agent_home: Path, kilobytes: int, detach: list[str]) -> None:
    limited = ["/bin/sh", "-c", f'ulimit -f {2 * kilobytes}; exec "$@"', "sh"]  # in blocks of 512 bytes
    code, lines = _run([*limited, sys.executable, "-P", "-m", "btc_cli", "up", "--home", agent_home, *detach])
    assert code == 1
    told = [line for line in lines if not line.endswith("…")]  # what is being done
    assert len(told) == 1
    assert "File too large" in told[0]
    assert told[0].endswith(_MAKE_ROOM)


def _damage_control_file(data: Path) -> None:
    (data / "global" / "pg_control").write_bytes(bytes(8192))


def _lose_write_ahead_log(data: Path) -> None:
    for path in (data / "pg_wal").iterdir():
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(_damage_control_file, "FATAL:  "), (_lose_write_ahead_log, "PANIC:  could not locate a valid checkpoint record")],
)
def test_damaged_data_ends_the_start_with_the_reason_and_the_way_out(
    agent_home: Path, damage: Callable[[Path], None], reason: str
) -> None:
    with running_postgres(agent_home, durable=False):
        pass
    data = agent_home / "postgres" / "data"
    damage(data)
    code, lines = _agent("up", "--home", agent_home, WEBUI_PORT="0", EXPORTER_PORT="0")
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("postgres does not start: ended ")
    assert reason in lines[0]
    assert f"put a saved copy in the place of {data}, or move that away to start with an empty ledger" in lines[0]
    state = read_state(Home(agent_home))
    assert state is not None
    assert not any(process.is_alive() for process in state.processes)


def test_data_of_another_version_is_refused_with_the_way_out(agent_home: Path) -> None:
    data = agent_home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    code, lines = _agent("up", "--home", agent_home, WEBUI_PORT="0", EXPORTER_PORT="0")
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("the data is of PostgreSQL 12, but only version ")
    assert lines[0].endswith("move the data away, or give another --home")


@pytest.fixture
def small_disk(agent_home: Path) -> Iterator[Path]:
    """A folder on a disk of its own with room for a database and little more."""
    folder = agent_home / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=220m,mode=711", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can make a small disk, and not everywhere")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def _write_for_ever(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while file.write(bytes(100_000)):
            pass


def test_a_full_disk_shows_which_process_fails_and_why_and_is_recovered_from(small_disk: Path) -> None:
    home = Home(small_disk / "home")

    def state() -> State:
        found = read_state(home)
        assert found is not None
        return found

    process = subprocess.Popen([sys.executable, _SERVERS, home.path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    try:
        _until(lambda: read_state(home) is not None and state().phase is Phase.RUNNING, "the servers run")
        assert state().attention == []
        filler = small_disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            _write_for_ever(filler)
        _until(lambda: state().processes[0].status is Status.UNHEALTHY, "the database is not called healthy")
        assert f"MB are left on the disk of {home.path}" in state().processes[0].detail
        _until(lambda: any("make room" in text for text in state().attention), "the full disk is told of")
        code, _ = _agent("status", "--home", home.path)
        assert code == 1

        # Killed on a full disk it may run again or not: either way the reason is shown, and nothing else ends.
        pid = state().processes[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        _until(lambda: state().processes[0].restarts > 0, "the restart is told of")
        reasons = ("MB are left on the disk", "No space left on device")
        _until(lambda: any(reason in state().processes[0].detail for reason in reasons), "the reason is shown")
        assert not state().processes[0].is_well()
        assert state().processes[1].is_well()

        filler.unlink()
        _until(lambda: state().is_healthy() and state().attention == [], "it recovers")
        process.send_signal(signal.SIGTERM)
        assert process.wait(_DEADLINE_SECS) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        _until(lambda: not any(one.is_alive() for one in state().processes), "the kernel ended the servers")
