"""`/metrics` over a real database: names, types, values, and what it costs."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from btc_cli.embedded import running_postgres
from btc_shared.codes import ServiceName
from btc_shared.db import create_engine, reads
from btc_shared.db.__main__ import migrate
from btc_shared.settings import RiskSettings
from exporter import repository

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FEE = Decimal("0.001")
Labels = frozenset[tuple[str, str]]


def hours_ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def values(body: str) -> dict[tuple[str, Labels], float]:
    """Every sample of an exposition, by its exact name: told a counter's type, this parser would add `_total`."""
    untyped = "".join(line for line in body.splitlines(keepends=True) if not line.startswith("# TYPE "))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(untyped)
        for sample in family.samples
    }


def value(found: dict[tuple[str, Labels], float], name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def types(body: str) -> dict[str, str]:
    return {line.split()[2]: line.split()[3] for line in body.splitlines() if line.startswith("# TYPE ")}


async def scrape(client: Any) -> dict[tuple[str, Labels], float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return values(answer.text)


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5",
        "text/html",
        "application/json",
    ],
)
async def test_whatever_is_asked_for_the_format_is_the_plain_text_one(
    seed: Any, exporter: Any, accept: str | None
) -> None:
    seed.running()
    client = await exporter()
    headers = {"Accept": accept} if accept else {}
    answer = await client.get("/metrics?target=x&collect[]=y", headers=headers)
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert types(answer.text)["btc_trading_total_trades"] == "counter"
    assert "\nbtc_trading_total_trades 0\n" in answer.text
    head = await client.head("/metrics", headers=headers)
    assert (head.status_code, head.headers["content-type"]) == (200, CONTENT_TYPE)


async def test_everything_is_there_from_the_start_except_what_would_be_made_up(exporter: Any) -> None:
    found = await scrape(await exporter())
    assert value(found, "btc_exporter_up") == 1
    for action in ("BUY", "SELL", "HOLD"):
        assert value(found, "btc_trading_decisions_total", action=action) == 0
        assert value(found, "btc_trading_decisions_1h", action=action) == 0
    for mode in ("dry", "live"):
        assert value(found, "btc_trading_mode_total_trades", mode=mode) == 0
        assert value(found, "btc_trading_mode_pnl", mode=mode) == 0
        for reason in ("stop_loss", "take_profit", "partial_exit", "trailing_stop", "signal", "manual"):
            assert value(found, "btc_trading_mode_exits_total", mode=mode, reason=reason) == 0
    assert value(found, "btc_trading_active_mode", mode="dry") == 1
    assert value(found, "btc_trading_agent_running") == 0
    names = {name for name, _ in found}
    missing = {"btc_price", "btc_trading_rsi", "btc_trading_win_rate", "btc_trading_last_trade_info"}
    assert not names & missing


async def test_figures_follow_the_mode_in_effect_and_both_modes_have_their_own(seed: Any, exporter: Any) -> None:
    seed.running(mode="dry")
    seed.account()
    seed.buy("50000", "0.006", hours_ago(30))
    old = seed.sell("51000", "0.006", hours_ago(25), "take_profit")
    seed.buy("50000", "0.004", hours_ago(3))
    fresh = seed.sell("49000", "0.002", hours_ago(0.5), "partial_exit")
    live = seed.other("live", "main")
    live.account()
    live.buy("50000", "0.001", hours_ago(2))
    live_pnl = live.sell("49000", "0.001", hours_ago(1.5), "stop_loss")
    client = await exporter()
    dry = await scrape(client)
    assert value(dry, "btc_trading_total_trades") == 4
    assert value(dry, "btc_trading_trades_total", side="buy") == 2
    assert (value(dry, "btc_trading_winning_trades"), value(dry, "btc_trading_losing_trades")) == (1, 0)
    assert value(dry, "btc_trading_win_rate") == 1
    assert value(dry, "btc_trading_total_pnl") == pytest.approx(float(old + fresh))
    assert value(dry, "btc_trading_cumulative_pnl") == value(dry, "btc_trading_total_pnl")
    assert value(dry, "btc_trading_cumulative_pnl_24h") == pytest.approx(float(fresh))
    assert value(dry, "btc_trading_avg_pnl") == pytest.approx(float(old))
    assert (value(dry, "btc_trading_trades_24h"), value(dry, "btc_trading_trades_1h")) == (2, 1)
    assert value(dry, "btc_trading_open_position_btc") == 0.002
    assert value(dry, "btc_trading_open_position_usdt") == 100.0
    assert (value(dry, "btc_trading_exit_take_profit"), value(dry, "btc_trading_exit_stop_loss")) == (1, 0)
    assert value(dry, "btc_trading_mode_exits_total", mode="live", reason="stop_loss") == 1
    assert value(dry, "btc_trading_mode_pnl", mode="live") == pytest.approx(float(live_pnl))
    assert value(dry, "btc_trading_mode_open_position_btc", mode="live") == 0
    assert value(dry, "btc_trading_last_trade_price", side="sell", mode="dry") == 49000
    assert value(dry, "btc_trading_last_trade_size", side="sell", mode="dry") == 0.002
    assert value(dry, "btc_trading_last_trade_pnl", side="sell", mode="dry") == pytest.approx(float(fresh))
    assert value(dry, "btc_trading_last_trade_pnl", side="buy", mode="dry") is None
    assert value(dry, "btc_trading_last_trade_info", side="buy", mode="live") == pytest.approx(
        hours_ago(2).timestamp(), abs=60
    )
    seed.beat(ServiceName.EXECUTOR, mode="live")
    switched = await scrape(client)
    assert value(switched, "btc_trading_total_trades") == 2
    assert value(switched, "btc_trading_total_pnl") == pytest.approx(float(live_pnl))
    assert (value(switched, "btc_trading_live_mode"), value(switched, "btc_trading_active_mode", mode="live")) == (1, 1)
    assert value(switched, "btc_trading_active_mode", mode="dry") == 0
    for name in ("btc_trading_mode_total_trades", "btc_trading_mode_pnl", "btc_trading_mode_winning"):
        assert value(switched, name, mode="dry") == value(dry, name, mode="dry")


