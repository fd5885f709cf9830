"""The public REST endpoints, in KuCoin's envelope, with its limits and its error codes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kucoin_sim import figures
from kucoin_sim.board import Board
from kucoin_sim.candles import CANDLE_TYPES, row
from kucoin_sim.errors import (
    INTERNAL_ERROR,
    METHOD_NOT_ALLOWED,
    TOO_MANY_REQUESTS,
    URL_NOT_FOUND,
    WRONG_CONTENT_TYPE,
    ApiError,
    bad_parameter,
    unknown_symbol,
)
from kucoin_sim.exchange import Clock, Exchange
from kucoin_sim.rate_limits import Charge, Pool
from kucoin_sim.tokens import TokenBook
from kucoin_sim.websocket import SocketLimits

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]
_DAY_MS = 86_400_000

Handler = Callable[[Request], object]
"""From a request to the answer's `data`; refuses by raising `ApiError`."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A REST call: `weight` is deducted from the Public pool."""

    method: str
    path: str
    weight: int
    handler: Handler


def _respond(body: object, status: int, charge: Charge | None) -> Response:
    headers = charge.headers() if charge is not None else {}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def _refusal(refusal: ApiError, charge: Charge | None) -> Response:
    return _respond({"code": refusal.code, "msg": refusal.message}, refusal.status, charge)


async def internal_error(request: Request, error: Exception) -> Response:
    """The answer to a request whose handler failed; the server logs the failure itself."""
    return _refusal(INTERNAL_ERROR, None)


async def _check_body(request: Request) -> None:
    """A body must be declared as JSON; without one any declaration passes (ccxt sends application/octet-stream)."""
    declared = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if declared != "application/json" and await request.body():
        raise WRONG_CONTENT_TYPE


class PublicRest:
    """The endpoints that need no key. Authentication headers on them are ignored, as are unknown parameters."""

    def __init__(self, exchange: Exchange, tokens: TokenBook, pool: Pool, clock: Clock, limits: SocketLimits) -> None:
        self._boards = exchange.boards
        self._tokens = tokens
        self._pool = pool
        self._clock = clock
        self._limits = limits

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", "/api/v1/timestamp", 3, lambda request: self._clock()),
            Endpoint("GET", "/api/v1/status", 3, lambda request: {"status": "open", "msg": ""}),
            Endpoint("GET", "/api/v2/symbols", 4, self._symbols),
            Endpoint("GET", "/api/v2/symbols/{symbol}", 4, self._symbol),
            Endpoint("GET", "/api/v1/market/candles", 3, self._candles),
            Endpoint("GET", "/api/v1/market/orderbook/level1", 2, self._level1),
            Endpoint("GET", "/api/v1/market/orderbook/level2_20", 2, lambda request: self._level2(request, 20)),
            Endpoint("GET", "/api/v1/market/orderbook/level2_100", 2, lambda request: self._level2(request, 100)),
            Endpoint("GET", "/api/v1/market/histories", 3, self._histories),
            Endpoint("GET", "/api/v1/market/stats", 15, self._stats),
            Endpoint("GET", "/api/v1/market/allTickers", 15, self._all_tickers),
            Endpoint("POST", "/api/v1/bullet-public", 10, self._bullet),
        ]

    def routes(self) -> list[Route]:
        """One route per path; a known path with another method, and any unknown path, are refused as KuCoin does."""
        routes = [Route(endpoint.path, self._answering(endpoint), methods=_METHODS) for endpoint in self.endpoints()]
        return [*routes, Route("/{path:path}", self._unknown, methods=_METHODS)]

    def _answering(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            caller = request.client.host if request.client is not None else "unknown"
            charge = self._pool.charge(caller, endpoint.weight, self._clock())
            try:
                if not charge.allowed:
                    raise TOO_MANY_REQUESTS
                if request.method != endpoint.method:
                    raise METHOD_NOT_ALLOWED
                await _check_body(request)
                data = endpoint.handler(request)
            except ApiError as refusal:
                return _refusal(refusal, charge)
            return _respond({"code": "200000", "data": data}, 200, charge)

        return answer

    async def _unknown(self, request: Request) -> Response:
        caller = request.client.host if request.client is not None else "unknown"
        return _refusal(URL_NOT_FOUND, self._pool.charge(caller, 0, self._clock()))

    def _board(self, request: Request) -> Board:
        symbol = request.query_params.get("symbol")
        if not symbol:
            raise bad_parameter("symbol is required")
        return self._find(symbol)

    def _find(self, symbol: str) -> Board:
        board = self._boards.get(symbol)
        if board is None:
            raise unknown_symbol()
        return board

    def _symbols(self, request: Request) -> object:
        objects = [board.instrument.symbol_object() for board in self._boards.values()]
        market = request.query_params.get("market")
        return [item for item in objects if not market or item["market"] == market]

    def _symbol(self, request: Request) -> object:
        return self._find(request.path_params["symbol"]).instrument.symbol_object()

    def _candles(self, request: Request) -> object:
        board = self._board(request)
        candle_type = request.query_params.get("type")
        if candle_type not in CANDLE_TYPES:
            raise bad_parameter("Incorrect candlestick type")
        start = _seconds(request, "startAt")
        end = _seconds(request, "endAt")
        if not start and not end:
            # The only report about KuCoin's answer without limits (2019) says: nothing.
            return []
        end_ms = end * 1000 if end else self._clock() + 1
        bars = board.bars.rows(candle_type, start * 1000, end_ms)
        return [row(bar, board.instrument) for bar in bars]

    def _level1(self, request: Request) -> object:
        board = self._board(request)
        ticker = board.ticker_data()
        names = ("sequence", "price", "size", "bestBid", "bestBidSize", "bestAsk", "bestAskSize")
        return {"time": self._clock()} | {name: ticker[name] for name in names}

    def _level2(self, request: Request, levels: int) -> object:
        board = self._board(request)
        asks, bids = board.levels(levels)
        return {"time": self._clock(), "sequence": str(board.sequence), "bids": bids, "asks": asks}

    def _histories(self, request: Request) -> object:
        board = self._board(request)
        return [
            {
                "sequence": str(number),
                "price": board.instrument.price_text(trade.price),
                "size": board.instrument.size_text(trade.size),
                "side": trade.side,
                "time": trade.time_ms * 1_000_000,
            }
            for number, trade in board.prints
        ]

    def _stats(self, request: Request) -> object:
        return figures.stats(self._board(request), self._clock())

    def _all_tickers(self, request: Request) -> object:
        now_ms = self._clock()
        return {
            "time": now_ms,
            "ticker": [figures.all_tickers_row(board, now_ms) for board in self._boards.values()],
        }

    def _bullet(self, request: Request) -> object:
        server = {
            "endpoint": f"ws://{request.url.netloc}/endpoint",
            "encrypt": False,
            "protocol": "websocket",
            "pingInterval": self._limits.ping_interval_ms,
            "pingTimeout": self._limits.ping_timeout_ms,
        }
        return {"token": self._tokens.issue(self._clock()), "instanceServers": [server]}


def _seconds(request: Request, name: str) -> int:
    """A time in seconds from the query; 0 when absent."""
    text = request.query_params.get(name)
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise bad_parameter(f"{name} is not a time in seconds")
    return int(text)
