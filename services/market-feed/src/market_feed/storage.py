"""All SQL of the market feed: symbols, candles, market state. Every statement may be repeated without harm."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from btc_shared import clock
from btc_shared.codes import Side
from btc_shared.db.models import CandleRow, MarketStateRow, SymbolRow
from btc_shared.records import MINUTE_MS, BookPicture, Candle, PublicTrade, SymbolRules

STATEMENT_SECS = 10.0
ROWS_PER_STATEMENT = 500
MINUTE = timedelta(milliseconds=MINUTE_MS)


class BarToStore(NamedTuple):
    """A final bar and how often it was corrected since it was last stored."""

    candle: Candle
    corrections: int


class StoredBar(NamedTuple):
    """A bar that was news to the database; `corrected` when it replaced other figures."""

    open_time_ms: int
    corrected: bool


class Hole(NamedTuple):
    """Minutes without a stored bar: from the end of the bar `before` to the opening of the next one, `end_ms`."""

    before: Candle
    end_ms: int

    @property
    def start_ms(self) -> int:
        return self.before.close_time_ms

    @property
    def minutes(self) -> int:
        return (self.end_ms - self.start_ms) // MINUTE_MS


class MarketState(NamedTuple):
    """The newest picture of the market: book, flow over the last 100 trades, last trade."""

    book: BookPicture
    flow: float | None
    last_trade: PublicTrade | None


class Storage:
    """Writes one market's rows. Methods raise what `btc_shared.db.DATABASE_ERRORS` lists when Postgres is away."""

    def __init__(self, engine: AsyncEngine, venue: str, symbol: str) -> None:
        self._engine, self._venue, self._symbol = engine, venue, symbol

    async def put_symbol(self, rules: SymbolRules) -> None:
        """Store the exchange's rules; numbers as plain decimal text (0.00000001, not 1E-8)."""
        plain = {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in msgspec.structs.asdict(rules).items()
        }
        values = {"rules": plain, "updated_at": clock.now()}
        statement = insert(SymbolRow).values(venue=self._venue, symbol=rules.symbol, **values)
        await self._execute(statement.on_conflict_do_update(index_elements=["venue", "symbol"], set_=values))

    async def put_market_state(self, state: MarketState) -> None:
        """Store the newest picture of the market."""
        book, trade = state.book, state.last_trade
        values = {
            "book_time": clock.from_ms(book.event_time_ms),
            "received_at": clock.from_ms(book.received_at_ms),
            "bid": book.best_bid,
            "ask": book.best_ask,
            "bid_volume": book.volume(Side.BUY),
            "ask_volume": book.volume(Side.SELL),
            "imbalance": book.imbalance(),
            "spread_bp": book.spread_bp,
            "flow": state.flow,
            "last_trade_time": clock.from_ms(trade.event_time_ms) if trade else None,
            "last_trade_price": trade.price if trade else None,
            "updated_at": clock.now(),
        }
        statement = insert(MarketStateRow).values(venue=self._venue, symbol=self._symbol, **values)
        await self._execute(statement.on_conflict_do_update(index_elements=["venue", "symbol"], set_=values))

    async def put_bars(self, bars: Sequence[BarToStore]) -> list[StoredBar]:
        """Store final bars and return those that were news.

        A stored bar with other figures is replaced and its corrections are counted; but a bar with trades is never
        replaced by one that we only filled in.
        """
        news: list[StoredBar] = []
        for start in range(0, len(bars), ROWS_PER_STATEMENT):
            rows = [self._row(bar) for bar in bars[start : start + ROWS_PER_STATEMENT]]
            insertion = insert(CandleRow).values(rows)
            new = insertion.excluded
            figures = ("open", "high", "low", "close", "volume", "turnover")
            statement = insertion.on_conflict_do_update(
                index_elements=["venue", "symbol", "open_time"],
                set_={
                    **{name: new[name] for name in (*figures, "filled")},
                    "corrections": CandleRow.corrections + func.greatest(new.corrections, 1),
                    "stored_at": func.now(),
                },
                where=tuple_(*(getattr(CandleRow, name) for name in figures)).is_distinct_from(
                    tuple_(*(new[name] for name in figures))
                )
                & (~new.filled | CandleRow.filled),
            ).returning(CandleRow.open_time, CandleRow.corrections)
            news += [StoredBar(clock.to_ms(row[0]), row[1] > 0) for row in await self._execute(statement)]
        return news

    async def holes(self, since_ms: int, limit: int) -> list[Hole]:
        """The newest `limit` holes among the stored bars that open at `since_ms` or later, oldest first."""
        following = func.lead(CandleRow.open_time).over(order_by=CandleRow.open_time).label("following")
        bars = (
            select(CandleRow.__table__, following)
            .where(
                CandleRow.venue == self._venue,
                CandleRow.symbol == self._symbol,
                CandleRow.open_time >= clock.from_ms(since_ms),
            )
            .subquery()
        )
        gaps = select(bars).where(bars.c.following > bars.c.open_time + MINUTE)
        newest = gaps.order_by(bars.c.open_time.desc()).limit(limit)
        return [
            Hole(
                Candle(
                    symbol=self._symbol,
                    open_time_ms=clock.to_ms(row.open_time),
                    open=row.open,
                    high=row.high,
                    low=row.low,
                    close=row.close,
                    volume=row.volume,
                    turnover=row.turnover,
                    filled=row.filled,
                ),
                clock.to_ms(row.following),
            )
            for row in reversed(await self._execute(newest))
        ]

    def _row(self, bar: BarToStore) -> dict[str, Any]:
        candle = bar.candle
        return {
            "venue": self._venue,
            "symbol": candle.symbol,
            "open_time": clock.from_ms(candle.open_time_ms),
            "open": candle.open,
            "high": candle.high,
            "low": candle.low,
            "close": candle.close,
            "volume": candle.volume,
            "turnover": candle.turnover,
            "filled": candle.filled,
            "corrections": bar.corrections,
        }

    async def _execute(self, statement: Any) -> Sequence[Any]:
        async with asyncio.timeout(STATEMENT_SECS), self._engine.begin() as connection:
            result = await connection.execute(statement)
            return result.all() if result.returns_rows else []
