"""A pair's public state: one book sequence for everything, and frames that say the same as the book."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kucoin_sim import figures
from kucoin_sim.board import FULL_LEVELS, Board
from kucoin_sim.exchange import Exchange
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.instruments import INSTRUMENTS, Instrument
from kucoin_sim.market import Bar, Book, Trade
from kucoin_sim.presets import CRASH

START_MS = 1_790_000_040_000
Step = tuple[int, Sequence[Trade], Book | None]
"""(time, trades, the new book if it was touched)."""


class ScriptedMarket:
    """Plays what it is given."""

    def __init__(self, steps: Sequence[Step], history: Sequence[Bar] = ()) -> None:
        self.title = "script"
        self.instrument: Instrument = INSTRUMENTS["BTC-USDT"]
        self.history: Sequence[Bar] = history
        self.begins_ms: int = START_MS
        self.ends_ms: int | None = steps[-1][0] if steps else START_MS
        self.book_ms = START_MS
        self._steps = list(steps)
        self._book = Book([(599_990, 100)], [(600_000, 100)])

    def next_ms(self) -> int | None:
        return self._steps[0][0] if self._steps else None

    def advance_to(self, now_ms: int) -> list[Trade]:
        trades: list[Trade] = []
        while self._steps and self._steps[0][0] <= now_ms:
            moment, new_trades, book = self._steps.pop(0)
            trades.extend(new_trades)
            if book is not None:
                self._book, self.book_ms = book, moment
        return trades

    def book(self, levels: int) -> Book:
        return Book(self._book.bids[:levels], self._book.asks[:levels])


class Recorder:
    """A feed that wants everything and keeps it."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, str, Any]] = []

    def wanted(self, topic: str) -> bool:
        return True

    def publish(self, topic: str, subject: str, data: object) -> None:
        self.frames.append((topic, subject, data))

    def of(self, topic: str) -> list[Any]:
        return [data for name, _, data in self.frames if name == topic]


def _board(market: ScriptedMarket | GeneratedMarket) -> Board:
    return Board(market, START_MS, Random(1))


def _sizes(levels: list[list[str]]) -> dict[str, str]:
    return {level[0]: level[1] for level in levels}


def _played(seconds: int) -> tuple[Board, Recorder, list[list[str]], list[list[str]]]:
    board, feed = _board(GeneratedMarket(CRASH, 9, START_MS)), Recorder()
    asks, bids = board.levels(FULL_LEVELS)
    board.play_to(START_MS + seconds * 1000, feed)
    return board, feed, asks, bids


def test_level2_updates_turn_the_first_book_into_the_last_without_a_gap() -> None:
    board, feed, asks, bids = _played(30)
    sides = {"asks": _sizes(asks), "bids": _sizes(bids)}
    last = START_MS * 4
    for data in feed.of("/market/level2:BTC-USDT"):
        assert data["sequenceStart"] == last + 1
        numbers = [int(row[2]) for side in ("asks", "bids") for row in data["changes"][side]]
        assert numbers == list(range(data["sequenceStart"], data["sequenceEnd"] + 1))
        last = data["sequenceEnd"]
        for side, levels in sides.items():
            for price, size, _ in data["changes"][side]:
                if size == "0":
                    del levels[price]
                else:
                    levels[price] = size
    assert last == board.sequence
    final_asks, final_bids = board.levels(FULL_LEVELS)
    assert sides["asks"] == _sizes(final_asks)
    assert sides["bids"] == _sizes(final_bids)


def test_ticker_level1_depth_and_level2_tell_the_same_book_at_the_same_moment() -> None:
    _, feed, _, _ = _played(20)
    sequences = {data["time"]: str(data["sequenceEnd"]) for data in feed.of("/market/level2:BTC-USDT")}
    tops = {data["timestamp"]: data for data in feed.of("/spotMarket/level2Depth5:BTC-USDT")}
    tickers = feed.of("/market/ticker:BTC-USDT")
    assert len(tickers) > 150
    for data in tickers:
        assert data["sequence"] == sequences[data["time"]]
        assert [data["bestBid"], data["bestBidSize"]] == tops[data["time"]]["bids"][0]
        assert [data["bestAsk"], data["bestAskSize"]] == tops[data["time"]]["asks"][0]
    for data in feed.of("/spotMarket/level1:BTC-USDT"):
        assert data["asks"] == tops[data["timestamp"]]["asks"][0]
    fifty = feed.of("/spotMarket/level2Depth50:BTC-USDT")
    assert [data["timestamp"] for data in fifty] == [START_MS + 100 * tick for tick in range(1, 201)]
    assert all(len(data["asks"]) == len(data["bids"]) == 50 for data in fifty)
    assert all(data["asks"][:5] == tops[data["timestamp"]]["asks"] for data in fifty)


def test_matches_are_numbered_and_their_last_hundred_are_the_history() -> None:
    board, feed, _, _ = _played(60)
    matches = feed.of("/market/match:BTC-USDT")
    numbers = [int(data["tradeId"]) for data in matches]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(data["sequence"] == data["tradeId"] for data in matches)
    assert all(len(data["makerOrderId"]) == len(data["takerOrderId"]) == 24 for data in matches)
    assert [item.trade_id for item in board.prints] == numbers[-100:]
    assert feed.of("/market/ticker:BTC-USDT")[-1]["price"] == matches[-1]["price"]


