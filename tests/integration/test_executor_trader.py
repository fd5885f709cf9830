"""The trader on a real database, with a venue that does what the test says."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from btc_shared import clock
from btc_shared.codes import Action, IntentState, Mode, Side
from btc_shared.db import create_engine
from btc_shared.messages import Execution, Signal
from btc_shared.records import BookPicture, LedgerKey, Level, SymbolRules
from btc_shared.settings import RiskSettings
from executor.domain.position import Fill
from executor.ledger import Ledger
from executor.market import Market
from executor.repository import Repository
from executor.trader import Trader
from executor.venue import MarketOrder, OrderReport, UnknownOutcomeError

SYMBOL = "BTC-USDT"
RULES = SymbolRules(
    symbol=SYMBOL,
    base_currency="BTC",
    quote_currency="USDT",
    base_increment=Decimal("0.00000001"),
    quote_increment=Decimal("0.000001"),
    price_increment=Decimal("0.1"),
    base_min_size=Decimal("0.00001"),
    quote_min_size=Decimal("0.1"),
    min_funds=Decimal("0.1"),
)
ENTRY = Decimal(50_000)


class ScriptedVenue:
    """Fills at `price` unless `answers` has something else for the next order."""

    def __init__(self) -> None:
        self.price = ENTRY
        self.placed: list[MarketOrder] = []
        self.answers: list[Callable[[MarketOrder], Any]] = []
        self.found: dict[str, OrderReport] = {}

    async def place(self, order: MarketOrder) -> OrderReport:
        self.placed.append(order)
        if self.answers:
            answer: Any = self.answers.pop(0)(order)
            report: OrderReport = await answer if asyncio.iscoroutine(answer) else answer
            return report
        return self.filled(order)

    async def look_up(self, client_oid: str) -> OrderReport | None:
        return self.found.get(client_oid)

    def filled(self, order: MarketOrder) -> OrderReport:
        size = order.size or (order.funds or Decimal(0)) / self.price
        fill = Fill(
            fill_id=order.client_oid,
            intent_id=order.intent_id,
            symbol=SYMBOL,
            side=order.side,
            price=self.price,
            size=size,
            funds=size * self.price,
            fee_quote=Decimal(0),
            fee=Decimal(0),
            fee_currency="USDT",
            time_ms=clock.now_ms(),
        )
        return OrderReport(client_oid=order.client_oid, state=IntentState.FILLED, exchange_order_id="x", fills=(fill,))


def rejected(order: MarketOrder) -> OrderReport:
    return OrderReport(
        client_oid=order.client_oid,
        state=IntentState.REJECTED,
        exchange_order_id=None,
        error_code="200004",
        error_message="Balance insufficient!",
    )


def unknown(order: MarketOrder) -> OrderReport:
    raise UnknownOutcomeError("the answer was lost")


class Bench:
    """A trader with everything around it in reach."""

    def __init__(self, engine: AsyncEngine, account: str) -> None:
        key = LedgerKey(venue="practice", account=account, mode=Mode.DRY)
        self.engine, self.account = engine, account
        self.repository = Repository(key, SYMBOL)
        self.ledger = Ledger(engine, self.repository, lambda: RULES)
        self.venue = ScriptedVenue()
        self.executions: list[Execution] = []
        self.read: BookPicture | None = None
        self.reads = 0
        self.trader = Trader(
            ledger=self.ledger,
            market=Market(),
            venue=self.venue,
            rules=lambda: RULES,
            settings=lambda: RiskSettings(min_trade_interval=Decimal(0)),
            read_book=self._read_book,
            announce=self._announce,
            is_leader=lambda: True,
            problems=lambda: (),
        )

    def is_long(self) -> bool:
        return self.ledger.position is not None

    def is_uncertain(self) -> bool:
        return self.ledger.uncertain

    async def _read_book(self) -> BookPicture | None:
        self.reads += 1
        return self.read

    async def _announce(self, execution: Execution) -> None:
        self.executions.append(execution)

    async def picture(self, bid: str) -> None:
        """Show a price and wait until every order that follows from it has ended."""
        self.venue.price = Decimal(bid)
        await self.trader.on_picture(book(bid))
        await self.idle()

    async def idle(self) -> None:
        while self.trader.orders_under_way:
            await asyncio.wait(self.trader.orders_under_way)

    async def buy(self) -> None:
        await self.picture(str(ENTRY))
        await self.trader.on_signal(signal(Action.BUY))
        await self.idle()
        assert self.is_long()

    async def rows(self, query: str) -> list[Any]:
        async with self.engine.connect() as connection:
            return list(await connection.execute(text(query), {"account": self.account}))


def book(bid: str) -> BookPicture:
    best, now_ms = Decimal(bid), clock.now_ms()
    return BookPicture(
        symbol=SYMBOL,
        event_time_ms=now_ms,
        received_at_ms=now_ms,
        bids=(Level(best, Decimal(10)),),
        asks=(Level(best, Decimal(10)),),
    )


def signal(action: Action) -> Signal:
    return Signal(
        signal_id=str(uuid.uuid4()),
        decision_id=str(uuid.uuid4()),
        venue="practice",
        symbol=SYMBOL,
        mode=Mode.DRY,
        action=action,
        confidence=0.9,
        price=50_000,
        created_at_ms=clock.now_ms(),
    )


@pytest.fixture
async def bench(postgres_url: str) -> AsyncIterator[Bench]:
    engine = create_engine(postgres_url, application_name="test")
    made = Bench(engine, uuid.uuid4().hex)
    await made.trader.recover()
    yield made
    await made.trader.finish(5)
    await engine.dispose()


async def test_a_refused_partial_exit_delays_no_stop_loss(bench: Bench) -> None:
    await bench.buy()
    bench.venue.answers = [rejected, rejected]
    await bench.picture("50800")
    await bench.picture("50801")
    await bench.picture("49000")
    assert [order.side for order in bench.venue.placed] == [Side.BUY, Side.SELL, Side.SELL, Side.SELL]
    assert not bench.is_long()
    reasons = await bench.rows("SELECT exit_reason FROM trades WHERE account = :account AND side = 'sell'")
    assert [row[0] for row in reasons] == ["stop_loss"]


async def test_a_refused_stop_loss_is_tried_again_at_once_with_a_new_intent(bench: Bench) -> None:
    await bench.buy()
    bench.venue.answers = [rejected]
    await bench.picture("49000")
    await bench.picture("48990")
    assert not bench.is_long()
    first, second = bench.venue.placed[1:]
    assert first.client_oid != second.client_oid
    states = await bench.rows("SELECT state FROM orders WHERE account = :account ORDER BY created_at")
    assert [row[0] for row in states] == ["filled", "rejected", "filled"]


async def test_an_exit_that_is_due_while_another_is_under_way_sells_only_what_is_free(bench: Bench) -> None:
    await bench.buy()
    position = bench.ledger.position
    assert position is not None
    half_may_fill = asyncio.Event()

    async def slowly(order: MarketOrder) -> OrderReport:
        await half_may_fill.wait()
        return bench.venue.filled(order)

    bench.venue.answers = [slowly]
    await bench.trader.on_picture(book("50800"))
    await bench.trader.on_picture(book("50801"))  # the partial exit is not sent twice
    await bench.trader.on_picture(book("48999"))
    await bench.trader.on_picture(book("48998"))  # nor is the stop loss
    half_may_fill.set()
    await bench.idle()
    sizes = [order.size for order in bench.venue.placed if order.side is Side.SELL]
    assert sizes == [position.size / 2, position.size / 2]
    assert not bench.is_long()


async def test_two_judgements_at_the_same_moment_make_one_exit(bench: Bench) -> None:
    await bench.buy()
    position = bench.ledger.position
    assert position is not None
    await bench.trader.on_picture(book("50700"))
    await asyncio.gather(
        bench.trader.on_picture(book("50800")), bench.trader.review(), bench.trader.on_picture(book("50801"))
    )
    await bench.idle()
    assert [order.size for order in bench.venue.placed[1:]] == [position.size / 2]


async def test_an_unknown_order_is_looked_up_and_never_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor.trader.LOOK_UP_SECS", 0.01)
    await bench.picture(str(ENTRY))

    def executed_but_unanswered(order: MarketOrder) -> OrderReport:
        bench.venue.found[order.client_oid] = bench.venue.filled(order)
        return unknown(order)

    bench.venue.answers = [executed_but_unanswered]
    await bench.trader.on_signal(signal(Action.BUY))
    await bench.idle()
    assert len(bench.venue.placed) == 1
    assert bench.is_long()


async def test_an_unknown_order_that_the_venue_never_had_is_absent(bench: Bench) -> None:
    await bench.picture(str(ENTRY))
    bench.venue.answers = [unknown]
    await bench.trader.on_signal(signal(Action.BUY))
    await bench.idle()
    assert not bench.is_long()
    ((state, code),) = await bench.rows("SELECT state, error_code FROM orders WHERE account = :account")
    assert (state, code) == ("absent", "absent")
    await bench.trader.on_signal(signal(Action.BUY))
    await bench.idle()
    assert bench.is_long()


async def test_an_intent_whose_commit_was_not_confirmed_is_ended_and_blocks_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.picture(str(ENTRY))
    original = bench.repository.insert_intent

    async def loses_the_connection(connection: Any, *arguments: Any) -> None:
        await original(connection, *arguments)
        await connection.commit()
        raise OperationalError("COMMIT", None, Exception("the connection was lost"), connection_invalidated=True)

    monkeypatch.setattr(bench.repository, "insert_intent", loses_the_connection)
    lost = signal(Action.BUY)
    with pytest.raises(OperationalError):
        await bench.trader.on_signal(lost)
    monkeypatch.undo()
    assert bench.is_uncertain()
    await bench.trader.on_signal(lost)  # delivered again: it was consumed
    await bench.trader.review()
    await bench.idle()
    assert not bench.is_uncertain()
    assert bench.venue.placed == []
    ((state,),) = await bench.rows("SELECT state FROM orders WHERE account = :account")
    assert state == "absent"
    await bench.trader.on_signal(signal(Action.BUY))
    await bench.idle()
    assert len(bench.venue.placed) == 1


async def test_a_jump_of_the_price_is_confirmed_before_it_counts(bench: Bench) -> None:
    await bench.buy()
    bench.read = book("50010")
    await bench.picture("40000")
    assert bench.reads >= 1
    assert bench.is_long()
    bench.read = book("40000")
    await bench.picture("40000")
    assert not bench.is_long()


async def test_a_picture_that_comes_too_late_does_not_make_a_jump_look_confirmed(bench: Bench) -> None:
    await bench.buy()
    bench.read = book("50010")
    late = book("40000")
    await bench.picture("50005")
    await bench.trader.on_picture(msgspec.structs.replace(late, event_time_ms=late.event_time_ms - 60_000))
    reads = bench.reads
    bench.read = book("50010")
    await bench.picture("40000")
    assert bench.reads == reads + 1
    assert bench.is_long()


async def test_a_jump_that_cannot_be_confirmed_counts(bench: Bench) -> None:
    await bench.buy()
    bench.read = None
    await bench.picture("40000")
    assert not bench.is_long()


async def test_a_new_position_is_never_judged_by_a_price_from_before_it(bench: Bench) -> None:
    await bench.buy()
    await bench.picture("51500")
    assert not bench.is_long()
    for bid in ("51600", "53000", "55000"):
        await bench.picture(bid)
    await bench.trader.on_signal(signal(Action.BUY))
    await bench.idle()
    await bench.trader.review()  # before the next picture
    await bench.idle()
    assert bench.is_long()
    assert bench.ledger.day is not None
    assert bench.ledger.day.latched_on is None


async def test_refused_signal_sells_delay_no_stop_loss(bench: Bench) -> None:
    await bench.buy()
    for _ in range(5):
        bench.venue.answers = [rejected]
        await bench.trader.on_signal(signal(Action.SELL))
        await bench.idle()
    await bench.picture("48999")
    assert not bench.is_long()


async def test_an_exit_looks_at_the_stored_orders_before_it_sells(bench: Bench) -> None:
    await bench.buy()
    other = Bench(bench.engine, bench.account)
    await other.trader.recover()
    never = asyncio.Event()

    async def waits(order: MarketOrder) -> OrderReport:
        await never.wait()
        return bench.venue.filled(order)

    bench.venue.answers = [waits]
    await bench.trader.on_picture(book("48999"))
    await other.trader.on_picture(book("48999"))  # a process that lost its lead and does not know yet
    await other.idle()
    assert other.venue.placed == []
    never.set()
    await bench.idle()
    assert not bench.is_long()


async def test_with_a_silent_stream_the_price_is_read_over_rest(bench: Bench) -> None:
    await bench.buy()
    stale = msgspec.structs.replace(book(str(ENTRY)), received_at_ms=clock.now_ms() - 11_000)
    await bench.trader.on_picture(stale)
    bench.read = book("48999")
    bench.venue.price = Decimal(48_999)
    await bench.trader.review()
    await bench.idle()
    assert not bench.is_long()


async def test_a_fill_that_contradicts_the_ledger_stops_entries(bench: Bench) -> None:
    await bench.buy()

    def oversold(order: MarketOrder) -> OrderReport:
        return bench.venue.filled(
            MarketOrder(
                intent_id=order.intent_id,
                client_oid=order.client_oid,
                symbol=order.symbol,
                side=order.side,
                size=(order.size or Decimal(0)) * 2,
            )
        )

    bench.venue.answers = [oversold]
    await bench.picture("48999")
    assert bench.ledger.degraded
    assert await bench.rows("SELECT 1 FROM fills WHERE account = :account AND side = 'sell'") == []
    assert bench.is_long()
