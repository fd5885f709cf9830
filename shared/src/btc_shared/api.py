"""What the services' HTTP interfaces have in common: JSON errors, bearer tokens, request metrics, `/health`."""

import hmac
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import Histogram
from pydantic import BeforeValidator, SecretStr
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from btc_shared.db.engine import is_connection_lost
from btc_shared.db.reads import snapshot
from btc_shared.health import Health, database_outage

HEALTH_TIMEOUT_SECS = 3.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "OPTIONS"})

log = structlog.get_logger(__name__)
request_seconds = Histogram(
    "http_request_duration_seconds", "Time to answer an HTTP request", ["method", "route", "status"]
)


def iso(moment: datetime) -> str:
    """An aware time as ISO-8601 UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


class ApiError(Exception):
    """Ends a request with `{"error": ..., "detail": ...}` and a 4xx or 5xx status."""

    def __init__(self, status: int, error: str, detail: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.detail, self.headers = status, error, detail, headers

    def response(self) -> JSONResponse:
        return JSONResponse(
            {"error": self.error, "detail": self.detail}, status_code=self.status, headers=dict(self.headers or {})
        )


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of `app` in the one shape; what is not expected is logged, and nothing of it is told."""

    async def api_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return error.response()

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        said = {404: f"there is no {request.url.path}", 405: f"{request.method} is not allowed here"}
        return ApiError(
            error.status_code, said.get(error.status_code, str(error.detail)), None, error.headers
        ).response()

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        problems = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        return ApiError(422, "the request is not valid", problems).response()

    async def database(_: Request, error: Exception) -> JSONResponse:
        if isinstance(error, SQLAlchemyError) and not is_connection_lost(error):
            return await unexpected(_, error)
        database_outage.failed(error)
        return ApiError(503, "the database cannot be read", "try again in some seconds").response()

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", path=request.url.path, exc_info=error)
        return ApiError(500, "the service failed", "its log says why").response()

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(SQLAlchemyError, database)
    app.add_exception_handler(OSError, database)
    app.add_exception_handler(Exception, unexpected)


def same_secret(given: str, expected: SecretStr) -> bool:
    """Compare in a time that does not depend on where the texts differ."""
    return hmac.compare_digest(given.encode(), expected.get_secret_value().encode())


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization: Bearer` header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def health_response(health: Health, engine: AsyncEngine) -> JSONResponse:
    """The answer to `GET /health`: the service's checks and a look at the database; 503 when it cannot serve."""
    serving, body = health.report()
    try:
        async with snapshot(engine, timeout_secs=HEALTH_TIMEOUT_SECS) as connection:
            await connection.execute(text("SELECT version_num FROM alembic_version"))
        database_outage.over()
        database = {"ok": True, "detail": "readable"}
    except (SQLAlchemyError, OSError) as error:
        database_outage.failed(error)
        database = {"ok": False, "detail": "cannot be read, or its tables are missing; the log says why"}
        serving = False
    body["checks"]["database"] = database
    body["status"] = body["status"] if database["ok"] else "degraded"
    return JSONResponse(body, status_code=200 if serving else 503)


class RequestMetrics:
    """ASGI middleware that times every request by method, route and status."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.perf_counter) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = self._clock(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "other")  # never the raw path: anyone can invent those
            request_seconds.labels(method, route, str(status)).observe(self._clock() - started)


_ORIGIN = re.compile(r"^https?://[a-z0-9.\-\[\]:]+$")


def split_list(value: Any) -> Any:
    """`"a, b"` as `("a", "b")`; anything else as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _origins(value: Any) -> Any:
    parts = split_list(value)
    for part in parts if isinstance(parts, tuple) else ():
        if not _ORIGIN.match(part):
            raise ValueError(f"{part!r} is not an origin")
    return parts


CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(split_list)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_origins)]
"""A setting with web origins, comma separated: scheme, host and port, without a path; never `*`."""
