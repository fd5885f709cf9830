"""What a market is to the exchange: a clock-free source of trades and order books.

Times are milliseconds since 1970 (UTC). Prices and sizes are integers in the instrument's units
(see `kucoin_sim.fixed`); a turnover is in price unit × size unit.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from kucoin_sim.instruments import Instrument

Side = Literal["buy", "sell"]


class Trade(NamedTuple):
    """One public trade; `side` is the taker's."""

    time_ms: int
    price: int
    size: int
    side: Side


class Book(NamedTuple):
    """The best levels of both sides as (price, size): bids from the highest, asks from the lowest."""

    bids: Sequence[tuple[int, int]]
    asks: Sequence[tuple[int, int]]


class Bar(NamedTuple):
    """One candle. `open_ms` is its opening time."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    turnover: int


class Market(Protocol):
    """A market of one instrument. It moves only when told, in order, and knows no clock."""

    @property
    def title(self) -> str:
        """What is played, for logs and /health."""

    @property
    def instrument(self) -> Instrument: ...

    @property
    def history(self) -> Sequence[Bar]:
        """One-minute bars before the minute in which the market begins, oldest first, none for tradeless minutes."""

    @property
    def begins_ms(self) -> int:
        """Time of the first event."""

    @property
    def ends_ms(self) -> int | None:
        """Time of the last event; None when it never ends."""

    @property
    def book_ms(self) -> int:
        """Time at which the book was touched last."""

    def next_ms(self) -> int | None:
        """Time of the next event, or None when the market stands still for good."""

    def advance_to(self, now_ms: int) -> list[Trade]:
        """Play everything up to and including `now_ms`; the trades that happened, in order of time."""

    def book(self, levels: int) -> Book:
        """Up to `levels` levels of each side, as of the last event played."""
