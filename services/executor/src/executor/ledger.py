"""The ledger in Postgres and its mirror in memory: every change is one transaction, then the mirror follows.

The rows are locked and read anew in each transaction, so that limits and figures are exact even if two processes
should ever act. Only the protective marks (high, armed, partial done) may be newer in memory than stored.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from btc_shared import clock
from btc_shared.codes import Action, IntentState, Refusal, Side
from btc_shared.db.engine import is_connection_lost
from btc_shared.messages import Signal
from btc_shared.records import BookPicture, SymbolRules
from btc_shared.settings import RiskSettings
from executor.domain import limits
from executor.domain.denied import Denied
from executor.domain.exits import ExitDecision
from executor.domain.gates import BUY_GATES, SIGNAL_SELL_GATES, GateFacts, first_refusal
from executor.domain.ledger import Account, Booked, Books, apply_fill, settle
from executor.domain.orders import Intent, MoveKind, client_oid, ended_state, move
from executor.domain.position import Holding, Position
from executor.domain.sizing import entry_funds, sell_size
from executor.operator_repository import Control, OperatorRepository
from executor.repository import Day, Repository, StoredOrder
from executor.venue import OrderReport

ZERO = Decimal(0)

log = structlog.get_logger(__name__)


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What a signal is judged by beside the stored rows."""

    picture: BookPicture | None
    rules: SymbolRules | None
    settings: RiskSettings
    is_leader: bool
    problems: tuple[str, ...]


