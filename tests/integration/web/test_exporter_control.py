"""The mode switch and the kill switch: who may, what is refused and why, and what is written down."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from btc_shared.codes import ServiceName

TOKEN = {"Authorization": "Bearer a-token-of-the-tests-0123456789"}
ANSWER = {"success", "previous", "current", "label", "live_mode"}


def audit(seed: Any) -> list[Any]:
    return list(seed.connection.execute(text("SELECT * FROM audit ORDER BY id")))


def control(seed: Any) -> Any:
    return seed.connection.execute(text("SELECT * FROM control")).one_or_none()


async def live_possible(seed: Any, exporter: Any) -> Any:
    seed.preflight()
    return await exporter(ALLOW_LIVE="true")


async def test_the_mode_tells_what_is_requested_and_what_is_in_effect_apart(seed: Any, exporter: Any) -> None:
    client = await live_possible(seed, exporter)
    bare = (await client.get("/mode")).json()
    assert (bare["live_mode"], bare["mode"], bare["label"]) == (False, "DRY_RUN", "DRY RUN")
    assert (bare["requested"], bare["effective"], bare["effective_age_seconds"]) == ("dry", "dry", None)
    await client.post("/set-live", headers=TOKEN)
    seed.beat(ServiceName.EXECUTOR, mode="dry", age=3)
    asked = (await client.get("/mode")).json()
    assert (asked["requested"], asked["effective"], asked["mode"], asked["live_mode"]) == (
        "live", "dry", "DRY_RUN", False,
    )  # fmt: skip
    assert asked["requested_at"].endswith("Z")
    assert asked["requested_age_seconds"] < 30
    assert 3 <= asked["effective_age_seconds"] < 30
    seed.beat(ServiceName.EXECUTOR, mode="live")
    done = (await client.get("/mode")).json()
    assert (done["mode"], done["live_mode"], done["label"]) == ("LIVE", True, "REAL")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/set-live", None),
        ("POST", "/set-live", None),
        ("GET", "/toggle-mode", None),
        ("POST", "/toggle-mode", None),
        ("POST", "/set-mode", {"live_mode": True}),
    ],
)
async def test_live_needs_the_token_then_its_conditions_on_every_route(
    seed: Any, exporter: Any, method: str, path: str, body: Any
) -> None:
    client = await exporter()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "btc_exporter_session=a.9999999999.1.b"}):
        refused = await client.request(method, path, json=body, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    blocked = await client.request(method, path, json=body, headers=TOKEN)
    assert blocked.status_code == 409
    reasons = blocked.json()["detail"]
    assert blocked.json()["success"] is False
    assert any("ALLOW_LIVE" in reason for reason in reasons)
    assert any("preflight" in reason for reason in reasons)
    assert control(seed).requested_mode == "dry"
    rows = audit(seed)
    assert [(row.kind, row.from_value, row.to_value, row.accepted) for row in rows] == [
        ("mode", "dry", "live", False)
    ] * 4
    assert rows[-1].route == f"{method} {path}"
    assert "ALLOW_LIVE" in rows[-1].reason
    allowed = await exporter(ALLOW_LIVE="true")
    seed.preflight(age=121)
    assert (await allowed.request(method, path, json=body, headers=TOKEN)).status_code == 409
    seed.preflight(passed=False, reasons=("the key may withdraw",))
    answer = await allowed.request(method, path, json=body, headers=TOKEN)
    assert (answer.status_code, answer.json()["detail"]) == (409, ["preflight: the key may withdraw"])
    seed.preflight(age=30)
    granted = await allowed.request(method, path, json=body, headers=TOKEN)
    assert granted.status_code == 200
    assert granted.json() == {
        "success": True, "previous": "DRY_RUN", "current": "LIVE", "label": "REAL", "live_mode": True,
    }  # fmt: skip
    assert (control(seed).requested_mode, control(seed).version) == ("live", 1)


async def test_without_a_configured_token_nobody_goes_live(seed: Any, exporter: Any) -> None:
    seed.preflight()
    client = await exporter(ALLOW_LIVE="true", CONTROL_TOKEN="")
    for headers in ({}, TOKEN, {"Authorization": "Bearer "}):
        for path in ("/set-live", "/resume"):
            answer = await client.post(path, headers=headers)
            assert answer.status_code == 401
            assert "CONTROL_TOKEN is not set" in answer.json()["detail"][0]
        assert (await client.patch("/config", json={"stop_loss_pct": 0.01}, headers=headers)).status_code == 401


@pytest.mark.parametrize(("method", "path"), [("GET", "/set-dry"), ("POST", "/set-dry"), ("POST", "/set-mode")])
async def test_the_safe_side_needs_no_token_and_repeats_change_nothing_twice(
    seed: Any, exporter: Any, method: str, path: str
) -> None:
    client = await live_possible(seed, exporter)
    await client.post("/set-live", headers=TOKEN)
    body = {"live_mode": False} if path == "/set-mode" else None
    first = await client.request(method, path, json=body)
    assert first.status_code == 200
    assert set(first.json()) == ANSWER
    assert (first.json()["previous"], first.json()["current"], first.json()["live_mode"]) == ("LIVE", "DRY_RUN", False)
    version = control(seed).version
    again = await client.request(method, path, json=body)
    assert (again.json()["success"], again.json()["previous"]) == (True, "DRY_RUN")
    assert control(seed).version == version
    assert [(row.from_value, row.to_value, row.accepted) for row in audit(seed)] == [
        ("dry", "live", True),
        ("live", "dry", True),
    ]


async def test_a_program_that_toggles_twice_means_it(seed: Any, exporter: Any) -> None:
    client = await live_possible(seed, exporter)
    modes = [(await client.post("/toggle-mode", headers=TOKEN)).json()["current"] for _ in range(3)]
    assert modes == ["LIVE", "DRY_RUN", "LIVE"]
    assert (await client.get("/toggle-mode")).json()["current"] == "DRY_RUN"


async def test_a_double_click_on_a_dashboards_toggle_counts_once(seed: Any, exporter: Any) -> None:
    client = await live_possible(seed, exporter)
    click = {**TOKEN, "Origin": "http://localhost:3002", "Sec-Fetch-Site": "same-site", "X-Grafana-Action": "1"}
    answers = [(await client.post("/toggle-mode", headers=click)).json() for _ in range(2)]
    assert [answer["current"] for answer in answers] == ["LIVE", "LIVE"]
    assert len(audit(seed)) == 1


async def test_two_operators_at_once_change_it_once_each(seed: Any, exporter: Any) -> None:
    client = await live_possible(seed, exporter)
    answers = await asyncio.gather(*(client.post("/toggle-mode", headers=TOKEN) for _ in range(6)))
    assert sorted(answer.json()["current"] for answer in answers) == ["DRY_RUN"] * 3 + ["LIVE"] * 3
    assert control(seed).version == 6
    changes = [(row.from_value, row.to_value) for row in audit(seed)]
    assert changes == [("dry", "live"), ("live", "dry")] * 3


@pytest.mark.parametrize(
    "body",
    [
        b'{"live_mode": "true"}', b'{"live_mode": 1}', b'{"live_mode": null}', b"{}", b"", b"[]", b"not json",
        b'{"live_mode": false, "force": true}', b'{"mode": "LIVE"}', b"true",
    ],
)  # fmt: skip
async def test_only_a_real_boolean_sets_the_mode(seed: Any, exporter: Any, body: bytes) -> None:
    client = await live_possible(seed, exporter)
    answer = await client.post("/set-mode", content=body, headers={**TOKEN, "Content-Type": "application/json"})
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "detail"}
    assert control(seed) is None


@pytest.mark.parametrize("path", ["/set-live", "/set-dry", "/toggle-mode", "/halt", "/resume"])
async def test_a_body_that_a_route_does_not_know_changes_nothing(seed: Any, exporter: Any, path: str) -> None:
    client = await live_possible(seed, exporter)
    for content, kind in (
        (b'{"live_mode": false}', "application/json"),
        (b"when=now", "application/x-www-form-urlencoded"),
    ):
        answer = await client.post(path, content=content, headers={**TOKEN, "Content-Type": kind})
        assert answer.status_code == 422
    assert control(seed) is None
    assert (await client.post(path, content=b"x" * 70_000, headers=TOKEN)).status_code == 413


async def test_the_kill_switch_is_pulled_by_anyone_and_released_with_the_token(seed: Any, exporter: Any) -> None:
    client = await exporter()
    halted = await client.post("/halt")
    assert (halted.status_code, halted.json()["halted"], halted.json()["previous"]) == (200, True, "running")
    assert (await client.post("/halt")).json()["previous"] == "halted"
    assert control(seed).halted
    assert (await client.get("/mode")).json()["halted"] is True
    assert (await client.post("/resume")).status_code == 401
    assert control(seed).halted
    resumed = await client.post("/resume", headers=TOKEN)
    assert (resumed.status_code, resumed.json()["halted"], control(seed).halted) == (200, False, False)
    await client.post("/resume", headers=TOKEN)
    assert [(row.kind, row.accepted) for row in audit(seed)] == [("halt", True), ("resume", False), ("resume", True)]
    assert (await client.get("/halt")).status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:1234"},
        {"Sec-Fetch-Site": "same-site", "Referer": "http://localhost:1234/x"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9092.evil.example"},
        {"Referer": "http://evil.example/localhost:9092"},
        {"User-Agent": "Mozilla/5.0 (an old browser that hides its referer)"},
        {"Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"},
    ],
)
async def test_a_foreign_page_changes_nothing_not_even_to_the_safe_side(
    seed: Any, exporter: Any, headers: dict[str, str]
) -> None:
    client = await live_possible(seed, exporter)
    await client.post("/set-live", headers=TOKEN)
    for method, path in (("GET", "/set-dry"), ("POST", "/set-dry"), ("GET", "/toggle-mode"), ("POST", "/halt")):
        answer = await client.request(method, path, headers=headers)
        assert answer.status_code == 403, (method, path)
        assert "access-control-allow-origin" not in answer.headers
    assert (control(seed).requested_mode, control(seed).halted) == ("live", False)
    refused = await client.get("/set-live", headers={**headers, **TOKEN})
    assert refused.status_code == 403
    assert (audit(seed)[-1].accepted, audit(seed)[-1].to_value) == (False, "live")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3002"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:3002"},
        {"Sec-Fetch-Site": "same-site", "Referer": "http://localhost:3002/d/btc-trading-monitor"},
        {"Referer": "http://localhost:9092/mode", "User-Agent": "Mozilla/4.0"},
    ],
)
async def test_programs_our_page_and_the_dashboard_reach_the_safe_side(
    seed: Any, exporter: Any, headers: dict[str, str]
) -> None:
    client = await exporter()
    assert (await client.post("/halt", headers=headers)).status_code == 200
    assert control(seed).halted


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9092", "localhost.evil.example", "10.0.0.7:9092", ""])
async def test_a_foreign_name_for_this_machine_reaches_no_control_route(exporter: Any, host: str) -> None:
    client = await exporter(ALLOWED_HOSTS="trader.lan, [fd00::7]")
    for path in ("/mode", "/config", "/set-dry"):
        answer = await client.get(path, headers={"Host": host})
        assert answer.status_code == 403
        assert "ALLOWED_HOSTS" in answer.json()["error"]
    for path in ("/metrics", "/health"):
        assert (await client.get(path, headers={"Host": host})).status_code == 200
    for own in ("localhost", "127.0.0.1:9092", "[::1]:9092", "trader.lan:80", "TRADER.LAN.", "[fd00::7]:9092"):
        assert (await client.get("/mode", headers={"Host": own})).status_code == 200, own


async def test_only_the_dashboards_origins_may_use_it_from_scripts(exporter: Any) -> None:
    client = await exporter()
    ask = {
        "Origin": "http://localhost:3002",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-grafana-action",
    }
    allowed = await client.options("/set-live", headers=ask)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "http://localhost:3002"
    assert "origin" in allowed.headers["vary"].lower()
    assert "access-control-allow-credentials" not in allowed.headers
    for origin in ("http://evil.example", "http://localhost:3003", "https://localhost:3002"):
        denied = await client.options("/set-live", headers={**ask, "Origin": origin})
        assert "access-control-allow-origin" not in denied.headers
    assert (await client.get("/mode")).headers["vary"] == "Origin"


async def test_refusals_cannot_fill_the_audit_table(seed: Any, exporter: Any) -> None:
    client = await exporter()
    for _ in range(105):
        await client.get("/set-live", headers={"User-Agent": "x" * 500 + "\x07"})
    rows = audit(seed)
    assert len(rows) == 100
    assert all(row.origin.startswith("127.0.0.1 xxx") and len(row.origin) <= 120 for row in rows)
    assert (await client.post("/halt")).status_code == 200
    assert audit(seed)[-1].kind == "halt"
