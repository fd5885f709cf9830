"""The ledger: what fills do to cash, position, trade rows and running totals.

`apply_fill` and `settle` take the stored rows that an event touches and give them back changed; the caller stores
all of it in one transaction and makes sure, by the fill's unique id, that a fill is applied once.
`audit.recompute` derives the same figures from all fills, without the running totals.
"""

from decimal import Decimal

import msgspec

from btc_shared.codes import ExitReason, Mode, Side
from btc_shared.records import LedgerKey, SymbolRules
from executor.domain.arithmetic import ZERO, exact, plain
from executor.domain.orders import Intent
from executor.domain.position import (
    Fill,
    Holding,
    LedgerError,
    OversoldError,
    Position,
    RoundTrip,
    add_entry_fill,
    open_position,
    reduce_position,
    unrealised,
    write_off,
)
from executor.domain.sizing import is_sellable


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Running totals of one ledger, so that no figure costs a walk through its history.

    `realised` is the total result: partial exits and written-off dust included. Winning, losing, best, worst and
    `round_trip_net` are over closed round trips. `exits` counts executed sell orders by reason.
    """

    buys: int = 0
    sells: int = 0
    fees: Decimal = ZERO
    realised: Decimal = ZERO
    winning: int = 0
    losing: int = 0
    round_trip_net: Decimal = ZERO
    best: Decimal | None = None
    worst: Decimal | None = None
    exits: dict[ExitReason, int] = msgspec.field(default_factory=lambda: dict.fromkeys(ExitReason, 0))

    @property
    def trades(self) -> int:
        """Executed orders."""
        return self.buys + self.sells

    @property
    def round_trips(self) -> int:
        """Closed round trips."""
        return self.winning + self.losing

    @property
    def average(self) -> Decimal | None:
        """Mean net result of a closed round trip in USDT, for show; None before the first."""
        return self.round_trip_net / self.round_trips if self.round_trips else None

    @property
    def win_rate(self) -> float | None:
        """Share of closed round trips with a net profit, 0 to 1; None before the first."""
        return self.winning / self.round_trips if self.round_trips else None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger's money. `cash` is the simulated account's USDT in DRY.

    In LIVE the exchange has the balance, and `cash` is the sum of what our fills moved, from 0.
    """

    key: LedgerKey
    cash: Decimal
    totals: Totals = msgspec.field(default_factory=Totals)


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One executed order, from all its fills so far.

    `pnl` is the net result that a sell booked, the cost of dust that it left included, and `cost` the entry cost
    and entry fee of what it sold; both are None for a buy.
    """

    intent_id: str
    round_trip_id: str
    symbol: str
    side: Side
    size: Decimal
    funds: Decimal
    fee: Decimal
    first_fill_at_ms: int
    last_fill_at_ms: int
    exit_reason: ExitReason | None = None
    pnl: Decimal | None = None
    cost: Decimal | None = None

    @property
    def price(self) -> Decimal:
        """Average fill price without fees, for show."""
        return self.funds / self.size

    @property
    def pnl_pct(self) -> float | None:
        """`pnl` as a fraction of `cost`; None for a buy and for a late sale of coins already written off."""
        return float(self.pnl / self.cost) if self.pnl is not None and self.cost else None


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """An amount that was realised: by an exit's fill, or by writing off `dust` (then there is no fill).

    `realised` is net of the exit's fee and of the share of the entry fee, in USDT. Σ realised is the total result.
    """

    symbol: str
    intent_id: str
    fill_id: str | None
    round_trip_id: str
    time_ms: int
    realised: Decimal
    dust: Decimal = ZERO


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """The stored rows that one order's events touch; `trade` is the order's row, None before its first fill."""

    account: Account
    holding: Holding
    trade: Trade | None = None


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What an event did: the rows to store, what was realised and the round trip that it closed, if any."""

    books: Books
    booking: Booking | None = None
    round_trip: RoundTrip | None = None


@exact
def apply_fill(books: Books, fill: Fill, intent: Intent, new_round_trip_id: str) -> Booked:
    """Book one fill of the order of `intent`.

    Args:
        new_round_trip_id: the id of the round trip that begins if this fill opens a position; unused otherwise.

    Raises:
        LedgerError: the fill is not of this order or symbol, has no size, or costs more than the simulated cash.
        OversoldError: it sells more than the ledger has.
    """
    _check(books, fill, intent)
    if fill.side is Side.BUY:
        return _book_entry(books, fill, intent, new_round_trip_id)
    return _book_exit(books, fill, intent)


