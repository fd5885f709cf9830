"""The control routes: who may ask, what was asked, and the answer for a program or a person."""

import secrets
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from btc_shared.api import ApiError, iso, same_secret
from btc_shared.codes import Mode, ServiceName
from btc_shared.figures import age_seconds, effective_mode, winding_down
from btc_shared.settings import SettingsError
from btc_shared.settings.runtime import RuntimeSettings
from exporter import overrides, page
from exporter.asking import Asked, asking, expect_no_body, wanted_live
from exporter.control import MODE_LABELS, MODE_NAMES, ModeOutcome
from exporter.operations import ForbiddenError, ModeFacts, NotAuthorisedError, Operations
from exporter.sessions import COOKIE, Session, Sessions
from exporter.settings import ExporterSettings
from exporter.words import age_text, words_for

NOTICES = frozenset({"dry", "live", "halted", "resumed", "in", "out"})
_REFUSED = {
    401: ("the control token is needed", {"WWW-Authenticate": "Bearer"}),
    403: ("the request is refused", {}),
    409: ("LIVE is refused", {}),
}

log = structlog.get_logger(__name__)


def mode_body(facts: ModeFacts, now: datetime) -> dict[str, Any]:
    """The answer to `GET /mode`: `live_mode`, `mode` and `label` are what is in effect."""
    in_effect, control = effective_mode(facts.beats), facts.control
    beat = facts.beats.get(ServiceName.EXECUTOR)
    return {
        "live_mode": in_effect is Mode.LIVE,
        "mode": MODE_NAMES[in_effect],
        "label": MODE_LABELS[in_effect],
        "requested": control.requested,
        "requested_at": iso(control.changed_at) if control.changed_at and control.version else None,
        "requested_age_seconds": age_seconds(control.changed_at, now)
        if control.changed_at and control.version
        else None,
        "effective": in_effect,
        "effective_at": iso(beat.beat_at) if beat else None,
        "effective_age_seconds": age_seconds(beat.beat_at, now) if beat else None,
        "halted": control.halted,
        "winding_down": winding_down(facts.ledgers, control.requested, in_effect),
        "live_possible": not facts.obstacles,
        "live_obstacles": list(facts.obstacles),
    }


def mode_answer(outcome: ModeOutcome) -> Response:
    """For a program: previous and current are the *requested* mode; the executor follows."""
    if outcome.status != 200:
        error, headers = _REFUSED[outcome.status]
        return JSONResponse(
            {"success": False, "error": error, "detail": list(outcome.reasons)}, outcome.status, headers=headers
        )
    return JSONResponse(
        {
            "success": True,
            "previous": MODE_NAMES[outcome.previous],
            "current": MODE_NAMES[outcome.current],
            "label": MODE_LABELS[outcome.current],
            "live_mode": outcome.current is Mode.LIVE,
        }
    )


