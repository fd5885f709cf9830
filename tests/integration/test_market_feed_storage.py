"""The feed's rows in a real Postgres, its streams in a real Valkey."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from btc_shared import clock, streams
from btc_shared.codes import Side
from btc_shared.db import create_engine
from btc_shared.db.models import CandleRow, MarketStateRow, SymbolRow
from btc_shared.messages import CandleUpdate, TradeBatch
from btc_shared.records import BookPicture, Candle, Level, PublicTrade, SymbolRules
from market_feed.outbox import Outbox
from market_feed.storage import BarToStore, Hole, MarketState, Storage, StoredBar

T0 = 1_790_000_040_000
ONE = Decimal(1)


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(postgres_url, application_name="test")
    yield engine
    await engine.dispose()


def bar(symbol: str, minute: int, close: str = "100", volume: str = "1", *, corrections: int = 0) -> BarToStore:
    price = Decimal(close)
    candle = Candle(
        symbol=symbol,
        open_time_ms=T0 + minute * 60_000,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(volume),
        turnover=price * Decimal(volume),
        filled=Decimal(volume) == 0,
    )
    return BarToStore(candle, corrections)


async def rows(engine: AsyncEngine, symbol: str) -> list[tuple[Decimal, Decimal, bool, int]]:
    wanted = select(CandleRow.close, CandleRow.volume, CandleRow.filled, CandleRow.corrections)
    async with engine.connect() as connection:
        found = await connection.execute(wanted.where(CandleRow.symbol == symbol).order_by(CandleRow.open_time))
        return [(row[0], row[1], row[2], row[3]) for row in found]


async def test_storing_a_bar_again_changes_nothing_and_is_no_news(engine: AsyncEngine) -> None:
    storage = Storage(engine, "practice", "AA-USDT")
    bars = [bar("AA-USDT", minute) for minute in range(1_200)]
    assert len(await storage.put_bars(bars)) == 1_200
    assert await storage.put_bars(bars) == []
    assert await rows(engine, "AA-USDT") == [(Decimal(100), ONE, False, 0)] * 1_200


async def test_other_figures_replace_a_bar_and_count_a_correction(engine: AsyncEngine) -> None:
    storage = Storage(engine, "practice", "BB-USDT")
    await storage.put_bars([bar("BB-USDT", 0), bar("BB-USDT", 1, volume="0")])
    news = await storage.put_bars([bar("BB-USDT", 0, "101"), bar("BB-USDT", 1, "101", corrections=2)])
    assert news == [StoredBar(T0, True), StoredBar(T0 + 60_000, True)]
    assert await rows(engine, "BB-USDT") == [(Decimal(101), ONE, False, 1), (Decimal(101), ONE, False, 2)]
    await storage.put_bars([bar("BB-USDT", 0, "102", corrections=1)])
    assert (await rows(engine, "BB-USDT"))[0] == (Decimal(102), ONE, False, 2)


async def test_a_bar_corrected_before_it_was_stored_keeps_its_count(engine: AsyncEngine) -> None:
    storage = Storage(engine, "practice", "CC-USDT")
    assert await storage.put_bars([bar("CC-USDT", 0, corrections=1)]) == [StoredBar(T0, True)]
    assert await rows(engine, "CC-USDT") == [(Decimal(100), ONE, False, 1)]


async def test_a_bar_with_trades_is_never_replaced_by_a_filled_one(engine: AsyncEngine) -> None:
    storage = Storage(engine, "practice", "DD-USDT")
    await storage.put_bars([bar("DD-USDT", 0, "100"), bar("DD-USDT", 1, "100", "0")])
    assert await storage.put_bars([bar("DD-USDT", 0, "99", "0")]) == []
    assert await storage.put_bars([bar("DD-USDT", 1, "99", "0")]) == [StoredBar(T0 + 60_000, True)]
    assert [row[0] for row in await rows(engine, "DD-USDT")] == [Decimal(100), Decimal(99)]


async def test_holes_are_found_between_stored_bars_newest_ones_first_when_they_are_many(engine: AsyncEngine) -> None:
    storage = Storage(engine, "practice", "HH-USDT")
    assert await storage.holes(0, 9) == []
    stored = {minute: bar("HH-USDT", minute, volume=str(minute % 2)) for minute in (0, 1, 5, 6, 8, 20)}
    await storage.put_bars(list(stored.values()))
    await Storage(engine, "practice", "OTHER-USDT").put_bars([bar("OTHER-USDT", minute) for minute in range(21)])
    await Storage(engine, "kucoin", "HH-USDT").put_bars([bar("HH-USDT", minute) for minute in range(21)])

    def hole(before: int, end: int) -> Hole:
        return Hole(stored[before].candle, T0 + end * 60_000)

    found = await storage.holes(0, 9)
    assert found == [hole(1, 5), hole(6, 8), hole(8, 20)]
    assert [(gap.start_ms, gap.minutes) for gap in found] == [
        (T0 + 2 * 60_000, 3),
        (T0 + 7 * 60_000, 1),
        (T0 + 9 * 60_000, 11),
    ]
    assert await storage.holes(0, 2) == [hole(6, 8), hole(8, 20)]
    assert await storage.holes(T0 + 6 * 60_000, 9) == [hole(6, 8), hole(8, 20)]
    assert await storage.holes(T0 + 7 * 60_000, 9) == [hole(8, 20)]


async def test_market_state_and_rules_are_one_row_that_follows(engine: AsyncEngine) -> None:
    storage = Storage(engine, "practice", "EE-USDT")

    def book(bid: str) -> BookPicture:
        return BookPicture(
            symbol="EE-USDT",
            event_time_ms=T0 + 7,
            received_at_ms=T0 + 9,
            bids=tuple(Level(Decimal(bid) - n, Decimal(3)) for n in range(20)),
            asks=tuple(Level(Decimal(bid) + 1 + n, ONE) for n in range(20)),
        )

    trade = PublicTrade(
        symbol="EE-USDT", trade_id="1", event_time_ms=T0 + 5, price=Decimal("9.5"), size=ONE, side=Side.BUY
    )
    await storage.put_market_state(MarketState(book("50"), None, None))
    await storage.put_market_state(MarketState(book("60"), 0.25, trade))
    rules = SymbolRules(
        symbol="EE-USDT",
        base_currency="EE",
        quote_currency="USDT",
        base_increment=Decimal("0.00000001"),
        quote_increment=Decimal("0.000001"),
        price_increment=Decimal("0.1"),
        base_min_size=Decimal("0.00001"),
        quote_min_size=Decimal("0.1"),
        min_funds=Decimal("0.1"),
    )
    await storage.put_symbol(rules)
    await storage.put_symbol(rules)
    async with engine.connect() as connection:
        state = (await connection.execute(select(MarketStateRow).where(MarketStateRow.symbol == "EE-USDT"))).one()
        stored = (await connection.execute(select(SymbolRow.rules).where(SymbolRow.symbol == "EE-USDT"))).scalar_one()
    assert (state.bid, state.ask, state.bid_volume, state.ask_volume) == (Decimal(60), Decimal(61), 30, 10)
    assert (state.imbalance, state.flow, state.last_trade_price) == (0.5, 0.25, Decimal("9.5"))
    assert (clock.to_ms(state.book_time), clock.to_ms(state.last_trade_time)) == (T0 + 7, T0 + 5)
    assert stored["base_increment"] == "0.00000001"
    assert stored["trading_enabled"] is True


async def test_streams_stay_bounded_however_much_is_published(redis_url: str) -> None:
    redis: Redis = streams.connect(redis_url)
    box = Outbox(redis, "practice", "FF-USDT")
    task = asyncio.create_task(box.run())
    trade = PublicTrade(symbol="FF-USDT", trade_id="1", event_time_ms=1, price=ONE, size=ONE, side=Side.BUY)
    name = streams.book_stream("practice", "FF-USDT")
    published, position = 0, b"0-0"
    try:
        async with asyncio.timeout(60):
            for burst in range(1, 21):
                for number in range(100):
                    box.put(
                        BookPicture(
                            symbol="FF-USDT",
                            event_time_ms=burst * 100 + number,
                            received_at_ms=1,
                            bids=(Level(ONE, ONE),),
                            asks=(Level(ONE + 1, ONE),),
                        )
                    )
                    box.put(TradeBatch(symbol="FF-USDT", received_at_ms=1, trades=(trade,)))
                box.put(CandleUpdate(candle=bar("FF-USDT", burst).candle, correction=False, published_at_ms=1))
                while published < burst * 100:
                    answer: Any = await redis.xread({name: position}, block=1_000)
                    entries = next(iter(answer.values()))[0] if isinstance(answer, dict) else answer[0][1]
                    published, position = published + len(entries), entries[-1][0]
        assert published == 2_000
        assert streams.BOOK_MAXLEN <= await redis.xlen(name) <= streams.BOOK_MAXLEN + 200  # whole nodes of a hundred
        assert await redis.xlen(streams.candles_stream("practice", "FF-USDT")) == 20
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await redis.aclose()