async def test_market_and_decision_figures_are_the_newest(seed: Any, exporter: Any) -> None:
    seed.running()
    seed.decision(age=7200, action="BUY")
    client = await exporter()
    found = await scrape(client)
    assert value(found, "btc_price", symbol="BTC-USDT") == 50000.5
    assert (value(found, "btc_trading_rsi"), value(found, "btc_trading_orderbook_imbalance")) == (55.5, 0.5)
    assert value(found, "btc_trading_trend") is None
    assert value(found, "btc_trading_decisions_total", action="BUY") == 1
    assert value(found, "btc_trading_decisions_1h", action="BUY") == 0
    assert value(found, "btc_trading_decisions_1h", action="HOLD") == 1
    assert value(found, "btc_trading_last_activity_timestamp") == pytest.approx(hours_ago(0).timestamp(), abs=60)
    assert value(found, "btc_trading_agent_running") == 1
    seed.market(age=61)
    seed.beat(ServiceName.DECISION_ENGINE, age=11)
    later = await scrape(client)
    assert value(later, "btc_price", symbol="BTC-USDT") is None
    assert value(later, "btc_trading_agent_running") == 0


async def test_settings_in_effect_follow_run_time_changes(seed: Any, exporter: Any) -> None:
    client = await exporter(STOP_LOSS_PCT="0.03")
    assert value(await scrape(client), "btc_trading_stop_loss_pct") == 0.03
    other = await exporter()
    token = {"Authorization": "Bearer a-token-of-the-tests-0123456789"}
    changed = await other.patch("/config", json={"stop_loss_pct": 0.01, "trailing_activation_pct": 0.03}, headers=token)
    assert changed.status_code == 200
    found = await scrape(client)
    assert value(found, "btc_trading_stop_loss_pct") == 0.01
    assert value(found, "btc_trading_trailing_stop_enabled") == 0
    assert value(found, "btc_trading_max_daily_trades") == 15


@pytest.fixture
def nowhere() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"postgresql://agent:canary-password@127.0.0.1:{taken.getsockname()[1]}/agent"


async def test_while_the_database_is_away_only_that_is_said(exporter: Any, nowhere: str) -> None:
    client = await exporter(database_url=nowhere)
    answer = await client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    found = values(answer.text)
    assert value(found, "btc_exporter_up") == 0
    business = {name for name, _ in found if name.startswith(("btc_trading_", "btc_price"))}
    assert not business
    assert any(name.startswith("process_") for name, _ in found)
    assert "canary-password" not in answer.text
    health = await client.get("/health")
    assert (health.status_code, health.json()["service"]) == (503, "exporter")
    for path in ("/mode", "/config", "/set-dry"):
        refused = await client.get(path)
        assert (refused.status_code, set(refused.json())) == (503, {"error", "detail"})


async def test_a_database_that_goes_and_comes_back_leaves_nothing_stale(exporter: Any, agent_home: Path) -> None:
    with running_postgres(agent_home, durable=False) as url:
        migrate(url)
        client = await exporter(database_url=url)
        assert value(await scrape(client), "btc_trading_total_trades") == 0
    gone = await scrape(client)
    assert (value(gone, "btc_exporter_up"), value(gone, "btc_trading_total_trades")) == (0, None)
    with running_postgres(agent_home, durable=False) as same:
        if same == url:  # the port may have been taken meanwhile
            assert value(await scrape(client), "btc_exporter_up") == 1


