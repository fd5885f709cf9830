"""A replay is the recording, moved by whole minutes, and stands still at its end."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kucoin_sim.history import FileBar, served
from kucoin_sim.instruments import Instrument
from kucoin_sim.market import Bar, Book, Trade
from kucoin_sim.recording import BestQuotes, BookChanges, BookSnapshot, RecordedTrade, Recording, RecordingWriter
from kucoin_sim.replay import MINUTE_MS, ReplayMarket

FIRST_MS = 1_723_161_255_408
EVENTS = (
    BookSnapshot(FIRST_MS, [(6183763, 5), (6183762, 6), (6183000, 1)], [(6183764, 7), (6183800, 2)]),
    RecordedTrade(FIRST_MS + 40, 6183764, 3, "buy"),
    BookChanges(FIRST_MS + 100, [(6183762, 0), (6183763, 9)], [(6183765, 1)]),
    RecordedTrade(FIRST_MS + 100, 6183763, 1, "sell"),
    BestQuotes(FIRST_MS + 150, 6183000, 4, 6183765, 8),
)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    path = tmp_path / "recording"
    with RecordingWriter(
        path, symbol="BTC-USDT", source="test", price_increment="0.01", size_increment="0.00001"
    ) as writer:
        for event in EVENTS:
            writer.add(event)
    return Recording(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start_ms=st.integers(1_600_000_000_000, 1_900_000_000_000))
def test_it_begins_at_the_next_moment_with_the_same_second_of_the_minute(recording: Recording, start_ms: int) -> None:
    market = ReplayMarket(recording, start_ms)
    assert market.shift_ms % MINUTE_MS == 0
    assert start_ms <= market.begins_ms < start_ms + MINUTE_MS
    assert market.begins_ms % MINUTE_MS == FIRST_MS % MINUTE_MS
    assert market.next_ms() == market.begins_ms


def test_before_it_begins_the_first_book_is_shown_and_nothing_happens(recording: Recording) -> None:
    start_ms = FIRST_MS + 86_400_000 - 30_000
    market = ReplayMarket(recording, start_ms)
    assert market.advance_to(market.begins_ms - 1) == []
    assert market.book_ms == start_ms
    assert market.book(2) == Book(
        [(6183763, 5000), (6183762, 6000)], [(6183764, 7000), (6183800, 2000)]
    )  # sizes in the instrument's 8 decimals


def test_events_are_played_at_their_moved_times(recording: Recording) -> None:
    market = ReplayMarket(recording, FIRST_MS + 7 * MINUTE_MS - 1)
    begin = market.begins_ms
    assert begin == FIRST_MS + 7 * MINUTE_MS
    assert market.advance_to(begin + 99) == [Trade(begin + 40, 6183764, 3000, "buy")]
    assert market.book_ms == begin
    assert market.advance_to(begin + 100) == [Trade(begin + 100, 6183763, 1000, "sell")]
    assert market.book_ms == begin + 100
    assert market.book(3) == Book(
        [(6183763, 9000), (6183000, 1000)], [(6183764, 7000), (6183765, 1000), (6183800, 2000)]
    )
    assert market.next_ms() == market.ends_ms == begin + 150


def test_best_quotes_remove_what_lies_beyond_them(recording: Recording) -> None:
    market = ReplayMarket(recording, FIRST_MS)
    market.advance_to(market.begins_ms + 150)
    assert market.book(5) == Book([(6183000, 4000)], [(6183765, 8000), (6183800, 2000)])


def test_at_its_end_it_stands_still(recording: Recording) -> None:
    market = ReplayMarket(recording, FIRST_MS)
    assert len(market.advance_to(market.begins_ms + 10_000)) == 2
    assert market.next_ms() is None
    last = market.book(5), market.book_ms
    assert market.advance_to(market.begins_ms + 10_000_000) == []
    assert (market.book(5), market.book_ms) == last


def test_its_history_ends_at_the_minute_and_price_at_which_it_begins(recording: Recording) -> None:
    rows = [
        FileBar(index * MINUTE_MS, Decimal(100), Decimal(103), Decimal(99), Decimal(100 + index), Decimal("1.5"))
        for index in range(3)
    ]

    def make(instrument: Instrument, first_price: int, end_ms: int) -> list[Bar]:
        return served(rows, instrument, end_ms, first_price)

    start_ms = FIRST_MS + 3_600_000 + 1
    market = ReplayMarket(recording, start_ms, make)
    begin_minute = market.begins_ms - market.begins_ms % MINUTE_MS
    assert [bar.open_ms for bar in market.history] == [begin_minute - (3 - index) * MINUTE_MS for index in range(3)]
    assert market.history[-1].close == 6183764  # the first trade's price
    assert datetime.fromtimestamp(market.begins_ms / 1000, UTC).second == 15


def test_the_instrument_takes_the_recordings_price_increment(recording: Recording) -> None:
    instrument = ReplayMarket(recording, FIRST_MS).instrument
    assert instrument.symbol_object()["priceIncrement"] == "0.01"
    assert instrument.symbol_object()["baseIncrement"] == "0.00000001"
    assert instrument.price_text(6183763) == "61837.63"


def test_an_unknown_pair_can_be_replayed(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    with RecordingWriter(path, symbol="ABC-XYZ", source="test", price_increment="1", size_increment="0.001") as writer:
        writer.add(BookSnapshot(FIRST_MS, [(1, 1)], [(2, 1)]))
    market = ReplayMarket(Recording(path), FIRST_MS)
    assert (market.instrument.base, market.instrument.quote) == ("ABC", "XYZ")
    assert market.instrument.size_text(market.book(1).bids[0][1]) == "0.001"