def _check(books: Books, fill: Fill, intent: Intent) -> None:
    wanted = (intent.intent_id, intent.symbol, intent.side, books.holding.symbol, books.account.key)
    got = (fill.intent_id, fill.symbol, fill.side, fill.symbol, books.holding.key)
    if wanted != got or intent.key != books.account.key:
        raise LedgerError(
            f"fill {fill.fill_id} ({fill.side} {fill.symbol}, order {fill.intent_id}) was to be booked as "
            f"{intent.side} {intent.symbol}, order {intent.intent_id}, of {intent.key} in the books of "
            f"{books.account.key} and {books.holding.symbol}: give the order's own intent and books"
        )
    if not (fill.size > 0 and fill.funds > 0 and fill.price > 0):
        raise LedgerError(
            f"fill {fill.fill_id} has size {fill.size}, price {fill.price}, funds {fill.funds}: all must be above 0"
        )


def _book_entry(books: Books, fill: Fill, intent: Intent, new_round_trip_id: str) -> Booked:
    position = books.holding.position
    if position is None:
        position = open_position(fill, new_round_trip_id, intent.decision_id, intent.signal_id)
    else:
        position = add_entry_fill(position, fill)
    account = _account(books, fill, -fill.funds - fill.fee_quote, ZERO, None)
    trade = _trade(books.trade, fill, position.round_trip_id, None)
    holding = msgspec.structs.replace(books.holding, position=position)
    return Booked(books=Books(account=account, holding=holding, trade=trade))


def _book_exit(books: Books, fill: Fill, intent: Intent) -> Booked:
    assert intent.exit_reason is not None, "a sell intent has an exit reason"
    holding, position = books.holding, books.holding.position
    round_trip: RoundTrip | None = None
    if position is not None and (books.trade is None or books.trade.round_trip_id == position.round_trip_id):
        reduced = reduce_position(position, fill, intent.exit_reason)
        realised, cost, round_trip = reduced.realised, reduced.cost, reduced.round_trip
        round_trip_id = position.round_trip_id
        holding = msgspec.structs.replace(holding, position=reduced.position)
    elif books.trade is not None and fill.size <= holding.dust:
        # A fill after a cancel sold what had been written off: its cost is booked already, its round trip is over.
        realised, cost = fill.funds - fill.fee_quote, ZERO
        round_trip_id = books.trade.round_trip_id
        holding = msgspec.structs.replace(holding, dust=holding.dust - fill.size)
    else:
        raise OversoldError(
            f"fill {fill.fill_id} of order {fill.intent_id} sells {fill.size} {fill.symbol}, but the ledger has a "
            f"position of {holding.size} and {holding.dust} written off"
        )
    trade = _trade(books.trade, fill, round_trip_id, intent.exit_reason, realised, cost)
    account = _account(books, fill, fill.funds - fill.fee_quote, realised, round_trip, intent.exit_reason)
    booking = Booking(
        symbol=fill.symbol,
        intent_id=fill.intent_id,
        fill_id=fill.fill_id,
        round_trip_id=round_trip_id,
        time_ms=fill.time_ms,
        realised=realised,
    )
    return Booked(books=Books(account=account, holding=holding, trade=trade), booking=booking, round_trip=round_trip)


def _trade(
    trade: Trade | None,
    fill: Fill,
    round_trip_id: str,
    reason: ExitReason | None,
    realised: Decimal = ZERO,
    cost: Decimal = ZERO,
) -> Trade:
    selling = fill.side is Side.SELL
    if trade is None:
        return Trade(
            intent_id=fill.intent_id,
            round_trip_id=round_trip_id,
            symbol=fill.symbol,
            side=fill.side,
            size=fill.size,
            funds=fill.funds,
            fee=fill.fee_quote,
            first_fill_at_ms=fill.time_ms,
            last_fill_at_ms=fill.time_ms,
            exit_reason=reason,
            pnl=realised if selling else None,
            cost=cost if selling else None,
        )
    return msgspec.structs.replace(
        trade,
        size=trade.size + fill.size,
        funds=trade.funds + fill.funds,
        fee=trade.fee + fill.fee_quote,
        first_fill_at_ms=min(trade.first_fill_at_ms, fill.time_ms),
        last_fill_at_ms=max(trade.last_fill_at_ms, fill.time_ms),
        pnl=(trade.pnl or ZERO) + realised if selling else None,
        cost=(trade.cost or ZERO) + cost if selling else None,
    )


