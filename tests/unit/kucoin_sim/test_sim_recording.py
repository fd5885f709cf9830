"""Recordings: what is written is read back, and anything else than a whole, unchanged file is refused by name."""

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kucoin_sim.recording import (
    BestQuotes,
    BookChanges,
    BookSnapshot,
    Event,
    RecordedTrade,
    Recording,
    RecordingError,
    RecordingWriter,
)

TIMES = st.integers(0, 2**43)
UNITS = st.integers(0, 2**60)
SIDES = st.lists(st.tuples(UNITS, UNITS), max_size=5)
EVENTS = st.one_of(
    st.builds(BookSnapshot, TIMES, SIDES, SIDES),
    st.builds(BookChanges, TIMES, SIDES, SIDES),
    st.builds(RecordedTrade, TIMES, UNITS, UNITS, st.sampled_from(("buy", "sell"))),
    st.builds(BestQuotes, TIMES, UNITS, UNITS, UNITS, UNITS),
)


def write(path: Path, events: list[Event]) -> Path:
    with RecordingWriter(
        path, symbol="BTC-USDT", source="test", price_increment="0.01", size_increment="0.00001"
    ) as writer:
        for event in events:
            writer.add(event)
    return path


SHORT: list[Event] = [
    BookSnapshot(1000, [(100, 5)], [(101, 7)]),
    RecordedTrade(1500, 101, 2, "buy"),
    BookChanges(1500, [], [(101, 5)]),
    BestQuotes(1600, 99, 1, 102, 3),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.builds(BookSnapshot, TIMES, SIDES, SIDES), st.lists(EVENTS, max_size=20))
def test_events_are_read_back_as_they_were_written(tmp_path: Path, first: BookSnapshot, others: list[Event]) -> None:
    events = [first, *sorted((event for event in others if event.time_ms >= first.time_ms), key=lambda e: e.time_ms)]
    recording = Recording(write(tmp_path / "recording", events))
    assert list(recording.events()) == events
    assert list(recording.events()) == events  # and once more, from disk again
    header = recording.header
    assert (header.events, header.first_ms, header.last_ms) == (len(events), first.time_ms, events[-1].time_ms)
    assert (header.symbol, header.price_decimals, header.size_decimals) == ("BTC-USDT", 2, 5)


def test_the_same_events_make_the_same_file(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first", SHORT), write(tmp_path / "second", SHORT)
    assert first.read_bytes() == second.read_bytes()


def test_a_recording_must_begin_with_a_book_and_go_forward_in_time(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="begins with a whole book"):
        write(tmp_path / "recording", SHORT[1:])
    with pytest.raises(RecordingError, match="lies before"):
        write(tmp_path / "recording", [SHORT[0], RecordedTrade(999, 1, 1, "buy")])
    with pytest.raises(RecordingError, match="nothing was recorded"):
        write(tmp_path / "recording", [])
    assert list(tmp_path.iterdir()) == []


def test_a_failed_writing_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "recording", SHORT)
    before = path.read_bytes()
    with pytest.raises(RecordingError):
        write(path, [SHORT[0], RecordedTrade(2000, 1, 1, "buy"), SHORT[1]])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def _lines(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def _rewritten(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(gzip.compress(b"".join(lines)))
    return path


def test_every_cut_of_a_file_is_noticed(tmp_path: Path) -> None:
    whole = write(tmp_path / "recording", SHORT).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(RecordingError):
            Recording(tmp_path / "cut")


def test_a_file_that_ends_in_the_middle_is_called_so(tmp_path: Path) -> None:
    path = write(tmp_path / "recording", SHORT)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(RecordingError, match="ends in the middle"):
        Recording(path)


def test_missing_events_are_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "recording", SHORT)
    with pytest.raises(RecordingError, match="has 3 events but announces 4"):
        Recording(_rewritten(path, _lines(path)[:-1]))


def test_a_changed_event_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "recording", SHORT)
    lines = _lines(path)
    lines[2] = lines[2].replace(b"101", b"102")
    with pytest.raises(RecordingError, match="changed after it was written"):
        Recording(_rewritten(path, lines))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'["x",1,2]\n', "event 2"),
        (b'["t",1500,101,2,"hold"]\n', "event 2"),
        (b'["t",1500,"101",2,"buy"]\n', "event 2"),
        (b"not json\n", "event 2"),
        (b'["t",999,101,2,"buy"]\n', "lies before"),
    ],
)
def test_a_wrong_event_is_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path = write(tmp_path / "recording", SHORT)
    lines = _lines(path)
    lines[2] = line
    with pytest.raises(RecordingError, match=reason):
        Recording(_rewritten(path, lines))


def test_another_kind_of_file_is_refused_with_the_way_to_make_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"plain text")
    with pytest.raises(RecordingError, match="not a readable gzip file"):
        Recording(path)
    path.write_bytes(gzip.compress(b'1723161253937085768 {"stream":"btcusdt@depth@100ms"}\n'))
    with pytest.raises(RecordingError, match=r"kucoin_sim\.convert binance-spot"):
        Recording(path)
    with pytest.raises(RecordingError, match="cannot read"):
        Recording(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "version 2 .* reads 1"),
        ({"price_increment": "0"}, "header .* is wrong"),
        ({"events": "four"}, "header .* is wrong"),
    ],
)
def test_a_header_of_another_version_or_with_wrong_fields_is_refused(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    path = write(tmp_path / "recording", SHORT)
    lines = _lines(path)
    lines[0] = json.dumps(json.loads(lines[0]) | change).encode() + b"\n"
    with pytest.raises(RecordingError, match=reason):
        Recording(_rewritten(path, lines))


def test_the_header_is_the_first_line_for_whoever_looks_with_zcat(tmp_path: Path) -> None:
    path = write(tmp_path / "recording", SHORT)
    lines = _lines(path)
    assert json.loads(lines[0])["format"] == "kucoin-sim-recording"
    times = [json.loads(line)[1] for line in lines[1:]]
    assert all(before <= after for before, after in pairwise(times))
