"""A position: the agent's own fills of one round trip that are not sold yet, and how fills change it."""

from decimal import Decimal

import msgspec

from btc_shared.codes import ExitReason, Side
from btc_shared.records import LedgerKey
from executor.domain.arithmetic import ZERO, exact, share


class LedgerError(Exception):
    """A fill contradicts the ledger: the order was not ours, or the ledger misses something.

    The fill is real all the same. Keep it, halt entries and let a person look; invent nothing.
    """


class OversoldError(LedgerError):
    """A fill sells coins that the ledger does not have."""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one of our orders.

    `fee_quote` is what the ledger books, in the quote currency (`ledger.quote_fee`); `fee` and `fee_currency` are as
    the exchange reported them. `price × size = funds`, before the fee.
    """

    fill_id: str
    intent_id: str
    symbol: str
    side: Side
    price: Decimal
    size: Decimal
    funds: Decimal
    fee_quote: Decimal
    fee: Decimal
    fee_currency: str
    time_ms: int


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """An open position; its size is above 0 while it exists.

    `entry_size`, `entry_cost`, `entry_fee` sum up all entry fills; `open_cost` and `open_fee` are the parts of the
    cost and the entry fee that no exit has booked yet. `high_bid` is the highest bid judged since the entry, 0
    before the first. `realised` is net of fees, over the exits so far.
    """

    round_trip_id: str
    symbol: str
    entry_intent_id: str
    entry_decision_id: str | None
    entry_signal_id: str | None
    opened_at_ms: int
    last_fill_at_ms: int
    size: Decimal
    entry_size: Decimal
    entry_cost: Decimal
    entry_fee: Decimal
    open_cost: Decimal
    open_fee: Decimal
    exit_size: Decimal = ZERO
    exit_funds: Decimal = ZERO
    exit_fee: Decimal = ZERO
    realised: Decimal = ZERO
    exit_reasons: tuple[ExitReason, ...] = ()
    high_bid: Decimal = ZERO
    armed: bool = False
    partial_done: bool = False

    @property
    def entry_price(self) -> Decimal:
        """Average price of the entry's fills without fees; rounded, for show: rules multiply instead."""
        return self.entry_cost / self.entry_size

    @property
    def high(self) -> Decimal:
        """The highest of the entry price and the bids since, for show."""
        return max(self.entry_price, self.high_bid)


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """A closed position: an entry with all its exits.

    `net` = exit funds − exit fees − entry cost − entry fee, in USDT; coins written off as `dust` count as lost.
    `net_bp` is `net` in basis points of the stake, which is the entry's cost without its fee.
    """

    round_trip_id: str
    symbol: str
    entry_intent_id: str
    entry_decision_id: str | None
    entry_signal_id: str | None
    opened_at_ms: int
    closed_at_ms: int
    entry_size: Decimal
    entry_cost: Decimal
    entry_fee: Decimal
    exit_size: Decimal
    exit_funds: Decimal
    exit_fee: Decimal
    dust: Decimal
    net: Decimal
    net_bp: Decimal
    exit_reasons: tuple[ExitReason, ...]

    @property
    def fees(self) -> Decimal:
        return self.entry_fee + self.exit_fee

    @property
    def won(self) -> bool:
        """Break-even loses."""
        return self.net > 0


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What one ledger has of one symbol: `size + dust = Σ bought − Σ sold`, over all its fills ever.

    `dust` sums up what sells left below the exchange's minimum; it is written off and never sold.
    """

    key: LedgerKey
    symbol: str
    dust: Decimal = ZERO
    position: Position | None = None

    @property
    def size(self) -> Decimal:
        """Coins of the open position; 0 without one."""
        return self.position.size if self.position else ZERO


def open_position(
    fill: Fill, round_trip_id: str, decision_id: str | None = None, signal_id: str | None = None
) -> Position:
    """The position after an entry's first fill."""
    return Position(
        round_trip_id=round_trip_id,
        symbol=fill.symbol,
        entry_intent_id=fill.intent_id,
        entry_decision_id=decision_id,
        entry_signal_id=signal_id,
        opened_at_ms=fill.time_ms,
        last_fill_at_ms=fill.time_ms,
        size=fill.size,
        entry_size=fill.size,
        entry_cost=fill.funds,
        entry_fee=fill.fee_quote,
        open_cost=fill.funds,
        open_fee=fill.fee_quote,
    )


