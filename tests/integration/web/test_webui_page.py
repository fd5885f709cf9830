"""The page for a person over HTTP: who gets it, its locks, its files, its two languages."""

import json
import re
from html import unescape
from typing import Any

import pytest

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en-GB,en"}
CANARY = "<script>alert('canary')</script>"


async def test_a_browser_gets_the_page_and_a_program_the_status(webui: Any) -> None:
    client = await webui()
    page = await client.get("/", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for accept in ("*/*", "application/json"):
        answer = await client.get("/", headers={"Accept": accept}, follow_redirects=True)
        assert answer.json()["status"] == "offline"
        assert "Accept" in answer.history[0].headers["vary"]
    assert "Accept" in page.headers["vary"]


async def test_the_page_and_its_files_are_locked_down(webui: Any) -> None:
    client = await webui()
    page = await client.get("/", headers=BROWSER)
    files = re.findall(r'(?:src|href)="(/page/[^"]+)"', page.text)
    assert {name.rpartition(".")[2] for name in files} == {"js", "css", "svg"}
    for path in ("/", *files, "/page/charts.js", "/page/view.js"):
        answer = await client.get(path, headers=BROWSER)
        assert answer.status_code == 200, path
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        for kind in ("script-src", "style-src", "img-src", "connect-src"):
            assert policy[kind] == "'self'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("name", "kind"), [("app.js", "text/javascript"), ("style.css", "text/css"), ("icon.svg", "image/svg+xml")]
)
async def test_files_have_their_type(webui: Any, name: str, kind: str) -> None:
    answer = await (await webui()).get(f"/page/{name}")
    assert answer.headers["content-type"].startswith(kind)
    assert len(answer.content) > 100


@pytest.mark.parametrize("path", ["page.html", "../app.py", "..%2fapp.py", "%2e%2e/settings.py", ""])
async def test_no_other_file_is_served(webui: Any, path: str) -> None:
    answer = await (await webui()).get(f"/page/{path}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "detail"}


@pytest.mark.parametrize(("header", "language", "title"), [("pt-BR,pt", "pt-BR", "Agente"), ("en", "en", "agent")])
async def test_the_page_speaks_the_browsers_language(webui: Any, header: str, language: str, title: str) -> None:
    page = (await (await webui()).get("/", headers={**BROWSER, "Accept-Language": header})).text
    assert f'<html lang="{language}">' in page
    assert title in page
    attribute = re.search(r'data-words="([^"]*)"', page)
    assert attribute
    assert json.loads(unescape(attribute[1]))["language"] == language


async def test_the_shell_holds_no_data_and_needs_no_token(seed: Any, webui: Any) -> None:
    seed.running()
    seed.decision(action="BUY", reasons={"decision": CANARY, "technical": CANARY}, outcome_detail=CANARY)
    client = await webui(API_TOKEN="an-api-token-of-the-tests", EXPORTER_PORT="19092", GRAFANA_PORT="0")
    page = await client.get("/", headers=BROWSER)
    assert page.status_code == 200
    for path in ("/", "/page/app.js", "/page/view.js", "/page/charts.js", "/health", "/openapi.json"):
        assert "canary" not in (await client.get(path, headers=BROWSER)).text
    assert "50000" not in page.text
    assert 'data-exporter-port="19092" data-grafana-port="0"' in page.text
    token = {"Authorization": "Bearer an-api-token-of-the-tests", **BROWSER}
    answer = await client.get("/api/decisions", headers=token)
    # The canary is in the data, as JSON: no browser takes that for a page.
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()[0]["reasons"]["decision"] == CANARY
