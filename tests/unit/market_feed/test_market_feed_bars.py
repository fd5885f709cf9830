"""When a bar is final and what it says."""

from decimal import Decimal

import pytest

from btc_shared.codes import DataSource, Side
from btc_shared.records import MINUTE_MS, Candle, PublicTrade
from market_feed.domain.bars import (
    CLOSE_AFTER_MS,
    CONFIRM_AFTER_MS,
    KEPT_BARS,
    SOCKET_GRACE_MS,
    BarChange,
    Bars,
    Coverage,
)

T0 = 1_790_000_040_000 // MINUTE_MS * MINUTE_MS
ALWAYS = Coverage(0, T0 + 10**9)


def bar(minute: int, close: str = "100", volume: str = "1", *, high: str | None = None, filled: bool = False) -> Candle:
    price = Decimal(close)
    return Candle(
        symbol="BTC-USDT",
        open_time_ms=T0 + minute * MINUTE_MS,
        open=price,
        high=Decimal(high or close),
        low=price,
        close=price,
        volume=Decimal(volume),
        turnover=price * Decimal(volume),
        filled=filled,
    )


def trade(minute: int, ms: int, price: str, size: str, number: int = 1) -> PublicTrade:
    return PublicTrade(
        symbol="BTC-USDT",
        trade_id=str(number),
        event_time_ms=T0 + minute * MINUTE_MS + ms,
        price=Decimal(price),
        size=Decimal(size),
        side=Side.BUY,
    )


def by_socket(candle: Candle, *, correction: bool = False) -> BarChange:
    return BarChange(candle, correction, DataSource.SOCKET)


def by_rest(candle: Candle, *, correction: bool = False) -> BarChange:
    return BarChange(candle, correction, DataSource.REST)


def at(minute: int, ms: int = 0) -> int:
    return T0 + minute * MINUTE_MS + ms


@pytest.fixture
def bars() -> Bars:
    """Bars whose newest final one is minute 0."""
    seeded = Bars()
    assert seeded.on_rest([bar(0)], at(0), at(1, CONFIRM_AFTER_MS)) == [by_rest(bar(0))]
    return seeded


def test_a_bar_is_final_two_seconds_after_its_minute_and_not_before(bars: Bars) -> None:
    assert bars.on_frame(bar(1, "101"), at(1, 30_000)) == []
    assert bars.close_due(at(2, CLOSE_AFTER_MS - 1), ALWAYS) == []
    assert bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS) == [by_socket(bar(1, "101"))]
    assert bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS) == []
    assert bars.newest == bar(1, "101")


def test_minutes_without_trades_are_flat_at_the_last_close_and_marked(bars: Bars) -> None:
    assert bars.close_due(at(3, CLOSE_AFTER_MS), ALWAYS) == [
        by_socket(bar(1, "100", "0", filled=True)),
        by_socket(bar(2, "100", "0", filled=True)),
    ]


def test_the_exchanges_own_flat_bar_is_marked_as_filled_too(bars: Bars) -> None:
    bars.on_frame(bar(1, "100", "0"), at(1, 30_000))
    assert bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS)[0].candle.filled


def test_trades_make_the_bar_when_their_frame_is_late_and_the_frame_then_changes_nothing(bars: Bars) -> None:
    for number, (ms, price, size) in enumerate(
        [(59_000, "103", "2"), (10, "101", "1"), (500, "104", "1"), (600, "99", "1")]
    ):
        bars.on_trade(trade(1, ms, price, size, number), at(1, 59_500))
    (change,) = bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS)
    made = change.candle
    assert (made.open, made.high, made.low, made.close) == (Decimal(101), Decimal(104), Decimal(99), Decimal(103))
    assert (made.volume, made.turnover) == (Decimal(5), Decimal(101 + 104 + 99 + 206))
    assert not made.filled
    assert bars.on_frame(made, at(2, 2_500)) == []


def test_of_frame_and_trades_the_one_that_saw_more_volume_counts(bars: Bars) -> None:
    bars.on_frame(bar(1, "101", "3"), at(1, 1_000))
    bars.on_trade(trade(1, 100, "101", "3"), at(1, 1_000))
    bars.on_trade(trade(1, 59_900, "107", "0.5", 2), at(2))
    assert bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS)[0].candle.close == Decimal(107)
    bars.on_frame(bar(2, "108", "3"), at(2, 50_000))
    bars.on_trade(trade(2, 100, "107", "1", 3), at(2, 50_000))
    assert bars.close_due(at(3, CLOSE_AFTER_MS), ALWAYS)[0].candle == bar(2, "108", "3")