class ControlRoutes:
    """Everything that an operator reaches: mode, kill switch, settings, and the page with its login."""

    def __init__(
        self, operations: Operations, sessions: Sessions, settings: ExporterSettings, runtime: RuntimeSettings
    ) -> None:
        self._operations, self._sessions = operations, sessions
        self._settings, self._runtime = settings, runtime

    def router(self) -> APIRouter:
        router = APIRouter()
        ask = Depends(asking(self._settings, self._sessions))

        @router.get("/mode")
        async def mode(request: Request, asked: Annotated[Asked, ask]) -> Response:
            facts = await self._operations.facts(asked.at)
            if not asked.wants_page:
                return JSONResponse(mode_body(facts, asked.at))
            notice = request.query_params.get("notice", "")
            message = words_for(asked.accept_language)[f"notice_{notice}"] if notice in NOTICES else None
            return self._page(asked, facts, message)

        @router.api_route("/toggle-mode", methods=["GET", "POST"])
        async def toggle_mode(asked: Annotated[Asked, ask]) -> Response:
            expect_no_body(asked)
            return await self._mode(asked, None)

        @router.api_route("/set-live", methods=["GET", "POST"])
        async def set_live(asked: Annotated[Asked, ask]) -> Response:
            expect_no_body(asked, "confirm")
            if asked.is_form and asked.fields.get("confirm") != "LIVE":
                raise ApiError(422, "LIVE was not confirmed", "type LIVE into the field above the button")
            return await self._mode(asked, Mode.LIVE)

        @router.api_route("/set-dry", methods=["GET", "POST"])
        async def set_dry(asked: Annotated[Asked, ask]) -> Response:
            expect_no_body(asked)
            return await self._mode(asked, Mode.DRY)

        @router.post("/set-mode")
        async def set_mode(asked: Annotated[Asked, ask]) -> Response:
            return await self._mode(asked, Mode.LIVE if wanted_live(asked) else Mode.DRY)

        @router.post("/halt")
        async def halt(asked: Annotated[Asked, ask]) -> Response:
            expect_no_body(asked)
            return await self._halt(asked, True)

        @router.post("/resume")
        async def resume(asked: Annotated[Asked, ask]) -> Response:
            expect_no_body(asked)
            return await self._halt(asked, False)

        @router.get("/config")
        async def config(asked: Annotated[Asked, ask]) -> Response:
            return JSONResponse(await self._config())

        @router.patch("/config")
        async def change_config(asked: Annotated[Asked, ask]) -> Response:
            return await self._change_config(asked)

        @router.post("/login")
        async def login(asked: Annotated[Asked, ask]) -> Response:
            return await self._login(asked)

        @router.post("/logout")
        async def logout(asked: Annotated[Asked, ask]) -> Response:
            if asked.caller.forbidden is not None:
                raise ApiError(403, "the request is refused", asked.caller.forbidden)
            response = _see_page("out")
            response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
            return response

        return router

    async def _mode(self, asked: Asked, wanted: Mode | None) -> Response:
        outcome = await self._operations.request_mode(wanted, asked.caller, asked.at)
        if not asked.wants_page:
            return mode_answer(outcome)
        if outcome.status == 200:
            return _see_page("live" if outcome.current is Mode.LIVE else "dry")
        message = " · ".join(outcome.reasons)
        if outcome.status == 401 and asked.session is not None and asked.session.authorised:
            message = words_for(asked.accept_language)["press_button"]
        facts = await self._operations.facts(asked.at)
        return self._page(asked, facts, message, outcome.status)

    async def _halt(self, asked: Asked, halted: bool) -> Response:
        try:
            before, after = await self._operations.set_halted(halted, asked.caller, asked.at)
        except (NotAuthorisedError, ForbiddenError) as error:
            return await self._refused(asked, error)
        if asked.wants_page:
            return _see_page("halted" if halted else "resumed")
        return JSONResponse(
            {
                "success": True,
                "previous": "halted" if before.halted else "running",
                "current": "halted" if after.halted else "running",
                "halted": after.halted,
                "live_mode": after.requested is Mode.LIVE,
            }
        )

    async def _refused(self, asked: Asked, error: NotAuthorisedError | ForbiddenError) -> Response:
        status = 401 if isinstance(error, NotAuthorisedError) else 403
        if asked.wants_page:
            return self._page(asked, await self._operations.facts(asked.at), str(error), status)
        title, headers = _REFUSED[status]
        return JSONResponse({"success": False, "error": title, "detail": [str(error)]}, status, headers=headers)

    async def _config(self) -> dict[str, Any]:
        changed_at = await self._operations.read_settings()
        return {
            "venue": self._settings.venue,
            "symbol": self._settings.symbol,
            "version": self._runtime.version,
            "changed_at": iso(changed_at) if changed_at else None,
            "settings": overrides.described(self._runtime),
            "problems": list(self._runtime.problems),
        }

    async def _change_config(self, asked: Asked) -> Response:
        try:
            changes = overrides.parse_changes(asked.body) if asked.caller.authorised else {}
            changed = await self._operations.change_settings(changes, asked.caller, asked.at)
        except SettingsError as error:
            raise ApiError(422, "nothing was changed: the settings are not valid", list(error.problems)) from error
        except (NotAuthorisedError, ForbiddenError) as error:
            return await self._refused(asked, error)
        return JSONResponse({"success": True, "changed": changed, **await self._config()})

    async def _login(self, asked: Asked) -> Response:
        token = self._settings.control_token
        words = words_for(asked.accept_language)
        if asked.caller.forbidden is not None:
            raise ApiError(403, "the request is refused", asked.caller.forbidden)
        if token is None or not same_secret(asked.fields.get("token", ""), token):
            log.warning("login_refused", origin=asked.caller.origin)
            message = words["wrong_token"] if token else words["no_token"]
            return self._page(asked, await self._operations.facts(asked.at), message, 401)
        response = _see_page("in")
        # A new id: what an earlier cookie of this browser was known by is worth nothing.
        self._set_cookie(response, asked, self._sessions.new(secrets.token_hex(16), asked.at, authorised=True))
        return response

    def _page(self, asked: Asked, facts: ModeFacts, message: str | None, status: int = 200) -> Response:
        session = asked.session or self._sessions.new(secrets.token_hex(16), asked.at, authorised=False)
        body = mode_body(facts, asked.at)

        def age(name: str) -> str | None:
            return age_text(body[name]) if body[name] is not None else None

        view = page.View(
            in_effect=body["effective"],
            in_effect_age=age("effective_age_seconds"),
            requested=body["requested"],
            requested_age=age("requested_age_seconds"),
            halted=body["halted"],
            winding_down=body["winding_down"],
            obstacles=facts.obstacles,
            logged_in=session.authorised,
            token_configured=self._settings.control_token is not None,
            form_value=self._sessions.form_value(session),
            message=message,
            message_is_bad=status != 200,
        )
        response = HTMLResponse(page.render(view, words_for(asked.accept_language)), status, headers=page.HEADERS)
        if asked.session is None:
            self._set_cookie(response, asked, session)
        return response

    def _set_cookie(self, response: Response, asked: Asked, session: Session) -> None:
        response.set_cookie(
            COOKIE,
            self._sessions.cookie(session),
            max_age=session.expires_at - int(asked.at.timestamp()),
            path="/",
            secure=asked.is_https,
            httponly=True,
            samesite="strict",
        )


def _see_page(notice: str) -> Response:
    """Send the browser to the page: reloading that repeats nothing."""
    return RedirectResponse(f"/mode?{urlencode({'notice': notice})}", 303)
