"""Lines of logs: their times, which are wanted, and how they are shown."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_cli.loglines import LogLine, TimeError, Wanted, line_time, merged, parse_since, select, shown, stamped

_NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def _at(secs: float) -> datetime:
    return _NOW + timedelta(seconds=secs)


def _json(secs: float, event: str = "x") -> bytes:
    return f'{{"event": "{event}", "timestamp": "{_at(secs):%Y-%m-%dT%H:%M:%S.%fZ}"}}'.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", _at(-30)),
        ("10m", _at(-600)),
        ("2h", _at(-7200)),
        ("1d", _at(-86_400)),
        ("1h30m", _at(-5400)),
        ("2026-03-04T08:00", datetime(2026, 3, 4, 8, tzinfo=UTC)),
        ("2026-03-04 08:00:01.5", datetime(2026, 3, 4, 8, 0, 1, 500_000, tzinfo=UTC)),
        ("2026-03-04T08:00Z", datetime(2026, 3, 4, 8, tzinfo=UTC)),
        ("2026-03-04T08:00-03:00", datetime(2026, 3, 4, 11, tzinfo=UTC)),
        ("2026-03-04", datetime(2026, 3, 4, tzinfo=UTC)),
    ],
)
def test_since_is_so_long_ago_or_a_time_in_utc(text: str, expected: datetime) -> None:
    assert parse_since(text, _NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "10", "10x", "m", "-10m", "yesterday", "2026-13-01", "9" * 9 + "d", "9" * 30 + "d"]
)
def test_another_since_is_refused_in_one_line_that_shows_what_would_be_right(text: str) -> None:
    with pytest.raises(TimeError, match=r"^--since is '.*': give how long ago \(30s, 10m, 2h, 1d\) or a time in UTC"):
        parse_since(text, _NOW)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"event": "starting", "timestamp": "2026-11-22T17:48:25.577857Z"}', (17, 48, 25, 577_857)),
        (b"2026-11-22 17:48:21.943 UTC [31666] LOG:  starting PostgreSQL", (17, 48, 21, 943_000)),
        (b"31668:M 22 Nov 2026 17:48:21.931 * Ready to accept connections", (17, 48, 21, 931_000)),
        (b"2026-11-22T17:48:20Z demo is starting", (17, 48, 20, 0)),
    ],
)
def test_each_program_says_the_time_in_its_own_way(line: bytes, expected: tuple[int, int, int, int]) -> None:
    assert line_time(line) == datetime(2026, 11, 22, *expected, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'{"timestamp": 5}',
        b'{"timestamp": "noon"}',
        b'{"event": "x"}',
        b"Traceback (most recent call last):",
        b"  at 2026-11-22 17:48:21.943 UTC",
        b"2026-99-22 17:48:21.943 UTC [1] LOG",
        b"1:M 99 Nov 2026 17:48:21.931 * x",
        b"\xff\xfe{",
        b'{"timestamp": "2026-11-22T17:48:25Z", "bad": "\xff"',
    ],
)
def test_a_line_that_says_no_time_has_none(line: bytes) -> None:
    assert line_time(line) is None


@given(st.binary(max_size=60))
def test_no_line_however_odd_breaks_it(line: bytes) -> None:
    line_time(line)
    line_time(b"{" + line)


def test_a_line_without_a_time_has_that_of_the_line_before_and_the_first_that_of_the_next() -> None:
    lines = list(stamped("a", [b"banner", _json(1), b"Traceback", b"  more", _json(5)], _at(99)))
    assert [line.at for line in lines] == [_at(1), _at(1), _at(1), _at(1), _at(5)]
    assert [line.text for line in lines] == [b"banner", _json(1), b"Traceback", b"  more", _json(5)]


def test_lines_without_any_time_have_the_one_at_which_the_last_was_written() -> None:
    assert [line.at for line in stamped("a", [b"one", b"two"], _at(7))] == [_at(7), _at(7)]


def test_only_the_wanted_lines_are_selected() -> None:
    lines = [LogLine(_at(secs), "a", str(secs).encode()) for secs in range(6)]
    assert list(select(lines, Wanted())) == lines
    assert list(select(lines, Wanted(since=_at(3)))) == lines[3:]
    assert list(select(lines, Wanted(tail=2))) == lines[4:]
    assert list(select(lines, Wanted(since=_at(3), tail=5))) == lines[3:]
    assert list(select(lines, Wanted(since=_at(1), tail=2))) == lines[4:]
    assert list(select(lines, Wanted(tail=0))) == []


_LINES = st.lists(st.integers(0, 20), max_size=12)


@given(st.lists(_LINES, max_size=4))
def test_merging_orders_by_time_and_keeps_each_services_lines_in_their_order(services: list[list[int]]) -> None:
    streams = [
        [LogLine(_at(secs), str(number), str(place).encode()) for place, secs in enumerate(sorted(times))]
        for number, times in enumerate(services)
    ]
    lines = list(merged(streams))
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    for number, stream in enumerate(streams):
        assert [line for line in lines if line.service == str(number)] == stream


def test_a_line_is_shown_as_it_is_and_named_only_among_others() -> None:
    line = LogLine(_NOW, "postgres", b"odd \xff bytes")
    assert shown(line, named=False) == b"odd \xff bytes\n"
    assert shown(line, named=True) == b"postgres | odd \xff bytes\n"
