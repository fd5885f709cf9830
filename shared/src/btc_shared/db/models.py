"""The tables. Postgres is the truth; every ledger row belongs to one (venue, account, mode).

Times are `timestamptz` in UTC, money is `numeric` in USDT, sizes are `numeric` in BTC. A rule that must hold
under concurrency and crashes is a constraint here, not a check in a service.
"""

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from btc_shared.codes import Action, IntentState, Mode, Refusal, Side


def _one_of(column: str, values: Iterable[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


OPEN_STATES = [state for state in IntentState if state.is_open]


class Base(DeclarativeBase):
    """All tables; names of constraints are fixed so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's declarative attribute
        Decimal: Numeric,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        str: Text,
        uuid.UUID: UUID(as_uuid=True),
    }


class CandleRow(Base):
    """Final 1-minute bars. `filled`: made by us for a minute without trades; `corrections`: late changes seen."""

    __tablename__ = "candles"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    open_time: Mapped[datetime] = mapped_column(primary_key=True)
    open: Mapped[Decimal]
    high: Mapped[Decimal]
    low: Mapped[Decimal]
    close: Mapped[Decimal]
    volume: Mapped[Decimal]
    turnover: Mapped[Decimal]
    filled: Mapped[bool] = mapped_column(server_default=text("false"))
    corrections: Mapped[int] = mapped_column(server_default="0")
    stored_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    __table_args__ = (
        CheckConstraint("low <= open AND low <= close AND high >= open AND high >= close AND low > 0", "ohlc"),
        CheckConstraint("volume >= 0 AND turnover >= 0", "volume"),
    )


class MarketStateRow(Base):
    """The newest market picture of a symbol, written about once a second by the feed."""

    __tablename__ = "market_state"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    book_time: Mapped[datetime]
    received_at: Mapped[datetime]
    bid: Mapped[Decimal]
    ask: Mapped[Decimal]
    bid_volume: Mapped[Decimal]
    ask_volume: Mapped[Decimal]
    imbalance: Mapped[float]
    spread_bp: Mapped[float]
    flow: Mapped[float | None]
    last_trade_time: Mapped[datetime | None]
    last_trade_price: Mapped[Decimal | None]
    updated_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("bid > 0 AND ask >= bid", "prices"),)


class SymbolRow(Base):
    """The exchange's rules for a symbol (`records.SymbolRules` as JSON with decimals as text)."""

    __tablename__ = "symbols"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    rules: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]


class DecisionRow(Base):
    """Every decision with all that led to it, and what became of it."""

    __tablename__ = "decisions"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    decision_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    venue: Mapped[str]
    symbol: Mapped[str]
    mode: Mapped[str]
    decided_at: Mapped[datetime]
    trigger: Mapped[str]
    bar_time: Mapped[datetime | None]
    price: Mapped[Decimal | None]
    action: Mapped[str]
    score: Mapped[float]
    agreement: Mapped[float]
    confidence: Mapped[float]
    threshold: Mapped[float]
    score_technical: Mapped[float | None]
    score_orderbook: Mapped[float | None]
    score_flow: Mapped[float | None]
    score_qlearning: Mapped[float | None]
    weights: Mapped[dict[str, Any]]
    reasons: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]]
    in_position: Mapped[bool]
    explored: Mapped[bool]
    settings_version: Mapped[int]
    model_version: Mapped[str]
    signal_id: Mapped[uuid.UUID | None] = mapped_column(unique=True)
    outcome: Mapped[str | None]
    outcome_code: Mapped[str | None]
    outcome_detail: Mapped[str | None]
    outcome_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(_one_of("action", Action), "action"),
        CheckConstraint(_one_of("mode", Mode), "mode"),
        CheckConstraint("trigger IN ('poll', 'bar')", "trigger"),
        CheckConstraint("outcome IN ('executed', 'refused', 'failed')", "outcome"),
        Index("ix_decisions_newest", "venue", "symbol", text("decided_at DESC")),
    )


class DecisionTotalRow(Base):
    """How many decisions of each action there were: the counter that metrics read."""

    __tablename__ = "decision_totals"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(primary_key=True)
    decisions: Mapped[int] = mapped_column(BigInteger)


