"""The API's routes. They only translate; `openapi.json` tells chat front ends what each is for."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from btc_shared import clock
from btc_shared.api import ApiError
from btc_shared.codes import Mode
from webui_api import schemas
from webui_api.access import token_check
from webui_api.performance import Period
from webui_api.queries import Queries
from webui_api.settings import WebuiSettings

MAX_ROWS = 1_000
MAX_CANDLES = 1_440  # a day
_UNAVAILABLE: dict[int | str, dict[str, Any]] = {
    503: {"model": schemas.ErrorAnswer, "description": "not available now; `detail` says why"}
}

ModeParameter = Annotated[
    Mode | None, Query(description="dry (simulated money) or live (real money); default: the mode in effect")
]
PeriodParameter = Annotated[
    Period, Query(description="today (UTC day so far), a length that ends now (1h to 365d), or all of history")
]
SymbolParameter = Annotated[str | None, Query(description="the market; default and only choice: the agent's own")]


def api_router(settings: WebuiSettings, queries: Queries) -> APIRouter:
    """All routes under `/api`. None of them changes anything."""

    async def known_symbol(symbol: SymbolParameter = None) -> None:
        if symbol is not None and symbol != settings.symbol:
            raise ApiError(404, f"{symbol} is not traded here", f"available: {settings.symbol}")

    refused: dict[int | str, dict[str, Any]] = {
        401: {"model": schemas.ErrorAnswer, "description": "the API token is missing or wrong"},
        422: {"model": schemas.ErrorAnswer, "description": "a parameter is wrong; `detail` says which"},
        **_UNAVAILABLE,
    }
    unknown: dict[int | str, dict[str, Any]] = {404: {"model": schemas.ErrorAnswer, "description": "unknown symbol"}}
    router = APIRouter(prefix="/api", dependencies=[Depends(token_check(settings.api_token))], responses=refused)
    of_symbol = [Depends(known_symbol)]

    @router.get(
        "/price", operation_id="price", summary="Price of Bitcoin now", dependencies=of_symbol, responses=unknown
    )
    async def price() -> schemas.PriceAnswer:
        """Best bid, best ask and their mean, the price's age, and its change in 24 hours."""
        return await queries.price(clock.now())

    @router.get(
        "/analysis",
        operation_id="analysis",
        summary="Technical analysis and the agent's current signal",
        dependencies=of_symbol,
        responses=unknown,
    )
    async def analysis() -> schemas.AnalysisAnswer:
        """Order book, indicators, and the agent's own last decision (BUY, SELL or HOLD) with its reasons and age."""
        return await queries.analysis(clock.now())

    @router.get("/status", operation_id="status", summary="Status of the trading agent")
    async def status() -> schemas.StatusAnswer:
        """Whether the agent works and if not why, its mode, position, result and learning."""
        return await queries.status(clock.now())

    @router.get("/trades", operation_id="trades", summary="Recent trades, newest first")
    async def trades(
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="how many, 1 to 1000")] = 10,
        mode: ModeParameter = None,
    ) -> list[schemas.TradeAnswer]:
        """Executed orders with price, size, fee, and for sells the net result and why they were made."""
        return await queries.trades(mode, limit)

    @router.get("/performance", operation_id="performance", summary="Trading result of a period")
    async def performance(
        mode: ModeParameter = None, period: PeriodParameter = Period.ALL
    ) -> schemas.PerformanceAnswer:
        """Profit and loss net of fees, win rate, drawdown, Sharpe ratio, and what holding would have made."""
        return await queries.performance(mode, period, clock.now())

    @router.get("/equity", operation_id="equity", summary="Equity curve of a period")
    async def equity(mode: ModeParameter = None, period: PeriodParameter = Period.ALL) -> schemas.EquityAnswer:
        """How the money developed: realised equity over time, oldest point first, at most 1,000 points."""
        return await queries.equity(mode, period, clock.now())

    @router.get("/candles", operation_id="candles", summary="1-minute candles with the agent's buys and sells")
    async def candles(
        limit: Annotated[int, Query(ge=1, le=MAX_CANDLES, description="how many candles, 1 to 1440")] = 240,
    ) -> schemas.CandlesAnswer:
        """The newest final candles, oldest first, and the orders that the agent executed in their span and since."""
        return await queries.candles(limit)

    @router.get("/decisions", operation_id="decisions", summary="Recent decisions and what became of them")
    async def decisions(
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="how many, 1 to 1000")] = 20,
    ) -> list[schemas.DecisionAnswer]:
        """Each decision with the four strategies' scores, weights and reasons, and its outcome: executed or refused."""
        return await queries.decisions(limit, clock.now())

    return router