def test_a_late_frame_corrects_a_closed_bar_only_by_adding_volume(bars: Bars) -> None:
    bars.on_frame(bar(1, "101", "3"), at(1, 59_000))
    bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS)
    assert bars.on_frame(bar(1, "100.5", "2"), at(2, 3_000)) == []
    assert bars.on_frame(bar(1, "102", "4"), at(2, 3_100)) == [by_socket(bar(1, "102", "4"), correction=True)]
    assert bars.on_frame(bar(1, "102", "4"), at(2, 3_200)) == []


def test_a_late_trade_corrects_a_bar_that_was_closed_as_flat(bars: Bars) -> None:
    bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS)
    (change,) = bars.on_trade(trade(1, 59_999, "105", "1"), at(2, 2_500))
    assert change.correction
    assert (change.candle.close, change.candle.filled) == (Decimal(105), False)


def test_flat_bars_follow_a_corrected_close(bars: Bars) -> None:
    bars.close_due(at(4, CLOSE_AFTER_MS), ALWAYS)
    changes = bars.on_rest([bar(1, "107", "1")], at(0), at(3, CONFIRM_AFTER_MS))
    assert changes == [
        by_rest(bar(1, "107", "1"), correction=True),
        by_rest(bar(2, "107", "0", filled=True), correction=True),
        by_rest(bar(3, "107", "0", filled=True), correction=True),
    ]


@pytest.mark.parametrize(
    "coverage",
    [None, Coverage(T0 + MINUTE_MS + 1, T0 + 10**9), Coverage(0, T0 + 2 * MINUTE_MS - 1)],
    ids=["not connected", "connected during the minute", "nothing heard since"],
)
def test_a_minute_that_the_socket_did_not_cover_waits_for_rest(bars: Bars, coverage: Coverage | None) -> None:
    bars.on_frame(bar(1, "101", "3"), at(1, 30_000))
    assert bars.close_due(at(2, 9_999), coverage) == []
    assert bars.on_rest([bar(1, "102", "5")], at(0), at(2, CONFIRM_AFTER_MS)) == [by_rest(bar(1, "102", "5"))]
    assert [change.candle.open_time_ms for change in bars.close_due(at(3, CLOSE_AFTER_MS), ALWAYS)] == [at(2)]


def test_bars_after_a_waiting_minute_wait_too(bars: Bars) -> None:
    since_minute_2 = Coverage(at(2), at(9))
    bars.on_frame(bar(2, "103", "1"), at(2, 5_000))
    assert bars.close_due(at(3, CLOSE_AFTER_MS), since_minute_2) == []
    changes = bars.on_rest([], at(0), at(2, CONFIRM_AFTER_MS))
    assert changes == [by_rest(bar(1, "100", "0", filled=True))]
    assert bars.close_due(at(3, CLOSE_AFTER_MS), since_minute_2) == [by_socket(bar(2, "103", "1"))]


def test_a_missing_row_says_nothing_about_a_minute_that_ended_less_than_ten_seconds_ago(bars: Bars) -> None:
    assert bars.on_rest([bar(0)], at(0), at(2, CONFIRM_AFTER_MS - 1)) == []
    assert bars.on_rest([bar(0)], at(0), at(2, CONFIRM_AFTER_MS)) == [by_rest(bar(1, "100", "0", filled=True))]


def test_a_row_closes_a_waiting_minute_two_seconds_after_it_and_not_before(bars: Bars) -> None:
    assert bars.on_rest([bar(1, "101")], at(0), at(2, CLOSE_AFTER_MS - 1)) == []
    assert bars.on_rest([bar(1, "101"), bar(2, "102")], at(0), at(2, CLOSE_AFTER_MS)) == [by_rest(bar(1, "101"))]


def test_an_early_row_is_one_account_among_others_until_rest_has_authority(bars: Bars) -> None:
    bars.on_trade(trade(1, 59_900, "107", "3"), at(2), DataSource.REST)
    (closed,) = bars.on_rest([bar(1, "101", "1")], at(0), at(2, CLOSE_AFTER_MS))
    assert (closed.candle.close, closed.candle.volume) == (Decimal(107), Decimal(3))
    assert bars.on_rest([bar(1, "101", "2")], at(0), at(2, 5_000)) == []
    grown = bar(1, "108", "4")
    assert bars.on_rest([grown], at(0), at(2, 7_000)) == [by_rest(grown, correction=True)]
    assert bars.on_frame(bar(1, "107", "3"), at(2, 8_000)) == []  # a late frame of an older state
    last_word = bar(1, "107.5", "3.5")
    assert bars.on_rest([last_word], at(0), at(2, CONFIRM_AFTER_MS)) == [by_rest(last_word, correction=True)]