class SignalOutcomeRow(Base):
    """The executor's inbox: a signal has an effect once, whatever the stream delivers."""

    __tablename__ = "signal_outcomes"
    signal_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[uuid.UUID | None]
    venue: Mapped[str]
    account: Mapped[str]
    mode: Mapped[str]
    symbol: Mapped[str]
    action: Mapped[str]
    outcome: Mapped[str]
    code: Mapped[str | None]
    detail: Mapped[str | None]
    consumed_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("outcome IN ('intent', 'refused')", "outcome"),
        CheckConstraint("(outcome = 'refused') = (code IS NOT NULL)", "refusals_have_codes"),
        CheckConstraint(_one_of("code", Refusal), "code"),
        Index("ix_signal_outcomes_newest", "venue", "account", "mode", text("consumed_at DESC")),
    )


class RefusalTotalRow(Base):
    """How many signals were refused, by code."""

    __tablename__ = "refusal_totals"
    venue: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    refusals: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (CheckConstraint(_one_of("code", Refusal), "code"),)


class OrderRow(Base):
    """An intent and the order that it became. One intent, one `client_oid`, sent at most once."""

    __tablename__ = "orders"
    intent_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    client_oid: Mapped[str] = mapped_column(unique=True)
    venue: Mapped[str]
    account: Mapped[str]
    mode: Mapped[str]
    symbol: Mapped[str]
    side: Mapped[str]
    exit_reason: Mapped[str | None]
    from_signal: Mapped[bool]
    signal_id: Mapped[uuid.UUID | None] = mapped_column(unique=True)
    decision_id: Mapped[uuid.UUID | None]
    round_trip_id: Mapped[uuid.UUID]
    requested_funds: Mapped[Decimal | None]
    requested_size: Mapped[Decimal | None]
    state: Mapped[str]
    exchange_order_id: Mapped[str | None]
    filled_size: Mapped[Decimal] = mapped_column(server_default="0")
    filled_funds: Mapped[Decimal] = mapped_column(server_default="0")
    fee: Mapped[Decimal] = mapped_column(server_default="0")
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    detail: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(_one_of("side", Side), "side"),
        CheckConstraint(_one_of("mode", Mode), "mode"),
        CheckConstraint(_one_of("state", IntentState), "state"),
        CheckConstraint("(requested_funds IS NULL) <> (requested_size IS NULL)", "funds_or_size"),
        CheckConstraint("(side = 'sell') = (exit_reason IS NOT NULL)", "sells_have_reasons"),
        # At most one open entry or signal intent, whatever races or crashes.
        Index(
            "uq_orders_open_signal_intent",
            "venue",
            "account",
            "mode",
            "symbol",
            unique=True,
            postgresql_where=text(f"(side = 'buy' OR from_signal) AND {_one_of('state', OPEN_STATES)}"),
        ),
        Index(
            "ix_orders_open",
            "venue",
            "account",
            "mode",
            "symbol",
            postgresql_where=text(_one_of("state", OPEN_STATES)),
        ),
    )


class FillRow(Base):
    """What really happened. Everything in the ledger follows from these rows."""

    __tablename__ = "fills"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    fill_id: Mapped[str]
    intent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.intent_id"))
    venue: Mapped[str]
    account: Mapped[str]
    mode: Mapped[str]
    symbol: Mapped[str]
    side: Mapped[str]
    price: Mapped[Decimal]
    size: Mapped[Decimal]
    funds: Mapped[Decimal]
    fee: Mapped[Decimal]
    fee_currency: Mapped[str]
    fee_quote: Mapped[Decimal]
    filled_at: Mapped[datetime]
    booked_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("venue", "account", "mode", "symbol", "fill_id"),
        CheckConstraint("price > 0 AND size > 0 AND funds > 0 AND fee >= 0", "positive"),
        CheckConstraint(_one_of("side", Side), "side"),
        Index("ix_fills_intent_id", "intent_id"),
    )


class AccountRow(Base):
    """Money of a ledger: what it started with and the quote currency (USDT) that it holds."""

    __tablename__ = "accounts"
    venue: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    initial_balance: Mapped[Decimal]
    cash: Mapped[Decimal]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("cash >= 0", "never_negative"),)