def _account(
    books: Books,
    fill: Fill,
    cash_change: Decimal,
    realised: Decimal,
    round_trip: RoundTrip | None,
    reason: ExitReason | None = None,
) -> Account:
    account, totals = books.account, books.account.totals
    cash = account.cash + cash_change
    if cash < 0 and account.key.mode is Mode.DRY:
        raise LedgerError(
            f"fill {fill.fill_id} would leave {plain(cash)} USDT in the simulated account: an order may cost its funds "
            "plus the fee at most"
        )
    exits = dict(totals.exits)
    first = books.trade is None
    if first and reason is not None:
        exits[reason] = exits.get(reason, 0) + 1
    totals = msgspec.structs.replace(
        totals,
        buys=totals.buys + (first and fill.side is Side.BUY),
        sells=totals.sells + (first and fill.side is Side.SELL),
        fees=totals.fees + fill.fee_quote,
        realised=totals.realised + realised,
        exits=exits,
    )
    return msgspec.structs.replace(account, cash=cash, totals=_count_round_trip(totals, round_trip))


def _count_round_trip(totals: Totals, round_trip: RoundTrip | None) -> Totals:
    if round_trip is None:
        return totals
    net = round_trip.net
    return msgspec.structs.replace(
        totals,
        winning=totals.winning + round_trip.won,
        losing=totals.losing + (not round_trip.won),
        round_trip_net=totals.round_trip_net + net,
        best=net if totals.best is None else max(totals.best, net),
        worst=net if totals.worst is None else min(totals.worst, net),
    )


@exact
def settle(books: Books, intent: Intent, rules: SymbolRules, time_ms: int) -> Booked:
    """Write off what an order left of the position below the exchange's minimums; else change nothing.

    To be called when the order of `intent` has ended, all its fills are applied, and no other order of the symbol
    is open or unknown. The rest is valued at the order's own average fill price: a wrong quote must not be able to
    declare a position worthless. The loss goes to the sell's trade row; an entry that ends too small to be sold has
    none (a buy's result is never shown) and its round trip is closed at a loss of its cost.
    """
    position = books.holding.position
    price = books.trade.price if books.trade else None
    if position is None or is_sellable(position.size, price, rules):
        return Booked(books=books)
    reduced = write_off(position, time_ms)
    totals = books.account.totals
    totals = msgspec.structs.replace(totals, realised=totals.realised + reduced.realised)
    trade = books.trade
    if trade is not None and trade.side is Side.SELL:
        trade = msgspec.structs.replace(
            trade,
            pnl=(trade.pnl or ZERO) + reduced.realised,
            cost=(trade.cost or ZERO) + reduced.cost,
        )
    return Booked(
        books=Books(
            account=msgspec.structs.replace(books.account, totals=_count_round_trip(totals, reduced.round_trip)),
            holding=msgspec.structs.replace(books.holding, dust=books.holding.dust + position.size, position=None),
            trade=trade,
        ),
        booking=Booking(
            symbol=position.symbol,
            intent_id=intent.intent_id,
            fill_id=None,
            round_trip_id=position.round_trip_id,
            time_ms=time_ms,
            realised=reduced.realised,
            dust=position.size,
        ),
        round_trip=reduced.round_trip,
    )


@exact
def equity(cash: Decimal, position: Position | None, best_bid: Decimal | None, taker_fee: Decimal) -> Decimal | None:
    """Cash plus what selling the position at the best bid would bring, after the fee; None without a bid for it.

    So equity = starting cash + total result + unrealised result, exactly.
    """
    if position is None:
        return cash
    if best_bid is None:
        return None
    return cash + unrealised(position, best_bid, taker_fee) + position.open_cost + position.open_fee


@exact
def quote_fee(
    fee: Decimal, fee_currency: str, *, price: Decimal, funds: Decimal, rules: SymbolRules, taker_fee: Decimal
) -> Decimal:
    """An exchange's fee in the quote currency, to be booked.

    Charged in the base currency it is valued at the fill's price. In any other (KCS, for accounts that pay in it)
    the ordinary taker fee stands in, which is not below what was paid.
    """
    if fee_currency == rules.quote_currency:
        return fee
    if fee_currency == rules.base_currency:
        return fee * price
    return funds * taker_fee
