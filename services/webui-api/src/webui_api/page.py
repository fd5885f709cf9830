"""The page for a person: a shell in two languages, whose own script asks the API for everything that it shows.

The shell and its files hold no data, so they need no token; the script asks the person for it and sends it.
"""

import json
from html import escape
from importlib import resources
from string import Template

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from webui_api.settings import WebuiSettings
from webui_api.words import words_for

# Everything is our own, and nothing is allowed inline. Trusted types: no text can become markup in any script.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # a newer version shows at the next load
}
_TYPES = {
    "app.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def page_router(settings: WebuiSettings) -> APIRouter:
    """`GET /` and the page's files."""
    files = resources.files("webui_api") / "static"
    shell = Template((files / "page.html").read_text(encoding="utf-8"))
    contents = {name: (files / name).read_bytes() for name in _TYPES}
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def root(request: Request) -> Response:
        """The page for callers that take HTML; all others are sent to the status, as JSON."""
        vary = {"Vary": "Accept, Accept-Language"}
        if "text/html" not in request.headers.get("accept", ""):
            return RedirectResponse("/api/status", headers=vary)
        words = words_for(request.headers.get("accept-language", ""))
        page = shell.substitute(
            {name: escape(text) for name, text in words.items()},
            words=escape(json.dumps(dict(words), ensure_ascii=False)),
            exporter_port=settings.exporter_port,
            grafana_port=settings.grafana_port,
        )
        return HTMLResponse(page, headers={**HEADERS, **vary})

    def serve(name: str) -> None:
        @router.get(f"/page/{name}")
        async def file() -> Response:
            return Response(contents[name], media_type=_TYPES[name], headers=HEADERS)

    for name in contents:
        serve(name)
    return router