class Ledger:
    """One ledger and symbol. `recover` comes first; nothing else may be called before it.

    `uncertain` is set when a connection was lost in a transaction: it may have been committed all the same. Then
    orders may be stored that nobody here knows of, and `unaccounted` finds them.
    """

    def __init__(self, engine: AsyncEngine, repository: Repository, rules: Callable[[], SymbolRules]) -> None:
        self._engine, self._repository, self._rules = engine, repository, rules
        self._operator = OperatorRepository(repository.ledger.venue, repository.symbol)
        self._one_at_a_time = asyncio.Lock()
        key = repository.ledger
        self.account = Account(key=key, cash=ZERO)
        self.holding = Holding(key=key, symbol=repository.symbol)
        self.open_orders: dict[str, StoredOrder] = {}
        self.degraded: tuple[str, ...] = ()
        self.day: Day | None = None
        self.converged = False
        self.uncertain = False

    @property
    def position(self) -> Position | None:
        return self.holding.position

    @property
    def committed(self) -> Decimal:
        """What open and unknown sells may still take of the position, in BTC."""
        return _committed(self.open_orders.values())

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """One change of the ledger at a time, committed at the end."""
        async with self._one_at_a_time:
            try:
                async with self._engine.begin() as connection:
                    yield connection
            except (SQLAlchemyError, OSError) as error:
                if is_connection_lost(error):
                    self.uncertain = True
                raise

    # Start

    async def recover(self, initial_balance: Decimal) -> list[StoredOrder]:
        """Load everything; return the orders whose end is not known. The ledger is not `converged` yet.

        A position that does not equal its fills is never 'corrected': it degrades the ledger, which halts entries.
        """
        async with self._transaction() as connection:
            await self._repository.ensure_account(connection, initial_balance)
            books = await self._repository.books(connection)
            orders = await self._repository.open_orders(connection)
            fills = await self._repository.sum_of_fills(connection)
            self.day = await self._repository.day(connection, limits.utc_day(clock.now_ms()))
        self._mirror(books)
        self.open_orders = {stored.intent.intent_id: stored for stored in orders}
        self._compare(books, fills)
        return orders

    async def check_fills(self) -> None:
        """Compare the position with the fills, from stored rows."""
        async with self._transaction() as connection:
            books = await self._repository.books(connection)
            fills = await self._repository.sum_of_fills(connection)
        self._compare(books, fills)

    def _compare(self, books: Books, fills: Decimal) -> None:
        held = books.holding.size + books.holding.dust
        if held != fills:
            self.degrade(f"position and dust are {held}, but the fills sum up to {fills}")

    async def unaccounted(self) -> list[StoredOrder]:
        """Stored orders without an end that this process does not know of; it knows of them from now on."""
        async with self._transaction() as connection:
            orders = await self._repository.open_orders(connection)
            found = [stored for stored in orders if stored.intent.intent_id not in self.open_orders]
            self.open_orders.update({stored.intent.intent_id: stored for stored in found})
        self.uncertain = False
        return found

    def degrade(self, reason: str) -> None:
        """Stop entries until a person has looked; exits go on."""
        if reason not in self.degraded:
            self.degraded = (*self.degraded, reason)
            log.error("degraded", reason=reason)

    # Signals

    async def consume(self, signal: Signal, circumstances: Circumstances) -> StoredOrder | Denied | None:
        """Judge a signal and store what follows, once: an intent, or the refusal. None: it was consumed before."""
        signal, signal_id = _with_uuids(signal)
        async with self._transaction() as connection:
            if not await self._repository.take_signal(connection, signal, signal_id):
                return None
            books = await self._repository.books(connection)
            control = await self._operator.control(connection)
            self.day = await self._repository.day(connection, limits.utc_day(clock.now_ms()))
            facts = self._facts(signal, circumstances, books, control, self.day)
            gates = SIGNAL_SELL_GATES if signal.action is Action.SELL else BUY_GATES
            answer: Denied | StoredOrder | None = first_refusal(gates, facts, circumstances.settings)
            if answer is None:
                answer = await self._store_intent(connection, signal, signal_id, books, circumstances)
            if isinstance(answer, Denied):
                await self._repository.store_refusal(connection, signal_id, answer)
        if isinstance(answer, StoredOrder):
            self.open_orders[answer.intent.intent_id] = answer
        return answer

    def _facts(
        self, signal: Signal, circumstances: Circumstances, books: Books, control: Control, day: Day
    ) -> GateFacts:
        picture, position, now_ms = circumstances.picture, books.holding.position, clock.now_ms()
        result = limits.day_result(
            day.realised,
            [] if position is None else [(position, picture.best_bid if picture else None)],
            circumstances.settings.taker_fee,
        )
        return GateFacts(
            now_ms=now_ms,
            key=self._repository.ledger,
            requested_mode=control.requested_mode,
            signal_id=signal.signal_id,
            signal_action=signal.action,
            signal_venue=signal.venue,
            signal_mode=signal.mode,
            signal_symbol=signal.symbol,
            signal_time_ms=signal.created_at_ms,
            confidence=Decimal(repr(signal.confidence)),
            rules=circumstances.rules,
            is_leader=circumstances.is_leader,
            has_converged=self.converged,
            halted=control.halted,
            halt_reason="asked for by the operator",
            degraded=(*self.degraded, *circumstances.problems),
            unprotected=False,
            position_size=books.holding.size,
            position_opened_at_ms=position.opened_at_ms if position else None,
            orders_in_flight=len(self.open_orders),
            book_time_ms=picture.received_at_ms if picture else None,
            best_ask=picture.best_ask if picture else None,
            last_trade_at_ms=day.last_trade_at_ms,
            trades_today=day.trades,
            loss_latched=limits.is_latched(day.latched_on, limits.utc_day(now_ms)),
            day_result=result,
            available_quote=books.account.cash,
        )

    async def _store_intent(
        self,
        connection: AsyncConnection,
        signal: Signal,
        signal_id: uuid.UUID,
        books: Books,
        circumstances: Circumstances,
    ) -> StoredOrder | Denied:
        picture, rules = circumstances.picture, circumstances.rules
        assert picture is not None
        assert rules is not None, "the gates refuse a signal without book or rules"
        intent_id = uuid.uuid4().hex
        common = {
            "intent_id": intent_id,
            "client_oid": client_oid(intent_id),
            "key": self._repository.ledger,
            "symbol": self._repository.symbol,
            "created_at_ms": clock.now_ms(),
            "decision_id": signal.decision_id,
            "signal_id": signal_id.hex,
        }
        if signal.action is Action.BUY:
            funds = entry_funds(books.account.cash, picture.best_ask, rules, circumstances.settings)
            if isinstance(funds, Denied):
                return funds
            intent = msgspec.convert({**common, "side": Side.BUY, "funds": funds}, Intent)
            round_trip_id = uuid.uuid4().hex
        else:
            position = books.holding.position
            assert position is not None, "the gates refuse a sell without a position"
            size = _sellable(position, position.size, self.committed, picture, rules)
            if size == 0:
                return Denied(code=Refusal.NO_POSITION, detail=f"nothing of {position.size} can be sold now")
            intent = msgspec.convert({**common, "side": Side.SELL, "size": size, "exit_reason": "signal"}, Intent)
            round_trip_id = position.round_trip_id
        stored = StoredOrder(intent=intent, round_trip_id=round_trip_id)
        try:
            async with connection.begin_nested():
                await self._repository.insert_intent(
                    connection, intent, round_trip_id, f"signal with confidence {signal.confidence:.3f}"
                )
        except IntegrityError:
            return Denied(code=Refusal.ORDER_IN_FLIGHT, detail="another order of this ledger is open in the database")
        return stored

    # Exits

    async def store_exit(self, decision: ExitDecision, picture: BookPicture) -> StoredOrder | None:
        """Store a protective exit's intent with the position's marks; None when nothing is free to be sold."""
        async with self._transaction() as connection:
            # From the locked rows: an executor that lost its lead without knowing must not sell a second time.
            books, rules = await self._repository.books(connection), self._rules()
            position = self._newest_marks(books.holding).position
            committed = _committed(await self._repository.open_orders(connection))
            if _round_trip_id(position) != _round_trip_id(self.position):
                self.degrade("the stored position is not the one that was judged: another process changed it")
                return None
            if position is None:
                return None
            size = _sellable(position, decision.size, committed, picture, rules)
            if size == 0:
                return None
            intent_id = uuid.uuid4().hex
            intent = Intent(
                intent_id=intent_id,
                client_oid=client_oid(intent_id),
                key=self._repository.ledger,
                symbol=self._repository.symbol,
                side=Side.SELL,
                created_at_ms=clock.now_ms(),
                size=size,
                exit_reason=decision.reason,
            )
            await self._repository.store_protection(connection, position)
            await self._repository.insert_intent(connection, intent, position.round_trip_id, decision.detail)
        stored = StoredOrder(intent=intent, round_trip_id=position.round_trip_id)
        self.open_orders[intent_id] = stored
        return stored

    def mark(self, position: Position) -> bool:
        """Take over newer protective marks of the open position; True if they changed."""
        current = self.holding.position
        if current is None or current.round_trip_id != position.round_trip_id:
            return False
        marked = _with_marks(current, position)
        self.holding = msgspec.structs.replace(self.holding, position=marked)
        return marked != current

    async def store_marks(self) -> None:
        """Store the protective marks as they are in memory."""
        position = self.position
        if position is not None:
            async with self._engine.begin() as connection:
                await self._repository.store_protection(connection, position)

    # What became of orders

    async def book(self, stored: StoredOrder, report: OrderReport) -> Booked | None:
        """Book an order's end with all its fills, in one transaction. None: it was booked before.

        Raises:
            LedgerError: a fill contradicts the ledger; nothing was stored.
        """
        async with self._transaction() as connection:
            books = await self._repository.books(connection)
            current = await self._repository.lock_order(connection, stored.intent.intent_id)
            booked = None
            if current.intent.state.is_open:
                booked = await self._book_fills(connection, current, report, books)
                books = booked.books
            self.day = await self._repository.day(connection, limits.utc_day(clock.now_ms()))
        self.open_orders.pop(stored.intent.intent_id, None)
        self._mirror(books)
        return booked

    async def _book_fills(
        self, connection: AsyncConnection, stored: StoredOrder, report: OrderReport, books: Books
    ) -> Booked:
        intent = stored.intent
        trade = await self._repository.trade(connection, intent.intent_id)
        books = msgspec.structs.replace(books, holding=self._newest_marks(books.holding), trade=trade)
        result = Booked(books=books)
        for fill in report.fills:
            if await self._repository.insert_fill(connection, fill):
                result = apply_fill(result.books, fill, intent, stored.round_trip_id)
                await self._store_bookings(connection, result)
        state = self._final_state(intent, report, result.books)
        round_trip = result.round_trip
        if result.books.trade is not None and not self._others_open(intent):
            result = settle(result.books, intent, self._rules(), clock.now_ms())
            await self._store_bookings(connection, result)
            round_trip = round_trip or result.round_trip
        await self._store_books(connection, result.books, intent, state, report)
        return msgspec.structs.replace(result, round_trip=round_trip)

    def _others_open(self, intent: Intent) -> bool:
        return any(intent_id != intent.intent_id for intent_id in self.open_orders)

    def _final_state(self, intent: Intent, report: OrderReport, books: Books) -> IntentState:
        """What the order did, by its fills; the venue's word counts only where there are none."""
        state = report.state
        if books.trade is not None:
            state = ended_state(intent, books.trade.size, books.trade.funds, self._rules())
        known = intent.state
        if state is IntentState.ABSENT and known is not IntentState.UNKNOWN:
            known = move(known, IntentState.UNKNOWN).state
        step = move(known, state)
        if step.kind is MoveKind.ODD:
            log.warning("odd_order", client_oid=intent.client_oid, known=known, now=step.state, why=step.why)
        return step.state

    async def _store_bookings(self, connection: AsyncConnection, booked: Booked) -> None:
        if booked.booking is not None:
            await self._repository.insert_booking(connection, booked.booking)
        if booked.round_trip is not None:
            await self._repository.insert_round_trip(connection, booked.round_trip)

    async def _store_books(
        self, connection: AsyncConnection, books: Books, intent: Intent, state: IntentState, report: OrderReport
    ) -> None:
        await self._repository.finish_order(
            connection,
            intent.intent_id,
            state,
            exchange_order_id=report.exchange_order_id,
            trade=books.trade,
            error_code=report.error_code,
            error_message=report.error_message,
        )
        if books.trade is not None:
            await self._repository.store_trade(
                connection,
                books.trade,
                order_id=report.exchange_order_id or intent.client_oid,
                status=state,
                intent=intent,
            )
            await self._repository.store_account(connection, books.account, books.holding.dust)
            await self._repository.store_position(connection, books.holding.position)
        if intent.decision_id is not None:
            executed = books.trade is not None
            await self._repository.store_decision_outcome(
                connection,
                intent.decision_id,
                "executed" if executed else "failed",
                code=None if executed else report.error_code or str(state),
                detail=None if executed else report.error_message,
            )

    # Limits

    async def latch_loss(self, picture: BookPicture, settings: RiskSettings) -> None:
        """Store that the day's loss limit was hit, when it was."""
        today = limits.utc_day(clock.now_ms())
        if self.day is not None and self.day.day == today and not self._hits_limit(self.day, picture, settings):
            return
        if self.day is not None and limits.is_latched(self.day.latched_on, today):
            return
        async with self._transaction() as connection:
            day = await self._repository.day(connection, today)
            result = self._hits_limit(day, picture, settings)
            if result is not None:
                await self._repository.latch_loss(connection, today, result)
                log.warning("daily_loss_limit", result=str(result), limit=str(settings.max_daily_loss))
                day = await self._repository.day(connection, today)
            self.day = day

    def _hits_limit(self, day: Day, picture: BookPicture, settings: RiskSettings) -> Decimal | None:
        """The day's result if it latches the loss limit anew; else None."""
        position = self.position
        open_positions = [] if position is None else [(position, picture.best_bid)]
        result = limits.day_result(day.realised, open_positions, settings.taker_fee)
        if limits.is_latched(day.latched_on, day.day):
            return None
        latched = limits.next_loss_latch(day.latched_on, day.day, result, settings.max_daily_loss)
        return None if latched is None else result

    def _mirror(self, books: Books) -> None:
        self.account = books.account
        self.holding = self._newest_marks(books.holding)

    def _newest_marks(self, holding: Holding) -> Holding:
        known = self.holding.position
        if known is None or holding.position is None or known.round_trip_id != holding.position.round_trip_id:
            return holding
        return msgspec.structs.replace(holding, position=_with_marks(holding.position, known))


