"""Bars wait for the database, within a bound, and corrections are counted once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal

import pytest

from btc_shared.codes import DataSource
from btc_shared.records import Candle
from market_feed import bar_store
from market_feed.bar_store import BarStore, KnownBar
from market_feed.domain.bars import BarChange
from market_feed.settings import MAX_HISTORY_BARS
from market_feed.storage import BarToStore, Storage, StoredBar


class FakeStorage(Storage):
    """Keeps bars as the table does, or fails while `away`; `gate` holds a statement up."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[Candle, int]] = {}
        self.away = False
        self.failures = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.changed = asyncio.Condition()

    async def put_bars(self, bars: Sequence[BarToStore]) -> list[StoredBar]:
        self.entered.set()
        await self.gate.wait()
        async with self.changed:
            self.changed.notify_all()
            if self.away:
                self.failures += 1
                raise ConnectionRefusedError("away")
            news = []
            for bar in bars:
                minute = bar.candle.open_time_ms
                known = self.rows.get(minute)
                if known is not None and known[0] == bar.candle:
                    continue
                counted = bar.corrections if known is None else known[1] + max(1, bar.corrections)
                self.rows[minute] = bar.candle, counted
                news.append(StoredBar(minute, counted > 0))
            return news

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self.changed, asyncio.timeout(20):
            await self.changed.wait_for(condition)


class Owner:
    """What the store tells."""

    def __init__(self) -> None:
        self.storage = FakeStorage()
        self.news: list[KnownBar] = []
        self.lost = asyncio.Event()
        self.store = BarStore(self.storage, self.news.append, self.lost.set)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.store.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def known(minute: int, close: int = 1, *, correction: bool = False) -> KnownBar:
    price = Decimal(close)
    candle = Candle(
        symbol="X-Y",
        open_time_ms=minute * 60_000,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=price,
        turnover=price,
    )
    return KnownBar(BarChange(candle, correction, DataSource.REST), 7)


async def test_bars_wait_for_the_database_and_then_are_all_stored() -> None:
    owner = Owner()
    owner.storage.away = True
    async with owner.running():
        for minute in range(5):
            owner.store.put(known(minute))
        await owner.storage.until(lambda: owner.storage.failures >= 2)
        assert owner.store.outage.error == "away"
        owner.storage.away = False
        await owner.storage.until(lambda: len(owner.storage.rows) == 5)
    assert owner.news == []
    assert not owner.lost.is_set()


async def test_only_what_was_news_to_the_database_is_announced_and_only_if_asked() -> None:
    owner = Owner()
    owner.storage.rows[60_000] = known(1).change.candle, 0
    owner.storage.rows[120_000] = known(2, 9).change.candle, 0
    async with owner.running():
        for minute in (1, 2, 3):
            owner.store.put(known(minute), announce=True)
        owner.store.put(known(4))
        await owner.storage.until(lambda: len(owner.storage.rows) == 4)
    assert owner.news == [known(2, correction=True), known(3)]


async def test_a_correction_while_waiting_replaces_the_bar_and_is_counted() -> None:
    owner = Owner()
    owner.store.put(known(1, 5))
    owner.store.put(known(1, 6, correction=True))
    async with owner.running():
        await owner.storage.until(lambda: len(owner.storage.rows) == 1)
    assert owner.storage.rows[60_000] == (known(1, 6).change.candle, 1)


async def test_a_correction_during_a_statement_is_stored_after_it_and_counted_once() -> None:
    owner = Owner()
    owner.store.put(known(1, 5))
    owner.store.put(known(1, 6, correction=True))
    owner.storage.gate.clear()
    async with owner.running():
        await owner.storage.entered.wait()
        owner.store.put(known(1, 7, correction=True))
        owner.storage.gate.set()
        await owner.storage.until(lambda: owner.storage.rows.get(60_000, (None, 0))[0] == known(1, 7).change.candle)
    assert owner.storage.rows[60_000] == (known(1, 7).change.candle, 2)


async def test_the_backlog_is_bounded_and_tells_of_the_loss_once_the_rest_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = Owner()
    monkeypatch.setattr(bar_store, "MAX_WAITING", 1_000)
    for minute in range(bar_store.MAX_WAITING + 3):
        owner.store.put(known(minute))
    async with owner.running():
        await owner.lost.wait()
    assert min(owner.storage.rows) == 3 * 60_000
    assert len(owner.storage.rows) == bar_store.MAX_WAITING


async def test_the_longest_history_fits_into_the_backlog() -> None:
    owner = Owner()
    for minute in range(MAX_HISTORY_BARS):
        owner.store.put(known(minute), announce=True)
    async with owner.running():
        await owner.store.stored.wait()
    assert len(owner.storage.rows) == len(owner.news) == MAX_HISTORY_BARS
    assert not owner.lost.is_set()


async def test_news_are_told_in_order_whatever_the_database_answers() -> None:
    owner = Owner()
    async with owner.running():
        for minute in (3, 1, 2):
            owner.store.put(known(minute), announce=True)
        assert not owner.store.stored.is_set()
        await owner.store.stored.wait()
    assert owner.news == [known(1), known(2), known(3)]