@exact
def add_entry_fill(position: Position, fill: Fill) -> Position:
    """The position after a further entry fill; one that is learned of after an exit counts as well."""
    return msgspec.structs.replace(
        position,
        opened_at_ms=min(position.opened_at_ms, fill.time_ms),
        last_fill_at_ms=max(position.last_fill_at_ms, fill.time_ms),
        size=position.size + fill.size,
        entry_size=position.entry_size + fill.size,
        entry_cost=position.entry_cost + fill.funds,
        entry_fee=position.entry_fee + fill.fee_quote,
        open_cost=position.open_cost + fill.funds,
        open_fee=position.open_fee + fill.fee_quote,
    )


class Reduced(msgspec.Struct, frozen=True, kw_only=True):
    """What an exit did: `cost` is the sold part's entry cost with its share of the entry fee."""

    position: Position | None
    round_trip: RoundTrip | None
    realised: Decimal
    cost: Decimal


@exact
def reduce_position(position: Position, fill: Fill, reason: ExitReason) -> Reduced:
    """Book an exit's fill: cost and entry fee leave the position pro rata; at size 0 the round trip is closed.

    A partial exit counts as done from its first fill.

    Raises:
        OversoldError: if the fill is larger than the position.
    """
    if fill.size > position.size:
        raise OversoldError(
            f"fill {fill.fill_id} of order {fill.intent_id} sells {fill.size} {fill.symbol}, but the position has "
            f"{position.size}"
        )
    cost = share(position.open_cost, fill.size, position.size)
    fee = share(position.open_fee, fill.size, position.size)
    realised = fill.funds - fill.fee_quote - cost - fee
    reasons = position.exit_reasons
    after = msgspec.structs.replace(
        position,
        last_fill_at_ms=max(position.last_fill_at_ms, fill.time_ms),
        size=position.size - fill.size,
        open_cost=position.open_cost - cost,
        open_fee=position.open_fee - fee,
        exit_size=position.exit_size + fill.size,
        exit_funds=position.exit_funds + fill.funds,
        exit_fee=position.exit_fee + fill.fee_quote,
        realised=position.realised + realised,
        exit_reasons=reasons if reason in reasons else (*reasons, reason),
        partial_done=position.partial_done or reason is ExitReason.PARTIAL_EXIT,
    )
    closed = after.size == 0
    return Reduced(
        position=None if closed else after,
        round_trip=_round_trip(after, dust=ZERO, closed_at_ms=after.last_fill_at_ms) if closed else None,
        realised=realised,
        cost=cost + fee,
    )


@exact
def write_off(position: Position, time_ms: int) -> Reduced:
    """Close a position whose rest can no longer be sold: the rest becomes dust and its cost a loss."""
    cost = position.open_cost + position.open_fee
    after = msgspec.structs.replace(
        position,
        size=ZERO,
        open_cost=ZERO,
        open_fee=ZERO,
        realised=position.realised - cost,
    )
    closed_at_ms = max(time_ms, position.last_fill_at_ms)
    return Reduced(
        position=None,
        round_trip=_round_trip(after, dust=position.size, closed_at_ms=closed_at_ms),
        realised=-cost,
        cost=cost,
    )


def _round_trip(closed: Position, *, dust: Decimal, closed_at_ms: int) -> RoundTrip:
    return RoundTrip(
        round_trip_id=closed.round_trip_id,
        symbol=closed.symbol,
        entry_intent_id=closed.entry_intent_id,
        entry_decision_id=closed.entry_decision_id,
        entry_signal_id=closed.entry_signal_id,
        opened_at_ms=closed.opened_at_ms,
        closed_at_ms=closed_at_ms,
        entry_size=closed.entry_size,
        entry_cost=closed.entry_cost,
        entry_fee=closed.entry_fee,
        exit_size=closed.exit_size,
        exit_funds=closed.exit_funds,
        exit_fee=closed.exit_fee,
        dust=dust,
        net=closed.realised,
        net_bp=share(Decimal(10_000), closed.realised, closed.entry_cost),
        exit_reasons=closed.exit_reasons,
    )


@exact
def unrealised(position: Position, best_bid: Decimal, taker_fee: Decimal) -> Decimal:
    """What selling the position now would add to the realised result, in USDT, after the exit's fee."""
    return position.size * best_bid * (1 - taker_fee) - position.open_cost - position.open_fee
