"""The tables: migrations make exactly what the models say, and the database itself enforces the money rules."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, create_engine, insert, text
from sqlalchemy.exc import IntegrityError

from btc_shared.db.__main__ import migrate
from btc_shared.db.engine import driver_url
from btc_shared.db.models import AccountRow, Base, FillRow, OrderRow, SignalOutcomeRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEDGER = {"venue": "practice", "account": "paper", "mode": "dry", "symbol": "BTC-USDT"}


@pytest.fixture
def engine(postgres_url: str) -> Any:
    made = create_engine(driver_url(postgres_url))
    yield made
    made.dispose()


@pytest.fixture
def connection(engine: Engine) -> Any:
    with engine.connect() as made, made.begin() as transaction:
        yield made
        transaction.rollback()


def order(**changes: Any) -> dict[str, Any]:
    intent_id = uuid.uuid4()
    values = {
        **LEDGER,
        "intent_id": intent_id,
        "client_oid": f"test-{intent_id.hex}",
        "side": "buy",
        "from_signal": True,
        "round_trip_id": uuid.uuid4(),
        "requested_funds": Decimal(100),
        "state": "intent",
        "created_at": NOW,
    }
    return values | changes


def refused_by(connection: Connection, constraint: str, statement: Any) -> None:
    with pytest.raises(IntegrityError) as caught, connection.begin_nested():
        connection.execute(statement)
    assert constraint in str(caught.value)


def test_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_twice_changes_nothing(postgres_url: str, engine: Engine) -> None:
    migrate(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_a_second_open_entry_is_impossible(connection: Connection) -> None:
    connection.execute(insert(OrderRow).values(**order()))
    refused_by(connection, "uq_orders_open_signal_intent", insert(OrderRow).values(**order(state="unknown")))
    connection.execute(insert(OrderRow).values(**order(state="filled")))
    connection.execute(insert(OrderRow).values(**order(symbol="ETH-USDT")))


def test_a_protective_exit_may_be_open_beside_a_signal_exit(connection: Connection) -> None:
    sell = {"side": "sell", "requested_funds": None, "requested_size": Decimal("0.1")}
    connection.execute(insert(OrderRow).values(**order(**sell, exit_reason="signal")))
    connection.execute(insert(OrderRow).values(**order(**sell, exit_reason="stop_loss", from_signal=False)))
    connection.execute(insert(OrderRow).values(**order(**sell, exit_reason="stop_loss", from_signal=False)))


def test_a_client_oid_and_a_signal_are_used_once(connection: Connection) -> None:
    signal_id = uuid.uuid4()
    first = order(signal_id=signal_id, state="filled")
    connection.execute(insert(OrderRow).values(**first))
    again = order(client_oid=first["client_oid"], state="filled")
    refused_by(connection, "uq_orders_client_oid", insert(OrderRow).values(**again))
    again = order(signal_id=signal_id, state="filled")
    refused_by(connection, "uq_orders_signal_id", insert(OrderRow).values(**again))


def test_cash_can_never_be_negative(connection: Connection) -> None:
    account = {key: LEDGER[key] for key in ("venue", "account", "mode")}
    row = {**account, "initial_balance": 1000, "cash": Decimal("-0.01"), "created_at": NOW, "updated_at": NOW}
    refused_by(connection, "ck_accounts_never_negative", insert(AccountRow).values(**row))


def test_a_fill_is_booked_once(connection: Connection) -> None:
    parent = order(state="filled")
    connection.execute(insert(OrderRow).values(**parent))
    fill = {
        **LEDGER,
        "fill_id": "1",
        "intent_id": parent["intent_id"],
        "side": "buy",
        "price": 1,
        "size": 1,
        "funds": 1,
        "fee": 0,
        "fee_currency": "USDT",
        "fee_quote": 0,
        "filled_at": NOW,
        "booked_at": NOW,
    }
    connection.execute(insert(FillRow).values(**fill))
    refused_by(connection, "uq_fills_venue", insert(FillRow).values(**fill))


def test_a_refusal_always_carries_its_code(connection: Connection) -> None:
    row = {**LEDGER, "signal_id": uuid.uuid4(), "action": "BUY", "outcome": "refused", "consumed_at": NOW}
    refused_by(connection, "ck_signal_outcomes_refusals_have_codes", insert(SignalOutcomeRow).values(**row))
