"""Candles: bars are the trades, longer bars are the minutes, and the pushed ones come late."""

from datetime import datetime
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kucoin_sim.candle_stream import LEAST_LAG_MS, MOST_LAG_MS, CandleFrame, CandleStream
from kucoin_sim.candles import CANDLE_TYPES, KEPT_MINUTES, MINUTE_MS, BarStore, merged, opening_ms, row
from kucoin_sim.instruments import INSTRUMENTS
from kucoin_sim.market import Bar, Trade

START_MS = 1_790_000_040_000  # a full minute
BTC = INSTRUMENTS["BTC-USDT"]


def _trades(draws: list[tuple[int, int, int]]) -> list[Trade]:
    """Trades from (milliseconds after the last one, price, size)."""
    moment = START_MS
    trades = []
    for wait_ms, price, size in draws:
        moment += wait_ms
        trades.append(Trade(moment, price, size, "buy"))
    return trades


TRADES = st.lists(
    st.tuples(st.integers(0, 150_000), st.integers(1, 10**7), st.integers(1, 10**9)), min_size=1, max_size=60
).map(_trades)


def _bars_by_hand(trades: list[Trade], candle_type: str) -> list[Bar]:
    groups: dict[int, list[Trade]] = {}
    for trade in trades:
        groups.setdefault(opening_ms(trade.time_ms, candle_type), []).append(trade)
    return [
        Bar(
            open_ms,
            group[0].price,
            max(trade.price for trade in group),
            min(trade.price for trade in group),
            group[-1].price,
            sum(trade.size for trade in group),
            sum(trade.size * trade.price for trade in group),
        )
        for open_ms, group in groups.items()
    ]


@given(TRADES, st.sampled_from(CANDLE_TYPES))
def test_bars_of_every_type_are_exactly_their_trades(trades: list[Trade], candle_type: str) -> None:
    store = BarStore(())
    for trade in trades:
        store.add(trade)
    expected = _bars_by_hand(trades, candle_type)
    assert store.rows(candle_type, 0, 2**50) == expected[::-1]
    assert store.last(candle_type) == expected[-1]


@given(TRADES, st.integers(0, 120), st.integers(0, 120))
def test_rows_are_those_that_open_in_the_window_newest_first(trades: list[Trade], first: int, last: int) -> None:
    store = BarStore(())
    for trade in trades:
        store.add(trade)
    start_ms, end_ms = START_MS + first * 30_000, START_MS + last * 30_000
    rows = store.rows("1min", start_ms, end_ms)
    assert all(newer.open_ms > older.open_ms for newer, older in pairwise(rows))
    opened = {bar.open_ms for bar in _bars_by_hand(trades, "1min")}
    assert {bar.open_ms for bar in rows} == {moment for moment in opened if start_ms <= moment < end_ms}


def test_a_minute_without_trades_has_no_row() -> None:
    store = BarStore(())
    store.add(Trade(START_MS, 10, 1, "buy"))
    store.add(Trade(START_MS + 2 * MINUTE_MS, 11, 1, "sell"))
    assert [bar.open_ms for bar in store.rows("1min", 0, 2**50)] == [START_MS + 2 * MINUTE_MS, START_MS]


def test_three_days_are_kept_and_a_request_gets_1500_rows_at_most() -> None:
    store = BarStore(())
    for minute in range(KEPT_MINUTES + 10):
        store.add(Trade(START_MS + minute * MINUTE_MS, 10, 1, "buy"))
    assert len(store.minutes_since(0)) == KEPT_MINUTES
    rows = store.rows("1min", 0, 2**50)
    assert len(rows) == 1500
    assert rows[0].open_ms == START_MS + (KEPT_MINUTES + 9) * MINUTE_MS


def test_a_row_is_open_close_high_low_in_strings() -> None:
    bar = Bar(START_MS, 104115, 104200, 103963, 104019, 2911357276, 104019 * 2911357276)
    assert row(bar, BTC) == [
        "1790000040",
        "10411.5",
        "10401.9",
        "10420",
        "10396.3",
        "29.11357276",
        "302836.472492244",
    ]


@pytest.mark.parametrize(
    ("candle_type", "opening"),
    [
        ("1min", "2026-11-22T14:53:00+00:00"),
        ("1hour", "2026-11-22T14:00:00+00:00"),
        ("8hour", "2026-11-22T08:00:00+00:00"),
        ("1day", "2026-11-22T00:00:00+00:00"),
        ("1week", "2026-11-16T00:00:00+00:00"),
        ("1month", "2026-11-01T00:00:00+00:00"),
    ],
)
def test_bars_open_on_the_calendar(candle_type: str, opening: str) -> None:
    moment = int(datetime.fromisoformat("2026-11-22T14:53:12.345+00:00").timestamp() * 1000)
    assert opening_ms(moment, candle_type) == int(datetime.fromisoformat(opening).timestamp() * 1000)


