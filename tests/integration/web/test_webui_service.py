"""The API as a service: its token, its answers while the database is away, one snapshot per answer, its document."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine

from btc_shared.db.engine import driver_url

API_TOKEN = "an-api-token-of-the-tests"


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The address of a database where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"postgresql://agent:canary-password@127.0.0.1:{taken.getsockname()[1]}/agent"


async def test_without_a_token_setting_none_is_asked_for(webui: Any) -> None:
    assert (await (await webui()).get("/api/trades")).status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic an-api-token-of-the-tests", "Bearer "])
async def test_with_a_token_setting_every_answer_needs_it(webui: Any, header: str | None) -> None:
    client = await webui(API_TOKEN=API_TOKEN)
    headers = {"Authorization": header} if header else {}
    for path in ("price", "analysis", "status", "trades", "performance", "decisions"):
        answer = await client.get(f"/api/{path}", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert set(answer.json()) == {"error", "detail"}
    assert (await client.get("/health")).status_code == 200
    granted = await client.get("/api/trades", headers={"Authorization": f"Bearer {API_TOKEN}"})
    assert granted.status_code == 200


async def test_no_web_page_may_read_unless_its_origin_is_listed(webui: Any) -> None:
    closed = await (await webui()).get("/api/trades", headers={"Origin": "http://localhost:3000"})
    assert "access-control-allow-origin" not in closed.headers
    client = await webui(API_CORS_ORIGINS="http://localhost:3000, http://chat.lan")
    opened = await client.get("/api/trades", headers={"Origin": "http://chat.lan"})
    assert opened.headers["access-control-allow-origin"] == "http://chat.lan"
    other = await client.get("/api/trades", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert other.headers["vary"] == "Origin"


async def test_while_the_database_is_away_every_answer_is_a_503_without_its_address(webui: Any, nowhere: str) -> None:
    client = await webui(database_url=nowhere)
    for path in ("/api/status", "/api/trades", "/api/price", "/api/performance", "/api/decisions"):
        answer = await client.get(path)
        assert answer.status_code == 503
        assert answer.json()["error"] == "the database cannot be read"
        assert "canary-password" not in answer.text
    health = await client.get("/health")
    assert health.status_code == 503
    assert health.json()["service"] == "webui-api"
    assert health.json()["status"] == "degraded"
    assert health.json()["checks"]["database"]["ok"] is False


async def test_figures_of_one_answer_belong_to_one_moment(seed: Any, webui: Any, postgres_url: str) -> None:
    seed.account("1000")
    seed.market("50000", "50001")
    client = await webui()
    engine = create_engine(driver_url(postgres_url))
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def trade() -> None:
        with engine.connect() as connection:
            writer = type(seed)(connection)
            for number in range(30):
                with connection.begin():
                    writer.buy("50000", "0.004", datetime.now(UTC))
                loop.call_soon_threadsafe(begun.set)
                with connection.begin():
                    writer.sell(str(49000 + 100 * number), "0.004", datetime.now(UTC))

    writing = asyncio.create_task(asyncio.to_thread(trade))
    await begun.wait()
    answers = 0
    while not writing.done() or answers < 5:
        for path, key in (("/api/performance", None), ("/api/status", "performance")):
            body = (await client.get(path)).json()
            figures = body[key] if key else body
            expected = 1000 + figures["total_pnl"] + figures["unrealized_pnl"]
            assert figures["equity"] == pytest.approx(expected, abs=1e-6)
        answers += 1
    await writing
    engine.dispose()
    assert (await client.get("/api/performance")).json()["total_trades"] == 60


async def test_the_document_is_complete_enough_to_be_used_as_tools(webui: Any) -> None:
    document = (await (await webui()).get("/openapi.json")).json()
    paths = {path for path in document["paths"] if path.startswith("/api/")}
    names = ("price", "analysis", "status", "trades", "performance", "decisions", "equity", "candles", "signal", "ask")
    assert paths == {f"/api/{name}" for name in names}
    operations = [operation for path in paths for operation in document["paths"][path].values()]
    assert len({operation["operationId"] for operation in operations}) == len(paths)
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert all(parameter["description"] for parameter in operation.get("parameters", []))
        assert "200" in operation["responses"]
    (limit, _) = document["paths"]["/api/trades"]["get"]["parameters"]
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 1000)


def test_the_process_serves_beats_and_stops(seed: Any, postgres_url: str, service_process: Callable[..., Any]) -> None:
    process = service_process("webui_api", {"DATABASE_URL": postgres_url, "VENUE": "practice"})
    process.start()
    address = f"http://127.0.0.1:{process.port}"
    assert httpx.get(f"{address}/api/status").json()["status"] == "offline"
    metrics = httpx.get(f"{address}/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'http_request_duration_seconds_count{method="GET",route="/api/status",status="200"} 1.0' in metrics.text
    beats = httpx.get(f"{address}/api/status").json()["services"]["webui-api"]
    assert beats["status"] in ("healthy", "starting")
    assert process.kill(15) == 0


def test_wrong_settings_end_the_process_with_every_problem_named(service_process: Callable[..., Any]) -> None:
    process = service_process("webui_api", {"DATABASE_URL": "", "API_TOKEN": "short", "API_CORS_ORIGINS": "*"})
    with pytest.raises(AssertionError, match="ended with 2"):
        process.start()
    log = process.log()
    assert "DATABASE_URL is not set" in log
    assert "API_TOKEN is (hidden)" in log
    assert "short" not in log.replace("too short", "")
    assert "API_CORS_ORIGINS is '*'" in log
