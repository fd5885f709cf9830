"""The ledger's figures derived from all fills at once, to check the running totals against.

Written to be seen to be right and not to be fast: it groups fills into round trips and sums each up.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from btc_shared.codes import ExitReason, Side
from executor.domain.arithmetic import EXACT, ZERO, exact
from executor.domain.ledger import Booking, Totals
from executor.domain.position import Fill, LedgerError, OversoldError


class Recomputed(msgspec.Struct, frozen=True, kw_only=True):
    """Totals as `ledger` keeps them; sizes and dust by symbol; `cash_change` is Σ of what the fills moved, in USDT."""

    totals: Totals
    sizes: dict[str, Decimal]
    dust: dict[str, Decimal]
    cash_change: Decimal


class _RoundTrip:
    def __init__(self) -> None:
        self.fills: list[Fill] = []
        self.dust = ZERO

    @property
    def size(self) -> Decimal:
        return sum((_signed(fill) for fill in self.fills), ZERO) - self.dust

    @property
    def net(self) -> Decimal:
        """What the fills moved; the net result once nothing is open."""
        return sum((_moved(fill) for fill in self.fills), ZERO)

    @property
    def realised(self) -> Decimal:
        """The net result, less what is still bound in the open part at its average cost."""
        size, bound = Fraction(0), Fraction(0)
        for fill in self.fills:
            if fill.side is Side.BUY:
                bound += Fraction(fill.funds) + Fraction(fill.fee_quote)
                size += Fraction(fill.size)
            else:
                bound -= bound * Fraction(fill.size) / size
                size -= Fraction(fill.size)
        if self.dust or size == 0:
            return self.net
        return self.net + EXACT.divide(Decimal(bound.numerator), Decimal(bound.denominator))


@exact
def recompute(events: Sequence[Fill | Booking], reasons: Mapping[str, ExitReason]) -> Recomputed:
    """Figures of one ledger from its history.

    Args:
        events: its fills, and its bookings of written-off dust (those without a fill), as they were booked.
        reasons: the exit reason of each sell order, by intent id.

    Raises:
        LedgerError: if a write-off is not the rest of a position, or (`OversoldError`) the fills sell more than was
            bought.
    """
    fills = [event for event in events if isinstance(event, Fill)]
    sides = {fill.intent_id: fill.side for fill in fills}
    trips: list[_RoundTrip] = []
    late: list[Fill] = []
    symbols = sorted({event.symbol for event in events})
    sizes: dict[str, Decimal] = {}
    dust: dict[str, Decimal] = {}
    for symbol in symbols:
        of_symbol, late_of_symbol = _round_trips([event for event in events if event.symbol == symbol])
        trips += of_symbol
        late += late_of_symbol
        sizes[symbol] = sum((trip.size for trip in of_symbol), ZERO)
        late_size = sum((fill.size for fill in late_of_symbol), ZERO)
        dust[symbol] = sum((trip.dust for trip in of_symbol), ZERO) - late_size
    closed = [trip.net for trip in trips if trip.size == 0]
    exits = dict.fromkeys(ExitReason, 0)
    for intent_id in sides:
        if sides[intent_id] is Side.SELL:
            exits[reasons[intent_id]] += 1
    totals = Totals(
        buys=sum(1 for side in sides.values() if side is Side.BUY),
        sells=sum(1 for side in sides.values() if side is Side.SELL),
        fees=sum((fill.fee_quote for fill in fills), ZERO),
        realised=sum((trip.realised for trip in trips), ZERO) + sum((_moved(fill) for fill in late), ZERO),
        winning=sum(1 for net in closed if net > 0),
        losing=sum(1 for net in closed if net <= 0),
        round_trip_net=sum(closed, ZERO),
        best=max(closed, default=None),
        worst=min(closed, default=None),
        exits=exits,
    )
    cash_change = sum((_moved(fill) for fill in fills), ZERO)
    return Recomputed(totals=totals, sizes=sizes, dust=dust, cash_change=cash_change)


def _round_trips(events: Sequence[Fill | Booking]) -> tuple[list[_RoundTrip], list[Fill]]:
    """The round trips of one symbol, and the sells that came after theirs had been written off."""
    trips: list[_RoundTrip] = []
    late: list[Fill] = []
    trip_of_order: dict[str, _RoundTrip] = {}
    for event in events:
        current = trips[-1] if trips and trips[-1].size > 0 else None
        if isinstance(event, Booking):
            if current is None or event.dust != current.size:
                raise LedgerError(f"{event.dust} {event.symbol} were written off, but something else was left")
            current.dust = event.dust
            continue
        if event.side is Side.BUY and current is None:
            current = _RoundTrip()
            trips.append(current)
        if event.side is Side.SELL:
            begun = trip_of_order.get(event.intent_id, current)
            if begun is None or (begun is current and event.size > current.size):
                raise OversoldError(f"fill {event.fill_id} sells more {event.symbol} than was bought")
            if begun is not current:
                late.append(event)
                continue
        assert current is not None, "a buy opened a round trip, and a sell without one was refused"
        current.fills.append(event)
        trip_of_order.setdefault(event.intent_id, current)
    return trips, late


def _signed(fill: Fill) -> Decimal:
    return fill.size if fill.side is Side.BUY else -fill.size


def _moved(fill: Fill) -> Decimal:
    """What a fill did to the cash."""
    return (fill.funds if fill.side is Side.SELL else -fill.funds) - fill.fee_quote