class PositionRow(Base):
    """The open position of a ledger and symbol; no row when flat.

    Columns mirror the executor's `Position`. `open_funds` and `open_fee` are the parts of the entry's cost and fee
    that no exit has booked yet; `entry_price` is their average price without fees, for readers.
    """

    __tablename__ = "positions"
    venue: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    round_trip_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    size: Mapped[Decimal]
    entry_price: Mapped[Decimal]
    entry_size: Mapped[Decimal]
    entry_funds: Mapped[Decimal]
    entry_fee: Mapped[Decimal]
    exit_size: Mapped[Decimal] = mapped_column(server_default="0")
    exit_funds: Mapped[Decimal] = mapped_column(server_default="0")
    exit_fee: Mapped[Decimal] = mapped_column(server_default="0")
    realised_pnl: Mapped[Decimal] = mapped_column(server_default="0")
    high_bid: Mapped[Decimal]
    trailing_armed: Mapped[bool] = mapped_column(server_default=text("false"))
    partial_done: Mapped[bool] = mapped_column(server_default=text("false"))
    exit_reasons: Mapped[list[str]] = mapped_column(server_default="{}")
    open_funds: Mapped[Decimal]
    open_fee: Mapped[Decimal]
    entry_intent_id: Mapped[uuid.UUID]
    entry_decision_id: Mapped[uuid.UUID | None]
    entry_signal_id: Mapped[uuid.UUID | None]
    opened_at: Mapped[datetime]
    last_fill_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    __table_args__ = (CheckConstraint("size > 0 AND entry_price > 0", "open"),)


class BookingRow(Base):
    """An amount that was realised: by an exit's fill, or by writing off dust (`fill_id` null). Σ = the result."""

    __tablename__ = "bookings"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    venue: Mapped[str]
    account: Mapped[str]
    mode: Mapped[str]
    symbol: Mapped[str]
    intent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.intent_id"))
    fill_id: Mapped[str | None]
    round_trip_id: Mapped[uuid.UUID]
    realised: Mapped[Decimal]
    dust: Mapped[Decimal] = mapped_column(server_default="0")
    booked_for: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("venue", "account", "mode", "symbol", "fill_id"),
        Index("ix_bookings_time", "venue", "account", "mode", "booked_for"),
    )


class RoundTripRow(Base):
    """A closed round trip: an entry with all its exits. `net_bp` is the net result in basis points of the stake."""

    __tablename__ = "round_trips"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    round_trip_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    venue: Mapped[str]
    account: Mapped[str]
    mode: Mapped[str]
    symbol: Mapped[str]
    entry_decision_id: Mapped[uuid.UUID | None]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime]
    entry_size: Mapped[Decimal]
    entry_funds: Mapped[Decimal]
    exit_funds: Mapped[Decimal]
    fees: Mapped[Decimal]
    dust: Mapped[Decimal]
    net_pnl: Mapped[Decimal]
    net_bp: Mapped[float]
    exit_reasons: Mapped[list[str]]
    __table_args__ = (Index("ix_round_trips_closed", "venue", "account", "mode", "symbol", "closed_at"),)