async def test_many_scrapers_at_once_are_all_answered(seed: Any, exporter: Any) -> None:
    seed.running()
    client = await exporter()
    found = await asyncio.gather(*(scrape(client) for _ in range(20)))
    assert [value(each, "btc_exporter_up") for each in found] == [1] * 20


FILL = [
    """INSERT INTO orders (intent_id, client_oid, venue, account, mode, symbol, side, exit_reason, from_signal,
        round_trip_id, requested_size, state, created_at)
       SELECT md5(n::text)::uuid, n::text, 'practice', 'paper', 'dry', 'BTC-USDT', (ARRAY['buy', 'sell'])[1 + n % 2],
        (ARRAY[NULL, 'signal'])[1 + n % 2], false, md5(n::text)::uuid, 1, 'filled', now()
       FROM generate_series(1, 30000) n""",
    """INSERT INTO trades (intent_id, venue, account, mode, symbol, side, price, size, funds, fee, order_id, status,
        pnl, exit_reason, round_trip_id, executed_at, last_fill_at, created_at)
       SELECT intent_id, venue, account, mode, symbol, side, 50000, 1, 50000, 50, client_oid, 'filled',
        CASE side WHEN 'sell' THEN 1 END, exit_reason, round_trip_id, now() - client_oid::int * interval '1 hour',
        now(), now() FROM orders""",
    """INSERT INTO bookings (venue, account, mode, symbol, intent_id, fill_id, round_trip_id, realised, booked_for)
       SELECT venue, account, mode, symbol, intent_id, order_id, round_trip_id, 1, executed_at FROM trades
       WHERE side = 'sell'""",
    """INSERT INTO decisions (decision_id, venue, symbol, mode, decided_at, trigger, action, score, agreement,
        confidence, threshold, weights, reasons, inputs, in_position, explored, settings_version, model_version)
       SELECT md5(n::text)::uuid, 'practice', 'BTC-USDT', 'dry', now() - n * interval '5 seconds', 'poll', 'HOLD', 0,
        0, 0, 0.3, '{}', '{}', '{}', false, false, 0, '0' FROM generate_series(1, 60000) n""",
    """INSERT INTO audit (at, venue, kind, route, origin, accepted)
       SELECT now(), 'practice', 'halt', 'x', 'y', true FROM generate_series(1, 5000)""",
    "ANALYZE",
]
GROWING = {"trades", "decisions", "bookings", "orders", "fills", "round_trips", "audit", "candles", "signal_outcomes"}
ROWS_OF_A_DAY = 24
ROWS_OF_AN_HOUR = 720


def touched(plan: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """(table, how, rows read) of every scan of a growing table in a plan that was executed."""
    if plan.get("Relation Name") in GROWING:
        rows = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
        yield plan["Relation Name"], plan["Node Type"], rows
    for child in plan.get("Plans", ()):
        yield from touched(child)


async def explained(engine: AsyncEngine) -> list[tuple[str, str, float]]:
    """What each statement of a scrape does to growing tables, as PostgreSQL measures it."""
    statements: list[tuple[str, Any]] = []

    def record(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", record)
    async with reads.snapshot(engine, timeout_secs=30) as connection:
        moment = datetime.now(UTC)
        picture = await repository.read_picture(connection, "practice", "BTC-USDT", RiskSettings(), moment)
        assert picture.ledgers
        assert picture.decision is not None
    event.remove(engine.sync_engine, "before_cursor_execute", record)
    found: list[tuple[str, str, float]] = []
    async with engine.connect() as connection:
        for statement, parameters in statements:
            answer = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            found.extend(touched(answer.scalar_one()[0]["Plan"]))
    return found


async def test_a_scrape_costs_the_same_whatever_the_history(seed: Any, postgres_url: str) -> None:
    seed.account()
    for statement in FILL:
        seed.connection.execute(text(statement))
    engine = create_engine(postgres_url, application_name="test")
    try:
        scans = await explained(engine)
    finally:
        await engine.dispose()
    assert {table for table, _, _ in scans} == {"trades", "decisions", "bookings"}
    assert not [scan for scan in scans if scan[1] == "Seq Scan"]
    limits = {"trades": ROWS_OF_A_DAY, "bookings": ROWS_OF_A_DAY, "decisions": ROWS_OF_AN_HOUR}
    assert not [scan for scan in scans if scan[2] > limits[scan[0]]]
    assert max(rows for table, _, rows in scans if table == "decisions") > ROWS_OF_AN_HOUR - 60
