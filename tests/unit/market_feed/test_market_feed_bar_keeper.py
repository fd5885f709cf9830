"""History at the start, confirmation over REST every minute, polls while a bar waits, and what outages leave behind."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from btc_shared.codes import DataSource
from btc_shared.kucoin.errors import RateLimit, RateLimitedError, UnavailableError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.messages import CandleUpdate
from btc_shared.records import MINUTE_MS, Candle
from market_feed import metrics
from market_feed.bar_keeper import BarKeeper
from market_feed.bar_store import KnownBar
from market_feed.domain.sources import Sources
from market_feed.outbox import Outbox
from market_feed.settings import MAX_HISTORY_BARS
from market_feed.storage import Storage

START = 1_790_000_040_000 // MINUTE_MS * MINUTE_MS
HISTORY = 300

real_sleep = asyncio.sleep


class EnoughError(Exception):
    """The scene has run for long enough."""


def bar(open_time_ms: int, close: int = 100, *, flat: bool = False) -> Candle:
    price = Decimal(close)
    volume = Decimal(0 if flat else 1)
    return Candle(
        symbol="X-Y",
        open_time_ms=open_time_ms,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=volume,
        turnover=volume,
        filled=flat,
    )


class FakeExchange(PublicClient):
    """Has a bar for every minute that is not `empty`, the running one included; the next `failures` reads fail."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.failures: list[Exception] = []
        self.reads = 0
        self.windows: list[tuple[int, int]] = []
        self.read_at: list[int] = []
        self.closes: dict[int, int] = {}
        self.empty: set[int] = set()

    async def candles(self, symbol: str, start_ms: int, end_ms: int, *, attempts: int | None = None) -> list[Candle]:
        self.reads += 1
        self.read_at.append(self.scene.now_ms)
        if self.failures:
            raise self.failures.pop(0)
        self.windows.append((start_ms, end_ms))
        minutes = range(start_ms, end_ms, MINUTE_MS)
        return [bar(t, self.closes.get(t, 100)) for t in minutes if t not in self.empty]


class Messages(Outbox):
    def __init__(self) -> None:
        super().__init__(cast("Redis", None), "practice", "X-Y")
        self.updates: list[CandleUpdate] = []

    def put(self, message: Any) -> None:
        self.updates.append(message)


