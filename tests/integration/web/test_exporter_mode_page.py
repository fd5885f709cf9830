"""The mode page over HTTP: its locks, its login, and what a person can do with it."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import text

TOKEN = {"Authorization": "Bearer a-token-of-the-tests-0123456789"}
BROWSER = {"User-Agent": "Mozilla/5.0", "Accept": "text/html,application/xhtml+xml"}
TYPED = {**BROWSER, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}
OWN_FORM = {**BROWSER, "Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:9092"}


def audit(seed: Any) -> list[Any]:
    return list(seed.connection.execute(text("SELECT * FROM audit ORDER BY id")))


def control(seed: Any) -> Any:
    return seed.connection.execute(text("SELECT * FROM control")).one_or_none()


async def live_possible(seed: Any, exporter: Any) -> Any:
    seed.preflight()
    return await exporter(ALLOW_LIVE="true")


def form_value(page: httpx.Response) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', page.text)
    assert found
    return found[1]


async def opened(client: httpx.AsyncClient) -> str:
    """Open the page as a browser does; returns what its forms carry."""
    page = await client.get("/mode", headers=TYPED)
    assert page.status_code == 200
    return form_value(page)


async def logged_in(client: httpx.AsyncClient) -> str:
    token = TOKEN["Authorization"].removeprefix("Bearer ")
    answer = await client.post("/login", data={"form": await opened(client), "token": token}, headers=OWN_FORM)
    assert answer.status_code == 303
    return await opened(client)


async def test_the_page_is_self_contained_and_locked_down(exporter: Any) -> None:
    page = await (await exporter()).get("/mode", headers=TYPED)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert not re.findall(r"""(?:src|href)=["'](?!/)""", page.text)
    assert page.headers["cache-control"] == "no-store"
    cookie = page.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    portuguese = await (await exporter()).get("/mode", headers={**TYPED, "Accept-Language": "pt-BR,pt;q=0.9"})
    assert "Em vigor" in portuguese.text


async def test_a_person_goes_live_by_logging_in_and_confirming(seed: Any, exporter: Any) -> None:
    client = await live_possible(seed, exporter)
    form = await logged_in(client)
    unconfirmed = await client.post("/set-live", data={"form": form, "confirm": "live"}, headers=OWN_FORM)
    assert unconfirmed.status_code == 422
    done = await client.post("/set-live", data={"form": form, "confirm": "LIVE"}, headers=OWN_FORM)
    assert (done.status_code, done.headers["location"]) == (303, "/mode?notice=live")
    assert control(seed).requested_mode == "live"
    again = await client.post("/set-live", data={"form": form, "confirm": "LIVE"}, headers=OWN_FORM)
    assert again.status_code == 303
    assert control(seed).version == 1
    assert audit(seed)[-1].route == "POST /set-live"
    assert audit(seed)[-1].origin == "127.0.0.1 Mozilla/5.0"
    await client.post("/set-dry", data={"form": form}, headers=OWN_FORM)
    assert control(seed).requested_mode == "dry"


async def test_the_cookie_alone_never_goes_live(seed: Any, exporter: Any) -> None:
    client = await live_possible(seed, exporter)
    form = await logged_in(client)
    assert client.cookies
    link = await client.get("/set-live", headers=TYPED)
    assert link.status_code == 401
    assert "confirm with the button" in link.text
    assert (await client.get("/toggle-mode", headers=TYPED)).status_code == 401
    for stolen in ("", "0" * 64, form[:-1] + ("0" if form[-1] != "0" else "1")):
        forged = await client.post("/set-live", data={"form": stolen, "confirm": "LIVE"}, headers=OWN_FORM)
        assert forged.status_code == 401
    neighbour = {**BROWSER, "Sec-Fetch-Site": "same-site", "Origin": "http://localhost:1234"}
    crossed = await client.post("/set-live", data={"form": "0" * 64, "confirm": "LIVE"}, headers=neighbour)
    assert crossed.status_code == 403
    assert control(seed).requested_mode == "dry"


async def test_a_forms_value_is_worth_nothing_in_another_session(seed: Any, exporter: Any) -> None:
    client = await live_possible(seed, exporter)
    anonymous = await opened(client)
    await logged_in(client)
    answer = await client.post("/set-live", data={"form": anonymous, "confirm": "LIVE"}, headers=OWN_FORM)
    assert answer.status_code == 401
    assert control(seed).requested_mode == "dry"


async def test_a_wrong_token_logs_nobody_in_and_logging_out_ends_it(seed: Any, exporter: Any) -> None:
    client = await live_possible(seed, exporter)
    wrong = await client.post("/login", data={"form": await opened(client), "token": "guess"}, headers=OWN_FORM)
    assert (wrong.status_code, 'name="token"' in wrong.text) == (401, True)
    form = await logged_in(client)
    await client.post("/logout", data={"form": form}, headers=OWN_FORM)
    assert 'name="token"' in (await client.get("/mode", headers=TYPED)).text
    after = await client.post("/set-live", data={"form": form, "confirm": "LIVE"}, headers=OWN_FORM)
    assert after.status_code == 401


async def test_an_old_browser_is_known_by_its_form(seed: Any, exporter: Any) -> None:
    client = await exporter()
    form = await opened(client)
    assert (await client.post("/halt", headers=BROWSER)).status_code == 403
    done = await client.post("/halt", data={"form": form}, headers=BROWSER)
    assert (done.status_code, done.headers["location"]) == (303, "/mode?notice=halted")
    assert control(seed).halted
    page = await client.get("/mode?notice=halted", headers=TYPED)
    assert "Entries are halted." in page.text
    assert "<b>" not in (await client.get("/mode?notice=<b>", headers=TYPED)).text


async def test_a_link_to_the_safe_side_works_once_and_reloading_its_answer_does_nothing(
    seed: Any, exporter: Any
) -> None:
    client = await live_possible(seed, exporter)
    await client.post("/set-live", headers=TOKEN)
    answer = await client.get("/toggle-mode", headers=TYPED)
    assert (answer.status_code, answer.headers["location"]) == (303, "/mode?notice=dry")
    assert control(seed).requested_mode == "dry"
    again = await client.get("/toggle-mode", headers=TYPED)
    assert again.status_code in (303, 401)
    assert (control(seed).requested_mode, control(seed).version) == ("dry", 2)


async def test_why_live_is_refused_is_shown_to_a_person(seed: Any, exporter: Any) -> None:
    seed.preflight(passed=False, reasons=("<b>the key may withdraw</b>",))
    client = await exporter(ALLOW_LIVE="true")
    form = await logged_in(client)
    page = await client.post("/set-live", data={"form": form, "confirm": "LIVE"}, headers=OWN_FORM)
    assert page.status_code == 409
    assert "&lt;b&gt;the key may withdraw" in page.text
    assert "<b>" not in page.text


async def test_winding_down_is_shown(seed: Any, exporter: Any) -> None:
    live = seed.other("live", "main")
    live.account()
    live.buy("50000", "0.002", datetime.now(UTC))
    client = await exporter()
    assert (await client.get("/mode")).json()["winding_down"] is True
    assert "A live position is open" in (await client.get("/mode", headers=TYPED)).text