def test_the_candle_in_rest_is_ahead_of_the_pushed_one_by_the_trades_of_the_last_second() -> None:
    board, feed, _, _ = _played(50)
    pushed = feed.of("/market/candles:BTC-USDT_1min")[-1]["candles"]
    newest = board.bars.last("1min")
    assert newest is not None
    assert float(pushed[5]) < newest.volume / 1e8
    assert pushed[0] == str(newest.open_ms // 1000)


def test_catching_up_late_loses_no_trade_and_no_candle() -> None:
    late_board, late, _, _ = _board(GeneratedMarket(CRASH, 9, START_MS)), Recorder(), None, None
    exchange = Exchange({"BTC-USDT": late_board}, late, START_MS)
    while not exchange.play(START_MS + 70_000):
        pass
    board, feed, _, _ = _played(70)
    assert late.of("/market/match:BTC-USDT") == feed.of("/market/match:BTC-USDT")
    assert late.of("/market/candles:BTC-USDT_1min") == feed.of("/market/candles:BTC-USDT_1min")
    assert late_board.levels(50) == board.levels(50)
    assert len(late.of("/spotMarket/level2Depth5:BTC-USDT")) < 10 < len(feed.of("/spotMarket/level2Depth5:BTC-USDT"))


def test_on_time_the_exchange_plays_in_slices_and_pushes_a_snapshot_every_two_seconds() -> None:
    board, feed = _board(GeneratedMarket(CRASH, 9, START_MS)), Recorder()
    exchange = Exchange({"BTC-USDT": board}, feed, START_MS)
    rounds = 1
    while not exchange.play(START_MS + 20_000):
        rounds += 1
    assert rounds == 40
    assert len(feed.of("/spotMarket/level2Depth50:BTC-USDT")) == 200
    assert len(feed.of("/market/snapshot:BTC-USDT")) == 10
    assert START_MS + 20_000 < exchange.next_ms() <= START_MS + 20_100


def test_nothing_is_pushed_for_a_book_that_is_not_touched() -> None:
    trade = Trade(START_MS + 50, 600_000, 7, "buy")
    board, feed = _board(ScriptedMarket([(START_MS + 50, [trade], None)])), Recorder()
    board.play_to(START_MS + 60, feed)
    assert [topic for topic, _, _ in feed.frames] == ["/market/match:BTC-USDT"]
    assert board.next_ms() is not None  # the candle is still to come
    board.play_to(START_MS + 2000, feed)
    assert board.next_ms() is None


LEVELS = st.dictionaries(st.integers(1, 40), st.integers(1, 1000), max_size=12)


@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=8))
def test_any_sequence_of_books_can_be_followed_by_its_level2_changes(
    books: list[tuple[dict[int, int], dict[int, int]]],
) -> None:
    steps: list[Step] = [
        (
            START_MS + 100 * (index + 1),
            (),
            Book(sorted(bids.items(), reverse=True), sorted((price + 100, size) for price, size in asks.items())),
        )
        for index, (bids, asks) in enumerate(books)
    ]
    board, feed = _board(ScriptedMarket(steps)), Recorder()
    mirror = {"bids": {"59999": "0.000001"}, "asks": {"60000": "0.000001"}}
    board.play_to(START_MS + 10_000, feed)
    for data in feed.of("/market/level2:BTC-USDT"):
        for side, levels in mirror.items():
            for price, size, _ in data["changes"][side]:
                levels[price] = size
            mirror[side] = {price: size for price, size in levels.items() if size != "0"}
    asks, bids = board.levels(FULL_LEVELS)
    assert mirror["asks"] == _sizes(asks)
    assert mirror["bids"] == _sizes(bids)


def test_an_empty_market_has_no_figures_but_answers() -> None:
    board = _board(ScriptedMarket([]))
    answer = figures.stats(board, START_MS)
    assert answer["last"] is None
    assert answer["changePrice"] is None
    assert answer["vol"] == "0"
    assert figures.snapshot(board, START_MS)["sequence"] == str(board.sequence)


def test_figures_of_24_hours_are_those_of_the_bars() -> None:
    minute = 60_000
    history = [
        Bar(
            START_MS - (1500 - index) * minute,
            100 + index,
            110 + index,
            90 + index,
            101 + index,
            10,
            10 * (100 + index),
        )
        for index in range(1500)
    ]
    board = _board(ScriptedMarket([], history))
    answer = figures.stats(board, START_MS)
    window = history[-1440:]
    text = board.instrument.price_text
    assert answer["high"] == text(max(bar.high for bar in window))
    assert answer["low"] == text(min(bar.low for bar in window))
    assert answer["changePrice"] == text(window[-1].close - window[0].open)
    assert answer["changeRate"] == "9"  # (1600 - 160) / 160
    assert answer["vol"] == "0.000144"
    average = sum(bar.turnover for bar in window) / sum(bar.volume for bar in window) / 10
    assert float(str(answer["averagePrice"])) == pytest.approx(average)
