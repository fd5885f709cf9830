"""A rotated log file read as one: every line once and in order, from the oldest copy to what is written now."""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btc_cli.log_file import LogFile
from btc_cli.logfiles import rotate
from btc_cli.loglines import Wanted

_START = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def _line(number: int) -> bytes:
    return f'{{"n": {number}, "timestamp": "{_START + timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}"}}'.encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with lines 0 to 7: two in each of three older copies, two in the file."""
    path = tmp_path / "executor.log"
    for number in range(8):
        with path.open("ab") as file:
            file.write(_line(number) + b"\n")
        if number % 2 and number < 7:
            assert rotate(path, max_bytes=1)
            written = (_START + timedelta(minutes=number)).timestamp()
            os.utime(path.with_name("executor.log.1"), (written, written))
    return path


def _read(path: Path, wanted: Wanted) -> list[bytes]:
    return [line.text for line in LogFile("executor", path, follows=False).history(wanted)]


def test_the_older_copies_come_first(path: Path) -> None:
    assert _read(path, Wanted()) == [_line(number) for number in range(8)]


@pytest.mark.parametrize("tail", [0, 1, 2, 3, 5, 7, 8, 100])
def test_the_last_lines_reach_back_into_the_copies(path: Path, tail: int) -> None:
    assert _read(path, Wanted(tail=tail)) == [_line(number) for number in range(8)][max(0, 8 - tail) :]


@pytest.mark.parametrize("minute", range(9))
def test_since_a_time_reaches_back_into_the_copies(path: Path, minute: int) -> None:
    since = _START + timedelta(minutes=minute)
    assert _read(path, Wanted(since=since)) == [_line(number) for number in range(minute, 8)]


def test_a_log_that_is_not_there_yet_is_empty_and_followed_from_its_beginning(tmp_path: Path) -> None:
    log = LogFile("executor", tmp_path / "executor.log", follows=True)
    assert list(log.history(Wanted())) == []
    assert log.new_lines() == []
    (tmp_path / "executor.log").write_bytes(b"first\n")
    assert [line.text for line in log.new_lines()] == [b"first"]


def test_an_unfinished_line_is_shown_at_the_end_and_awaited_when_followed(tmp_path: Path) -> None:
    path = tmp_path / "executor.log"
    path.write_bytes(b"whole\nhal")
    assert _read(path, Wanted()) == [b"whole", b"hal"]
    log = LogFile("executor", path, follows=True)
    assert [line.text for line in log.history(Wanted())] == [b"whole"]
    with path.open("ab") as file:
        file.write(b"f\n")
    assert [line.text for line in log.new_lines()] == [b"half"]


def test_lines_without_a_time_have_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "migrate.log"
    path.write_bytes(b"database is at version 0001\n")
    os.utime(path, (_START.timestamp(), _START.timestamp()))
    assert _read(path, Wanted(since=_START)) == [b"database is at version 0001"]
    assert _read(path, Wanted(since=_START + timedelta(seconds=1))) == []


def test_a_log_emptied_by_hand_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "executor.log"
    path.write_bytes(b"one\ntwo\n")
    log = LogFile("executor", path, follows=True)
    list(log.history(Wanted()))
    path.write_bytes(b"")
    assert log.new_lines() == []
    path.write_bytes(b"three\n")
    assert [line.text for line in log.new_lines()] == [b"three"]


def test_a_copy_that_is_still_being_made_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "executor.log"
    path.write_bytes(b"one\ntwo\n")
    log = LogFile("executor", path, follows=True)
    list(log.history(Wanted()))
    copy = path.with_name("executor.log.1")
    for half in (b"one\n", b"one\ntwo\n"):  # being made; made, and the file not emptied yet
        copy.write_bytes(half)
        assert log.new_lines() == []
    with path.open("ab") as file:
        file.write(b"three\n")
    assert [line.text for line in log.new_lines()] == [b"three"]
    with path.open("r+b") as file:
        file.truncate(0)
    assert log.new_lines() == []
    with path.open("ab") as file:
        file.write(b"four\n")
    assert [line.text for line in log.new_lines()] == [b"four"]


_MAX_BYTES = 60
_PIECES = st.lists(st.binary(max_size=15).map(lambda piece: piece.replace(b"\r", b"")), max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_PIECES, st.booleans(), _PIECES), max_size=12))
def test_whoever_follows_gets_every_line_once_through_rotations(
    steps: list[tuple[list[bytes], bool, list[bytes]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "executor.log"
        path.touch()
        log = LogFile("executor", path, follows=True)
        written = b""
        got = [line.text for line in log.history(Wanted())]
        for before, rotates, after in steps:  # between two looks: some lines, perhaps a rotation, some lines
            for pieces in (before, after):
                with path.open("ab") as file:
                    file.write(b"".join(pieces))
                written += b"".join(pieces)
                if rotates and pieces is before:
                    rotate(path, max_bytes=_MAX_BYTES)
            got += [line.text for line in log.new_lines()]
        assert got == written.split(b"\n")[:-1]
