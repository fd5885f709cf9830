"""The decision engine's work: follow the market, decide, store, signal, learn."""

import asyncio
import random
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from btc_shared import clock
from btc_shared.codes import Action, Mode, Strategy
from btc_shared.messages import CandleUpdate, Signal, TradeBatch
from btc_shared.records import MINUTE_MS, BookPicture, Candle
from btc_shared.settings import EngineSettings
from decision_engine.domain import (
    LIVE_BARS,
    Confirmation,
    Decision,
    MarketView,
    QTable,
    confirm,
    decide,
    empty_table,
    learn,
    lesson,
    table_version,
)
from decision_engine.repository import Repository, Stance

MAX_MARKET_MESSAGE_AGE_MS = 10_000
# A condition counts as interrupted when this many decisions in a row are missing.
MAX_MISSED_DECISIONS = 3
LEARN_BATCH = 100

log = structlog.get_logger(__name__)
decisions = Counter("engine_decisions", "Decisions by action and trigger", ["action", "trigger"])
signals = Counter("engine_signals", "Signals sent by action", ["action"])
lessons_learned = Counter("engine_round_trips_learned", "Round trips that the Q table learned from")
stale_messages = Counter("engine_stale_messages", "Market messages too old to be used", ["kind"])
decision_seconds = Histogram(
    "engine_decision_seconds",
    "Time of one decision by step",
    ["step"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2),
)
for _action in Action:
    decisions.labels(_action, "poll")
    decisions.labels(_action, "bar")


