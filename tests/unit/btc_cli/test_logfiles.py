"""Logs stay small, in number and size, and their ends can be quoted."""

import errno
import shutil
from pathlib import Path

import pytest

from btc_cli.logfiles import last_lines, rotate


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("short\n")
    assert not rotate(log, max_bytes=6)
    assert log.read_text() == "short\n"
    assert not rotate(tmp_path / "missing.log")


def test_a_grown_log_is_moved_on_and_the_oldest_dropped(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    for text in ("one", "two", "three", "four"):
        log.write_text(text)
        assert rotate(log, max_bytes=2, kept=3)
    assert log.read_text() == ""
    assert [(tmp_path / f"a.log.{number}").read_text() for number in (1, 2, 3)] == ["four", "three", "two"]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_writer_with_the_log_open_goes_on_in_the_emptied_file(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("a") as writer:
        writer.write("before\n")
        writer.flush()
        rotate(log, max_bytes=1)
        writer.write("after\n")
    assert log.read_text() == "after\n"


def test_on_a_full_disk_nothing_is_lost_and_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "a.log"
    log.write_text("older")
    assert rotate(log, max_bytes=1)
    log.write_text("newer")

    def fills_the_disk(_source: Path, target: Path) -> None:
        target.write_text("ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", fills_the_disk)
        assert not rotate(log, max_bytes=1)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.log": "newer", "a.log.1": "older"}


def test_last_lines_can_begin_where_a_run_began(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\nsince\n")
    assert last_lines(log, start=7) == ["since"]
    assert last_lines(log, start=13) == []
    assert last_lines(log, start=99) == ["before", "since"]  # emptied since, so all of it is newer


def test_last_lines_leaves_out_empty_ones_and_survives_odd_bytes(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"one\n\ntw\xffo\nthree\n\n")
    assert last_lines(log, 2) == ["tw�o", "three"]
    assert last_lines(tmp_path / "missing.log") == []


def test_last_lines_reads_only_the_end_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("x" * 50_000 + "\nend\n")
    assert last_lines(log, 1, max_bytes=100) == ["end"]
