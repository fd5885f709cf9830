"""A database with a ledger in it, and the exporter's and the API's interfaces over it."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, create_engine, delete, insert, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from btc_shared.codes import ServiceName
from btc_shared.db import create_engine as create_async_engine
from btc_shared.db.engine import driver_url
from btc_shared.db.models import (
    AccountRow,
    Base,
    BookingRow,
    DecisionRow,
    DecisionTotalRow,
    HeartbeatRow,
    MarketStateRow,
    OrderRow,
    PositionRow,
    PreflightRow,
    RoundTripRow,
    TotalsRow,
    TradeRow,
)
from btc_shared.health import Health
from btc_shared.settings import load
from exporter import app as exporter_app
from exporter.settings import ExporterSettings
from webui_api import app as webui_app
from webui_api.settings import WebuiSettings

VENUE, SYMBOL = "practice", "BTC-USDT"
TOKEN = "a-token-of-the-tests-0123456789"
FEE = Decimal("0.001")


def now() -> datetime:
    return datetime.now(UTC)


class Seed:
    """Writes what the other services would: market, heartbeats, decisions, and the books of one ledger.

    Each buy opens a position and each sell takes a part of it, booked as the rules say: cost and fee of the entry
    pro rata.
    """

    def __init__(self, connection: Connection, mode: str = "dry", account: str = "paper") -> None:
        self.connection = connection
        self.ledger = {"venue": VENUE, "account": account, "mode": mode}
        self.key = {**self.ledger, "symbol": SYMBOL}
        self.position: dict[str, Any] | None = None

    def other(self, mode: str, account: str) -> "Seed":
        return Seed(self.connection, mode, account)

    def row(self, model: type[Base], **values: Any) -> None:
        self.connection.execute(insert(model).values(**values))

    def market(self, bid: str = "50000", ask: str = "50001", *, age: float = 0) -> None:
        at = now() - timedelta(seconds=age)
        self.connection.execute(delete(MarketStateRow))
        self.row(
            MarketStateRow,
            venue=VENUE,
            symbol=SYMBOL,
            book_time=at,
            received_at=at,
            updated_at=at,
            bid=Decimal(bid),
            ask=Decimal(ask),
            bid_volume=Decimal(3),
            ask_volume=Decimal(1),
            imbalance=0.5,
            spread_bp=0.2,
            flow=-0.25,
        )

    def beat(
        self, service: ServiceName, *, age: float = 0, mode: str | None = None, status: str = "healthy", **details: Any
    ) -> None:
        values = {
            "started_at": now() - timedelta(hours=1),
            "beat_at": now() - timedelta(seconds=age),
            "status": status,
            "effective_mode": mode,
            "details": details,
        }
        statement = upsert(HeartbeatRow).values(venue=VENUE, service=str(service), **values)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["venue", "service"], set_=values))

    def running(self, mode: str = "dry") -> None:
        """Everything beats, decides and has a price."""
        self.beat(ServiceName.EXECUTOR, mode=mode)
        for service in (ServiceName.DECISION_ENGINE, ServiceName.MARKET_FEED):
            self.beat(service)
        self.market()
        self.decision()

    def decision(self, *, age: float = 0, **changes: Any) -> None:
        values: dict[str, Any] = {
            "decision_id": uuid.uuid4(),
            "venue": VENUE,
            "symbol": SYMBOL,
            "mode": "dry",
            "trigger": "poll",
            "decided_at": now() - timedelta(seconds=age),
            "price": Decimal("50000.5"),
            "action": "HOLD",
            "score": 0.12,
            "agreement": 0.8,
            "confidence": 0.2,
            "threshold": 0.3,
            "score_technical": 0.4,
            "score_orderbook": None,
            "score_flow": -0.1,
            "score_qlearning": 0.0,
            "weights": {"technical": 0.4, "orderbook": 0.0, "flow": 0.33, "qlearning": 0.27},
            "reasons": {
                "technical": "momentum up",
                "orderbook": "no book",
                "flow": "sellers",
                "qlearning": "few visits",
            },
            "inputs": {
                "imbalance": 0.5,
                "flow": -0.25,
                "rsi": 55.5,
                "momentum": 0.01,
                "volatility": 0.05,
                "trend": None,
            },
            "in_position": False,
            "explored": False,
            "settings_version": 0,
            "model_version": "0",
        }
        self.row(DecisionRow, **(values | changes))
        total = upsert(DecisionTotalRow).values(
            venue=VENUE, symbol=SYMBOL, action=changes.get("action", "HOLD"), decisions=1
        )
        self.connection.execute(
            total.on_conflict_do_update(
                index_elements=["venue", "symbol", "action"], set_={"decisions": DecisionTotalRow.decisions + 1}
            )
        )

    def preflight(self, *, age: float = 0, passed: bool = True, reasons: tuple[str, ...] = ()) -> None:
        self.connection.execute(delete(PreflightRow))
        at = now() - timedelta(seconds=age)
        self.row(PreflightRow, venue=VENUE, checked_at=at, passed=passed, reasons=list(reasons))

    def account(self, balance: str = "1000") -> None:
        money = Decimal(balance)
        self.row(AccountRow, **self.ledger, initial_balance=money, cash=money, created_at=now(), updated_at=now())
        self.row(TotalsRow, **self.key)

    def buy(self, price: str, size: str, at: datetime) -> None:
        assert self.position is None
        cost = Decimal(price) * Decimal(size)
        self.position = {
            "round_trip_id": uuid.uuid4(),
            "size": Decimal(size),
            "entry_price": Decimal(price),
            "entry_size": Decimal(size),
            "entry_funds": cost,
            "entry_fee": cost * FEE,
            "open_funds": cost,
            "open_fee": cost * FEE,
            "high_bid": Decimal(price),
            "realised_pnl": Decimal(0),
            "entry_intent_id": uuid.uuid4(),
            "opened_at": at,
            "last_fill_at": at,
            "updated_at": at,
        }
        self.row(PositionRow, **self.key, **self.position)
        self._trade("buy", Decimal(price), Decimal(size), at, self.position["entry_intent_id"], None, None)
        self._account(-cost * (1 + FEE), buys=1, fees=cost * FEE)

    def sell(self, price: str, size: str, at: datetime, reason: str = "signal") -> Decimal:
        """Sell a part or all; returns what it realised."""
        position = self.position
        assert position is not None
        sold, funds = Decimal(size), Decimal(price) * Decimal(size)
        share: Decimal = sold / position["size"]
        cost = (position["open_funds"] + position["open_fee"]) * share
        realised: Decimal = funds * (1 - FEE) - cost
        position["open_funds"] -= position["open_funds"] * share
        position["open_fee"] -= position["open_fee"] * share
        position["size"] -= sold
        position["realised_pnl"] += realised
        intent = self._trade("sell", Decimal(price), sold, at, uuid.uuid4(), realised, reason)
        self.row(
            BookingRow,
            **self.key,
            intent_id=intent,
            fill_id=intent.hex,
            round_trip_id=position["round_trip_id"],
            realised=realised,
            booked_for=at,
        )
        changes: dict[str, Any] = {"sells": 1, "fees": funds * FEE, "realised_pnl": realised, f"exit_{reason}": 1}
        if position["size"] == 0:
            changes |= self._close(position, at, reason)
            self.position = None
        else:
            where = PositionRow.round_trip_id == position["round_trip_id"]
            changed = {name: position[name] for name in ("size", "open_funds", "open_fee", "realised_pnl")}
            self.connection.execute(update(PositionRow).where(where).values(**changed))
        self._account(funds * (1 - FEE), **changes)
        return realised

    def _close(self, position: dict[str, Any], at: datetime, reason: str) -> dict[str, Any]:
        net = position["realised_pnl"]
        self.connection.execute(delete(PositionRow).where(PositionRow.round_trip_id == position["round_trip_id"]))
        self.row(
            RoundTripRow,
            **self.key,
            **{name: position[name] for name in ("round_trip_id", "opened_at", "entry_size", "entry_funds")},
            closed_at=at,
            exit_funds=Decimal(0),
            fees=Decimal(0),
            dust=Decimal(0),
            net_pnl=net,
            net_bp=float(net / position["entry_funds"] * 10_000),
            exit_reasons=[reason],
        )
        return {"winning" if net > 0 else "losing": 1, "closed_pnl": net}

    def _trade(
        self, side: str, price: Decimal, size: Decimal, at: datetime, intent: uuid.UUID, pnl: Any, reason: Any
    ) -> uuid.UUID:
        assert self.position is not None
        trip = self.position["round_trip_id"]
        common = {**self.key, "intent_id": intent, "side": side, "exit_reason": reason, "round_trip_id": trip}
        amount = {"requested_size": size} if side == "sell" else {"requested_funds": price * size}
        self.row(
            OrderRow,
            **common,
            **amount,
            client_oid=intent.hex,
            from_signal=False,
            state="filled",
            created_at=at,
        )
        self.row(
            TradeRow,
            **common,
            price=price,
            size=size,
            funds=price * size,
            fee=price * size * FEE,
            status="filled",
            order_id=f"order-{intent.hex[:6]}",
            pnl=pnl,
            pnl_pct=None,
            executed_at=at,
            last_fill_at=at,
            created_at=at,
        )
        return intent

    def _account(self, cash: Decimal, **changes: Any) -> None:
        where = [AccountRow.account == self.key["account"], AccountRow.mode == self.key["mode"]]
        self.connection.execute(update(AccountRow).where(*where).values(cash=AccountRow.cash + cash))
        values = {name: getattr(TotalsRow, name) + amount for name, amount in changes.items()}
        here = [TotalsRow.account == self.key["account"], TotalsRow.mode == self.key["mode"]]
        self.connection.execute(update(TotalsRow).where(*here).values(**values))
        if "closed_pnl" in changes:
            self.connection.execute(
                text(
                    "UPDATE totals SET best_pnl = greatest(best_pnl, :net), worst_pnl = least(worst_pnl, :net)"
                    " WHERE account = :account AND mode = :mode"
                ),
                {"net": changes["closed_pnl"], **{name: self.key[name] for name in ("account", "mode")}},
            )


@pytest.fixture
def seed(postgres_url: str) -> Iterator[Seed]:
    """An empty database to write into; every row is visible at once."""
    engine = create_engine(driver_url(postgres_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
        yield Seed(connection)
    engine.dispose()


Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def clients() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def _client(stack: AsyncExitStack, app: Any, base: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 40_000))
    return await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=base))


@pytest.fixture
def exporter(seed: Seed, postgres_url: str, clients: AsyncExitStack) -> Callable[..., Any]:
    """Make a client of an exporter with these environment variables: `await exporter(ALLOW_LIVE="true")`."""

    async def make(database_url: str = postgres_url, **environ: str) -> httpx.AsyncClient:
        environ = {"CONTROL_TOKEN": TOKEN, "VENUE": VENUE, "DATABASE_URL": database_url} | environ
        settings = load(ExporterSettings, environ)
        engine = create_async_engine(settings.database_url, application_name="test")
        clients.push_async_callback(engine.dispose)
        app = exporter_app.create_app(settings, engine, Health(ServiceName.EXPORTER), b"key of the tests")
        return await _client(clients, app, "http://localhost:9092")

    return make


@pytest.fixture
def webui(seed: Seed, postgres_url: str, clients: AsyncExitStack) -> Callable[..., Any]:
    """Make a client of an API with these environment variables."""

    async def make(database_url: str = postgres_url, **environ: str) -> httpx.AsyncClient:
        settings = load(WebuiSettings, {"VENUE": VENUE, "DATABASE_URL": database_url} | environ)
        engine = create_async_engine(settings.database_url, application_name="test")
        clients.push_async_callback(engine.dispose)
        return await _client(
            clients, webui_app.create_app(settings, engine, Health(ServiceName.WEBUI_API)), "http://localhost:8510"
        )

    return make
