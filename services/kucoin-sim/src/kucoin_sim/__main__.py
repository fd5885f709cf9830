"""`python -m kucoin_sim`: serve a practice market until SIGTERM or SIGINT."""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING

import structlog
import uvicorn

from kucoin_sim import logs
from kucoin_sim.app import Service, build, play_forever
from kucoin_sim.board import Board
from kucoin_sim.exchange import Exchange
from kucoin_sim.history import HistoryError
from kucoin_sim.hub import Hub
from kucoin_sim.markets import make_markets
from kucoin_sim.options import Options, parse
from kucoin_sim.recording import RecordingError
from kucoin_sim.websocket import SocketLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = structlog.get_logger(__name__)


def _clock() -> int:
    return time.time_ns() // 1_000_000


def _service(options: Options) -> Service:
    start_ms = _clock()
    boards: dict[str, Board] = {}
    hub = Hub()
    for market in make_markets(options, start_ms):
        board = Board(market, start_ms, Random(options.seed))  # noqa: S311 - a practice market needs no secrets
        # A market begins with its minute: what happened in it until now belongs to the running bar.
        board.skip_to(start_ms, hub)
        boards[market.instrument.symbol] = board
    limits = SocketLimits(options.ping_interval_ms, options.ping_timeout_ms, options.connection_seconds * 1000)
    return build(Exchange(boards, hub, start_ms), hub, _clock, limits)


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which ends a stopped process by the signal instead of with status 0."""

    @contextmanager
    def capture_signals(self) -> "Iterator[None]":
        yield


async def serve(service: Service, listener: socket.socket, print_ready: bool) -> None:
    """Serve and play until a signal comes.

    Raises:
        ExceptionGroup: playing or serving failed; an exchange whose market does not go on must not answer.
    """
    server = _Server(
        uvicorn.Config(
            service.app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=2,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    host, port = listener.getsockname()[:2]
    address = f"http://{host}:{port}"
    with listener:
        async with asyncio.TaskGroup() as group:
            player = group.create_task(play_forever(service))
            serving = group.create_task(server.serve([listener]))
            # The listening socket queues connections already: whoever reads the address can connect at once.
            _log.info("ready", rest=address, symbols=list(service.exchange.boards))
            if print_ready:
                sys.stdout.write(json.dumps({"rest": address}) + "\n")
                sys.stdout.flush()
            await serving
            player.cancel()
    _log.info("stopped")


def main() -> None:
    """Entry point."""
    options = parse(sys.argv[1:], os.environ)
    logs.configure(options.log_level)
    try:
        service = _service(options)
        listener = socket.create_server((options.host, options.port))
    except (HistoryError, RecordingError, OSError) as error:
        _log.error("cannot_start", reason=str(error))
        sys.exit(1)
    try:
        asyncio.run(serve(service, listener, options.json))
    except ExceptionGroup:
        _log.exception("failed")
        sys.exit(1)


if __name__ == "__main__":
    main()