class Engine:
    """Decides for one venue and symbol.

    Args:
        settings: the engine settings in effect and their version, at the moment of asking.
        send: publishes a signal; may fail without consequence but a missed trade.
    """

    def __init__(
        self,
        *,
        database: AsyncEngine,
        repository: Repository,
        venue: str,
        symbol: str,
        settings: Callable[[], EngineSettings],
        settings_version: Callable[[], int],
        send: Callable[[Signal], Awaitable[None]],
        rng: random.Random,
    ) -> None:
        self._database, self._repository = database, repository
        self._venue, self._symbol = venue, symbol
        self._settings, self._settings_version = settings, settings_version
        self._send, self._rng = send, rng
        self._bars: deque[Candle] = deque(maxlen=LIVE_BARS)
        self._view = MarketView(symbol=symbol, tau_secs=settings().smoothing_secs)
        self._condition: Confirmation | None = None
        self._explore_draw = rng.random()
        self._table = empty_table()
        self._model_version = table_version(self._table)
        self._decide_now = asyncio.Event()
        self.stance = Stance(mode=Mode.DRY, is_long=False)
        self.last_decision: Decision | None = None

    @property
    def bars(self) -> int:
        """Final bars that indicators are computed on."""
        return len(self._bars)

    @property
    def view(self) -> MarketView:
        return self._view

    @property
    def table(self) -> QTable:
        return self._table

    # Start

    async def load(self) -> bool:
        """Load the newest bars and the Q table; False while there are no bars.

        Raises:
            TableRefusedError: the stored table is not for this version; the message names the remedy.
        """
        async with self._database.connect() as connection:
            table = await self._repository.q_table(connection)
            bars = await self._repository.last_bars(connection, LIVE_BARS)
        if table is not None:
            self._table, self._model_version = table, table_version(table)
        self._take_bars(bars)
        return bool(bars)

    def _take_bars(self, bars: list[Candle]) -> None:
        self._bars = deque(bars, maxlen=LIVE_BARS)
        self._view = self._view.with_bars(list(self._bars))

    # Market data

    def on_book(self, picture: BookPicture) -> None:
        if self._is_fresh("book", picture.symbol, picture.received_at_ms):
            self._view = self._with_tau().with_book(picture)

    def on_trades(self, batch: TradeBatch) -> None:
        if self._is_fresh("trades", batch.symbol, batch.received_at_ms):
            self.add_trades(batch)

    def add_trades(self, batch: TradeBatch) -> None:
        """Take trades whatever their age: their own times say how fresh they are."""
        view = self._with_tau()
        for trade in batch.trades:
            if trade.symbol == self._symbol:
                view = view.with_trade(trade)
        self._view = view

    async def on_candle(self, update: CandleUpdate) -> None:
        """A bar became final: decide on it. A correction of an earlier bar counts from the next bar on."""
        bar = update.candle
        if bar.symbol != self._symbol:
            return
        last_ms = self._bars[-1].open_time_ms if self._bars else None
        if update.correction or (last_ms is not None and bar.open_time_ms <= last_ms):
            self._correct(bar)
            return
        if last_ms is None or bar.open_time_ms != last_ms + MINUTE_MS:
            # Bars were missed while Redis was away or this process stood still: Postgres has them.
            async with self._database.connect() as connection:
                stored = await self._repository.last_bars(connection, LIVE_BARS)
            self._take_bars([one for one in stored if one.open_time_ms < bar.open_time_ms][-LIVE_BARS:])
        self._bars.append(bar)
        self._view = self._view.with_bars(list(self._bars))
        self._explore_draw = self._rng.random()
        self._decide_now.set()

    def _correct(self, bar: Candle) -> None:
        for place, known in enumerate(self._bars):
            if known.open_time_ms == bar.open_time_ms:
                self._bars[place] = bar
                return

    def _is_fresh(self, kind: str, symbol: str, received_at_ms: int) -> bool:
        if symbol != self._symbol:
            return False
        if clock.now_ms() - received_at_ms > MAX_MARKET_MESSAGE_AGE_MS:
            stale_messages.labels(kind).inc()
            return False
        return True

    def _with_tau(self) -> MarketView:
        tau_secs = self._settings().smoothing_secs
        if self._view.tau_secs == tau_secs:
            return self._view
        return msgspec.structs.replace(self._view, tau_secs=tau_secs)

    # Decisions

    async def next_trigger(self) -> str:
        """Wait for the next moment to decide: `poll_interval` has passed, or a bar became final."""
        try:
            async with asyncio.timeout(self._settings().poll_interval):
                await self._decide_now.wait()
        except TimeoutError:
            return "poll"
        self._decide_now.clear()
        return "bar"

    async def decide(self, trigger: str) -> Decision:
        """Make, store and, if it is confirmed, signal one decision."""
        started = monotonic()
        settings, now_ms = self._settings(), clock.now_ms()
        async with self._database.begin() as connection:
            self.stance = await self._repository.stance(connection)
            inputs = self._view.inputs(mode=self.stance.mode, at_ms=now_ms, is_long=self.stance.is_long)
            computing = monotonic()
            decision = decide(inputs, settings, self._table, self._explore_draw)
            decision_seconds.labels("compute").observe(monotonic() - computing)
            condition, sends = confirm(
                self._condition,
                action=decision.action,
                is_long=self.stance.is_long,
                at_ms=now_ms,
                confirm_secs=settings.confirm_secs,
                max_gap_secs=settings.poll_interval * MAX_MISSED_DECISIONS,
            )
            decision_id = uuid.uuid4()
            signal_id = uuid.uuid4() if sends else None
            await self._repository.insert_decision(
                connection, {**self._row(decision, trigger), "decision_id": decision_id, "signal_id": signal_id}
            )
        self._condition, self.last_decision = condition, decision
        decision_seconds.labels("store").observe(monotonic() - started)
        decisions.labels(decision.action, trigger).inc()
        if signal_id is not None:
            signals.labels(decision.action).inc()
            log.info("signal", action=decision.action, confidence=decision.confidence, reason=decision.reason)
            await self._send(
                Signal(
                    signal_id=str(signal_id),
                    decision_id=str(decision_id),
                    venue=self._venue,
                    symbol=self._symbol,
                    mode=self.stance.mode,
                    action=decision.action,
                    confidence=decision.confidence,
                    price=float(inputs.price) if inputs.price is not None else 0.0,
                    created_at_ms=now_ms,
                )
            )
        return decision

    def _row(self, decision: Decision, trigger: str) -> dict[str, Any]:
        inputs = decision.inputs
        bar_ms = self._view.last_bar_close_ms
        return {
            "mode": str(inputs.mode),
            "decided_at": clock.from_ms(inputs.at_ms),
            "trigger": trigger,
            "bar_time": None if bar_ms is None else clock.from_ms(bar_ms - MINUTE_MS),
            "price": inputs.price,
            "action": str(decision.action),
            "score": decision.score,
            "agreement": decision.agreement,
            "confidence": decision.confidence,
            "threshold": decision.threshold,
            **{f"score_{vote.strategy}": vote.score for vote in decision.votes},
            "weights": dict(zip((str(strategy) for strategy in Strategy), decision.weights, strict=True)),
            "reasons": {"decision": decision.reason, **{str(vote.strategy): vote.reason for vote in decision.votes}},
            "inputs": self._stored_inputs(decision),
            "in_position": inputs.is_long,
            "explored": decision.explored,
            "settings_version": self._settings_version(),
            "model_version": self._model_version,
        }

    def _stored_inputs(self, decision: Decision) -> dict[str, Any]:
        """All inputs, flat: the indicators beside the book's and the flow's figures, with the times of both."""
        inputs: dict[str, Any] = msgspec.to_builtins(decision.inputs)
        indicators = inputs.pop("indicators")
        for stored_elsewhere in ("symbol", "mode", "at_ms", "is_long", "price"):
            inputs.pop(stored_elsewhere)
        book = self._view.book
        return {
            **inputs,
            **indicators,
            "book_time_ms": None if book is None else book.event_time_ms,
            "trade_time_ms": self._view.trades.newest_ms,
        }

    # Learning

    async def learn(self) -> int:
        """Learn from round trips that closed since; table and last one learned are committed together.

        Returns:
            How many round trips were learned from.
        """
        learned = 0
        async with self._database.begin() as connection:
            if not await self._repository.round_trips_after(connection, self._table.last_round_trip, 1):
                return 0
            table = await self._repository.q_table(connection, lock=True) or self._table
            trips = await self._repository.round_trips_after(connection, table.last_round_trip, LEARN_BATCH)
            for trip in trips:
                bars = await self._repository.bars_between(
                    connection,
                    clock.from_ms(trip.opened_at_ms) - timedelta(minutes=LIVE_BARS),
                    clock.from_ms(trip.closed_at_ms),
                )
                table = learn(table, [lesson(trip, bars)], self._settings())
                learned += 1
            await self._repository.store_q_table(connection, table)
        self._table, self._model_version = table, table_version(table)
        lessons_learned.inc(learned)
        log.info("learned", round_trips=learned, last=table.last_round_trip, model=self._model_version)
        return learned