def test_only_a_minute_that_the_socket_cannot_speak_for_waits_for_rest(bars: Bars) -> None:
    covered, lost, from_within = Coverage(at(0), at(2)), None, Coverage(at(1, 1), at(9))
    assert not bars.waits_for_rest(at(2, CLOSE_AFTER_MS - 1), lost)
    assert bars.waits_for_rest(at(2, CLOSE_AFTER_MS), lost)
    assert bars.waits_for_rest(at(2, CLOSE_AFTER_MS), from_within)
    assert not bars.waits_for_rest(at(2, CLOSE_AFTER_MS), covered)
    assert bars.waits_for_rest(at(2, SOCKET_GRACE_MS), covered)
    bars.close_due(at(2, CLOSE_AFTER_MS), covered)
    assert not bars.waits_for_rest(at(2, SOCKET_GRACE_MS), lost)
    assert not Bars().waits_for_rest(at(9), lost)


def test_bars_go_on_from_one_that_is_given_also_when_the_first_minutes_had_no_trades() -> None:
    assert Bars(bar(0)).on_rest([bar(2, "102")], at(1), at(3, CONFIRM_AFTER_MS)) == [
        by_rest(bar(1, "100", "0", filled=True)),
        by_rest(bar(2, "102")),
    ]


def test_rest_corrects_what_differs_and_confirms_what_does_not(bars: Bars) -> None:
    bars.on_frame(bar(1, "101", "3"), at(1, 30_000))
    bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS)
    assert bars.on_rest([bar(0), bar(1, "101", "3")], at(0), at(2, 20_000)) == []
    assert bars.on_rest([bar(0), bar(1, "101", "2")], at(0), at(2, 30_000)) == [
        by_rest(bar(1, "101", "2"), correction=True)
    ]


def test_rest_without_a_row_never_empties_a_bar_that_had_trades(bars: Bars) -> None:
    bars.on_frame(bar(1, "101", "3"), at(1, 30_000))
    bars.close_due(at(2, CLOSE_AFTER_MS), ALWAYS)
    assert bars.on_rest([], at(0), at(2, 20_000)) == []
    bars.on_frame(bar(2, "102", "3"), at(2, 30_000))
    assert bars.on_rest([], at(0), at(3, 20_000)) == [by_rest(bar(2, "102", "3"))]


def test_history_begins_at_the_first_bar_with_trades_and_has_no_hole_after_it() -> None:
    changes = Bars().on_rest([bar(2, "50"), bar(5, "60")], at(0), at(8, CONFIRM_AFTER_MS))
    assert [change.candle for change in changes] == [
        bar(2, "50"),
        bar(3, "50", "0", filled=True),
        bar(4, "50", "0", filled=True),
        bar(5, "60"),
        bar(6, "60", "0", filled=True),
        bar(7, "60", "0", filled=True),
    ]
    assert not any(change.correction for change in changes)


def test_nothing_is_final_before_rest_has_answered() -> None:
    fresh = Bars()
    fresh.on_frame(bar(0), at(0, 1_000))
    assert fresh.close_due(at(5), ALWAYS) == []
    assert fresh.on_rest([], at(0), at(0, 5_000)) == []
    assert (fresh.newest, fresh.next_open_ms, fresh.oldest_open_ms) == (None, None, None)


def test_minutes_may_be_given_up_after_a_long_outage(bars: Bars) -> None:
    changes = bars.on_rest([bar(500, "70")], at(500), at(501, CONFIRM_AFTER_MS))
    assert [change.candle for change in changes] == [bar(500, "70")]


def test_bars_from_the_future_and_from_long_ago_are_ignored(bars: Bars) -> None:
    assert bars.on_frame(bar(9, "1", "9"), at(1)) == []
    assert bars.on_trade(trade(9, 0, "1", "9"), at(1)) == []
    assert bars.on_frame(bar(-3, "1", "9"), at(1)) == []
    closed = bars.close_due(at(12), ALWAYS)
    assert all(change.candle.filled for change in closed)


def test_what_is_remembered_is_bounded(bars: Bars) -> None:
    for minute in range(1, 200):
        bars.on_frame(bar(minute), at(minute))
        bars.on_trade(trade(minute, 1, "100", "1", minute), at(minute, 1))
        bars.close_due(at(minute + 1, CLOSE_AFTER_MS), ALWAYS)
    assert bars.oldest_open_ms == at(199 - KEPT_BARS + 1)
    assert max(map(len, vars(bars).values())) <= KEPT_BARS + 1
    unseeded = Bars()
    for minute in range(200):
        unseeded.on_frame(bar(minute), at(minute))
        unseeded.on_trade(trade(minute, 1, "100", "1", minute), at(minute, 1))
    assert max(map(len, vars(unseeded).values())) <= KEPT_BARS
