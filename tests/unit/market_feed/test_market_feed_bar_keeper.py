"""History at the start, each minute's confirmation over REST, and what happens when REST fails."""

import asyncio
from decimal import Decimal
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from btc_shared.kucoin.errors import UnavailableError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.messages import CandleUpdate
from btc_shared.records import MINUTE_MS, Candle
from market_feed.bar_keeper import BarKeeper
from market_feed.domain.bars import BarChange
from market_feed.outbox import Outbox
from market_feed.storage import Storage

START = 1_790_000_040_000 // MINUTE_MS * MINUTE_MS
HISTORY = 300

real_sleep = asyncio.sleep


class EnoughError(Exception):
    """The scene has run for long enough."""


def bar(open_time_ms: int, close: int = 100) -> Candle:
    price = Decimal(close)
    one = Decimal(1)
    return Candle(
        symbol="X-Y",
        open_time_ms=open_time_ms,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=one,
        turnover=one,
    )


class FakeExchange(PublicClient):
    """Has a bar for every minute, the running one included; the next `failures` reads fail."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.failures = 0
        self.windows: list[tuple[int, int]] = []
        self.closes: dict[int, int] = {}

    async def candles(self, symbol: str, start_ms: int, end_ms: int) -> list[Candle]:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("away")
        self.windows.append((start_ms, end_ms))
        return [bar(t, self.closes.get(t, 100)) for t in range(start_ms, end_ms, MINUTE_MS)]


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
        self.sleeps: list[float] = []
        self.exchange = FakeExchange(self)
        self.messages = Messages()
        clock = ServerClock(self.exchange, now_ms=lambda: self.now_ms)
        clock.ready.set()
        storage = Storage(cast("Any", None), "practice", "X-Y")
        self.keeper = BarKeeper("X-Y", self.exchange, clock, storage, self.messages, history_bars=HISTORY)
        self.stored: list[tuple[BarChange, bool]] = []
        self.keeper.store.put = self._put  # type: ignore[method-assign]

    def _put(self, change: BarChange, *, announce: bool = False) -> None:
        self.stored.append((change, announce))

    async def confirm(self, monkeypatch: pytest.MonkeyPatch, sleeps: int) -> None:
        """Run the confirmation until it has slept so often."""

        async def sleep(seconds: float) -> None:
            self.sleeps.append(seconds)
            self.now_ms += round(seconds * 1_000)
            if len(self.sleeps) == sleeps:
                raise EnoughError
            await real_sleep(0)

        with monkeypatch.context() as patched:
            patched.setattr("market_feed.bar_keeper.asyncio.sleep", sleep)
            with pytest.raises(EnoughError):
                await self.keeper.confirm()
        self.sleeps.clear()


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_the_history_is_stored_and_announced_only_through_the_database(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.confirm(monkeypatch, 1)
    assert [change.candle.open_time_ms for change, _ in scene.stored] == [
        START - minute * MINUTE_MS for minute in range(HISTORY, 0, -1)
    ]
    assert all(announce and not change.correction for change, announce in scene.stored)
    assert scene.messages.updates == []
    assert scene.keeper.newest == bar(START - MINUTE_MS)


async def test_a_history_that_fails_is_asked_for_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.exchange.failures = 3
    await scene.confirm(monkeypatch, 3)
    assert scene.stored == []
    assert scene.keeper.outage.error == "away"
    await scene.confirm(monkeypatch, 1)
    assert len(scene.stored) == HISTORY
    assert scene.keeper.outage.error is None


async def test_the_last_bars_are_read_again_ten_seconds_into_each_minute(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.confirm(monkeypatch, 4)
    asked = [end for _, end in scene.exchange.windows[2:]]
    assert asked == [START + minute * MINUTE_MS + 10_500 for minute in (1, 2, 3)]
    assert {end - start for start, end in scene.exchange.windows[2:]} <= {
        (bars + 1) * MINUTE_MS + 10_500 for bars in range(1, 7)
    }


async def test_a_minute_that_the_socket_missed_is_closed_by_rest_and_announced_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.confirm(monkeypatch, 2)
    live = [(change, announce) for change, announce in scene.stored if change.candle.open_time_ms >= START]
    assert live == [(BarChange(bar(START), False), False)]
    (update,) = scene.messages.updates
    assert (update.candle, update.correction) == (bar(START), False)


async def test_a_difference_is_stored_and_announced_as_a_correction(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.confirm(monkeypatch, 1)
    scene.exchange.closes[START - MINUTE_MS] = 107
    await scene.confirm(monkeypatch, 1)
    assert scene.stored[HISTORY:][0] == (BarChange(bar(START - MINUTE_MS, 107), True), False)
    assert scene.messages.updates[0].correction


async def test_a_lost_backlog_has_the_history_read_anew_without_closing_anything_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.confirm(monkeypatch, 1)
    scene.keeper.store._on_lost()
    await scene.confirm(monkeypatch, 1)
    assert len([change for change, announce in scene.stored if announce]) == 2 * HISTORY
    assert [update.candle.open_time_ms for update in scene.messages.updates] == [START]


async def test_an_outage_longer_than_the_history_gives_up_the_minutes_before_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.confirm(monkeypatch, 1)
    scene.now_ms += 2 * HISTORY * MINUTE_MS
    await scene.confirm(monkeypatch, 1)
    opens = [update.candle.open_time_ms for update in scene.messages.updates]
    assert len(opens) == HISTORY
    assert opens == list(range(opens[0], opens[-1] + MINUTE_MS, MINUTE_MS))


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
    assert [update.candle for update in scene.messages.updates] == [bar(START, 105)]  # not connected: no guesses
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
