"""The executor's part with simulated money: gates, sizes, orders that meet the book later, exits and the ledger."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from btc_shared.codes import Action, ExitReason, Refusal, Side
from btc_shared.equity_curve import EquityPoint
from btc_shared.messages import Signal
from btc_shared.records import BookPicture, LedgerKey, SymbolRules
from executor.domain import limits
from executor.domain.arithmetic import ZERO
from executor.domain.denied import Denied
from executor.domain.exits import ExitDecision, Judgement, judge, retry_delay_ms
from executor.domain.gates import BUY_GATES, SIGNAL_SELL_GATES, GateFacts, first_refusal
from executor.domain.ledger import Account, Booked, Booking, Books, Trade, apply_fill, equity, settle
from executor.domain.orders import Intent, client_oid
from executor.domain.paper import PaperExecution, PaperFill, market_buy, market_sell
from executor.domain.position import Fill, Holding, Position, RoundTrip
from executor.domain.sizing import entry_funds, sell_size

if TYPE_CHECKING:
    from btc_shared.settings import RiskSettings

NO_MARKET = "paper_no_market"
CANCELLED = "cancelled"
"""Codes of orders that came to nothing without a refusal by the exchange's rules."""
_NEXT_PICTURE_MS = 500


class _OpenOrder(msgspec.Struct, frozen=True):
    intent: Intent
    round_trip_id: str
    due_ms: int


class _Retry(msgspec.Struct):
    """When an exit that was refused may be tried again."""

    refusals: int = 0
    next_ms: int = 0


class _Quiet(msgspec.Struct, frozen=True):
    """A span of bids that cause nothing, up to the end of the day."""

    low: Decimal
    high: Decimal
    until_ms: int


class ClosedTrip(msgspec.Struct, frozen=True):
    """A round trip that closed, with its fills."""

    trip: RoundTrip
    fills: tuple[Fill, ...]