class TradeRow(Base):
    """One executed order (at least one fill). A sell's pnl is net of all fees; a buy has none.

    `cost` is the entry cost and fee of what a sell sold, `pnl_pct` is `pnl / cost` as a fraction.
    """

    __tablename__ = "trades"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    intent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("orders.intent_id"), unique=True)
    venue: Mapped[str]
    account: Mapped[str]
    mode: Mapped[str]
    symbol: Mapped[str]
    side: Mapped[str]
    price: Mapped[Decimal]
    size: Mapped[Decimal]
    funds: Mapped[Decimal]
    fee: Mapped[Decimal]
    order_id: Mapped[str]
    status: Mapped[str]
    pnl: Mapped[Decimal | None]
    pnl_pct: Mapped[float | None]
    cost: Mapped[Decimal | None]
    exit_reason: Mapped[str | None]
    round_trip_id: Mapped[uuid.UUID]
    decision_id: Mapped[uuid.UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    executed_at: Mapped[datetime]
    last_fill_at: Mapped[datetime]
    created_at: Mapped[datetime]
    __table_args__ = (
        CheckConstraint("(side = 'sell') = (pnl IS NOT NULL)", "sells_have_pnl"),
        Index("ix_trades_executed", "venue", "account", "mode", text("executed_at DESC")),
    )


class TotalsRow(Base):
    """Running totals of a ledger and symbol, changed in the transaction that books the fill."""

    __tablename__ = "totals"
    venue: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    buys: Mapped[int] = mapped_column(BigInteger, server_default="0")
    sells: Mapped[int] = mapped_column(BigInteger, server_default="0")
    winning: Mapped[int] = mapped_column(BigInteger, server_default="0")
    losing: Mapped[int] = mapped_column(BigInteger, server_default="0")
    realised_pnl: Mapped[Decimal] = mapped_column(server_default="0")
    closed_pnl: Mapped[Decimal] = mapped_column(server_default="0")
    best_pnl: Mapped[Decimal | None]
    worst_pnl: Mapped[Decimal | None]
    fees: Mapped[Decimal] = mapped_column(server_default="0")
    dust: Mapped[Decimal] = mapped_column(server_default="0")
    exit_stop_loss: Mapped[int] = mapped_column(BigInteger, server_default="0")
    exit_take_profit: Mapped[int] = mapped_column(BigInteger, server_default="0")
    exit_partial_exit: Mapped[int] = mapped_column(BigInteger, server_default="0")
    exit_trailing_stop: Mapped[int] = mapped_column(BigInteger, server_default="0")
    exit_signal: Mapped[int] = mapped_column(BigInteger, server_default="0")
    exit_manual: Mapped[int] = mapped_column(BigInteger, server_default="0")


class DayRow(Base):
    """A UTC day of a ledger: when its loss limit latched."""

    __tablename__ = "days"
    venue: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    loss_latched_at: Mapped[datetime | None]
    loss_at_latch: Mapped[Decimal | None]


class ControlRow(Base):
    """What the operator asked for: the requested mode and the kill switch."""

    __tablename__ = "control"
    venue: Mapped[str] = mapped_column(primary_key=True)
    requested_mode: Mapped[str]
    halted: Mapped[bool]
    changed_at: Mapped[datetime]
    version: Mapped[int]
    __table_args__ = (CheckConstraint(_one_of("requested_mode", Mode), "mode"),)


class AuditRow(Base):
    """Every change that was asked for, and what came of it."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    venue: Mapped[str]
    kind: Mapped[str]
    from_value: Mapped[str | None]
    to_value: Mapped[str | None]
    route: Mapped[str]
    origin: Mapped[str]
    accepted: Mapped[bool]
    reason: Mapped[str | None]
    __table_args__ = (CheckConstraint("kind IN ('mode', 'effective_mode', 'halt', 'resume', 'settings')", "kind"),)


class RuntimeSettingsRow(Base):
    """Settings changed at run time (`values`: name → text); they win over the environment until unset."""

    __tablename__ = "runtime_settings"
    venue: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    values: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime]


class HeartbeatRow(Base):
    """A service's sign of life. The executor's carries the mode in effect."""

    __tablename__ = "heartbeats"
    venue: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    status: Mapped[str]
    effective_mode: Mapped[str | None]
    details: Mapped[dict[str, Any]]
    __table_args__ = (CheckConstraint("status IN ('starting', 'healthy', 'degraded')", "status"),)


class PreflightRow(Base):
    """The newest check of LIVE's conditions, stored by the executor."""

    __tablename__ = "preflights"
    venue: Mapped[str] = mapped_column(primary_key=True)
    checked_at: Mapped[datetime]
    passed: Mapped[bool]
    reasons: Mapped[list[str]]


class QTableRow(Base):
    """The Q-learning table and the last round trip that it learned from, committed together: a trade teaches once."""

    __tablename__ = "q_tables"
    venue: Mapped[str] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    last_round_trip: Mapped[int] = mapped_column(BigInteger)
    episodes: Mapped[int] = mapped_column(BigInteger)
    total_reward_bp: Mapped[float]
    table: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime]
