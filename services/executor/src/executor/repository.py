"""All SQL of the executor. Nothing here commits: the caller's transaction does.

Ids are UUIDs in the database and 32 hexadecimal digits in the records.
"""

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Row, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from btc_shared import clock
from btc_shared.codes import ExitReason, IntentState, Side
from btc_shared.db.models import (
    OPEN_STATES,
    AccountRow,
    BookingRow,
    DayRow,
    DecisionRow,
    FillRow,
    OrderRow,
    PositionRow,
    RefusalTotalRow,
    RoundTripRow,
    SignalOutcomeRow,
    TotalsRow,
    TradeRow,
)
from btc_shared.messages import Signal
from btc_shared.records import LedgerKey
from executor.domain.denied import Denied
from executor.domain.ledger import Account, Booking, Books, Totals, Trade
from executor.domain.limits import day_start_ms
from executor.domain.orders import Intent
from executor.domain.position import Fill, Holding, Position, RoundTrip


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What the limits count on one UTC day, from stored rows of this ledger."""

    day: date
    trades: int
    realised: Decimal
    latched_on: date | None
    last_trade_at_ms: int


class StoredOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An intent as stored, with the round trip that it belongs to."""

    intent: Intent
    round_trip_id: str


class Repository:
    """The rows of one ledger and symbol."""

    def __init__(self, ledger: LedgerKey, symbol: str) -> None:
        self.ledger, self.symbol = ledger, symbol
        self._ledger: dict[str, Any] = {
            "venue": ledger.venue,
            "account": ledger.account,
            "mode": str(ledger.mode),
        }
        self._key: dict[str, Any] = {**self._ledger, "symbol": symbol}

    def _where(self, table: Any, columns: Mapping[str, Any]) -> Any:
        return and_(*(getattr(table, name) == value for name, value in columns.items()))

    # Money, position, totals

    async def ensure_account(self, connection: AsyncConnection, initial_balance: Decimal) -> None:
        """Open the account and its totals unless they exist."""
        now = clock.now()
        await connection.execute(
            insert(AccountRow)
            .values(
                **self._ledger, initial_balance=initial_balance, cash=initial_balance, created_at=now, updated_at=now
            )
            .on_conflict_do_nothing()
        )
        await connection.execute(insert(TotalsRow).values(**self._key).on_conflict_do_nothing())

    async def books(self, connection: AsyncConnection) -> Books:
        """The ledger's stored rows, locked until the transaction ends: changes of a ledger happen one by one."""
        account = (
            await connection.execute(
                select(AccountRow.cash).where(self._where(AccountRow, self._ledger)).with_for_update()
            )
        ).one()
        totals = (await connection.execute(select(TotalsRow.__table__).where(self._where(TotalsRow, self._key)))).one()
        position = (
            await connection.execute(select(PositionRow.__table__).where(self._where(PositionRow, self._key)))
        ).one_or_none()
        return Books(
            account=Account(key=self.ledger, cash=account.cash, totals=_totals(totals)),
            holding=Holding(
                key=self.ledger,
                symbol=self.symbol,
                dust=totals.dust,
                position=None if position is None else _position(position),
            ),
        )

    async def other_positions(self, connection: AsyncConnection) -> list[tuple[str, Decimal]]:
        """Symbol and size of what this ledger holds of other symbols."""
        rows = await connection.execute(
            select(PositionRow.symbol, PositionRow.size)
            .where(self._where(PositionRow, self._ledger), PositionRow.symbol != self.symbol)
            .order_by(PositionRow.symbol)
        )
        return [(row.symbol, row.size) for row in rows]

    async def sum_of_fills(self, connection: AsyncConnection) -> Decimal:
        """Σ bought − Σ sold over all fills ever: what position + dust must equal."""
        signed = (
            func.sum(FillRow.size).filter(FillRow.side == "buy"),
            func.sum(FillRow.size).filter(FillRow.side == "sell"),
        )
        row = (await connection.execute(select(*signed).where(self._where(FillRow, self._key)))).one()
        return (row[0] or Decimal(0)) - (row[1] or Decimal(0))

    async def store_account(self, connection: AsyncConnection, account: Account, dust: Decimal) -> None:
        await connection.execute(
            update(AccountRow)
            .where(self._where(AccountRow, self._ledger))
            .values(cash=account.cash, updated_at=clock.now())
        )
        totals = account.totals
        await connection.execute(
            update(TotalsRow)
            .where(self._where(TotalsRow, self._key))
            .values(
                buys=totals.buys,
                sells=totals.sells,
                winning=totals.winning,
                losing=totals.losing,
                realised_pnl=totals.realised,
                closed_pnl=totals.round_trip_net,
                best_pnl=totals.best,
                worst_pnl=totals.worst,
                fees=totals.fees,
                dust=dust,
                **{f"exit_{reason}": count for reason, count in totals.exits.items()},
            )
        )

    async def store_position(self, connection: AsyncConnection, position: Position | None) -> None:
        """Replace the open position; None: flat."""
        if position is None:
            await connection.execute(delete(PositionRow).where(self._where(PositionRow, self._key)))
            return
        values = _position_values(position)
        await connection.execute(
            insert(PositionRow)
            .values(**self._key, **values)
            .on_conflict_do_update(index_elements=["venue", "account", "mode", "symbol"], set_=values)
        )

    async def store_protection(self, connection: AsyncConnection, position: Position) -> None:
        """Store high, armed and partial-done, if this position is still the open one. Marks are never undone."""
        await connection.execute(
            update(PositionRow)
            .where(self._where(PositionRow, self._key), PositionRow.round_trip_id == uuid.UUID(position.round_trip_id))
            .values(
                high_bid=func.greatest(PositionRow.high_bid, position.high_bid),
                trailing_armed=PositionRow.trailing_armed | position.armed,
                partial_done=PositionRow.partial_done | position.partial_done,
                updated_at=clock.now(),
            )
        )

    # Signals, intents, orders

    async def take_signal(self, connection: AsyncConnection, signal: Signal, signal_id: uuid.UUID) -> bool:
        """Note that a signal is consumed; False when it was before, whatever the stream delivers."""
        inserted = await connection.scalar(
            insert(SignalOutcomeRow)
            .values(
                signal_id=signal_id,
                decision_id=_uuid_or_none(signal.decision_id),
                **self._key,
                action=str(signal.action),
                outcome="intent",
                consumed_at=clock.now(),
            )
            .on_conflict_do_nothing()
            .returning(SignalOutcomeRow.signal_id)
        )
        return inserted is not None

    async def store_refusal(self, connection: AsyncConnection, signal_id: uuid.UUID, denied: Denied) -> None:
        """The signal's outcome, the decision's, and the count of the code."""
        decision_id = await connection.scalar(
            update(SignalOutcomeRow)
            .where(SignalOutcomeRow.signal_id == signal_id)
            .values(outcome="refused", code=str(denied.code), detail=denied.detail)
            .returning(SignalOutcomeRow.decision_id)
        )
        if decision_id is not None:
            await self.store_decision_outcome(
                connection, decision_id.hex, "refused", code=str(denied.code), detail=denied.detail
            )
        counted = insert(RefusalTotalRow).values(**self._ledger, code=str(denied.code), refusals=1)
        await connection.execute(
            counted.on_conflict_do_update(
                index_elements=["venue", "account", "mode", "code"],
                set_={"refusals": RefusalTotalRow.refusals + 1},
            )
        )

    async def store_decision_outcome(
        self, connection: AsyncConnection, decision_id: str, outcome: str, *, code: str | None, detail: str | None
    ) -> None:
        await connection.execute(
            update(DecisionRow)
            .where(DecisionRow.decision_id == uuid.UUID(decision_id))
            .values(outcome=outcome, outcome_code=code, outcome_detail=detail, outcome_at=clock.now())
        )

    async def insert_intent(self, connection: AsyncConnection, intent: Intent, round_trip_id: str, detail: str) -> None:
        """Store an intent before anything is sent.

        Raises:
            IntegrityError: another entry or signal order of this ledger is open.
        """
        await connection.execute(
            insert(OrderRow).values(
                **self._key,
                intent_id=uuid.UUID(intent.intent_id),
                client_oid=intent.client_oid,
                side=str(intent.side),
                exit_reason=intent.exit_reason,
                from_signal=intent.signal_id is not None,
                signal_id=_uuid_or_none(intent.signal_id),
                decision_id=_uuid_or_none(intent.decision_id),
                round_trip_id=uuid.UUID(round_trip_id),
                requested_funds=intent.funds,
                requested_size=intent.size,
                state=str(intent.state),
                detail=detail,
                created_at=clock.from_ms(intent.created_at_ms),
            )
        )

    async def open_orders(self, connection: AsyncConnection) -> list[StoredOrder]:
        """Orders whose end is not known, oldest first."""
        rows = await connection.execute(
            select(OrderRow.__table__)
            .where(self._where(OrderRow, self._key), OrderRow.state.in_([str(state) for state in OPEN_STATES]))
            .order_by(OrderRow.created_at)
        )
        return [self._stored_order(row) for row in rows]

    async def lock_order(self, connection: AsyncConnection, intent_id: str) -> StoredOrder:
        """One order, locked until the transaction ends."""
        row = (
            await connection.execute(
                select(OrderRow.__table__).where(OrderRow.intent_id == uuid.UUID(intent_id)).with_for_update()
            )
        ).one()
        return self._stored_order(row)

    def _stored_order(self, row: Row[Any]) -> StoredOrder:
        return StoredOrder(
            intent=Intent(
                intent_id=row.intent_id.hex,
                client_oid=row.client_oid,
                key=self.ledger,
                symbol=row.symbol,
                side=Side(row.side),
                created_at_ms=clock.to_ms(row.created_at),
                funds=row.requested_funds,
                size=row.requested_size,
                exit_reason=None if row.exit_reason is None else ExitReason(row.exit_reason),
                decision_id=_hex_or_none(row.decision_id),
                signal_id=_hex_or_none(row.signal_id),
                state=IntentState(row.state),
            ),
            round_trip_id=row.round_trip_id.hex,
        )

    async def finish_order(
        self,
        connection: AsyncConnection,
        intent_id: str,
        state: IntentState,
        *,
        exchange_order_id: str | None = None,
        trade: Trade | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
    ) -> None:
        """Store an order's end with the sums of its fills."""
        done = {} if trade is None else {"filled_size": trade.size, "filled_funds": trade.funds, "fee": trade.fee}
        await connection.execute(
            update(OrderRow)
            .where(OrderRow.intent_id == uuid.UUID(intent_id))
            .values(
                state=str(state),
                exchange_order_id=exchange_order_id,
                error_code=error_code,
                error_message=error_message,
                finished_at=clock.now(),
                **done,
            )
        )

    async def insert_fill(self, connection: AsyncConnection, fill: Fill) -> bool:
        """Store what happened; False when it is stored already."""
        inserted = await connection.scalar(
            insert(FillRow)
            .values(
                **self._key,
                fill_id=fill.fill_id,
                intent_id=uuid.UUID(fill.intent_id),
                side=str(fill.side),
                price=fill.price,
                size=fill.size,
                funds=fill.funds,
                fee=fill.fee,
                fee_currency=fill.fee_currency,
                fee_quote=fill.fee_quote,
                filled_at=clock.from_ms(fill.time_ms),
                booked_at=clock.now(),
            )
            .on_conflict_do_nothing(index_elements=["venue", "account", "mode", "symbol", "fill_id"])
            .returning(FillRow.id)
        )
        return inserted is not None

    async def insert_booking(self, connection: AsyncConnection, booking: Booking) -> None:
        await connection.execute(
            insert(BookingRow).values(
                **self._key,
                intent_id=uuid.UUID(booking.intent_id),
                fill_id=booking.fill_id,
                round_trip_id=uuid.UUID(booking.round_trip_id),
                realised=booking.realised,
                dust=booking.dust,
                booked_for=clock.from_ms(booking.time_ms),
            )
        )

    async def insert_round_trip(self, connection: AsyncConnection, closed: RoundTrip) -> None:
        await connection.execute(
            insert(RoundTripRow).values(
                **self._key,
                round_trip_id=uuid.UUID(closed.round_trip_id),
                entry_decision_id=_uuid_or_none(closed.entry_decision_id),
                opened_at=clock.from_ms(closed.opened_at_ms),
                closed_at=clock.from_ms(closed.closed_at_ms),
                entry_size=closed.entry_size,
                entry_funds=closed.entry_cost,
                exit_funds=closed.exit_funds,
                fees=closed.fees,
                dust=closed.dust,
                net_pnl=closed.net,
                net_bp=float(closed.net_bp),
                exit_reasons=[str(reason) for reason in closed.exit_reasons],
            )
        )

    async def trade(self, connection: AsyncConnection, intent_id: str) -> Trade | None:
        """An order's trade row; None before its first fill."""
        row = (
            await connection.execute(select(TradeRow.__table__).where(TradeRow.intent_id == uuid.UUID(intent_id)))
        ).one_or_none()
        if row is None:
            return None
        return Trade(
            intent_id=row.intent_id.hex,
            round_trip_id=row.round_trip_id.hex,
            symbol=row.symbol,
            side=Side(row.side),
            size=row.size,
            funds=row.funds,
            fee=row.fee,
            first_fill_at_ms=clock.to_ms(row.executed_at),
            last_fill_at_ms=clock.to_ms(row.last_fill_at),
            exit_reason=None if row.exit_reason is None else ExitReason(row.exit_reason),
            pnl=row.pnl,
            cost=row.cost,
        )

    async def store_trade(
        self, connection: AsyncConnection, trade: Trade, *, order_id: str, status: IntentState, intent: Intent
    ) -> None:
        values = {
            **self._key,
            "side": str(trade.side),
            "price": trade.price,
            "size": trade.size,
            "funds": trade.funds,
            "fee": trade.fee,
            "order_id": order_id,
            "status": str(status),
            "pnl": trade.pnl,
            "pnl_pct": trade.pnl_pct,
            "cost": trade.cost,
            "exit_reason": trade.exit_reason,
            "round_trip_id": uuid.UUID(trade.round_trip_id),
            "decision_id": _uuid_or_none(intent.decision_id),
            "details": {"client_oid": intent.client_oid, "signal_id": intent.signal_id},
            "executed_at": clock.from_ms(trade.first_fill_at_ms),
            "last_fill_at": clock.from_ms(trade.last_fill_at_ms),
        }
        await connection.execute(
            insert(TradeRow)
            .values(intent_id=uuid.UUID(trade.intent_id), created_at=clock.now(), **values)
            .on_conflict_do_update(index_elements=["intent_id"], set_=values)
        )

    # Limits

    async def day(self, connection: AsyncConnection, day: date) -> Day:
        """What counts on a UTC day, from the stored trades and bookings."""
        start = clock.from_ms(day_start_ms(day))
        trades = await connection.scalar(
            select(func.count()).where(self._where(TradeRow, self._ledger), TradeRow.executed_at >= start)
        )
        realised = await connection.scalar(
            select(func.sum(BookingRow.realised)).where(
                self._where(BookingRow, self._ledger), BookingRow.booked_for >= start
            )
        )
        latched_on = await connection.scalar(
            select(func.max(DayRow.day)).where(self._where(DayRow, self._ledger), DayRow.loss_latched_at.is_not(None))
        )
        last_trade: datetime | None = await connection.scalar(
            select(TradeRow.last_fill_at)
            .where(self._where(TradeRow, self._ledger))
            .order_by(TradeRow.executed_at.desc())
            .limit(1)
        )
        return Day(
            day=day,
            trades=trades or 0,
            realised=realised or Decimal(0),
            latched_on=latched_on,
            last_trade_at_ms=0 if last_trade is None else clock.to_ms(last_trade),
        )

    async def latch_loss(self, connection: AsyncConnection, day: date, result: Decimal) -> None:
        """Stop entries until the day ends; the first hit of a day is kept."""
        await connection.execute(
            insert(DayRow)
            .values(**self._ledger, day=day, loss_latched_at=clock.now(), loss_at_latch=result)
            .on_conflict_do_nothing()
        )


