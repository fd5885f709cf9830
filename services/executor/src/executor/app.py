"""The executor's composition root: wires ledger, venue, market and streams, and runs until told to stop."""

import asyncio
import contextlib
from typing import Any

import structlog
from prometheus_client import Gauge
from redis.exceptions import RedisError
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import AsyncEngine

from btc_shared import clock, streams
from btc_shared.codes import Mode, ServiceName
from btc_shared.db.engine import create_engine
from btc_shared.health import Check, Health, Heartbeat
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.transport import open_http
from btc_shared.leadership import Leadership
from btc_shared.messages import Execution, Signal
from btc_shared.records import BookPicture, LedgerKey, SymbolRules
from btc_shared.service import StartError, every, run_as_leader, run_until, tolerating_outage
from btc_shared.settings import EngineSettings, RiskSettings
from btc_shared.settings.runtime import RuntimeSettings, part
from executor.ledger import Ledger
from executor.market import Market
from executor.operator_repository import Control, OperatorRepository
from executor.paper_venue import PaperVenue
from executor.repository import Repository
from executor.settings import ExecutorSettings
from executor.trader import Trader

GROUP = "executor"
PAPER_ACCOUNT = "paper"
CONTROL_SECS = 1.0
REVIEW_SECS = 1.0
PREFLIGHT_SECS = 60.0
CHECK_FILLS_SECS = 60.0
RULES_SECS = 1.0
REST_TIMEOUT_SECS = 2.0
SHUTDOWN_GRACE_SECS = 5.0
LIVE_IS_ABSENT = "this version trades simulated money only: the adapter that sends orders to KuCoin is not part of it"

log = structlog.get_logger(__name__)
unwatched_position = Gauge(
    "executor_position_unwatched", "1 while a position was last seen open and cannot be judged: no lead, or no database"
)


