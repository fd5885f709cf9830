"""An order book that is kept from snapshots and changes."""

from bisect import bisect_left, insort
from collections.abc import Iterable

from kucoin_sim.market import Book

Level = tuple[int, int]


class _Levels:
    """One side: sizes by price, and the prices in ascending order."""

    __slots__ = ("prices", "sizes")

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.prices: list[int] = []

    def replace(self, levels: Iterable[Level]) -> None:
        self.sizes = {price: size for price, size in levels if size > 0}
        self.prices = sorted(self.sizes)

    def set(self, price: int, size: int) -> None:
        known = price in self.sizes
        if size > 0:
            self.sizes[price] = size
            if not known:
                insort(self.prices, price)
        elif known:
            del self.sizes[price]
            del self.prices[bisect_left(self.prices, price)]


class OrderBook:
    """Both sides, in any integer units."""

    def __init__(self) -> None:
        self._bids = _Levels()
        self._asks = _Levels()

    def replace(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Take a whole new book."""
        self._bids.replace(bids)
        self._asks.replace(asks)

    def change(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Set levels; size 0 removes one."""
        for price, size in bids:
            self._bids.set(price, size)
        for price, size in asks:
            self._asks.set(price, size)

    def set_best(self, bid: Level, ask: Level) -> None:
        """Take best quotes: whatever lies beyond them is gone."""
        for price in [price for price in self._bids.prices if price > bid[0]]:
            self._bids.set(price, 0)
        for price in [price for price in self._asks.prices if price < ask[0]]:
            self._asks.set(price, 0)
        self._bids.set(*bid)
        self._asks.set(*ask)

    def top(self, levels: int) -> Book:
        """The best levels of both sides."""
        bids, asks = self._bids, self._asks
        best_bids = bids.prices[-levels:][::-1] if levels > 0 else []
        return Book(
            [(price, bids.sizes[price]) for price in best_bids],
            [(price, asks.sizes[price]) for price in asks.prices[:levels]],
        )
