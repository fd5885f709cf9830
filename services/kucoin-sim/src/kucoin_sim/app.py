"""Composition: one application that serves REST, WebSocket and /health over one exchange."""

import asyncio
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from kucoin_sim.exchange import Clock, Exchange
from kucoin_sim.hub import Hub
from kucoin_sim.market import Market
from kucoin_sim.rate_limits import PUBLIC_QUOTA, Pool
from kucoin_sim.rest import PublicRest, internal_error
from kucoin_sim.tokens import TokenBook
from kucoin_sim.websocket import SocketLimits, SocketServer

_SHORTEST_SLEEP_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Service:
    """The running parts: `app` answers, `exchange` has to be played by `play_forever`."""

    app: Starlette
    exchange: Exchange
    clock: Clock


def build(exchange: Exchange, hub: Hub, clock: Clock, limits: SocketLimits) -> Service:
    """Wire REST, WebSocket and /health around `exchange`, whose frames go to `hub`."""
    tokens = TokenBook()
    sockets = SocketServer(exchange, hub, tokens, clock, limits)
    rest = PublicRest(exchange, tokens, Pool(PUBLIC_QUOTA), clock, limits)

    async def health(request: Request) -> Response:
        now_ms = clock()
        markets = [_market_state(board.market, now_ms) for board in exchange.boards.values()]
        body = {"status": "ok", "time_ms": now_ms, "connections": hub.connections, "markets": markets}
        return Response(msgspec.json.encode(body), media_type="application/json")

    app = Starlette(
        routes=[
            Route("/health", health),
            WebSocketRoute("/endpoint", sockets.serve),
            WebSocketRoute("/", sockets.serve),
            *rest.routes(),
        ],
        exception_handlers={Exception: internal_error},
    )
    return Service(app, exchange, clock)


def _market_state(market: Market, now_ms: int) -> dict[str, object]:
    waiting = now_ms < market.begins_ms
    return {
        "symbol": market.instrument.symbol,
        "market": market.title,
        "state": "waiting" if waiting else "running" if market.next_ms() is not None else "ended",
        "begins_ms": market.begins_ms,
        "ends_ms": market.ends_ms,
        "book_ms": market.book_ms,
    }


async def play_forever(service: Service) -> None:
    """Play the exchange along its clock. Never returns; a failure here must end the process."""
    exchange, clock = service.exchange, service.clock
    while True:
        on_time = exchange.play(clock())
        # Late or not, the connections get their turn to send before the market goes on.
        wait_seconds = (exchange.next_ms() - clock()) / 1000 if on_time else 0.0
        await asyncio.sleep(max(_SHORTEST_SLEEP_SECONDS, wait_seconds) if on_time else 0.0)