class Desk:
    """Trades one ledger of one symbol.

    The caller gives events in the order of their times and calls `advance` before each of them.
    """

    def __init__(
        self, key: LedgerKey, rules: SymbolRules, settings: "RiskSettings", cash: Decimal, ids: Callable[[], str]
    ) -> None:
        self._key, self.rules, self._settings, self._ids = key, rules, settings, ids
        self.account = Account(key=key, cash=cash)
        self.holding = Holding(key=key, symbol=rules.symbol)
        self.history: list[Fill | Booking] = []
        self.trades: list[Trade] = []
        self.round_trips: list[RoundTrip] = []
        self.exit_reasons: dict[str, ExitReason] = {}
        self.refusals: dict[Refusal, int] = {}
        self.rejections: dict[str, int] = {}
        self.equity: list[EquityPoint] = []
        self._picture: BookPicture | None = None
        self._quiet: _Quiet | None = None
        self.latency_ms = int(settings.dry_latency * 1_000)
        self._orders: dict[str, _OpenOrder] = {}
        self._trip_fills: list[Fill] = []
        # Of partial exits and of the others: one that fails must not delay the other kind.
        self._retries = {True: _Retry(), False: _Retry()}
        self._day: date | None = None
        self._first_fills_ms: list[int] = []
        self._bookings: list[Booking] = []
        self._latched_on: date | None = None

    @property
    def position(self) -> Position | None:
        return self.holding.position

    @property
    def is_busy(self) -> bool:
        """True while prices matter: a position is open, or an order is on its way."""
        return bool(self._orders) or self.holding.position is not None

    # Signals

    def take_signal(self, signal: Signal, at_ms: int) -> Denied | None:
        """Judge a signal; an order is sent, or the refusal counted and returned."""
        denied = self._order_of(signal, at_ms)
        if denied is not None:
            self.refusals[denied.code] = self.refusals.get(denied.code, 0) + 1
        return denied

    def _order_of(self, signal: Signal, at_ms: int) -> Denied | None:
        gates = SIGNAL_SELL_GATES if signal.action is Action.SELL else BUY_GATES
        denied = first_refusal(gates, self._facts(signal, at_ms), self._settings)
        if denied is not None:
            return denied
        picture, position = self._picture, self.position
        assert picture is not None, "the gates refuse a signal without a book"
        if signal.action is Action.BUY:
            funds = entry_funds(self.account.cash, picture.best_ask, self.rules, self._settings)
            if isinstance(funds, Denied):
                return funds
            self._send(Side.BUY, at_ms, self._ids(), funds=funds, signal=signal)
            return None
        assert position is not None, "the gates refuse a sell without a position"
        size = self._sellable(position, position.size, picture)
        if size == 0:
            return Denied(code=Refusal.NO_POSITION, detail=f"nothing of {position.size} can be sold now")
        self._send(Side.SELL, at_ms, position.round_trip_id, size=size, reason=ExitReason.SIGNAL, signal=signal)
        return None

    def _facts(self, signal: Signal, at_ms: int) -> GateFacts:
        """As the executor gathers them; what cannot go wrong in one process is in order."""
        picture, position, today = self._picture, self.position, limits.utc_day(at_ms)
        return GateFacts(
            now_ms=at_ms,
            key=self._key,
            requested_mode=self._key.mode,
            signal_id=signal.signal_id,
            signal_action=signal.action,
            signal_venue=signal.venue,
            signal_mode=signal.mode,
            signal_symbol=signal.symbol,
            signal_time_ms=signal.created_at_ms,
            confidence=Decimal(repr(signal.confidence)),
            rules=self.rules,
            is_leader=True,
            has_converged=True,
            halted=False,
            degraded=(),
            unprotected=False,
            position_size=self.holding.size,
            position_opened_at_ms=position.opened_at_ms if position else None,
            orders_in_flight=len(self._orders),
            book_time_ms=picture.received_at_ms if picture else None,
            best_ask=picture.best_ask if picture else None,
            last_trade_at_ms=self.trades[-1].last_fill_at_ms if self.trades else 0,
            trades_today=limits.count_trades(self._first_fills_ms, today),
            loss_latched=limits.is_latched(self._latched_on, today),
            day_result=self._day_result(today, picture.best_bid if picture else None),
            available_quote=self.account.cash,
        )

    def _sellable(self, position: Position, wanted: Decimal, picture: BookPicture) -> Decimal:
        sells = (order.intent.size for order in self._orders.values() if order.intent.side is Side.SELL)
        return sell_size(
            wanted,
            position_size=position.size,
            committed=sum((size for size in sells if size is not None), ZERO),
            available_base=None,
            best_bid=picture.best_bid,
            rules=self.rules,
        )

    # Prices

    def take_picture(self, picture: BookPicture, at_ms: int) -> None:
        """Take a picture of the book and judge the open position by it.

        A bid that jumped is judged as it stands: there is no second source to ask, which in the executor counts as
        an answer that does not come.
        """
        self._picture = picture
        if self.holding.position is not None and not self.is_quiet(picture.best_bid, picture.best_bid, at_ms):
            self._judge(self.holding.position, picture, at_ms)

    def is_quiet(self, lowest_bid: Decimal, highest_bid: Decimal, at_ms: int) -> bool:
        """True if no bid in that span can change anything for the open position.

        The rules only look at how far the bid rises or falls. So what lies between two bids that caused nothing
        causes nothing either, as long as position, marks, orders and day are the same.
        """
        quiet = self._quiet
        return quiet is not None and quiet.low <= lowest_bid and highest_bid <= quiet.high and at_ms < quiet.until_ms

    def exit_due(self, best_bid: Decimal, at_ms: int) -> ExitDecision | None:
        """The exit that a bid would cause now."""
        position = self.holding.position
        return None if position is None else self._judgement(position, best_bid, at_ms).exit

    def _judgement(self, position: Position, best_bid: Decimal, at_ms: int) -> Judgement:
        """As in the executor: a partial exit that is under way or must wait does not hide the trailing stop."""
        orders = self._orders.values()
        under_way = any(order.intent.exit_reason is ExitReason.PARTIAL_EXIT for order in orders)
        blocked = under_way or at_ms < self._retry_of(ExitReason.PARTIAL_EXIT).next_ms
        judgement = judge(position, best_bid, self.rules, self._settings, partial_blocked=blocked)
        if judgement.exit is not None and at_ms < self._retry_of(judgement.exit.reason).next_ms:
            return msgspec.structs.replace(judgement, exit=None)
        return judgement

    def _judge(self, position: Position, picture: BookPicture, at_ms: int) -> None:
        bid = picture.best_bid
        judgement = self._judgement(position, bid, at_ms)
        self.holding = msgspec.structs.replace(self.holding, position=judgement.position)
        if judgement.exit is not None:
            size = self._sellable(judgement.position, judgement.exit.size, picture)
            if size > 0:
                self._send(Side.SELL, at_ms, position.round_trip_id, size=size, reason=judgement.exit.reason)
        self._latch_loss(bid, at_ms)
        if judgement.exit is not None or self._orders or any(retry.refusals for retry in self._retries.values()):
            self._quiet = None
        elif judgement.position != position or self._quiet is None or at_ms >= self._quiet.until_ms:
            next_day_ms = limits.day_start_ms(limits.utc_day(at_ms)) + limits.DAY_MS
            self._quiet = _Quiet(bid, bid, next_day_ms)
        else:
            self._quiet = _Quiet(min(bid, self._quiet.low), max(bid, self._quiet.high), self._quiet.until_ms)

    def _retry_of(self, reason: ExitReason | None) -> _Retry:
        return self._retries[reason is ExitReason.PARTIAL_EXIT]

    # Orders

    def _send(
        self,
        side: Side,
        at_ms: int,
        round_trip_id: str,
        *,
        funds: Decimal | None = None,
        size: Decimal | None = None,
        reason: ExitReason | None = None,
        signal: Signal | None = None,
    ) -> None:
        intent_id = self._ids()
        intent = Intent(
            intent_id=intent_id,
            client_oid=client_oid(intent_id),
            key=self._key,
            symbol=self.rules.symbol,
            side=side,
            created_at_ms=at_ms,
            funds=funds,
            size=size,
            exit_reason=reason,
            decision_id=signal.decision_id if signal else None,
            signal_id=signal.signal_id if signal else None,
        )
        self._orders[intent_id] = _OpenOrder(intent, round_trip_id, at_ms + self.latency_ms)
        self._quiet = None

    def advance(self, at_ms: int) -> list[ClosedTrip]:
        """Let the orders that are due by `at_ms` meet the newest picture; the round trips that this closed.

        An order never meets a picture from before it was sent: it waits for the next one, for half a second.
        """
        closed: list[ClosedTrip] = []
        for order in [order for order in self._orders.values() if order.due_ms <= at_ms]:
            picture = self._picture
            if picture is not None and picture.received_at_ms >= order.intent.created_at_ms:
                trip = self._meet(order, picture, max(order.due_ms, picture.received_at_ms))
                closed += [] if trip is None else [trip]
            elif at_ms > order.due_ms + _NEXT_PICTURE_MS:
                self._came_to_nothing(order, NO_MARKET, at_ms)
        return closed

    def _meet(self, order: _OpenOrder, picture: BookPicture, at_ms: int) -> ClosedTrip | None:
        intent, fee = order.intent, self._settings.taker_fee
        if intent.funds is not None:
            result = market_buy(intent.funds, picture, self.rules, fee, self.account.cash)
        else:
            assert intent.size is not None, "an intent has funds or a size"
            result = market_sell(intent.size, picture, self.rules, fee, self.holding.size)
        if not isinstance(result, PaperExecution):
            self._came_to_nothing(order, result.code, at_ms)
        elif not result.fills:
            self._came_to_nothing(order, CANCELLED, at_ms)
        else:
            return self._book(order, result, picture, at_ms)
        return None

    def _came_to_nothing(self, order: _OpenOrder, code: str, at_ms: int) -> None:
        self._end(order)
        self.rejections[code] = self.rejections.get(code, 0) + 1
        reason = order.intent.exit_reason
        if reason is not None and reason.is_protective:
            retry = self._retry_of(reason)
            retry.refusals += 1
            retry.next_ms = at_ms + retry_delay_ms(retry.refusals)

    def _end(self, order: _OpenOrder) -> None:
        """The order is not open any more; a new position begins without old refusals."""
        del self._orders[order.intent.intent_id]
        self._quiet = None
        if order.intent.side is Side.BUY:
            self._retries = {True: _Retry(), False: _Retry()}

    # Books

    def _book(
        self, order: _OpenOrder, execution: PaperExecution, picture: BookPicture, at_ms: int
    ) -> ClosedTrip | None:
        intent, reason = order.intent, order.intent.exit_reason
        booked = Booked(books=Books(account=self.account, holding=self.holding))
        for number, part in enumerate(execution.fills, start=1):
            fill = _fill(intent, number, part, self.rules, at_ms)
            booked = apply_fill(booked.books, fill, intent, order.round_trip_id)
            self.history.append(fill)
            self._trip_fills.append(fill)
            self._note(booked)
        self._end(order)
        trip = booked.round_trip
        if not self._orders:
            booked = settle(booked.books, intent, self.rules, at_ms)
            self._note(booked)
            trip = trip or booked.round_trip
        self.account, self.holding = booked.books.account, booked.books.holding
        assert booked.books.trade is not None, "an order with fills has a trade"
        self._note_trade(booked.books.trade)
        if reason is not None:
            self.exit_reasons[intent.intent_id] = reason
            if reason.is_protective:
                self._retries[reason is ExitReason.PARTIAL_EXIT] = _Retry()
        self._latch_loss(picture.best_bid, at_ms)
        self.note_equity(at_ms)
        if trip is None:
            return None
        self.round_trips.append(trip)
        fills, self._trip_fills = tuple(self._trip_fills), []
        return ClosedTrip(trip, fills)

    def _note(self, booked: Booked) -> None:
        booking = booked.booking
        if booking is None:
            return
        self._bookings.append(booking)
        if booking.fill_id is None:
            self.history.append(booking)

    def _note_trade(self, trade: Trade) -> None:
        day = limits.utc_day(trade.first_fill_at_ms)
        if day != self._day:  # the limits look at one day only
            self._day, self._first_fills_ms = day, []
            self._bookings = [booking for booking in self._bookings if limits.utc_day(booking.time_ms) == day]
        self._first_fills_ms.append(trade.first_fill_at_ms)
        self.trades.append(trade)

    def note_equity(self, at_ms: int) -> None:
        self.equity.extend(self.equity_at(at_ms))

    def equity_at(self, at_ms: int) -> tuple[EquityPoint, ...]:
        """What there would be after selling everything at the newest best bid; empty before the first."""
        bid = self._picture.best_bid if self._picture else None
        value = equity(self.account.cash, self.position, bid, self._settings.taker_fee)
        return () if value is None else (EquityPoint(time_ms=at_ms, equity=value),)

    # Limits

    def _day_result(self, day: date, best_bid: Decimal | None) -> Decimal | None:
        position = self.position
        return limits.day_result(
            limits.realised_on(self._bookings, day),
            [] if position is None else [(position, best_bid)],
            self._settings.taker_fee,
        )

    def _latch_loss(self, best_bid: Decimal, at_ms: int) -> None:
        today = limits.utc_day(at_ms)
        if not limits.is_latched(self._latched_on, today):
            result = self._day_result(today, best_bid)
            self._latched_on = limits.next_loss_latch(self._latched_on, today, result, self._settings.max_daily_loss)


def _fill(intent: Intent, number: int, part: PaperFill, rules: SymbolRules, time_ms: int) -> Fill:
    return Fill(
        fill_id=f"{intent.intent_id}-{number}",
        intent_id=intent.intent_id,
        symbol=intent.symbol,
        side=intent.side,
        price=part.price,
        size=part.size,
        funds=part.funds,
        fee_quote=part.fee,
        fee=part.fee,
        fee_currency=rules.quote_currency,
        time_ms=time_ms,
    )
