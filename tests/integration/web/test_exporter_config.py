"""Run-time settings: shown with their source, changed as a whole or not at all, and what readers make of them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from btc_shared.db import create_engine
from btc_shared.settings import EngineSettings, RiskSettings
from btc_shared.settings.runtime import RuntimeSettings

TOKEN = {"Authorization": "Bearer a-token-of-the-tests-0123456789"}


def stored(seed: Any) -> Any:
    return seed.connection.execute(text("SELECT version, values FROM runtime_settings")).one_or_none()


def audit(seed: Any) -> list[Any]:
    return list(seed.connection.execute(text("SELECT * FROM audit WHERE kind = 'settings' ORDER BY id")))


async def test_every_setting_is_shown_with_its_source_and_no_secret(exporter: Any) -> None:
    client = await exporter(STOP_LOSS_PCT="0.03", MAX_DAILY_TRADES="9")
    await client.patch("/config", json={"max_daily_trades": 7, "poll_interval": 2.5}, headers=TOKEN)
    answer = await client.get("/config")
    settings = answer.json()["settings"]
    assert set(settings) == set(RiskSettings.model_fields) | set(EngineSettings.model_fields)
    assert (settings["stop_loss_pct"]["value"], settings["stop_loss_pct"]["source"]) == (0.03, "environment")
    assert (settings["max_daily_trades"]["value"], settings["max_daily_trades"]["source"]) == (7, "run-time")
    assert (settings["take_profit_pct"]["value"], settings["take_profit_pct"]["source"]) == (0.03, "default")
    assert (settings["poll_interval"]["value"], settings["poll_interval"]["group"]) == (2.5, "engine")
    assert answer.json()["version"] == 1
    assert TOKEN["Authorization"].split()[1] not in answer.text
    assert "postgresql" not in answer.text


async def test_a_run_time_value_wins_over_the_environment_until_it_is_unset(seed: Any, exporter: Any) -> None:
    client = await exporter(STOP_LOSS_PCT="0.03")
    changed = await client.patch("/config", json={"stop_loss_pct": 0.0125}, headers=TOKEN)
    assert (changed.status_code, changed.json()["changed"]) == (200, ["stop_loss_pct"])
    assert changed.json()["settings"]["stop_loss_pct"]["value"] == 0.0125
    assert stored(seed).values == {"stop_loss_pct": "0.0125"}
    repeated = await client.patch("/config", json={"stop_loss_pct": "0.0125"}, headers=TOKEN)
    assert (repeated.json()["changed"], stored(seed).version) == ([], 1)
    unset = await client.patch("/config", json={"stop_loss_pct": None}, headers=TOKEN)
    assert unset.json()["settings"]["stop_loss_pct"] == {
        **changed.json()["settings"]["stop_loss_pct"], "value": 0.03, "source": "environment",
    }  # fmt: skip
    assert (stored(seed).version, stored(seed).values) == (2, {})
    first, second = audit(seed)
    assert (json.loads(first.from_value), json.loads(first.to_value)) == (
        {"stop_loss_pct": None},
        {"stop_loss_pct": "0.0125"},
    )
    assert json.loads(second.to_value) == {"stop_loss_pct": None}
    assert first.route == "PATCH /config"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"stop_loss_pct": 0.01, "stop_los_pct": 0.01}, ["stop_los_pct"]),
        ({"stop_loss_pct": 0.01, "max_daily_trades": "many"}, ["MAX_DAILY_TRADES"]),
        ({"stop_loss_pct": 0.01, "max_daily_trades": 1.5}, ["MAX_DAILY_TRADES"]),
        ({"stop_loss_pct": 2, "taker_fee": -1, "nonsense": 1}, ["STOP_LOSS_PCT", "TAKER_FEE", "nonsense"]),
        ({"stop_loss_pct": True}, ["stop_loss_pct"]),
        ({"stop_loss_pct": [0.01]}, ["stop_loss_pct"]),
        ({"stop_loss_pct": ""}, ["stop_loss_pct"]),
        ({"stop_loss_pct": "  "}, ["stop_loss_pct"]),
        ({"weight_flow": 0.5, "stop_loss_pct": 0.01}, ["WEIGHT_FLOW"]),
        ({"control_token": "a-new-token-0123456789", "stop_loss_pct": 0.01}, ["control_token"]),
        ({"allow_live": True}, ["allow_live"]),
        ({}, ["JSON object"]),
        ([], ["JSON object"]),
    ],
)
async def test_one_wrong_setting_changes_nothing_and_every_problem_is_named(
    seed: Any, exporter: Any, body: Any, named: list[str]
) -> None:
    answer = await (await exporter()).patch("/config", json=body, headers=TOKEN)
    assert answer.status_code == 422
    problems = answer.json()["detail"]
    for name in named:
        assert any(name in problem for problem in problems), problems
    row = stored(seed)
    assert row is None or (row.version, row.values) == (0, {})
    assert audit(seed) == []


@pytest.mark.parametrize("body", [b"", b"not json", b'{"stop_loss_pct": NaN}', b'{"a": 1, "a": 2}', b"[" * 5000])
async def test_a_body_that_is_not_a_plain_json_object_is_refused(exporter: Any, body: bytes) -> None:
    answer = await (await exporter()).patch("/config", content=body, headers=TOKEN)
    assert answer.status_code == 422


async def test_rules_between_settings_hold_over_what_is_stored_already(exporter: Any) -> None:
    client = await exporter()
    both = {"weight_flow": 0.35, "weight_technical": 0.2}
    assert (await client.patch("/config", json=both, headers=TOKEN)).status_code == 200
    half = await client.patch("/config", json={"weight_flow": None}, headers=TOKEN)
    assert half.status_code == 422
    assert (await client.patch("/config", json=dict.fromkeys(both), headers=TOKEN)).status_code == 200


async def test_settings_need_the_token_and_our_own_or_an_allowed_page(seed: Any, exporter: Any) -> None:
    client = await exporter()
    body = {"stop_loss_pct": 0.01}
    assert (await client.patch("/config", json=body)).status_code == 401
    assert (await client.patch("/config", content=b"not json")).status_code == 401
    foreign = await client.patch("/config", json=body, headers={**TOKEN, "Origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert stored(seed) is None


async def test_changes_at_the_same_moment_are_all_kept(seed: Any, exporter: Any) -> None:
    client = await exporter()
    names = ["stop_loss_pct", "take_profit_pct", "trailing_distance_pct", "max_price_jump", "taker_fee"]
    answers = await asyncio.gather(*(client.patch("/config", json={name: 0.04}, headers=TOKEN) for name in names))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert stored(seed).version == 5
    assert stored(seed).values == dict.fromkeys(names, "0.04")


async def test_the_services_that_trade_see_a_change_and_keep_the_last_good_settings(
    seed: Any, exporter: Any, postgres_url: str
) -> None:
    client = await exporter()
    reader = RuntimeSettings("practice", RiskSettings(), EngineSettings())
    engine = create_engine(postgres_url, application_name="test")
    async with engine.connect() as connection:
        assert await reader.refresh(connection) is False
        await connection.rollback()
        await client.patch("/config", json={"max_daily_trades": 3, "poll_interval": 1}, headers=TOKEN)
        assert await reader.refresh(connection) is True
        assert (reader.risk.max_daily_trades, reader.engine.poll_interval, reader.version) == (3, 1.0, 1)
        assert await reader.refresh(connection) is False
        await connection.rollback()
        seed.connection.execute(
            text(
                """UPDATE runtime_settings SET version = 2,"""
                """ values = '{"max_daily_trades": "-4", "poll_interval": "1"}'"""
            )
        )
        assert await reader.refresh(connection) is False
        assert reader.risk.max_daily_trades == 3
        assert "MAX_DAILY_TRADES" in reader.problems[0]
    await engine.dispose()
    shown = (await client.get("/config")).json()
    assert "MAX_DAILY_TRADES" in shown["problems"][0]
    assert (await client.patch("/config", json={"max_daily_trades": None}, headers=TOKEN)).status_code == 200
    assert (await client.get("/config")).json()["problems"] == []


def test_the_process_serves_beats_and_stops(seed: Any, postgres_url: str, service_process: Callable[..., Any]) -> None:
    token = TOKEN["Authorization"].split()[1]
    process = service_process(
        "exporter", {"DATABASE_URL": postgres_url, "VENUE": "practice", "CONTROL_TOKEN": token, "LOG_LEVEL": "debug"}
    )
    process.start()
    address = f"http://127.0.0.1:{process.port}"
    metrics = httpx.get(f"{address}/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "\nbtc_exporter_up 1\n" in f"\n{metrics.text}"
    assert httpx.head(f"{address}/metrics").content == b""
    assert httpx.post(f"{address}/halt").json()["halted"] is True
    assert httpx.post(f"{address}/resume", headers=TOKEN).json()["halted"] is False
    assert process.kill(15) == 0
    assert token not in process.log()
    assert seed.connection.execute(text("SELECT status FROM heartbeats WHERE service = 'exporter'")).scalar_one()