def _uuid_or_none(text: str | None) -> uuid.UUID | None:
    return None if text is None else uuid.UUID(text)


def _hex_or_none(value: uuid.UUID | None) -> str | None:
    return None if value is None else value.hex


def _totals(row: Row[Any]) -> Totals:
    return Totals(
        buys=row.buys,
        sells=row.sells,
        fees=row.fees,
        realised=row.realised_pnl,
        winning=row.winning,
        losing=row.losing,
        round_trip_net=row.closed_pnl,
        best=row.best_pnl,
        worst=row.worst_pnl,
        exits={reason: getattr(row, f"exit_{reason}") for reason in ExitReason},
    )


def _position(row: Row[Any]) -> Position:
    return Position(
        round_trip_id=row.round_trip_id.hex,
        symbol=row.symbol,
        entry_intent_id=row.entry_intent_id.hex,
        entry_decision_id=_hex_or_none(row.entry_decision_id),
        entry_signal_id=_hex_or_none(row.entry_signal_id),
        opened_at_ms=clock.to_ms(row.opened_at),
        last_fill_at_ms=clock.to_ms(row.last_fill_at),
        size=row.size,
        entry_size=row.entry_size,
        entry_cost=row.entry_funds,
        entry_fee=row.entry_fee,
        open_cost=row.open_funds,
        open_fee=row.open_fee,
        exit_size=row.exit_size,
        exit_funds=row.exit_funds,
        exit_fee=row.exit_fee,
        realised=row.realised_pnl,
        exit_reasons=tuple(ExitReason(reason) for reason in row.exit_reasons),
        high_bid=row.high_bid,
        armed=row.trailing_armed,
        partial_done=row.partial_done,
    )


def _position_values(position: Position) -> dict[str, Any]:
    return {
        "round_trip_id": uuid.UUID(position.round_trip_id),
        "size": position.size,
        "entry_price": position.entry_price,
        "entry_size": position.entry_size,
        "entry_funds": position.entry_cost,
        "entry_fee": position.entry_fee,
        "exit_size": position.exit_size,
        "exit_funds": position.exit_funds,
        "exit_fee": position.exit_fee,
        "realised_pnl": position.realised,
        "high_bid": position.high_bid,
        "trailing_armed": position.armed,
        "partial_done": position.partial_done,
        "exit_reasons": [str(reason) for reason in position.exit_reasons],
        "open_funds": position.open_cost,
        "open_fee": position.open_fee,
        "entry_intent_id": uuid.UUID(position.entry_intent_id),
        "entry_decision_id": _uuid_or_none(position.entry_decision_id),
        "entry_signal_id": _uuid_or_none(position.entry_signal_id),
        "opened_at": clock.from_ms(position.opened_at_ms),
        "last_fill_at": clock.from_ms(position.last_fill_at_ms),
        "updated_at": clock.now(),
    }
