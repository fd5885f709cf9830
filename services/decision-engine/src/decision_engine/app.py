"""The decision engine's composition root."""

import asyncio
import contextlib
import random
from time import monotonic
from typing import Any

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from btc_shared import clock, streams
from btc_shared.codes import ServiceName
from btc_shared.db.engine import create_engine
from btc_shared.health import Check, Health, Heartbeat
from btc_shared.leadership import Leadership
from btc_shared.messages import CandleUpdate, Execution, Signal, TradeBatch, UnknownMessageError, decode
from btc_shared.records import BookPicture
from btc_shared.service import StartError, every, run_as_leader, run_until, tolerating_outage
from btc_shared.settings import EngineSettings, RiskSettings
from btc_shared.settings.runtime import RuntimeSettings, part
from decision_engine.domain import TableRefusedError
from decision_engine.domain.market_view import MAX_BAR_AGE_SECS
from decision_engine.engine import Engine
from decision_engine.repository import Repository
from decision_engine.settings import DecisionEngineSettings

REFRESH_SECS = 2.0
LEARN_SECS = 10.0
PRUNE_SECS = 3_600.0
SEED_BATCHES = 200
# How long a start waits for a bar of the present.
FRESH_BAR_SECS = 30.0

log = structlog.get_logger(__name__)


