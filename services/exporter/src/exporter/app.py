"""The exporter's composition root: `/metrics` for Prometheus, and the operator's mode switch."""

import asyncio
import secrets

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from btc_shared.api import RequestMetrics, health_response, install_error_handlers
from btc_shared.codes import ServiceName
from btc_shared.db import create_engine
from btc_shared.health import Health, Heartbeat
from btc_shared.service import HttpServer, run_until
from btc_shared.settings import EngineSettings, RiskSettings
from btc_shared.settings.runtime import RuntimeSettings, part
from exporter.control_routes import ControlRoutes
from exporter.exposition import CONTENT_TYPE
from exporter.operations import Operations
from exporter.scrape import Scraper
from exporter.sessions import Sessions
from exporter.settings import ExporterSettings


def create_app(settings: ExporterSettings, engine: AsyncEngine, health: Health, session_key: bytes) -> FastAPI:
    """The HTTP interface over a database."""
    runtime = RuntimeSettings(settings.venue, part(RiskSettings, settings), part(EngineSettings, settings))
    scraper = Scraper(engine, settings.venue, settings.symbol, runtime)
    control = ControlRoutes(Operations(engine, settings, runtime), Sessions(session_key), settings, runtime)
    app = FastAPI(title="BTC trading agent: exporter", openapi_url=None)
    install_error_handlers(app)

    # Both answer under any Host name: Prometheus and Docker call by names of their own, and nothing is changed here.
    @app.api_route("/metrics", methods=["GET", "HEAD"])
    async def metrics() -> Response:
        return Response(await scraper.body(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    @app.get("/health")
    async def health_route() -> Response:
        return await health_response(health, engine)

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("/mode")

    app.include_router(control.router())

    @app.middleware("http")
    async def never_cached(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.control_cors_origins,
        allow_methods=["GET", "POST", "PATCH"],
        allow_headers=["authorization", "content-type", "x-grafana-action"],
    )
    app.add_middleware(RequestMetrics)
    return app


async def main(settings: ExporterSettings, stop: asyncio.Event) -> None:
    """Serve until `stop`."""
    health = Health(ServiceName.EXPORTER)
    engine = create_engine(settings.database_url, application_name=str(ServiceName.EXPORTER))
    try:
        heartbeat = Heartbeat(engine, settings.venue, health)
        app = create_app(settings, engine, health, secrets.token_bytes(32))
        async with HttpServer(app, settings.bind_host, settings.port):
            await run_until(stop, heartbeat.run(stop))
    finally:
        await engine.dispose()
