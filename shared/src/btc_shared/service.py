"""How a service process starts, runs and ends: settings, logs, signals, HTTP, tasks.

A service's `__main__` is `sys.exit(service.start(ServiceName.X, XSettings, main))`, where `main(settings, stop)`
is its composition root: it wires everything and returns when `stop` is set. An exception that escapes it ends
the process with an error; the supervisor (or Docker) starts it anew and recovery does the rest.
"""

import asyncio
import contextlib
import faulthandler
import importlib
import inspect
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
import uvicorn
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.types import ASGIApp

from btc_shared import logs
from btc_shared.codes import ServiceName
from btc_shared.db.engine import is_connection_lost
from btc_shared.health import Check, Health, Heartbeat, database_outage
from btc_shared.leadership import Leadership
from btc_shared.settings import HttpSettings, LoggingSettings, SettingsError, load

EXIT_WRONG_SETTINGS = 2
SHUTDOWN_GRACE_SECS = 5
CANCELLATION_SECS = 2.0
# A process whose event loop has stood still for so long is stuck: no restart policy sees that, so it ends itself.
STUCK_SECS = 60.0

log = structlog.get_logger(__name__)


class ServiceSettings(HttpSettings, LoggingSettings):
    """What every service process has. Each service gives `port` its own default."""

    port: int = Field(ge=0, le=65_535, description="port to listen on, 0 to 65535; 0 chooses a free one")


S = TypeVar("S", bound=ServiceSettings)


class StartError(Exception):
    """The service cannot do its work until a person changes something; the text is one sentence that says what."""


def settings_class(module: str) -> type[ServiceSettings]:
    """The settings class that `<module>.settings` defines."""
    settings = importlib.import_module(f"{module}.settings")
    found = [
        candidate
        for _, candidate in inspect.getmembers(settings, inspect.isclass)
        if issubclass(candidate, ServiceSettings) and candidate.__module__ == settings.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{settings.__name__} defines {len(found)} service settings classes; it must define one")
    return found[0]


def start(name: ServiceName, settings_class: type[S], main: Callable[[S, asyncio.Event], Awaitable[None]]) -> int:
    """Run a service until SIGTERM or SIGINT; return the process's exit status."""
    try:
        settings = load(settings_class)
    except SettingsError as error:
        for problem in error.problems:
            print(f"{name}: {problem}", file=sys.stderr)  # noqa: T201 - before logging is configured
        return EXIT_WRONG_SETTINGS
    logs.configure(str(name), settings.log_level)
    return asyncio.run(_run(name, settings, main))


async def _run(name: ServiceName, settings: S, main: Callable[[S, asyncio.Event], Awaitable[None]]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("starting", name=str(name))
    proving = asyncio.create_task(_prove_alive(STUCK_SECS))
    try:
        await main(settings, stop)
    except StartError as error:
        log.error("cannot_start", reason=str(error))
        return 1
    except Exception:
        log.exception("crashed", name=str(name))
        return 1
    finally:
        proving.cancel()
        faulthandler.cancel_dump_traceback_later()
    log.info("stopped", name=str(name))
    return 0


async def _prove_alive(stuck_secs: float) -> None:
    """End the process, with every thread's stack in the log, when the event loop does not run for `stuck_secs`."""
    while True:
        faulthandler.dump_traceback_later(stuck_secs, exit=True)
        await asyncio.sleep(stuck_secs / 12)


class HttpServer:
    """A uvicorn server as an asynchronous context manager; `port` is the real one when 0 was asked for."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=SHUTDOWN_GRACE_SECS,
                server_header=False,
                proxy_headers=False,  # the audit's "from where" is the peer, not what a header claims
            )
        )
        self._host, self._requested_port = host, port

    @property
    def port(self) -> int:
        for server in self._server.servers:
            return int(server.sockets[0].getsockname()[1])
        return self._requested_port

    async def __aenter__(self) -> "HttpServer":
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        sock = _bind(self._host, self._requested_port)
        await self._server.startup(sockets=[sock])
        self._serving = asyncio.create_task(self._server.main_loop())
        log.info("listening", address=f"http://{self._host}:{self.port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._serving
        await self._server.shutdown()


async def _set_when_over(over: asyncio.Event, stop: asyncio.Event, leadership: Leadership) -> None:
    """Set `over` when `stop` is set or the lead is lost."""
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(leadership.watch())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        over.set()
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.wait(waits)


def _bind(host: str, port: int) -> socket.socket:
    """A bound socket; uvicorn's own way ends the process without a word when the port is taken."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return sock


async def run_as_leader(
    stop: asyncio.Event,
    settings: ServiceSettings,
    health: Health,
    heartbeat: Heartbeat,
    leadership: Leadership,
    work: Callable[[asyncio.Event], Awaitable[None]],
) -> None:
    """Serve `/health` at once; whenever this process leads, beat and do `work`, until `stop`.

    `work` has to end soon after its event is set, because of `stop` or because the lead was lost. It is begun anew when
    the lead is won again, and has to start like after a crash. A process that stands by does not beat: the heartbeat
    is the acting one's.
    """
    health.add(
        "leader",
        lambda: Check(leadership.held, "acts" if leadership.held else "stands by", critical=False),
    )

    async def beat() -> None:
        await leadership.acquired.wait()
        await heartbeat.run(stop, acting=lambda: leadership.held)

    async with HttpServer(Starlette(routes=health.routes()), settings.bind_host, settings.port):
        beating = asyncio.create_task(beat())
        try:
            while await leadership.acquire(stop):
                over = asyncio.Event()
                watching = asyncio.create_task(_set_when_over(over, stop, leadership))
                try:
                    await work(over)
                finally:
                    watching.cancel()
                    await asyncio.wait([watching])
                    await leadership.release()
        finally:
            await leadership.release()
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


async def tolerating_outage(work: Awaitable[Any]) -> bool:
    """Await `work`; False when the database was away, whose outage is logged once. Other errors are the caller's."""
    try:
        await work
    except (SQLAlchemyError, OSError) as error:
        if not is_connection_lost(error):
            raise
        database_outage.failed(error)
        return False
    database_outage.over()
    return True


async def every(seconds: float, work: Callable[[], Awaitable[Any]]) -> None:
    """Do `work` for ever, `seconds` apart, through outages of the database."""
    while True:
        await tolerating_outage(work())
        await asyncio.sleep(seconds)


async def run_until(stop: asyncio.Event, *works: Awaitable[None]) -> None:
    """Do `works` side by side until `stop` is set or one of them ends, then cancel the rest; a failure is raised.

    A cancellation is repeated until it is obeyed: `asyncio.wait_for` of Python 3.11, which redis-py uses, drops one
    that arrives in the very moment in which what it waits for is done.
    """

    async def do(work: Awaitable[None]) -> None:
        await work

    stopping = asyncio.ensure_future(stop.wait())
    tasks = [asyncio.ensure_future(do(work)) for work in works]
    try:
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=CANCELLATION_SECS)
    for task in tasks:
        if task in done:
            task.result()
