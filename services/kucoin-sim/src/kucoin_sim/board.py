"""Everything public about one pair: book with its sequence, trades, candles, 24-hour figures, and their frames.

Ticker, level 1, level 2 and the REST books of a pair share one book sequence, as on KuCoin: it grows by one for
each changed price level.
"""

from collections import deque
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from kucoin_sim.candle_stream import CandleStream
from kucoin_sim.candles import BarStore, row
from kucoin_sim.feed import Feed
from kucoin_sim.instruments import Instrument
from kucoin_sim.market import Book, Market, Trade

FULL_LEVELS = 100
KEPT_TRADES = 100
_SEQUENCES_A_MS = 4
_TRADE_IDS_A_MS = 10_000
"""Both numberings start from the clock, fast enough that a restarted exchange never goes back."""

Change = tuple[int, int]
"""(price, new size); size 0 removes the level."""


class Print(NamedTuple):
    """A trade with its public number."""

    trade_id: int
    trade: Trade


class Board:
    """One pair's public state. `play_to` moves it; everything else reads it."""

    def __init__(self, market: Market, start_ms: int, rng: Random) -> None:
        self.market = market
        self.instrument: Instrument = market.instrument
        self.bars = BarStore(market.history)
        self.prints: deque[Print] = deque(maxlen=KEPT_TRADES)
        self.book: Book = market.book(FULL_LEVELS)
        self.book_ms = market.book_ms
        self.sequence = start_ms * _SEQUENCES_A_MS
        self._next_trade_id = start_ms * _TRADE_IDS_A_MS
        self._candles = CandleStream(rng)
        self._candles.follow("1min", self.bars.last("1min"))
        symbol = self.instrument.symbol
        self._ticker_topics = (f"/market/ticker:{symbol}", "/market/ticker:all")
        self._ticker_shown: object = None
        self._level1_topic = f"/spotMarket/level1:{symbol}"
        self._level2_topic = f"/market/level2:{symbol}"
        self._match_topic = f"/market/match:{symbol}"
        self._depth_topics = ((f"/spotMarket/level2Depth5:{symbol}", 5), (f"/spotMarket/level2Depth50:{symbol}", 50))

    def next_ms(self) -> int | None:
        """When something happens next: a market event, or candle frames."""
        moments = [moment for moment in (self.market.next_ms(), self._candles.due_ms) if moment is not None]
        return min(moments, default=None)

    def skip_to(self, now_ms: int, feed: Feed) -> None:
        """Catch up without pictures in between; trades and candles lose nothing."""
        self._take(self.market.advance_to(now_ms), feed)
        self._move_book(feed)
        self._push_candles(now_ms, feed)

    def play_to(self, now_ms: int, feed: Feed) -> None:
        """Play event after event up to and including `now_ms`, pushing every picture."""
        while (moment := self.next_ms()) is not None and moment <= now_ms:
            self._take(self.market.advance_to(moment), feed)
            self._move_book(feed)
            self._push_candles(moment, feed)

    def follow_candles(self, candle_type: str) -> None:
        """Push candles of this type from now on (1min always is)."""
        self._candles.follow(candle_type, self.bars.last(candle_type))

    def last_price(self) -> int | None:
        """Price of the newest trade, or of the newest bar's close before the first one."""
        if self.prints:
            return self.prints[-1].trade.price
        newest = self.bars.last("1min")
        return newest.close if newest is not None else None

    def _take(self, trades: list[Trade], feed: Feed) -> None:
        push = feed.wanted(self._match_topic)
        for trade in trades:
            number = self._next_trade_id
            self._next_trade_id += 1
            self.prints.append(Print(number, trade))
            self.bars.add(trade)
            self._candles.add(trade)
            if push:
                feed.publish(self._match_topic, "trade.l3match", self._match_data(number, trade))

    def _move_book(self, feed: Feed) -> None:
        if self.market.book_ms == self.book_ms:
            return
        before, self.book = self.book, self.market.book(FULL_LEVELS)
        self.book_ms = self.market.book_ms
        bid_changes = _changes(before.bids, self.book.bids)
        ask_changes = _changes(before.asks, self.book.asks)
        if bid_changes or ask_changes:
            first = self.sequence + 1
            self.sequence += len(bid_changes) + len(ask_changes)
            if feed.wanted(self._level2_topic):
                data = self._level2_data(first, bid_changes, ask_changes)
                feed.publish(self._level2_topic, "trade.l2update", data)
        if before.bids[:1] != self.book.bids[:1] or before.asks[:1] != self.book.asks[:1]:
            self._push_level1(feed)
        self._push_ticker(feed)
        for topic, levels in self._depth_topics:
            if feed.wanted(topic):
                feed.publish(topic, "level2", self._depth_data(levels))

    def _push_ticker(self, feed: Feed) -> None:
        newest = self.prints[-1].trade_id if self.prints else None
        shown = (self.book.bids[:1], self.book.asks[:1], newest)
        if shown == self._ticker_shown:
            return
        self._ticker_shown = shown
        for topic, subject in zip(self._ticker_topics, ("trade.ticker", self.instrument.symbol), strict=True):
            if feed.wanted(topic):
                feed.publish(topic, subject, self.ticker_data())

    def _push_level1(self, feed: Feed) -> None:
        if feed.wanted(self._level1_topic):
            asks, bids = self.levels(1)
            data = {"asks": asks[0] if asks else [], "bids": bids[0] if bids else [], "timestamp": self.book_ms}
            feed.publish(self._level1_topic, "level1", data)

    def _push_candles(self, now_ms: int, feed: Feed) -> None:
        symbol = self.instrument.symbol
        for frame in self._candles.flush(now_ms):
            topic = f"/market/candles:{symbol}_{frame.candle_type}"
            if feed.wanted(topic):
                candle = row(frame.bar, self.instrument)
                data = {"symbol": symbol, "candles": candle, "time": frame.time_ms * 1_000_000}
                feed.publish(topic, frame.subject, data)

    def levels(self, count: int) -> tuple[list[list[str]], list[list[str]]]:
        """(asks, bids), each up to `count` rows of [price, size] as text."""
        price, size = self.instrument.price_text, self.instrument.size_text
        asks = [[price(level[0]), size(level[1])] for level in self.book.asks[:count]]
        bids = [[price(level[0]), size(level[1])] for level in self.book.bids[:count]]
        return asks, bids

    def ticker_data(self) -> dict[str, object]:
        """The fields of a ticker frame: best quotes and newest trade."""
        asks, bids = self.levels(1)
        last = self.last_price()
        return {
            "bestAsk": asks[0][0] if asks else None,
            "bestAskSize": asks[0][1] if asks else None,
            "bestBid": bids[0][0] if bids else None,
            "bestBidSize": bids[0][1] if bids else None,
            "price": self.instrument.price_text(last) if last is not None else None,
            "sequence": str(self.sequence),
            "size": self.instrument.size_text(self.prints[-1].trade.size) if self.prints else "0",
            "time": self.book_ms,
        }

    def _depth_data(self, count: int) -> dict[str, object]:
        asks, bids = self.levels(count)
        return {"asks": asks, "bids": bids, "timestamp": self.book_ms}

    def _level2_data(self, first: int, bids: list[Change], asks: list[Change]) -> dict[str, object]:
        price, size = self.instrument.price_text, self.instrument.size_text
        ask_rows = [[price(row[0]), size(row[1]), str(first + index)] for index, row in enumerate(asks)]
        first += len(asks)
        bid_rows = [[price(row[0]), size(row[1]), str(first + index)] for index, row in enumerate(bids)]
        return {
            "changes": {"asks": ask_rows, "bids": bid_rows},
            "sequenceEnd": self.sequence,
            "sequenceStart": self.sequence - len(asks) - len(bids) + 1,
            "symbol": self.instrument.symbol,
            "time": self.book_ms,
        }

    def _match_data(self, number: int, trade: Trade) -> dict[str, object]:
        stamp = trade.time_ms // 1000
        return {
            "makerOrderId": f"{stamp:08x}{2 * number:016x}",
            "price": self.instrument.price_text(trade.price),
            "sequence": str(number),
            "side": trade.side,
            "size": self.instrument.size_text(trade.size),
            "symbol": self.instrument.symbol,
            "takerOrderId": f"{stamp:08x}{2 * number + 1:016x}",
            "time": str(trade.time_ms * 1_000_000),
            "tradeId": str(number),
            "type": "match",
        }


def _changes(before: Sequence[Change], after: Sequence[Change]) -> list[Change]:
    """What turns one side into another: new and resized levels, then the removed ones with size 0."""
    old, new = dict(before), dict(after)
    changed = [level for level in after if old.get(level[0]) != level[1]]
    changed.extend((price, 0) for price in old if price not in new)
    return changed
