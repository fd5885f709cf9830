"""Book and trades go on over REST while the socket is away, within the exchange's quota, and without doubles."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar, cast

import httpx
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from btc_shared.codes import DataSource
from btc_shared.kucoin.errors import KucoinError, RateLimit, RateLimitedError, UnavailableError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.messages import CandleUpdate, TradeBatch
from btc_shared.outage import Outage
from btc_shared.records import MINUTE_MS, BookPicture
from market_feed import metrics
from market_feed.app import MarketFeed
from market_feed.outbox import Outbox
from market_feed.polling import pause_secs, poll
from market_feed.storage import BarToStore, Hole, MarketState, Storage, StoredBar

from .virtual_time import in_virtual_time

NOW = 1_790_000_040_000
SYMBOL = "BTC-USDT"
# What an endpoint takes from the public pool of 2,000 in 30 s, by the exchange's documentation.
WEIGHTS = {"timestamp": 3, SYMBOL: 4, "level2_100": 2, "histories": 3, "candles": 3, "bullet-public": 10}

RULES = {
    "symbol": SYMBOL,
    "baseCurrency": "BTC",
    "quoteCurrency": "USDT",
    "baseIncrement": "0.00000001",
    "quoteIncrement": "0.000001",
    "priceIncrement": "0.1",
    "baseMinSize": "0.00001",
    "quoteMinSize": "0.1",
    "minFunds": "0.1",
    "enableTrading": True,
}

T = TypeVar("T")


class Exchange:
    """REST alone: the socket's token is refused. A trade happens every second, unless `frozen`."""

    def __init__(self, secs: Callable[[], float]) -> None:
        self._secs = secs
        self.used: list[tuple[float, str]] = []
        self.away = False

    def now_ms(self) -> int:
        return NOW + round(self._secs() * 1_000)

    def answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2]
        self.used.append((self._secs(), name))
        if self.away:
            return httpx.Response(503, text="")
        data: Any = {"timestamp": self.now_ms}.get(name, lambda: None)()
        if name == "level2_100":
            data = {"time": self.now_ms(), "sequence": "1", "bids": [["100", "1"]], "asks": [["101", "1"]]}
        elif name == "histories":
            data = [self.trade(second) for second in range(max(0, self.second() - 99), self.second() + 1)]
        elif name == "candles":
            params = request.url.params
            data = self.candles(int(params["startAt"]) * 1_000, int(params["endAt"]) * 1_000)
        elif name == SYMBOL:
            data = RULES
        elif data is None:
            return httpx.Response(200, json={"code": "500000", "msg": "busy"})
        return httpx.Response(200, json={"code": "200000", "data": data})

    def second(self) -> int:
        return (self.now_ms() - NOW) // 1_000 + 1_000

    def trade(self, second: int) -> dict[str, Any]:
        time_ns = (NOW + (second - 1_000) * 1_000) * 1_000_000
        return {"sequence": str(second), "price": "100", "size": "1", "side": "buy", "time": time_ns}

    def candles(self, start_ms: int, end_ms: int) -> list[list[str]]:
        found = []
        for minute in range(-(-start_ms // MINUTE_MS) * MINUTE_MS, min(end_ms, self.now_ms()), MINUTE_MS):
            trades = str(min(60, (self.now_ms() - minute) // 1_000 + 1))
            found.append([str(minute // 1_000), "100", "100", "100", "100", trades, "1"])
        return found[::-1]


class Memory(Storage):
    """A database that takes everything."""

    def __init__(self) -> None:
        pass

    async def put_bars(self, bars: Any) -> list[StoredBar]:
        return [StoredBar(bar.candle.open_time_ms, False) for bar in cast("list[BarToStore]", bars)]

    async def put_market_state(self, state: MarketState) -> None:
        pass

    async def put_symbol(self, rules: Any) -> None:
        pass

    async def holes(self, since_ms: int, limit: int) -> list[Hole]:
        return []


class Sent(Outbox):
    def __init__(self) -> None:
        super().__init__(cast("Redis", None), "practice", SYMBOL)
        self.messages: list[BookPicture | TradeBatch | CandleUpdate] = []

    def put(self, message: BookPicture | TradeBatch | CandleUpdate) -> None:
        self.messages.append(message)


class Scene:
    """A whole feed against an exchange without a socket, in virtual time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.exchange = Exchange(lambda: self._loop.time() - self._began)
        self.sent = Sent()
        self.clock_error_ms = 0

    def machine_now_ms(self) -> int:
        return self.exchange.now_ms() + self.clock_error_ms

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[MarketFeed]:
        transport = httpx.MockTransport(self.exchange.answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            feed = MarketFeed(
                SYMBOL,
                PublicClient(http, now_ms=self.machine_now_ms),
                Memory(),
                self.sent,
                history_bars=300,
                now_ms=self.machine_now_ms,
                at_secs=self._loop.time,
            )
            tasks = [asyncio.ensure_future(work) for work in feed.works()]
            try:
                yield feed
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert {type(end) for end in ended} == {asyncio.CancelledError}

    def weight_of_worst_half_minute(self) -> int:
        used = [(moment, WEIGHTS[name]) for moment, name in self.exchange.used]
        return max(sum(weight for at, weight in used if begin <= at < begin + 30) for begin, _ in used)

    def sent_of(self, kind: type[T]) -> list[T]:
        return [message for message in self.sent.messages if isinstance(message, kind)]


def test_on_rest_alone_everything_stays_fresh_and_nothing_comes_twice() -> None:
    async def scene() -> None:
        scene = Scene()
        async with scene.running() as feed:
            await asyncio.sleep(15)
            for _ in range(20 * 60):
                await asyncio.sleep(1)
                ages = {kind: age for kind, age in feed.feed.age_ms().items() if age is not None}
                assert ages[metrics.BOOK] <= 7_000
                assert ages[metrics.TRADES] <= 8_000
                assert ages[metrics.CANDLE] <= 70_000
            assert {feed.sources[kind].source for kind in metrics.KINDS} == {DataSource.REST}
        assert {book.source for book in scene.sent_of(BookPicture)} == {DataSource.REST}
        batches = scene.sent_of(TradeBatch)
        assert {batch.source for batch in batches} == {DataSource.REST}
        ids = [int(trade.trade_id) for batch in batches for trade in batch.trades]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        bars = [update for update in scene.sent_of(CandleUpdate) if not update.correction]
        closed = [update.candle.open_time_ms for update in bars if update.candle.open_time_ms >= NOW]
        assert closed == list(range(NOW, NOW + 20 * MINUTE_MS, MINUTE_MS))
        assert {update.source for update in bars} == {DataSource.REST}

    in_virtual_time(scene)


def test_an_outage_of_the_socket_or_of_everything_stays_far_within_the_quota() -> None:
    async def scene() -> None:
        scene = Scene()
        async with scene.running():
            await asyncio.sleep(120)
            began = scene.weight_of_worst_half_minute()
            scene.exchange.used.clear()
            await asyncio.sleep(900)
            without_socket = scene.weight_of_worst_half_minute()
            scene.exchange.away = True
            scene.exchange.used.clear()
            await asyncio.sleep(900)
            without_anything = scene.weight_of_worst_half_minute()
        # KuCoin allows an address 2,000; the other services that share it need some, too.
        assert max(began, without_socket, without_anything) < 200

    in_virtual_time(scene)


def test_an_outage_of_everything_is_logged_in_a_few_lines_whatever_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        with capture_logs() as lines:
            scene = Scene()
            async with scene.running():
                await asyncio.sleep(60)
                del lines[:]
                scene.exchange.away = True
                await asyncio.sleep(1_200)
                told = [line["event"] for line in lines if line["log_level"] != "debug"]
                assert sorted(told) == ["outage_began"] * len(told)
                assert len(told) <= 5
                scene.exchange.away = False
                del lines[:]
                await asyncio.sleep(60)
                over = [line for line in lines if line["event"] == "outage_over"]
                assert len(over) == len(told)

    in_virtual_time(scene)


def test_trades_that_nobody_saw_are_counted() -> None:
    async def scene() -> None:
        scene = Scene()
        async with scene.running():
            await asyncio.sleep(30)
            gaps = metrics.trade_gaps._value.get()
            scene.exchange.away = True
            await asyncio.sleep(80)
            scene.exchange.away = False
            await asyncio.sleep(30)
            assert metrics.trade_gaps._value.get() == gaps  # the last 100 trades reach back
            scene.exchange.away = True
            await asyncio.sleep(130)
            scene.exchange.away = False
            await asyncio.sleep(30)
            assert metrics.trade_gaps._value.get() == gaps + 1

    in_virtual_time(scene)


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000, 90_000])
def test_a_jump_of_the_machines_clock_makes_no_bar_too_early_and_none_of_the_future(jump_ms: int) -> None:
    async def scene() -> None:
        scene = Scene()
        scene.clock_error_ms = -4_321
        async with scene.running():
            # From just before a bar is read to well after it, for some minutes.
            for number in range(5):
                await asyncio.sleep(60 - scene.exchange.now_ms() / 1_000 % 60 + 1.5 + number / 4)
                scene.clock_error_ms += jump_ms
                await asyncio.sleep(1)
        bars = [update.candle for update in scene.sent_of(CandleUpdate)]
        assert bars
        assert not any(bar.filled for bar in bars)
        assert max(bar.close_time_ms for bar in bars) <= scene.exchange.now_ms()

    in_virtual_time(scene)


def test_a_failed_read_is_paused_as_long_as_the_exchange_says() -> None:
    assert pause_secs(UnavailableError("away")) == 5
    assert pause_secs(RateLimitedError(RateLimit.OVERLOAD, 500)) == 5
    assert pause_secs(RateLimitedError(RateLimit.QUOTA, 23_000)) == 23


def test_polling_begins_and_ends_with_the_wish_and_what_is_urgent_waits_for_a_pause_only() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        wanted = urgent = False
        errors: list[KucoinError] = []
        reads: list[float] = []

        async def read() -> None:
            nonlocal urgent
            reads.append(round(loop.time() - began))
            if errors:
                raise errors.pop()
            urgent = False

        outage = Outage("test", at_secs=loop.time)
        began = loop.time()
        polling = asyncio.ensure_future(poll(lambda: wanted, read, outage, urgent=lambda: urgent))
        await asyncio.sleep(20)
        assert reads == []
        wanted = True
        await asyncio.sleep(11)
        assert reads == [20, 25, 30]
        urgent = True
        await asyncio.sleep(1)
        assert reads[3:] == [31]
        wanted = False
        errors = [RateLimitedError(RateLimit.QUOTA, 20_000)]
        urgent = True
        await asyncio.sleep(15)
        assert outage.detail() != "answers"
        assert reads[4:] == [32]
        await asyncio.sleep(15)
        assert reads[5:] == [52]
        assert outage.error is None
        polling.cancel()

    in_virtual_time(scene)
