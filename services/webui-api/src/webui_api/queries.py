"""One function per answer: read a snapshot, compute, present."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from btc_shared.api import ApiError
from btc_shared.codes import Mode
from btc_shared.db import reads
from btc_shared.figures import Market, age_seconds, effective_mode, usable, winding_down
from btc_shared.settings.runtime import RuntimeSettings
from webui_api import presentation, repository, schemas
from webui_api.equity import equity_curve
from webui_api.liveness import liveness, mode_notes
from webui_api.performance import Period, performance, period_start

TIMEOUT_SECS = 5.0
MAX_MARKS = 1_000


class Queries:
    """What the routes answer with. Every answer is read in one transaction, so its figures belong together."""

    def __init__(self, engine: AsyncEngine, venue: str, symbol: str, runtime: RuntimeSettings) -> None:
        self._engine, self._venue, self._symbol, self._runtime = engine, venue, symbol, runtime

    async def price(self, now: datetime) -> schemas.PriceAnswer:
        """Raises: ApiError 503 without a fresh price."""
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            market = await self._fresh_market(connection, now)
            close = await repository.read_close_before(connection, self._venue, self._symbol, now - timedelta(days=1))
        return presentation.price_answer(self._symbol, market, close, now)

    async def analysis(self, now: datetime) -> schemas.AnalysisAnswer:
        """Raises: ApiError 503 without a fresh price, or before the first decision."""
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            market = await self._fresh_market(connection, now)
            decisions = await reads.read_decisions(connection, self._venue, self._symbol, limit=1)
        if not decisions:
            raise ApiError(503, "there is no analysis", "the decision engine has not made a decision yet")
        return presentation.analysis_answer(self._symbol, market, decisions[0], now)

    async def status(self, now: datetime) -> schemas.StatusAnswer:
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            await self._runtime.refresh(connection)
            market = await reads.read_market(connection, self._venue, self._symbol)
            beats = await reads.read_beats(connection, self._venue)
            control = await reads.read_control(connection, self._venue)
            ledgers = await reads.read_ledgers(connection, self._venue, self._symbol)
            decisions = await reads.read_decisions(connection, self._venue, self._symbol, limit=1)
            decision_totals = await reads.read_decision_totals(connection, self._venue, self._symbol)
            learning = await repository.read_learning(connection, self._venue, self._symbol)
        decision = decisions[0] if decisions else None
        winding = winding_down(ledgers, control.requested, effective_mode(beats))
        return presentation.status_answer(
            symbol=self._symbol,
            venue=self._venue,
            alive=liveness(
                beats,
                decision.decided_at if decision else None,
                market,
                poll_interval=self._runtime.engine.poll_interval,
                max_market_age=float(self._runtime.risk.max_market_age),
                now=now,
            ),
            notes=mode_notes(control, beats, winding_down=winding),
            market=usable(market, now),
            beats=beats,
            control=control,
            ledgers=ledgers,
            winding_down=winding,
            learning=learning,
            decision_totals=decision_totals,
            decision=decision,
            taker_fee=self._runtime.risk.taker_fee,
            now=now,
        )

    async def trades(self, mode: Mode | None, limit: int) -> list[schemas.TradeAnswer]:
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            mode = mode or await self._effective_mode(connection)
            rows = await repository.read_trades(connection, self._venue, self._symbol, mode, limit)
        return [presentation.trade_answer(row) for row in rows]

    async def performance(self, mode: Mode | None, period: Period, now: datetime) -> schemas.PerformanceAnswer:
        since = period_start(period, now)
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            await self._runtime.refresh(connection)
            mode = mode or await self._effective_mode(connection)
            ledger = (await reads.read_ledgers(connection, self._venue, self._symbol))[mode]
            market = usable(await reads.read_market(connection, self._venue, self._symbol), now)
            history = await repository.read_history(connection, self._venue, self._symbol, ledger, since)
        bid, fee = market.bid if market else None, self._runtime.risk.taker_fee
        found = performance(ledger, history, period, bid=bid, taker_fee=fee, now=now)
        return presentation.performance_answer(found, since)

    async def equity(self, mode: Mode | None, period: Period, now: datetime) -> schemas.EquityAnswer:
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            await self._runtime.refresh(connection)
            mode = mode or await self._effective_mode(connection)
            ledger = (await reads.read_ledgers(connection, self._venue, self._symbol))[mode]
            market = usable(await reads.read_market(connection, self._venue, self._symbol), now)
            since = period_start(period, now)
            newest = await repository.read_newest_results(connection, self._venue, self._symbol, mode, since)
            first = await repository.read_first_trade(connection, self._venue, self._symbol, mode, None)
        found = equity_curve(
            ledger,
            newest,
            first.executed_at if first else None,
            period,
            bid=market.bid if market else None,
            taker_fee=self._runtime.risk.taker_fee,
            now=now,
        )
        return presentation.equity_answer(found)

    async def candles(self, limit: int) -> schemas.CandlesAnswer:
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            mode = await self._effective_mode(connection)
            bars = await repository.read_candles(connection, self._venue, self._symbol, limit)
            trades = (
                await repository.read_trades(
                    connection, self._venue, self._symbol, mode, MAX_MARKS, since=bars[0].open_time
                )
                if bars
                else []
            )
        return presentation.candles_answer(self._symbol, mode, bars, trades)

    async def decisions(self, limit: int, now: datetime) -> list[schemas.DecisionAnswer]:
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            found = await reads.read_decisions(connection, self._venue, self._symbol, limit)
        return [presentation.decision_answer(decision, now) for decision in found]

    async def _effective_mode(self, connection: AsyncConnection) -> Mode:
        return effective_mode(await reads.read_beats(connection, self._venue))

    async def _fresh_market(self, connection: AsyncConnection, now: datetime) -> Market:
        market = await reads.read_market(connection, self._venue, self._symbol)
        fresh = usable(market, now)
        if market is None:
            raise ApiError(503, "there is no price", f"the feed has not stored one for {self._symbol} yet")
        if fresh is None:
            age = age_seconds(market.received_at, now)
            raise ApiError(503, "there is no current price", f"the newest one is {age:.0f} s old: the feed has stopped")
        return fresh