class Scene:
    """A keeper whose sleeps move the exchange's clock."""

    def __init__(self) -> None:
        self.now_ms = START + 30_000
        self.exchange = FakeExchange(self)
        self.messages = Messages()
        clock = ServerClock(self.exchange, now_ms=lambda: self.now_ms)
        clock.ready.set()
        storage = Storage(cast("Any", None), "practice", "X-Y")
        self.sources = Sources({metrics.CANDLE: None}, self.now_ms)
        self.keeper = BarKeeper("X-Y", self.exchange, clock, storage, self.messages, self.sources, history_bars=HISTORY)
        self.stored: list[tuple[Candle, bool, bool]] = []
        self.keeper.store.put = self._put  # type: ignore[method-assign]

    def _put(self, bar: KnownBar, *, announce: bool = False) -> None:
        self.stored.append((bar.change.candle, bar.change.correction, announce))

    def listen(self) -> None:
        """The socket delivers without a break from now on."""
        self.keeper.on_connection(True)

    async def run(self, monkeypatch: pytest.MonkeyPatch, *, until_reads: int = 10_000, until_ms: int = 10**15) -> None:
        """Run the confirmation until REST was asked so often in all, or until a moment."""

        async def sleep(seconds: float) -> None:
            if self.exchange.reads >= until_reads or self.now_ms >= until_ms:
                raise EnoughError
            self.now_ms += round(seconds * 1_000)
            if self.keeper._covered_since_ms is not None:
                self.keeper.on_heard(self.now_ms)
                self.keeper._apply(self.keeper._bars.close_due(self.now_ms, self.keeper._coverage()))
            await real_sleep(0)

        with monkeypatch.context() as patched:
            patched.setattr("market_feed.bar_keeper.asyncio.sleep", sleep)
            patched.setattr("market_feed.bar_keeper.TICK_SECS", 0.5)
            with pytest.raises(EnoughError):
                await self.keeper.confirm()


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_the_history_is_stored_and_announced_only_through_the_database(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.run(monkeypatch, until_reads=2)
    assert [candle.open_time_ms for candle, _, _ in scene.stored] == [
        START - minute * MINUTE_MS for minute in range(HISTORY, 0, -1)
    ]
    assert all(announce and not correction for _, correction, announce in scene.stored)
    assert scene.messages.updates == []
    assert scene.keeper.newest == bar(START - MINUTE_MS)


async def test_a_history_that_fails_is_asked_for_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.exchange.failures = [UnavailableError("away")] * 3
    await scene.run(monkeypatch, until_reads=3)
    assert scene.stored == []
    assert scene.keeper.outage.error == "away"
    await scene.run(monkeypatch, until_reads=5)
    assert len(scene.stored) == HISTORY
    assert scene.keeper.outage.error is None


async def test_a_rate_limit_is_waited_for_before_rest_is_asked_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.exchange.failures = [RateLimitedError(RateLimit.QUOTA, 23_000)]
    began_ms = scene.now_ms
    await scene.run(monkeypatch, until_reads=2)
    assert scene.exchange.read_at[:2] == [began_ms, began_ms + 23_000]


async def test_the_last_bars_are_read_again_ten_seconds_into_each_minute_while_the_socket_closes_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.now_ms = START - 20_000
    scene.listen()
    await scene.run(monkeypatch, until_reads=6)
    later = [(start, end) for start, end in scene.exchange.windows if end > START + MINUTE_MS]
    assert [end for _, end in later] == [START + minute * MINUTE_MS + 10_500 for minute in (1, 2)]
    assert {(end - start) // MINUTE_MS for start, end in later} == {5}


async def test_without_the_socket_a_minute_is_closed_by_rest_within_seconds_and_announced_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.run(monkeypatch, until_ms=START + MINUTE_MS + 9_000)
    update = scene.messages.updates[0]
    assert (update.candle, update.correction, update.source) == (bar(START), False, DataSource.REST)
    assert update.received_at_ms is not None
    assert scene.sources[metrics.CANDLE].source is DataSource.REST
    live = [one for one in scene.stored if one[0].open_time_ms >= START]
    assert live == [(bar(START), False, False)]
    asked_after_the_minute = [moment for moment in scene.exchange.read_at if moment > START + MINUTE_MS]
    assert asked_after_the_minute == [START + MINUTE_MS + 2_000]


async def test_a_minute_without_a_row_is_asked_for_every_five_seconds_until_rest_has_authority(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.exchange.empty.add(START)
    await scene.run(monkeypatch, until_ms=START + MINUTE_MS + 11_000)
    asked = [moment - START - MINUTE_MS for moment in scene.exchange.read_at if moment > START + MINUTE_MS]
    assert asked[0] == 2_000
    assert all(later - earlier <= 5_200 for earlier, later in pairwise(asked))
    assert [update.candle for update in scene.messages.updates] == [bar(START, flat=True)]


async def test_an_hour_without_the_socket_has_every_bar_once_and_asks_rest_rarely(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.run(monkeypatch, until_ms=START + 60 * MINUTE_MS + 15_000)
    assert [update.candle.open_time_ms for update in scene.messages.updates if not update.correction] == list(
        range(START, START + 60 * MINUTE_MS, MINUTE_MS)
    )
    assert scene.exchange.reads < 130


async def test_a_difference_is_stored_and_announced_as_a_correction(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.run(monkeypatch, until_reads=2)
    scene.exchange.closes[START - MINUTE_MS] = 107
    await scene.run(monkeypatch, until_reads=3)
    assert scene.stored[HISTORY:][0] == (bar(START - MINUTE_MS, 107), True, False)
    assert scene.messages.updates[0].correction


async def test_bars_that_were_closed_while_rest_was_away_are_all_confirmed_when_it_is_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.listen()
    scene.now_ms = START + 5_000
    await scene.run(monkeypatch, until_ms=START + 2 * MINUTE_MS)
    # The socket is connected, but tells nothing about trades: 40 flat bars that the exchange has trades for.
    scene.exchange.failures = [UnavailableError("away")] * 1_000
    await scene.run(monkeypatch, until_ms=START + 42 * MINUTE_MS)
    flat = {update.candle.open_time_ms for update in scene.messages.updates if update.candle.filled}
    assert len(flat) >= 38
    scene.exchange.failures.clear()
    scene.stored.clear()
    await scene.run(monkeypatch, until_ms=START + 43 * MINUTE_MS)
    confirmed = {candle.open_time_ms: candle for candle, _, _ in scene.stored}
    assert flat <= set(confirmed)
    assert all(candle.volume for minute, candle in confirmed.items() if minute in flat)
    # What is older than memory reaches goes through the database, which knows what is a correction.
    assert any(announce for _, _, announce in scene.stored)


async def test_a_long_outage_is_read_completely_and_in_order(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene.run(monkeypatch, until_reads=2)
    scene.now_ms += 2 * HISTORY * MINUTE_MS
    await scene.run(monkeypatch, until_reads=3)
    opens = [update.candle.open_time_ms for update in scene.messages.updates]
    assert opens == list(range(START, scene.now_ms - MINUTE_MS - 10_000, MINUTE_MS))


async def test_an_outage_longer_than_a_week_gives_up_the_minutes_before_it_and_counts_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.run(monkeypatch, until_reads=2)
    given_up = metrics.bars_given_up._value.get()
    scene.now_ms += (MAX_HISTORY_BARS + 100) * MINUTE_MS
    await scene.run(monkeypatch, until_reads=3)
    opens = [update.candle.open_time_ms for update in scene.messages.updates]
    assert opens == list(range(opens[0], opens[0] + MAX_HISTORY_BARS * MINUTE_MS, MINUTE_MS))
    assert metrics.bars_given_up._value.get() - given_up == (opens[0] - START) // MINUTE_MS


async def test_a_lost_backlog_has_the_database_looked_at(scene: Scene) -> None:
    assert not scene.keeper.repair._wanted.is_set()
    scene.keeper.store._on_lost()
    assert scene.keeper.repair._wanted.is_set()


async def test_minutes_are_closed_by_time_while_the_socket_covers_them(scene: Scene) -> None:
    keeper = scene.keeper
    keeper.on_connection(True)
    closing = asyncio.create_task(keeper.close())
    await real_sleep(0)
    assert scene.messages.updates == []  # nothing before the history
    keeper._apply(keeper._bars.on_rest([bar(START - MINUTE_MS)], START - MINUTE_MS, START + 10_000))
    scene.messages.updates.clear()
    keeper._covered_since_ms = START
    keeper.on_frame(bar(START, 105))
    scene.now_ms = START + MINUTE_MS + 2_000
    keeper.on_heard(START + MINUTE_MS)
    async with asyncio.timeout(20):
        while not scene.messages.updates:
            await real_sleep(0)
    keeper.on_connection(False)
    scene.now_ms += 10 * MINUTE_MS
    keeper.on_heard(scene.now_ms)
    await real_sleep(0.5)
    (update,) = scene.messages.updates  # not connected: no guesses
    assert (update.candle, update.source) == (bar(START, 105), DataSource.SOCKET)
    assert scene.sources[metrics.CANDLE].source is DataSource.SOCKET
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