def _round_trip_id(position: Position | None) -> str | None:
    return None if position is None else position.round_trip_id


def _committed(orders: Iterable[StoredOrder]) -> Decimal:
    sizes = (stored.intent.size for stored in orders if stored.intent.side is Side.SELL)
    return sum((size for size in sizes if size is not None), ZERO)


def _sellable(
    position: Position, wanted: Decimal, committed: Decimal, picture: BookPicture, rules: SymbolRules
) -> Decimal:
    return sell_size(
        wanted,
        position_size=position.size,
        committed=committed,
        available_base=None,  # the paper account holds exactly what the ledger says
        best_bid=picture.best_bid,
        rules=rules,
    )


def _with_marks(position: Position, newer: Position) -> Position:
    """Protective marks only ever grow: the higher high, armed once armed, done once done."""
    return msgspec.structs.replace(
        position,
        high_bid=max(position.high_bid, newer.high_bid),
        armed=position.armed or newer.armed,
        partial_done=position.partial_done or newer.partial_done,
    )


def _with_uuids(signal: Signal) -> tuple[Signal, uuid.UUID]:
    """The signal with ids that the database takes; one that is none gets a name derived from it, to be refused."""
    try:
        decision_id = uuid.UUID(signal.decision_id).hex
        signal_id = uuid.UUID(signal.signal_id)
    except ValueError:
        derived = uuid.uuid5(uuid.NAMESPACE_OID, f"{signal.signal_id}|{signal.decision_id}")
        # An empty id is what the `invalid_signal` gate looks for.
        return msgspec.structs.replace(signal, signal_id="", decision_id=derived.hex), derived
    return msgspec.structs.replace(signal, signal_id=signal_id.hex, decision_id=decision_id), signal_id