class DecisionEngine:
    """Everything of one decision-engine process. One acts per (venue, symbol); others stand by."""

    def __init__(self, settings: DecisionEngineSettings, database: AsyncEngine, redis: Any) -> None:
        self._settings, self._database, self._redis = settings, database, redis
        self._runtime = RuntimeSettings(settings.venue, RiskSettings(), part(EngineSettings, settings))
        self._repository = Repository(settings.venue, settings.symbol)
        self._leadership = Leadership(database, f"decision-engine|{settings.venue}|{settings.symbol}")
        self._closed_round_trip = asyncio.Event()
        self._engine = Engine(
            database=database,
            repository=self._repository,
            venue=settings.venue,
            symbol=settings.symbol,
            settings=lambda: self._runtime.engine,
            settings_version=lambda: self._runtime.version,
            send=self._send,
            rng=random.Random(),  # noqa: S311 - exploration is no secret
        )
        self._health = Health(ServiceName.DECISION_ENGINE)
        self._health.add("bars", self._bars_check)
        self._health.add("decisions", self._decisions_check)

    async def run(self, stop: asyncio.Event) -> None:
        heartbeat = Heartbeat(self._database, self._settings.venue, self._health, details=self._details)

        async def work(over: asyncio.Event) -> None:
            if await self._prepare(over):
                await self._follow(over)

        await run_as_leader(stop, self._settings, self._health, heartbeat, self._leadership, work)

    async def _prepare(self, stop: asyncio.Event) -> bool:
        """Wait until the feed stored bars, the newest ones too; False when `stop` came first.

        A feed that begins stores a day of bars, oldest first: for a moment the last one is hours old. Bars that stay
        old, because the exchange is away, are decided on after a while: such a decision says that they are.
        """
        retry, began = streams.Retry(), monotonic()
        enough_at, waiting = began + FRESH_BAR_SECS, False
        while not stop.is_set():
            if await tolerating_outage(self._refresh()) and await tolerating_outage(self._load()):
                if self._engine.bars and (self._has_fresh_bar() or monotonic() >= enough_at):
                    await self._seed_trades()
                    log.info("bars_loaded", bars=self._engine.bars, waited_secs=round(monotonic() - began, 1))
                    return True
                if not waiting:
                    log.info("waiting_for_bars", bars=self._engine.bars, fresh=self._has_fresh_bar())
                    waiting = True
            await retry.wait()
        return False

    def _has_fresh_bar(self) -> bool:
        closed_ms = self._engine.view.last_bar_close_ms
        return closed_ms is not None and clock.now_ms() - closed_ms <= MAX_BAR_AGE_SECS * 1_000

    async def _load(self) -> None:
        try:
            await self._engine.load()
        except TableRefusedError as error:
            raise StartError(str(error)) from error

    async def _seed_trades(self) -> None:
        """Take the trades that the stream still holds, so that the flow is right from the first decision on."""
        stream = streams.trades_stream(self._settings.venue, self._settings.symbol)
        try:
            entries = await self._redis.xrevrange(stream, count=SEED_BATCHES)
        except (RedisError, OSError) as error:
            log.warning("trades_not_seeded", error=repr(error))
            return
        for _, fields in reversed(entries):
            with contextlib.suppress(UnknownMessageError):  # the reader of new entries reports those
                message = decode(fields)
                if isinstance(message, TradeBatch):
                    self._engine.add_trades(message)

    async def _follow(self, stop: asyncio.Event) -> None:
        await run_until(
            stop,
            self._read_market(),
            self._read_executions(),
            self._decide(),
            self._learn(),
            every(REFRESH_SECS, self._refresh),
            every(PRUNE_SECS, self._prune),
        )

    async def _read_market(self) -> None:
        venue, symbol = self._settings.venue, self._settings.symbol
        names = [
            streams.book_stream(venue, symbol),
            streams.trades_stream(venue, symbol),
            streams.candles_stream(venue, symbol),
        ]
        async for _, message in streams.read_from_now(self._redis, names):
            if isinstance(message, BookPicture):
                self._engine.on_book(message)
            elif isinstance(message, TradeBatch):
                self._engine.on_trades(message)
            elif isinstance(message, CandleUpdate):
                await tolerating_outage(self._engine.on_candle(message))

    async def _read_executions(self) -> None:
        """A closed round trip is learned at once; what this misses, the next look into Postgres finds."""
        stream = streams.executions_stream(self._settings.venue, self._settings.symbol)
        async for _, message in streams.read_from_now(self._redis, [stream]):
            if isinstance(message, Execution) and message.round_trip_closed:
                self._closed_round_trip.set()

    async def _decide(self) -> None:
        trigger = "poll"
        while True:
            await tolerating_outage(self._engine.decide(trigger))
            trigger = await self._engine.next_trigger()

    async def _learn(self) -> None:
        while True:
            await tolerating_outage(self._engine.learn())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed_round_trip.wait(), LEARN_SECS)
            self._closed_round_trip.clear()

    async def _refresh(self) -> None:
        async with self._database.connect() as connection:
            await self._runtime.refresh(connection)

    async def _prune(self) -> None:
        deleted = 1
        while deleted:
            async with self._database.begin() as connection:
                deleted = await self._repository.prune_decisions(connection, self._settings.decision_retention_days)
            if deleted:
                log.info("decisions_pruned", deleted=deleted)

    async def _send(self, signal: Signal) -> None:
        stream = streams.signals_stream(self._settings.venue, self._settings.symbol)
        try:
            await streams.publish(self._redis, stream, signal, maxlen=streams.SIGNALS_MAXLEN)
        except (RedisError, OSError) as error:
            # A trade is missed, none is doubled: while the condition holds, the next confirmation signals again.
            log.error("signal_not_sent", signal_id=signal.signal_id, error=repr(error))

    # Signs of life

    def _bars_check(self) -> Check:
        return Check(self._engine.bars > 0, f"{self._engine.bars} final bars")

    def _decisions_check(self) -> Check:
        decision = self._engine.last_decision
        if decision is None:
            return Check(False, "no decision yet")
        age_secs = (clock.now_ms() - decision.inputs.at_ms) / 1_000
        limit_secs = max(10.0, 3 * self._runtime.engine.poll_interval)
        return Check(age_secs <= limit_secs, f"last decision {age_secs:.1f} s old: {decision.reason}", critical=False)

    def _details(self) -> dict[str, Any]:
        return {
            "bars": self._engine.bars,
            "episodes": self._engine.table.episodes,
            "settings_version": self._runtime.version,
            "problems": list(self._runtime.engine_problems),
        }


async def main(settings: DecisionEngineSettings, stop: asyncio.Event) -> None:
    """Run the decision engine until `stop`."""
    database = create_engine(settings.database_url, application_name="decision-engine")
    redis = streams.connect(settings.redis_url.get_secret_value())
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.dispose)
        stack.push_async_callback(redis.aclose)
        await DecisionEngine(settings, database, redis).run(stop)
