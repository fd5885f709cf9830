"""Full disks and ended processes are told in one line, with the way out."""

import errno
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from btc_cli import disk
from btc_cli.reasons import reason_in

_Usage = namedtuple("_Usage", "total used free")


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOSPC, "make room on that disk, or give a --home on another one"),
        (errno.EDQUOT, "make room on that disk, or give a --home on another one"),
        (errno.EFBIG, "the size of files is limited here, raise that (ulimit -f unlimited)"),
    ],
)
def test_what_there_is_no_room_for_is_named_with_the_way_out(number: int, way_out: str) -> None:
    error = OSError(number, os.strerror(number), "/a/file")
    assert disk.is_full(error)
    assert disk.full_sentence(error) == f"cannot write /a/file ({os.strerror(number)}): {way_out}"
    assert disk.way_out(f"FATAL: could not extend file: {os.strerror(number)}") == way_out


def test_other_errors_are_no_full_disk() -> None:
    assert not disk.is_full(PermissionError(errno.EACCES, "Permission denied"))
    assert disk.way_out("FATAL: permission denied") == ""


def test_a_disk_is_short_below_the_limit_also_for_a_folder_still_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def usage(folder: Path) -> _Usage:
        asked.append(folder)
        return _Usage(10**9, 0, 5_000_000)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    later = tmp_path / "not" / "yet"
    assert disk.shortage(later, 5_000_000) == ""
    text = disk.shortage(later, 6_000_000)
    assert text == f"less than 6 MB are left on the disk of {later}: make room, or the database stops"
    assert asked == [tmp_path, tmp_path]


def test_a_disk_that_cannot_be_looked_at_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_folder: Path) -> _Usage:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", broken)
    assert disk.shortage(tmp_path, 1) == f"the disk of {tmp_path} cannot be looked at (Input/output error)"


_DATABASE = "2026-01-02 03:04:05.678 UTC [123] "


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], ""),
        (["one", "two"], "two"),
        (
            [
                f"{_DATABASE}LOG:  starting PostgreSQL",
                f"{_DATABASE}PANIC:  could not locate a valid checkpoint record",
                f"{_DATABASE}LOG:  database system is shut down",
            ],
            "PANIC:  could not locate a valid checkpoint record",
        ),
        (
            ['{"event": "cannot_start", "reason": "port 1 is taken", "level": "error"}', '{"event": "x"}'],
            "port 1 is taken",
        ),
        (['{"event": "crashed", "exception": "Traceback\\n  line\\nKeyError: 1", "level": "error"}'], "KeyError: 1"),
        (['{"event": "stopped", "level": "info"}'], "stopped"),
        (["Traceback (most recent call last):", "ModuleNotFoundError: no x"], "ModuleNotFoundError: no x"),
        (["[1, 2]", '"text"'], '"text"'),
    ],
)
def test_the_line_that_tells_of_the_end_is_found(lines: list[str], reason: str) -> None:
    assert reason_in(lines) == reason


def test_a_reason_stays_a_line() -> None:
    assert len(reason_in(["x" * 10_000])) <= 400
