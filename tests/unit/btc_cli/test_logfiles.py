"""Logs stay small, in number and size, and their ends can be quoted."""

from pathlib import Path

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


def test_last_lines_leaves_out_empty_ones_and_survives_odd_bytes(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"one\n\ntw\xffo\nthree\n\n")
    assert last_lines(log, 2) == ["tw�o", "three"]
    assert last_lines(tmp_path / "missing.log") == []


def test_last_lines_reads_only_the_end_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("x" * 50_000 + "\nend\n")
    assert last_lines(log, 1, max_bytes=100) == ["end"]
