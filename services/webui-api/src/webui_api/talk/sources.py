"""What answers need beside the API's own answers: pieces that no route shows in this form."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from btc_shared.api import ApiError
from btc_shared.codes import Action, Mode, Side
from btc_shared.db import reads
from btc_shared.db.models import DecisionRow, SignalOutcomeRow, TotalsRow
from btc_shared.figures import Market, age_seconds, effective_mode, usable
from btc_shared.settings.runtime import RuntimeSettings
from btc_shared.settings.trading import EngineSettings, RiskSettings
from webui_api import presentation, repository
from webui_api.queries import TIMEOUT_SECS, Queries
from webui_api.schemas import TradeAnswer

MAX_TRADES_READ = 1_000
REFUSALS_SINCE = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class TradeList:
    """The newest executed orders of one mode, newest first; `total` fit the question, None: too many to count."""

    mode: Mode
    trades: list[TradeAnswer]
    total: int | None


@dataclass(frozen=True, kw_only=True)
class Motive:
    """The decision behind a trade."""

    action: Action
    decided_at: datetime
    score: float
    threshold: float
    confidence: float
    reasons: dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A signal that was not turned into an order."""

    action: Action
    code: str
    detail: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is known about why something was or was not done, of the mode in effect.

    `trade` is the newest of the side that was asked for, `motive` the decision that led to it (None for protective
    exits), `refused` the newest refusal of the last 24 hours of the action that was asked for.
    """

    mode: Mode
    trade: TradeAnswer | None
    motive: Motive | None
    refused: Refused | None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The settings in effect, which of them were changed at run time, and what is wrong with those."""

    risk: RiskSettings
    engine: EngineSettings
    changed: frozenset[str]
    problems: tuple[str, ...]


class Sources:
    """Reads for answers. What it returns was read in one transaction."""

    def __init__(
        self, queries: Queries, engine: AsyncEngine, venue: str, symbol: str, runtime: RuntimeSettings
    ) -> None:
        self.queries, self.venue, self.symbol = queries, venue, symbol
        self._engine, self._runtime = engine, runtime

    async def market(self, now: datetime) -> Market:
        """Raises: ApiError 503 without a fresh order book."""
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            market = await reads.read_market(connection, self.venue, self.symbol)
        if market is None:
            raise ApiError(503, "there is no price", f"the feed has not stored one for {self.symbol} yet")
        if usable(market, now) is None:
            age = age_seconds(market.received_at, now)
            raise ApiError(503, "there is no current price", f"the newest one is {age:.0f} s old: the feed has stopped")
        return market

    async def trades(self, mode: Mode | None, side: Side | None, since: datetime | None, limit: int) -> TradeList:
        """The newest trades that fit, at most `limit`, found among the newest 1,000."""
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            mode = mode or effective_mode(await reads.read_beats(connection, self.venue))
            totals = (await reads.read_ledgers(connection, self.venue, self.symbol))[mode].totals
            rows = await repository.read_trades(connection, self.venue, self.symbol, mode, MAX_TRADES_READ, since)
        fitting = [row for row in rows if side is None or row.side == side]
        total: int | None = len(fitting)
        if len(rows) >= MAX_TRADES_READ:
            ever = {None: totals.trades, Side.BUY: totals.buys, Side.SELL: totals.sells}
            total = ever[side] if since is None else None
        return TradeList(mode=mode, trades=[presentation.trade_answer(row) for row in fitting[:limit]], total=total)

    async def story(self, side: Side | None, refused: Action | None, now: datetime) -> Story:
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            mode = effective_mode(await reads.read_beats(connection, self.venue))
            rows = await repository.read_trades(connection, self.venue, self.symbol, mode, MAX_TRADES_READ)
            row = next((row for row in rows if side is None or row.side == side), None)
            motive = await self._motive(connection, row.decision_id) if row is not None and row.decision_id else None
            newest = await self._refused(connection, mode, refused, now - REFUSALS_SINCE)
        return Story(
            mode=mode, trade=presentation.trade_answer(row) if row is not None else None, motive=motive, refused=newest
        )

    async def rules(self) -> Rules:
        async with reads.snapshot(self._engine, timeout_secs=TIMEOUT_SECS) as connection:
            await self._runtime.refresh(connection)
        return Rules(
            risk=self._runtime.risk,
            engine=self._runtime.engine,
            changed=frozenset(self._runtime.overrides),
            problems=self._runtime.problems,
        )

    async def _motive(self, connection: AsyncConnection, decision_id: uuid.UUID) -> Motive | None:
        columns = (
            DecisionRow.action,
            DecisionRow.decided_at,
            DecisionRow.score,
            DecisionRow.threshold,
            DecisionRow.confidence,
            DecisionRow.reasons,
        )
        row = (await connection.execute(select(*columns).where(DecisionRow.decision_id == decision_id))).one_or_none()
        if row is None:
            return None
        return Motive(
            action=Action(row.action),
            decided_at=row.decided_at,
            score=row.score,
            threshold=row.threshold,
            confidence=row.confidence,
            reasons=dict(row.reasons),
        )

    async def _refused(
        self, connection: AsyncConnection, mode: Mode, action: Action | None, since: datetime
    ) -> Refused | None:
        newest = (
            select(SignalOutcomeRow.__table__)
            .where(
                SignalOutcomeRow.venue == TotalsRow.venue,
                SignalOutcomeRow.account == TotalsRow.account,
                SignalOutcomeRow.mode == TotalsRow.mode,
                SignalOutcomeRow.symbol == TotalsRow.symbol,
                SignalOutcomeRow.outcome == "refused",
                SignalOutcomeRow.consumed_at >= since,
                *(() if action is None else (SignalOutcomeRow.action == action,)),
            )
            .order_by(SignalOutcomeRow.consumed_at.desc())
            .limit(1)
            .lateral("newest")
        )
        statement = (
            select(newest)
            .select_from(TotalsRow)
            .join(newest, TotalsRow.venue == self.venue)
            .where(TotalsRow.symbol == self.symbol, TotalsRow.mode == mode)
            .order_by(newest.c.consumed_at.desc())
            .limit(1)
        )
        row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        return Refused(action=Action(row.action), code=row.code, detail=row.detail, at=row.consumed_at)
