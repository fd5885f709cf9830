"""From an HTTP request to who asks for what: body, form, session, authority."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from starlette.requests import Request

from btc_shared import clock
from btc_shared.api import ApiError, bearer, same_secret
from exporter import guard
from exporter.control import Caller
from exporter.sessions import COOKIE, Session, Sessions
from exporter.settings import ExporterSettings

MAX_BODY_BYTES = 65_536
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request to a control route. `fields` are those of a form; `body` is what else came."""

    caller: Caller
    session: Session | None
    fields: Mapping[str, str]
    body: bytes
    is_form: bool
    wants_page: bool
    accept_language: str
    is_https: bool
    at: datetime


Asking = Callable[[Request], Awaitable[Asked]]


def asking(settings: ExporterSettings, sessions: Sessions) -> Asking:
    """The dependency that control routes use."""

    async def read(request: Request) -> Asked:
        headers, now = request.headers, clock.now()
        problem = guard.host_problem(headers, settings.allowed_hosts)
        if problem is not None:
            raise ApiError(403, problem)
        body = await _body(request)
        is_form = headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM
        fields = _fields(body) if is_form else {}
        session = sessions.read(request.cookies.get(COOKIE), now)
        own_form = request.method == "POST" and session is not None and sessions.owns(session, fields.get("form", ""))
        token = bearer(headers)
        by_token = (
            token is not None and settings.control_token is not None and same_secret(token, settings.control_token)
        )
        client = request.client.host if request.client else "unknown address"
        caller = Caller(
            route=f"{request.method} {request.url.path}",
            origin=guard.described_client(client, headers.get("user-agent", "")),
            authorised=by_token or (own_form and session is not None and session.authorised),
            is_browser=guard.is_browser(headers),
            forbidden=None if own_form else guard.cross_site_problem(headers, settings.control_cors_origins),
        )
        return Asked(
            caller=caller,
            session=session,
            fields=fields,
            body=body,
            is_form=is_form,
            wants_page=guard.wants_page(headers),
            accept_language=headers.get("accept-language", ""),
            is_https=request.url.scheme == "https",
            at=now,
        )

    return read


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    return body


def _fields(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError as error:
        raise ApiError(422, "the form cannot be read", str(error)) from error


def expect_no_body(asked: Asked, *form_fields: str) -> None:
    """Refuse a body that says something: these routes take their meaning from the path alone.

    Raises:
        ApiError: 422 for anything but nothing, `{}` or the page's own form.
    """
    unknown = sorted(asked.fields.keys() - {"form", *form_fields})
    if unknown:
        raise ApiError(422, "the form has fields that this route does not know", unknown)
    if not asked.is_form and asked.body.strip() not in (b"", b"{}"):
        raise ApiError(422, "this route takes no body", "send no body, or an empty JSON object")


def wanted_live(asked: Asked) -> bool:
    """The body of `POST /set-mode`.

    Raises:
        ApiError: 422 unless it is exactly `{"live_mode": true}` or `{"live_mode": false}`.
    """
    try:
        body = json.loads(asked.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or body.keys() != {"live_mode"} or not isinstance(body["live_mode"], bool):
        raise ApiError(422, "the body is not valid", 'send {"live_mode": true} or {"live_mode": false}')
    return body["live_mode"]