def test_merging_keeps_volume_and_extremes() -> None:
    minutes = [
        Bar(START_MS - START_MS % 3_600_000 + index * MINUTE_MS, 5, 9 - index, 1 + index, 6, 10, 60)
        for index in range(4)
    ]
    (hour,) = merged(minutes, "1hour")
    assert hour == Bar(minutes[0].open_ms, 5, 9, 1, 6, 40, 240)


def _stream(trades: list[Trade], types: tuple[str, ...] = ("1min",)) -> list[CandleFrame]:
    stream = CandleStream(Random(1))
    for candle_type in types:
        stream.follow(candle_type, None)
    frames: list[CandleFrame] = []
    for trade in trades:
        frames.extend(stream.flush(trade.time_ms - 1))
        stream.add(trade)
    while stream.due_ms is not None:
        frames.extend(stream.flush(stream.due_ms))
    return frames


@given(TRADES)
def test_every_trade_shows_in_a_candle_1_to_1_6_seconds_later(trades: list[Trade]) -> None:
    frames = [frame for frame in _stream(trades) if frame.bar.volume > 0]
    seen: dict[int, int] = {}
    waiting = list(trades)
    for frame in frames:
        volume = frame.bar.volume
        new = volume - seen.get(frame.bar.open_ms, 0)
        seen[frame.bar.open_ms] = volume
        assert new > 0
        while new > 0:
            trade = waiting.pop(0)
            new -= trade.size
            assert LEAST_LAG_MS <= frame.time_ms - trade.time_ms <= MOST_LAG_MS
            assert trade.time_ms - trade.time_ms % MINUTE_MS == frame.bar.open_ms
        assert new == 0
    assert not waiting


@given(TRADES, st.sampled_from(CANDLE_TYPES))
def test_the_last_frame_of_each_bar_is_the_bar_and_only_the_first_one_adds_it(
    trades: list[Trade], candle_type: str
) -> None:
    frames = [frame for frame in _stream(trades, (candle_type,)) if frame.bar.volume > 0]
    latest = {frame.bar.open_ms: frame.bar for frame in frames}
    assert list(latest.values()) == _bars_by_hand(trades, candle_type)
    opened: set[int] = set()
    for frame in frames:
        expected = "trade.candles.update" if frame.bar.open_ms in opened else "trade.candles.add"
        assert frame.subject == expected
        opened.add(frame.bar.open_ms)


def test_the_first_trade_after_a_silent_minute_also_brings_a_flat_bar() -> None:
    frames = _stream([Trade(START_MS, 10, 1, "buy"), Trade(START_MS + 3 * MINUTE_MS, 12, 1, "buy")])
    assert [(frame.subject, frame.bar.open_ms - START_MS, frame.bar.volume) for frame in frames] == [
        ("trade.candles.add", 0, 1),
        ("trade.candles.add", 2 * MINUTE_MS, 0),
        ("trade.candles.add", 3 * MINUTE_MS, 1),
    ]
    assert set(frames[1].bar[1:5]) == {10}


def test_a_trade_late_in_a_minute_updates_the_bar_after_its_end() -> None:
    frames = _stream([Trade(START_MS + 100, 10, 1, "buy"), Trade(START_MS + 59_900, 11, 1, "sell")])
    assert frames[-1].subject == "trade.candles.update"
    assert frames[-1].bar.open_ms == START_MS
    assert frames[-1].time_ms > START_MS + MINUTE_MS


def test_a_type_followed_later_counts_no_trade_twice() -> None:
    stream = CandleStream(Random(1))
    stream.follow("1min", None)
    store = BarStore(())
    for wait_ms in (0, 100, 200):
        trade = Trade(START_MS + wait_ms, 10, 5, "buy")
        stream.add(trade)
        store.add(trade)
    stream.follow("5min", store.last("5min"))
    stream.add(Trade(START_MS + 300, 10, 5, "buy"))
    frames: list[CandleFrame] = []
    while stream.due_ms is not None:
        frames.extend(stream.flush(stream.due_ms))
    assert [frame.bar.volume for frame in frames if frame.candle_type == "5min"][-1] == 20
