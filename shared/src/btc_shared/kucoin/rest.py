"""Public REST endpoints. Answers become records; reads are repeated as `transport.repeat_read` says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import httpx

from btc_shared import clock
from btc_shared.kucoin import answers, transport
from btc_shared.kucoin.answers import SocketToken, Ticker
from btc_shared.kucoin.errors import MalformedError
from btc_shared.records import MINUTE_MS, BookPicture, Candle, PublicTrade, SymbolRules

MAX_CANDLES_PER_CALL = 1_500

T = TypeVar("T")


class PublicClient:
    """KuCoin's public endpoints; needs no keys. All methods raise what `errors` describes.

    `http` is from `transport.open_http` (tests give one with a mock transport). A caller that cannot wait for all
    attempts puts `asyncio.timeout` around the call, or asks for fewer `attempts`.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        attempts: int = transport.READ_ATTEMPTS,
        now_ms: Callable[[], int] = clock.now_ms,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http, self._attempts, self._now_ms, self._sleep = http, attempts, now_ms, sleep

    async def server_time_ms(self, *, attempts: int | None = None) -> int:
        """The exchange's clock, milliseconds since the epoch."""
        return await self._get("timestamp", "/api/v1/timestamp", {}, answers.server_time_ms, attempts)

    async def symbol_rules(self, symbol: str) -> SymbolRules:
        """Increments and minimums of `symbol`; `RejectedError` when the exchange does not know it."""
        path = f"/api/v2/symbols/{symbol}"
        return await self._get("symbol", path, {}, lambda data: answers.symbol_rules(data, symbol))

    async def candles(self, symbol: str, start_ms: int, end_ms: int, *, attempts: int | None = None) -> list[Candle]:
        """The 1-minute bars that open at or after `start_ms` and before `end_ms`, ascending, without duplicates.

        Minutes without trades are absent. The bar of the running minute is included as it is so far.
        """
        found: dict[int, Candle] = {}
        window_ms = MAX_CANDLES_PER_CALL * MINUTE_MS
        start_ms = -(-start_ms // MINUTE_MS) * MINUTE_MS
        for first_ms in range(start_ms, end_ms, window_ms):
            for bar in await self._candles_page(symbol, first_ms, min(first_ms + window_ms, end_ms), attempts):
                if first_ms <= bar.open_time_ms < end_ms:
                    found[bar.open_time_ms] = bar
        return [found[open_time_ms] for open_time_ms in sorted(found)]

    async def _candles_page(self, symbol: str, start_ms: int, end_ms: int, attempts: int | None) -> list[Candle]:
        # Without both limits the answer may be empty. Whether `endAt` itself is included is not documented:
        # a second before the next bar's opening means the same either way.
        params: dict[str, str | int] = {
            "symbol": symbol,
            "type": "1min",
            "startAt": start_ms // 1_000,
            "endAt": -(-end_ms // MINUTE_MS) * MINUTE_MS // 1_000 - 1,
        }
        path = "/api/v1/market/candles"
        return await self._get("candles", path, params, lambda data: answers.candles(data, symbol), attempts)

    async def ticker(self, symbol: str, *, attempts: int | None = None) -> Ticker:
        """Best bid, best ask and last trade now: the quickest way to a price."""
        params: dict[str, str | int] = {"symbol": symbol}
        path = "/api/v1/market/orderbook/level1"
        return await self._get("ticker", path, params, lambda data: answers.ticker(data, symbol), attempts)

    async def book(self, symbol: str, levels: Literal[20, 100] = 20, *, attempts: int | None = None) -> BookPicture:
        """The best `levels` levels of each side now."""
        params: dict[str, str | int] = {"symbol": symbol}
        path = f"/api/v1/market/orderbook/level2_{levels}"
        return await self._get("book", path, params, lambda data: answers.book(data, symbol, self._now_ms()), attempts)

    async def recent_trades(self, symbol: str, *, attempts: int | None = None) -> list[PublicTrade]:
        """The last 100 public trades, oldest first."""
        params: dict[str, str | int] = {"symbol": symbol}
        path = "/api/v1/market/histories"
        return await self._get("histories", path, params, lambda data: answers.recent_trades(data, symbol), attempts)

    async def public_token(self) -> SocketToken:
        """Leave for one public socket. Asked once: whoever opens sockets waits and asks anew by itself."""
        request = self._http.build_request("POST", "/api/v1/bullet-public")
        return await self._ask("bullet-public", request, answers.socket_token, attempts=1, secret=True)

    async def _get(
        self,
        endpoint: str,
        path: str,
        params: dict[str, str | int],
        parse: Callable[[bytes], T],
        attempts: int | None = None,
    ) -> T:
        return await self._ask(endpoint, self._http.build_request("GET", path, params=params), parse, attempts)

    async def _ask(
        self,
        endpoint: str,
        request: httpx.Request,
        parse: Callable[[bytes], T],
        attempts: int | None = None,
        *,
        secret: bool = False,
    ) -> T:
        async def once() -> T:
            try:
                data = await transport.send(self._http, endpoint, request, secret=secret)
            except MalformedError:
                transport.malformed.labels(endpoint).inc()
                raise
            try:
                return parse(data)
            except MalformedError:
                transport.malformed.labels(endpoint).inc()
                transport.request_errors.labels(endpoint, "malformed").inc()
                raise

        return await transport.repeat_read(once, attempts=attempts or self._attempts, sleep=self._sleep)
