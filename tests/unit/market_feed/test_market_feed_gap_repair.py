"""Holes among the stored bars are read over REST, stored and announced; what REST does not have is counted and said."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import cast

import pytest
from structlog.testing import capture_logs

from btc_shared.kucoin.errors import UnavailableError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.records import MINUTE_MS, Candle
from market_feed import metrics
from market_feed.bar_store import BarStore, KnownBar
from market_feed.gap_repair import KNOWN_BACK_MS, LOOK_SECS, MAX_HOLES, GapRepair
from market_feed.settings import MAX_HISTORY_BARS
from market_feed.storage import BarToStore, Hole, Storage, StoredBar

from .virtual_time import in_virtual_time

T0 = 1_790_000_040_000 // MINUTE_MS * MINUTE_MS


def bar(minute: int, close: int = 100, *, volume: int = 1) -> Candle:
    price = Decimal(close)
    return Candle(
        symbol="X-Y",
        open_time_ms=T0 + minute * MINUTE_MS,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(volume),
        turnover=Decimal(volume) * price,
        filled=not volume,
    )


class Table(Storage):
    """Bars by minute; `failures` statements fail."""

    def __init__(self, *minutes: int) -> None:
        self.rows = {T0 + minute * MINUTE_MS: bar(minute) for minute in minutes}
        self.failures = 0
        self.looks = 0

    async def put_bars(self, bars: Sequence[BarToStore]) -> list[StoredBar]:
        news = [StoredBar(one.candle.open_time_ms, False) for one in bars if one.candle.open_time_ms not in self.rows]
        self.rows |= {one.candle.open_time_ms: one.candle for one in bars}
        return news

    async def holes(self, since_ms: int, limit: int) -> list[Hole]:
        self.looks += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionRefusedError("away")
        known = sorted(minute for minute in self.rows if minute >= since_ms)
        pairs = pairwise(known)
        found = [Hole(self.rows[minute], after) for minute, after in pairs if after > minute + MINUTE_MS]
        return found[-limit:]


class Exchange(PublicClient):
    """Has the bars that it is given."""

    def __init__(self, *bars: Candle) -> None:
        self.bars = bars
        self.windows: list[tuple[int, int]] = []
        self.failures = 0

    async def candles(self, symbol: str, start_ms: int, end_ms: int, *, attempts: int | None = None) -> list[Candle]:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("away")
        self.windows.append((start_ms, end_ms))
        return [one for one in self.bars if start_ms <= one.open_time_ms < end_ms]


class Scene:
    def __init__(self, table: Table, exchange: Exchange, *, now_minute: int = 1_000) -> None:
        self.table, self.exchange = table, exchange
        self.news: list[KnownBar] = []
        self.store = BarStore(table, self.news.append, lambda: self.repair.want())
        clock = ServerClock(cast("PublicClient", None), now_ms=lambda: T0 + now_minute * MINUTE_MS)
        self.repair = GapRepair("X-Y", exchange, clock, table, self.store)

    async def play(self, seconds: float) -> None:
        tasks = [asyncio.ensure_future(self.store.run()), asyncio.ensure_future(self.repair.run())]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def opens(self) -> list[int]:
        return [(minute - T0) // MINUTE_MS for minute in sorted(self.table.rows)]


def test_a_hole_is_read_with_its_neighbours_stored_and_announced_in_order() -> None:
    async def scene() -> None:
        scene = Scene(Table(0, 1, 5, 6, 9), Exchange(*(bar(minute) for minute in (1, 3, 5, 7, 8, 9))))
        repaired = metrics.bars_repaired._value.get()
        scene.repair.want()
        await scene.play(1)
        assert scene.opens() == list(range(10))
        announced = [known.change.candle for known in scene.news]
        flat = [bar(2, volume=0), bar(4, volume=0)]  # nobody traded: REST knows the minutes around
        assert announced == [flat[0], bar(3), flat[1], bar(7), bar(8)]
        assert scene.exchange.windows == [
            (T0 + first * MINUTE_MS - KNOWN_BACK_MS, T0 + last * MINUTE_MS) for first, last in ((1, 5), (6, 9))
        ]
        assert scene.repair.missing == metrics.bars_missing._value.get() == 0
        assert metrics.bars_repaired._value.get() == repaired + 5

    in_virtual_time(scene)


def test_nothing_is_looked_for_before_it_is_wanted_and_bars_on_their_way_are_not_missing() -> None:
    async def scene() -> None:
        scene = Scene(Table(0, 3), Exchange(bar(0), bar(3)))
        await scene.play(2 * LOOK_SECS)
        assert scene.table.looks == 0
        scene.store.stored.clear()
        scene.repair.want()
        await asyncio.wait([asyncio.ensure_future(scene.repair.run())], timeout=10)
        assert scene.table.looks == 0

    in_virtual_time(scene)


def test_what_rest_does_not_have_is_counted_said_once_and_asked_for_again_every_hour() -> None:
    async def scene() -> None:
        scene = Scene(Table(0, 1, 5), Exchange(bar(100)))
        with capture_logs() as lines:
            scene.repair.want()
            await scene.play(2.5 * LOOK_SECS)
        assert [(line["event"], line["minutes"]) for line in lines] == [("gap_not_repaired", 3)]
        assert scene.repair.missing == metrics.bars_missing._value.get() == 3
        assert len(scene.exchange.windows) == 3
        assert scene.opens() == [0, 1, 5]
        scene.exchange.bars = tuple(bar(minute) for minute in range(6))
        scene.repair.want()
        await scene.play(1)
        assert scene.opens() == list(range(6))
        scene.repair.want()
        await scene.play(1)
        assert scene.repair.missing == metrics.bars_missing._value.get() == 0

    in_virtual_time(scene)


def test_minutes_that_rests_history_does_not_reach_are_not_taken_for_minutes_without_trades() -> None:
    async def scene() -> None:
        scene = Scene(Table(0, 1, 10, 15), Exchange(bar(6), bar(8), bar(10), bar(15)))
        with capture_logs() as lines:
            scene.repair.want()
            await scene.play(1.5 * LOOK_SECS)
        # Of the first hole REST knows the end; the second begins after bars that it knows.
        assert scene.opens() == [0, 1, *range(6, 16)]
        assert [scene.table.rows[T0 + minute * MINUTE_MS].filled for minute in (6, 7, 8, 9)] == [
            False,
            True,
            False,
            True,
        ]
        assert scene.repair.missing == 4
        warnings = [line for line in lines if line["log_level"] == "warning"]
        assert [(line["event"], line["minutes"]) for line in warnings] == [("gap_not_repaired", 4)]

    in_virtual_time(scene)


@pytest.mark.parametrize("away", ["table", "exchange"])
def test_an_outage_is_waited_out_and_logged_once(away: str) -> None:
    async def scene() -> None:
        scene = Scene(Table(0, 2), Exchange(bar(0), bar(1), bar(2)))
        (scene.table if away == "table" else scene.exchange).failures = 10
        with capture_logs() as lines:
            scene.repair.want()
            await scene.play(120)
        assert scene.opens() == [0, 1, 2]
        told = [line["event"] for line in lines if line["log_level"] != "debug"]
        assert told == ["outage_began", "gaps_repaired", "outage_over"]

    in_virtual_time(scene)


def test_many_holes_are_repaired_in_bounded_looks_and_the_past_is_bounded_too() -> None:
    async def scene() -> None:
        now = MAX_HISTORY_BARS + 1_000
        ancient, holes = [0, 2], MAX_HOLES + 7
        recent = list(range(now - 2 * holes, now + 1, 2))
        scene = Scene(
            Table(*ancient, *range(3_000, now - 2 * holes), *recent),
            Exchange(*(bar(minute) for minute in range(now + 1))),
            now_minute=now,
        )
        scene.repair.want()
        await scene.play(60)
        assert scene.opens() == [*ancient, *range(3_000, now + 1)]
        assert scene.table.looks == 2

    in_virtual_time(scene)
