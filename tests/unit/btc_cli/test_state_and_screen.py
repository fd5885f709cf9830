"""The state file and what is drawn from it."""

import errno
import io
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from btc_cli.commands.test import checks
from btc_cli.home import Home
from btc_cli.process_ids import is_alive, start_mark
from btc_cli.readings import Readings
from btc_cli.screen import draw
from btc_cli.state import (
    AlreadyRunningError,
    Phase,
    ProcessState,
    Status,
    exclusive,
    new_state,
    read_state,
    write_state,
)
from btc_cli.supervisor import Event


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


def test_state_is_read_as_it_was_written(home: Home) -> None:
    state = new_state("demo", 1_000.0)
    state.addresses = {"web api": "http://127.0.0.1:1"}
    state.processes = [ProcessState("a", Status.UNHEALTHY, "no data", 7, 8.0, 9, 2)]
    write_state(home, state)
    assert read_state(home) == state


def test_on_a_full_disk_the_state_is_overwritten_in_its_place(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    state = new_state("demo", 1_000.0)
    state.processes = [ProcessState(f"process {number}", detail="x" * 100) for number in range(20)]
    write_state(home, state)
    before = (home.run / "state.json").stat()

    def no_room(path: Path, _text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("btc_cli.state.write_atomically", no_room)
    state.processes = [ProcessState("a", Status.UNHEALTHY, "the disk is full")]
    write_state(home, state)
    assert read_state(home) == state
    after = (home.run / "state.json").stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    (home.run / "state.json").unlink()
    with pytest.raises(OSError, match="No space left"):  # nothing there to overwrite
        write_state(home, state)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": 1}'])
def test_a_damaged_state_file_counts_as_none(home: Home, text: str) -> None:
    assert read_state(home) is None
    (home.run / "state.json").write_text(text)
    assert read_state(home) is None


def test_a_process_is_told_from_another_one_with_its_number() -> None:
    mark = start_mark(os.getpid())
    assert mark is not None
    assert is_alive(os.getpid(), mark)
    assert not is_alive(os.getpid(), mark + 1)
    assert not is_alive(None, None)


def test_an_ended_process_is_not_alive_even_before_its_parent_looks() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    mark = start_mark(process.pid)
    with process.stdout:
        process.stdout.read()  # its end closes the pipe
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid, mark)
    process.wait()


def test_healthy_means_that_everything_is() -> None:
    state = new_state("demo", 0.0)
    state.processes = [ProcessState("a", Status.HEALTHY), ProcessState("b", Status.DONE)]
    assert not state.is_healthy()  # still starting
    state.phase = Phase.RUNNING
    assert state.is_healthy()
    state.processes.append(ProcessState("c", Status.RESTARTING))
    assert not state.is_healthy()


def test_the_lock_is_held_once_and_names_its_holder(home: Home) -> None:
    with (
        exclusive(home),
        pytest.raises(AlreadyRunningError, match=rf"already running on .* \(process {os.getpid()}\)"),
        exclusive(home),
    ):
        pass
    with exclusive(home):
        pass


def _drawn(width: int = 100) -> str:
    state = new_state("demo", 1_000.0)
    state.phase = Phase.RUNNING
    state.addresses = {"web api": "http://127.0.0.1:8510"}
    state.processes = [
        ProcessState("executor", Status.RESTARTING, "ended with exit status 1", restarts=3),
        ProcessState("exporter", Status.HEALTHY, port=9092),
    ]
    console = Console(file=io.StringIO(), width=width, color_system=None)
    event = Event(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "executor is restarting")
    console.print(draw(state, Readings(status="online"), [event], 1_065.0))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_shows_processes_addresses_events_and_how_to_stop() -> None:
    text = _drawn()
    for expected in (
        "demo  RUNNING  up 1 min 05 s",
        "executor  restarting",
        "3 restarts",
        ":9092",
        "http://127.0.0.1:8510",
        "03:04:05Z executor is restarting",
        "Ctrl-C stops",
    ):
        assert expected in text


def test_unknown_figures_are_dashes_on_the_screen() -> None:
    lines = {line.strip("│ ").split("  ")[0].strip(): line for line in _drawn().splitlines()}
    for row in ("price", "mode", "decision", "reason", "position", "result"):
        assert "—" in lines[row], row


def test_the_screen_fits_a_narrow_terminal() -> None:
    assert max(len(line) for line in _drawn(40).splitlines()) <= 40


def test_every_package_and_all_tests_are_type_checked() -> None:
    repository = Path(__file__).resolve().parents[3]
    named = checks(repository)["mypy"]
    for path in repository.glob("**/src/*/py.typed"):
        if ".venv" not in path.parts:
            assert str(path.parents[1].relative_to(repository)) in named
    assert "tests" in named