class Executor:
    """Everything of one executor process. `run` is its life.

    One process acts per (venue, account, mode); others stand by.
    """

    def __init__(self, settings: ExecutorSettings, engine: AsyncEngine, redis: Any, rest: PublicClient) -> None:
        self._settings, self._engine, self._redis, self._rest = settings, engine, redis, rest
        self.ledger_key = LedgerKey(venue=settings.venue, account=PAPER_ACCOUNT, mode=Mode.DRY)
        self._runtime = RuntimeSettings(settings.venue, part(RiskSettings, settings), EngineSettings())
        self._operator = OperatorRepository(settings.venue, settings.symbol)
        self._repository = Repository(self.ledger_key, settings.symbol)
        self._rules: SymbolRules | None = None
        self._control: Control | None = None
        self._market = Market()
        self._leadership = Leadership(engine, f"executor|{settings.venue}|{PAPER_ACCOUNT}|{self.ledger_key.mode}")
        self._had_position = False
        self._begin_anew()
        self._health = Health(ServiceName.EXECUTOR)
        self._health.add("recovered", self._recovered_check)
        self._health.add("market", self._market_check)
        self._health.add("ledger", self._ledger_check)
        unwatched_position.set_function(lambda: float(self._position_is_unwatched()))

    def _begin_anew(self) -> None:
        """Forget everything that memory holds of the ledger: what is true is in the database."""
        self._ledger = Ledger(self._engine, self._repository, self._known_rules)
        self._trader = Trader(
            ledger=self._ledger,
            market=self._market,
            venue=PaperVenue(self._market, self._known_rules, self._risk, self._balances, self._read_book),
            rules=lambda: self._rules,
            settings=self._risk,
            read_book=self._read_book,
            announce=self._announce,
            is_leader=lambda: self._leadership.held,
            problems=lambda: self._runtime.risk_problems,
        )

    async def run(self, stop: asyncio.Event) -> None:
        heartbeat = Heartbeat(
            self._engine,
            self._settings.venue,
            self._health,
            effective_mode=lambda: self.ledger_key.mode,
            details=self._details,
        )

        async def work(over: asyncio.Event) -> None:
            self._begin_anew()
            try:
                if await self._prepare(over):
                    await self._trade(over)
            finally:
                await self._trader.finish(SHUTDOWN_GRACE_SECS)

        await run_as_leader(stop, self._settings, self._health, heartbeat, self._leadership, work)

    async def _prepare(self, stop: asyncio.Event) -> bool:
        """Wait for the exchange's rules, then recover; False when `stop` came first. Start is recovery."""
        retry = streams.Retry()
        while not stop.is_set():
            learned = await tolerating_outage(self._learn_rules()) and self._rules is not None
            if learned and await tolerating_outage(self._trader.recover()):
                return True
            await retry.wait()
        return False

    async def _learn_rules(self) -> None:
        await self._refuse_to_forget()
        await self._refresh()
        if self._rules is None:
            return
        async with self._engine.begin() as connection:
            before = await self._operator.effective_mode(connection)
            if before is not self.ledger_key.mode:
                await self._operator.audit_mode_in_effect(connection, before, self.ledger_key.mode)

    async def _refuse_to_forget(self) -> None:
        """A position that was opened with another SYMBOL would have no exits: then nothing starts.

        Raises:
            StartError: naming it.
        """
        async with self._engine.connect() as connection:
            others = await self._repository.other_positions(connection)
        if others:
            held = " and ".join(f"{size.normalize():f} {symbol}" for symbol, size in others)
            raise StartError(
                f"a position of {held} is open, and nobody would judge its exits with SYMBOL={self._settings.symbol}:"
                f" set SYMBOL={others[0][0]} until it is sold"
            )

    async def _trade(self, stop: asyncio.Event) -> None:
        await run_until(
            stop,
            self._failed_order(),
            self._read_market(),
            self._read_signals(),
            every(REVIEW_SECS, self._trader.review),
            every(CONTROL_SECS, self._refresh),
            every(PREFLIGHT_SECS, self._store_preflight),
            every(CHECK_FILLS_SECS, self._ledger.check_fills),
            self._trader.keep_marks_stored(),
        )

    async def _failed_order(self) -> None:
        await self._trader.failure

    async def _read_market(self) -> None:
        stream = streams.book_stream(self._settings.venue, self._settings.symbol)
        async for _, message in streams.read_from_now(self._redis, [stream]):
            if isinstance(message, BookPicture) and message.symbol == self._settings.symbol:
                await tolerating_outage(self._trader.on_picture(message))

    async def _read_signals(self) -> None:
        stream = streams.signals_stream(self._settings.venue, self._settings.symbol)
        # One process acts at a time, so one stable name: what a crashed one left pending comes first.
        reader = streams.GroupReader(self._redis, stream, GROUP, GROUP)
        async for entry_id, message in reader:
            if isinstance(message, Signal):
                await self._judge_signal(message)
            await reader.ack(entry_id)

    async def _judge_signal(self, signal: Signal) -> None:
        retry = streams.Retry()
        try:
            while not await tolerating_outage(self._trader.on_signal(signal)):
                await retry.wait()
        except DataError as error:
            # Something that the database cannot even store: it must not come back for ever.
            log.error("signal_impossible", signal_id=signal.signal_id, error=repr(error.orig))

    async def _refresh(self) -> None:
        async with self._engine.connect() as connection:
            await self._runtime.refresh(connection)
            self._rules = await self._operator.rules(connection) or self._rules
            self._control = await self._operator.control(connection)

    async def _store_preflight(self) -> None:
        async with self._engine.begin() as connection:
            await self._operator.store_preflight(connection, False, [LIVE_IS_ABSENT])

    # What the parts ask for

    def _risk(self) -> RiskSettings:
        return self._runtime.risk

    def _known_rules(self) -> SymbolRules:
        if self._rules is None:
            raise RuntimeError("the exchange's rules are not known yet: recovery comes first")
        return self._rules

    def _balances(self) -> Any:
        return self._ledger.account.cash, self._ledger.holding.size

    async def _read_book(self) -> BookPicture | None:
        try:
            async with asyncio.timeout(REST_TIMEOUT_SECS):
                return await self._rest.book(self._settings.symbol, attempts=1)
        except (KucoinError, TimeoutError) as error:
            log.warning("book_not_read", error=repr(error))
            return None

    async def _announce(self, execution: Execution) -> None:
        stream = streams.executions_stream(self._settings.venue, self._settings.symbol)
        try:
            await streams.publish(self._redis, stream, execution, maxlen=streams.EXECUTIONS_MAXLEN)
        except (RedisError, OSError) as error:
            log.warning("execution_not_announced", error=repr(error))  # readers find it in Postgres

    # Signs of life

    def _recovered_check(self) -> Check:
        if self._ledger.converged:
            return Check(True, "recovered")
        return Check(False, "waits for the exchange's rules" if self._rules is None else "recovering")

    def _market_check(self) -> Check:
        age_secs = self._market.age_secs()
        if age_secs is None:
            return Check(False, "no order book yet", critical=False)
        fresh = age_secs <= self._runtime.risk.max_market_age
        return Check(fresh, f"order book {age_secs:.1f} s old", critical=False)

    def _position_is_unwatched(self) -> bool:
        """A position was open when this process last knew, and nobody judges it now."""
        acting = self._leadership.held and self._ledger.converged
        if acting or self._ledger.position is not None:
            self._had_position = self._ledger.position is not None
        return self._had_position and not acting

    def _ledger_check(self) -> Check:
        problems = (*self._ledger.degraded, *self._runtime.risk_problems)
        return Check(not problems, "; ".join(problems) or "in order", critical=False)

    def _details(self) -> dict[str, Any]:
        age_secs = self._market.age_secs()
        control = self._control
        return {
            "book_age_secs": age_secs,
            "orders_in_flight": len(self._ledger.open_orders),
            "halted": None if control is None else control.halted,
            "settings_version": self._runtime.version,
            "converged": self._ledger.converged,
            "at": clock.now().isoformat(),
        }


async def main(settings: ExecutorSettings, stop: asyncio.Event) -> None:
    """Run the executor until `stop`."""
    engine = create_engine(settings.database_url, application_name="executor", pool_size=6)
    redis = streams.connect(settings.redis_url.get_secret_value())
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(redis.aclose)
        http = await stack.enter_async_context(open_http(settings.kucoin_base_url))
        await Executor(settings, engine, redis, PublicClient(http)).run(stop)
