"""The REST client reacts to each kind of answer as its error tree says."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from btc_shared.kucoin import transport
from btc_shared.kucoin.errors import MalformedError, RateLimit, RateLimitedError, RejectedError, UnavailableError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.transport import open_http, repeat_read, send

MINUTE = 60_000
START = 1_789_999_980_000
TICKER = {
    "time": 1_790_000_000_123,
    "price": "67000.2",
    "bestBid": "67000.1",
    "bestBidSize": "0.4",
    "bestAsk": "67000.2",
    "bestAskSize": "0.031",
}

Reply = httpx.Response | Exception


def ok(data: Any) -> httpx.Response:
    return httpx.Response(200, json={"code": "200000", "data": data})


class Exchange:
    """Gives the prepared replies one after the other, the last one for ever, and remembers what it was asked."""

    def __init__(self, *replies: Reply | Callable[[httpx.Request], httpx.Response]) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else reply(request)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[PublicClient]:
        async with httpx.AsyncClient(
            base_url="http://exchange.test", transport=httpx.MockTransport(self.answer)
        ) as http:
            yield PublicClient(http, sleep=self.sleep, now_ms=lambda: 77)


async def test_a_ticker_is_asked_for_once_and_read() -> None:
    exchange = Exchange(ok(TICKER))
    async with exchange.client() as client:
        ticker = await client.ticker("BTC-USDT")
    assert str(ticker.bid) == "67000.1"
    assert [str(request.url) for request in exchange.requests] == [
        "http://exchange.test/api/v1/market/orderbook/level1?symbol=BTC-USDT"
    ]
    assert exchange.waits == []


async def test_a_refusal_with_http_200_is_not_asked_again() -> None:
    exchange = Exchange(httpx.Response(200, json={"code": "900001", "msg": "symbol not exists"}))
    async with exchange.client() as client:
        with pytest.raises(RejectedError) as caught:
            await client.symbol_rules("NO-SUCH")
    assert (caught.value.code, caught.value.message, caught.value.status) == ("900001", "symbol not exists", 200)
    assert len(exchange.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("closed"),
        httpx.Response(503, text="<html>busy</html>"),
        httpx.Response(500, json={"code": "500000", "msg": "Internal Server Error"}),
        httpx.Response(200, json={"code": "230005", "msg": "System busy"}),
        httpx.Response(200, text="not JSON"),
        ok({"time": 1}),
    ],
    ids=lambda value: repr(value),
)
async def test_a_read_is_repeated_until_it_gets_a_usable_answer(trouble: Reply) -> None:
    exchange = Exchange(trouble, trouble, ok(TICKER))
    async with exchange.client() as client:
        assert str((await client.ticker("BTC-USDT")).ask) == "67000.2"
    assert len(exchange.requests) == 3
    assert len(exchange.waits) == 2
    assert all(0 < wait <= 4 for wait in exchange.waits)


async def test_repetition_is_capped_and_ends_with_the_last_error() -> None:
    exchange = Exchange(httpx.ConnectError("refused"))
    async with exchange.client() as client:
        with pytest.raises(UnavailableError, match="refused"):
            await client.ticker("BTC-USDT")
        assert len(exchange.requests) == 5
        with pytest.raises(UnavailableError):
            await client.ticker("BTC-USDT", attempts=1)
        assert len(exchange.requests) == 6


@pytest.mark.parametrize(
    ("reply", "kind", "at_least"),
    [
        (
            httpx.Response(429, json={"code": "429000", "msg": "Too Many"}, headers={"gw-ratelimit-reset": "23748"}),
            RateLimit.QUOTA,
            23.748,
        ),
        (httpx.Response(429, json={"code": "429000", "msg": "System-level rate limit"}), RateLimit.OVERLOAD, 0.5),
        (httpx.Response(200, json={"code": "429000", "msg": "Too Many"}), RateLimit.OVERLOAD, 0.5),
        (httpx.Response(429, text="<html>error 1015</html>"), RateLimit.BLOCKED, 30.0),
        (httpx.Response(403, text="<html>error 1015</html>"), RateLimit.BLOCKED, 30.0),
    ],
    ids=["quota", "overload", "overload-200", "blocked", "blocked-403"],
)
async def test_each_rate_limit_is_waited_for_as_it_asks(
    reply: httpx.Response, kind: RateLimit, at_least: float
) -> None:
    exchange = Exchange(reply, ok(TICKER))
    async with exchange.client() as client:
        await client.ticker("BTC-USDT")
    assert at_least <= exchange.waits[0] <= at_least + 1
    exchange = Exchange(reply)
    async with exchange.client() as client:
        with pytest.raises(RateLimitedError) as caught:
            await client.ticker("BTC-USDT", attempts=1)
    assert caught.value.kind is kind
    assert caught.value.retry_after_ms == at_least * 1_000


async def test_a_malformed_answer_shows_its_beginning() -> None:
    exchange = Exchange(ok({"time": "never"}))
    async with exchange.client() as client:
        with pytest.raises(MalformedError, match=r'"time": ?"never"'):
            await client.ticker("BTC-USDT")


async def test_a_token_is_asked_for_with_an_empty_post_once_and_never_quoted() -> None:
    exchange = Exchange(httpx.Response(200, text='{"code":"200000","data":{"token":"secret"'))
    async with exchange.client() as client:
        with pytest.raises(MalformedError) as caught:
            await client.public_token()
    assert "secret" not in str(caught.value)
    assert [(request.method, request.content) for request in exchange.requests] == [("POST", b"")]


def history(newest: int, *, gap: int | None = None) -> Callable[[httpx.Request], httpx.Response]:
    """Answers as the exchange does: at most 1500 bars, newest first, `startAt` included, none for `gap`."""

    def answer(request: httpx.Request) -> httpx.Response:
        start, end = int(request.url.params["startAt"]), int(request.url.params["endAt"])
        opens = [t for t in range(start + -start % 60, min(newest, end) + 1, 60) if t != gap]
        rows = [[str(t), "2", "2.5", "3", "1", "0.5", "1"] for t in reversed(opens[:1500])]
        return ok(rows)

    return answer


async def test_candles_are_paged_ascending_and_complete() -> None:
    first = START // 1_000
    newest = first + 60 * 3_199
    exchange = Exchange(history(newest, gap=first + 60))
    async with exchange.client() as client:
        bars = await client.candles("BTC-USDT", START, newest * 1_000 + 30_000)
    expected = [t for t in range(first, newest + 1, 60) if t != first + 60]
    assert [bar.open_time_ms // 1_000 for bar in bars] == expected
    assert len(exchange.requests) == 3
    for request in exchange.requests:
        start, end = int(request.url.params["startAt"]), int(request.url.params["endAt"])
        assert request.url.params["type"] == "1min"
        assert 0 <= end - start < 1500 * 60
    assert bars[0].close == Decimal("2.5")


async def test_candles_outside_the_window_are_left_out() -> None:
    exchange = Exchange(ok([[str(START // 1_000 + 60 * i), "2", "2", "2", "2", "0.5", "1"] for i in (3, 2, 1, 0, -1)]))
    async with exchange.client() as client:
        bars = await client.candles("BTC-USDT", START + 1, START + 3 * MINUTE)
    assert [bar.open_time_ms for bar in bars] == [START + MINUTE, START + 2 * MINUTE]


async def test_an_empty_window_asks_nothing() -> None:
    exchange = Exchange(httpx.ConnectError("asked"))
    async with exchange.client() as client:
        assert await client.candles("BTC-USDT", START, START) == []


async def test_the_book_carries_the_time_of_receipt() -> None:
    exchange = Exchange(ok({"time": 1_790_000_000_123, "bids": [["1", "1"]], "asks": [["2", "1"]], "sequence": "9"}))
    async with exchange.client() as client:
        book = await client.book("BTC-USDT", 100)
    assert book.received_at_ms == 77
    assert exchange.requests[0].url.path == "/api/v1/market/orderbook/level2_100"


async def test_a_write_is_sent_once_whatever_happens() -> None:
    exchange = Exchange(httpx.ReadTimeout("silent"))
    async with httpx.AsyncClient(
        base_url="http://exchange.test", transport=httpx.MockTransport(exchange.answer)
    ) as http:
        with pytest.raises(UnavailableError):
            await send(http, "orders", http.build_request("POST", "/api/v1/hf/orders"))
    assert len(exchange.requests) == 1


async def test_repeating_needs_at_least_one_attempt() -> None:
    async def never() -> None:
        raise AssertionError

    with pytest.raises(AssertionError, match="attempts"):
        await repeat_read(never, attempts=0)


async def test_the_real_client_reports_an_unreachable_address_as_unavailable() -> None:
    async with open_http("http://127.0.0.1:1") as http:
        with pytest.raises(UnavailableError, match="timestamp"):
            await PublicClient(http, attempts=1).server_time_ms()


async def test_the_envelope_decides_not_the_status() -> None:
    body = json.dumps({"code": 200000, "data": 1_790_000_000_123})
    exchange = Exchange(httpx.Response(200, text=body))
    async with exchange.client() as client:
        assert await client.server_time_ms() == 1_790_000_000_123


async def test_what_is_left_of_the_quota_is_shown_as_the_exchange_tells_it() -> None:
    told = {"gw-ratelimit-limit": "2000", "gw-ratelimit-remaining": "1987", "gw-ratelimit-reset": "23748"}
    body = {"code": "200000", "data": 1_790_000_000_000}
    exchange = Exchange(httpx.Response(200, json=body, headers=told), ok(1_790_000_000_000))
    async with exchange.client() as client:
        await client.server_time_ms()
        await client.server_time_ms()  # an answer that says nothing changes nothing
    assert transport.quota_remaining.labels("timestamp")._value.get() == 1_987


async def test_repetitions_are_no_news() -> None:
    exchange = Exchange(*[httpx.Response(503)] * 4, ok(1_790_000_000_000))
    with capture_logs() as lines:
        async with exchange.client() as client:
            await client.server_time_ms()
    assert {line["log_level"] for line in lines} == {"debug"}


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(200, text="{"), ok("a text"), ok({**TICKER, "bestBid": "NaN"}), httpx.Response(200, json={})],
    ids=["no JSON", "another kind of data", "no number", "no envelope"],
)
async def test_every_answer_of_no_use_is_counted_once(answer: httpx.Response) -> None:
    errors = transport.request_errors.labels("ticker", "malformed")._value
    malformed = transport.malformed.labels("ticker")._value
    before = errors.get(), malformed.get()
    async with Exchange(answer).client() as client:
        with pytest.raises(MalformedError):
            await client.ticker("BTC-USDT", attempts=1)
    assert (errors.get(), malformed.get()) == (before[0] + 1, before[1] + 1)
