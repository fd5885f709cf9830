"""A ledger reckoned from the stored fills alone, in exact fractions: the referee for everything booked and shown.

Nothing of the product is imported here. An order's reason is taken from its row, and that is all that is taken
besides fills. Money is USDT, sizes are BTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

Row = Mapping[str, Any]


@dataclass
class Order:
    """What one order did. `realised` and `cost` are a sell's."""

    intent_id: Any
    side: str
    reason: str | None
    first_at: datetime
    last_at: datetime
    size: Fraction = Fraction(0)
    funds: Fraction = Fraction(0)
    fee: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)


@dataclass
class Trip:
    """From flat to flat."""

    opened_at: datetime
    entry_size: Fraction = Fraction(0)
    entry_funds: Fraction = Fraction(0)
    exit_funds: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    net: Fraction = Fraction(0)
    closed_at: datetime | None = None
    reasons: list[str] = field(default_factory=list)
    intents: list[Any] = field(default_factory=list)


@dataclass
class Books:
    """`sales` are realised amounts by fill, in the order of booking."""

    cash: Fraction
    size: Fraction = Fraction(0)
    open_funds: Fraction = Fraction(0)
    open_fee: Fraction = Fraction(0)
    orders: dict[Any, Order] = field(default_factory=dict)
    trips: list[Trip] = field(default_factory=list)
    sales: list[tuple[str, Fraction]] = field(default_factory=list)

    @property
    def closed(self) -> list[Trip]:
        return [trip for trip in self.trips if trip.closed_at is not None]

    @property
    def open(self) -> Trip | None:
        return self.trips[-1] if self.size else None

    @property
    def realised(self) -> Fraction:
        return sum((amount for _, amount in self.sales), Fraction(0))

    @property
    def fees(self) -> Fraction:
        return sum((order.fee for order in self.orders.values()), Fraction(0))

    @property
    def net_of_closed(self) -> list[Fraction]:
        return [trip.net for trip in self.closed]

    def of_side(self, side: str) -> list[Order]:
        return [order for order in self.orders.values() if order.side == side]

    def exits(self, reason: str) -> int:
        return sum(order.reason == reason for order in self.orders.values())


def kept(fills: Sequence[Row], reasons: Mapping[Any, str | None], initial: Any) -> Books:
    """The books after `fills`, in the order of booking, of an account that began with `initial` USDT."""
    books = Books(cash=Fraction(initial))
    for fill in fills:
        _book(books, fill, reasons[fill["intent_id"]])
    return books


def _book(books: Books, fill: Row, reason: str | None) -> None:
    size, funds, fee = (Fraction(fill[name]) for name in ("size", "funds", "fee_quote"))
    assert funds == Fraction(fill["price"]) * size
    at = fill["filled_at"]
    order = books.orders.setdefault(fill["intent_id"], Order(fill["intent_id"], fill["side"], reason, at, at))
    order.size, order.funds, order.fee = order.size + size, order.funds + funds, order.fee + fee
    order.first_at, order.last_at = min(order.first_at, at), max(order.last_at, at)
    if fill["side"] == "buy":
        if not books.size:
            books.trips.append(Trip(opened_at=at))
        trip = books.trips[-1]
        books.cash -= funds + fee
        books.size += size
        books.open_funds += funds
        books.open_fee += fee
        trip.entry_size += size
        trip.entry_funds += funds
    else:
        trip = books.trips[-1]
        assert size <= books.size, f"fill {fill['fill_id']} sells more than there was"
        part = size / books.size
        cost = (books.open_funds + books.open_fee) * part
        realised = funds - fee - cost
        books.cash += funds - fee
        books.size -= size
        books.open_funds -= books.open_funds * part
        books.open_fee -= books.open_fee * part
        books.sales.append((fill["fill_id"], realised))
        order.realised, order.cost = order.realised + realised, order.cost + cost
        trip.exit_funds += funds
        trip.net += realised
        assert reason is not None
        if reason not in trip.reasons:
            trip.reasons.append(reason)
        if not books.size:
            trip.closed_at = at
    trip.fees += fee
    if fill["intent_id"] not in trip.intents:
        trip.intents.append(fill["intent_id"])
