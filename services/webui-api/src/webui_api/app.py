"""The API's composition root: read-only answers for programs, people and chat front ends."""

import asyncio

from fastapi import FastAPI
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from btc_shared.api import RequestMetrics, health_response, install_error_handlers
from btc_shared.codes import ServiceName
from btc_shared.db import create_engine
from btc_shared.health import Health, Heartbeat
from btc_shared.service import HttpServer, run_until
from btc_shared.settings import EngineSettings, RiskSettings
from btc_shared.settings.runtime import RuntimeSettings, part
from webui_api.page import page_router
from webui_api.queries import Queries
from webui_api.routes import api_router
from webui_api.settings import WebuiSettings
from webui_api.talk.routes import talk_router


def create_app(settings: WebuiSettings, engine: AsyncEngine, health: Health) -> FastAPI:
    """The HTTP interface over a database."""
    runtime = RuntimeSettings(settings.venue, part(RiskSettings, settings), part(EngineSettings, settings))
    app = FastAPI(
        title="BTC trading agent",
        description="What the agent sees, decides and has traded. Read-only: nothing here changes money or mode.",
        version="0.1.0",
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
    )
    install_error_handlers(app)

    @app.get("/health", include_in_schema=False)
    async def health_route() -> Response:
        return await health_response(health, engine)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    app.include_router(page_router(settings))
    queries = Queries(engine, settings.venue, settings.symbol, runtime)
    app.include_router(api_router(settings, queries))
    app.include_router(talk_router(settings, queries, engine, runtime))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.api_cors_origins,
        allow_methods=["GET"],
        allow_headers=["authorization", "content-type"],
    )
    app.add_middleware(RequestMetrics)
    return app


async def main(settings: WebuiSettings, stop: asyncio.Event) -> None:
    """Serve until `stop`."""
    health = Health(ServiceName.WEBUI_API)
    engine = create_engine(settings.database_url, application_name=str(ServiceName.WEBUI_API))
    try:
        heartbeat = Heartbeat(engine, settings.venue, health)
        async with HttpServer(create_app(settings, engine, health), settings.bind_host, settings.port):
            await run_until(stop, heartbeat.run(stop))
    finally:
        await engine.dispose()
