"""A recording played as a live market, moved in time by whole minutes.

The second within the minute of every event is kept: bars then hold exactly the trades they held when recorded.
Before the first event the market shows the first book; after the last one it stands still.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from kucoin_sim.instruments import INSTRUMENTS, Instrument
from kucoin_sim.market import Bar, Book, Trade
from kucoin_sim.orderbook import Level, OrderBook
from kucoin_sim.recording import BestQuotes, BookChanges, BookSnapshot, Event, RecordedTrade, Recording

MINUTE_MS = 60_000

HistoryMaker = Callable[[Instrument, int, int], Sequence[Bar]]
"""From the instrument, the first price and the minute in which the market begins, the bars before that minute."""


def recorded_instrument(recording: Recording) -> Instrument:
    """The recorded pair, with the recording's price increment and at least its size increment."""
    header = recording.header
    known = INSTRUMENTS.get(header.symbol)
    if known is None:
        known = Instrument(header.symbol, header.price_decimals, 8, 6, header.size_increment, 1.0)
    return replace(
        known,
        price_decimals=header.price_decimals,
        size_decimals=max(known.size_decimals, header.size_decimals),
    )


class ReplayMarket:
    """Plays `recording` from the first moment at or after `start_ms` that has its first event's second of the minute.

    `make_history` gives the bars before the minute in which it begins; its first price is that of the first trade.
    """

    def __init__(self, recording: Recording, start_ms: int, make_history: HistoryMaker | None = None) -> None:
        header = recording.header
        self.title = f"recording: {header.source}"
        self.instrument = recorded_instrument(recording)
        minutes = -((header.first_ms - start_ms) // MINUTE_MS)
        self.shift_ms = minutes * MINUTE_MS
        self.begins_ms: int = header.first_ms + self.shift_ms
        self.ends_ms: int | None = header.last_ms + self.shift_ms
        self._size_scale = 10 ** (self.instrument.size_decimals - header.size_decimals)
        self._events = recording.events()
        self._next: Event | None = next(self._events)
        self._book = OrderBook()
        assert isinstance(self._next, BookSnapshot)
        self._book.replace(self._scaled(self._next.bids), self._scaled(self._next.asks))
        self.book_ms = start_ms
        self.history: Sequence[Bar] = ()
        if make_history is not None:
            begin_minute_ms = self.begins_ms - self.begins_ms % MINUTE_MS
            self.history = make_history(self.instrument, _first_price(recording), begin_minute_ms)

    def next_ms(self) -> int | None:
        return self._next.time_ms + self.shift_ms if self._next is not None else None

    def advance_to(self, now_ms: int) -> list[Trade]:
        """Play every event up to and including `now_ms`; the trades among them, in order."""
        trades: list[Trade] = []
        until_ms = now_ms - self.shift_ms
        while self._next is not None and self._next.time_ms <= until_ms:
            event = self._next
            self._next = next(self._events, None)
            self._apply(event, trades)
        return trades

    def book(self, levels: int) -> Book:
        return self._book.top(levels)

    def _apply(self, event: Event, trades: list[Trade]) -> None:
        time_ms = event.time_ms + self.shift_ms
        scale = self._size_scale
        if isinstance(event, RecordedTrade):
            trades.append(Trade(time_ms, event.price, event.size * scale, event.side))
            return
        if isinstance(event, BookChanges):
            self._book.change(self._scaled(event.bids), self._scaled(event.asks))
        elif isinstance(event, BestQuotes):
            self._book.set_best((event.bid, event.bid_size * scale), (event.ask, event.ask_size * scale))
        else:
            self._book.replace(self._scaled(event.bids), self._scaled(event.asks))
        self.book_ms = time_ms

    def _scaled(self, levels: Iterable[Level]) -> list[Level]:
        return [(price, size * self._size_scale) for price, size in levels]


def _first_price(recording: Recording) -> int:
    """Price of the first trade; the best bid of the first book in a recording without trades."""
    best_bid = 0
    for event in recording.events():
        if isinstance(event, RecordedTrade):
            return event.price
        if best_bid == 0 and isinstance(event, BookSnapshot):
            best_bid = max((price for price, _ in event.bids), default=0)
    return best_bid
