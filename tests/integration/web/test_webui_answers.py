"""The API's answers over a real database: names, types, figures and errors that programs rely on."""

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from btc_shared.codes import ServiceName
from btc_shared.db.models import CandleRow, QTableRow

FEE = Decimal("0.001")


def now() -> datetime:
    return datetime.now(UTC)


def hours_ago(hours: float) -> datetime:
    return now() - timedelta(hours=hours)


def candle(seed: Any, at: datetime, close: str) -> None:
    price = Decimal(close)
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    seed.connection.execute(
        insert(CandleRow).values(
            venue="practice", symbol="BTC-USDT", open_time=at, **prices, volume=Decimal(1), turnover=price
        )
    )


async def test_the_price_is_the_mid_with_its_age_and_its_change_in_a_day(seed: Any, webui: Any) -> None:
    seed.market("65123", "65123.80", age=2)
    candle(seed, hours_ago(24) - timedelta(minutes=2), "65000")
    body = (await (await webui()).get("/api/price")).json()
    assert body["symbol"] == "BTC-USDT"
    assert (body["price"], body["formatted"]) == (65123.4, "$65,123.40")
    assert (body["bid"], body["ask"]) == (65123.0, 65123.8)
    assert 2 <= body["age_seconds"] < 20
    assert body["timestamp"].endswith("Z")
    assert body["change_24h_pct"] == pytest.approx((65123.4 / 65000 - 1) * 100)


async def test_a_missing_or_old_price_is_a_503_that_says_why(seed: Any, webui: Any) -> None:
    client = await webui()
    for path in ("/api/price", "/api/analysis"):
        answer = await client.get(path)
        assert answer.status_code == 503
        assert "not stored one" in answer.json()["detail"]
    seed.market(age=61)
    answer = await client.get("/api/price")
    assert answer.status_code == 503
    assert answer.json()["error"] == "there is no current price"
    assert "s old" in answer.json()["detail"]


async def test_no_candle_of_yesterday_means_no_change_and_not_zero(seed: Any, webui: Any) -> None:
    seed.market()
    candle(seed, hours_ago(25), "65000")
    assert (await (await webui()).get("/api/price")).json()["change_24h_pct"] is None


async def test_the_analysis_is_the_agents_own_last_decision(seed: Any, webui: Any) -> None:
    seed.market()
    seed.decision(age=30, action="SELL")
    seed.decision(
        age=4, action="BUY", confidence=0.7, outcome="refused", outcome_code="cooldown", outcome_detail="12 s"
    )
    body = (await (await webui()).get("/api/analysis?symbol=BTC-USDT")).json()
    assert body["price_formatted"] == "$50,000.50"
    assert body["orderbook"] == {
        "bid_volume": 3.0, "ask_volume": 1.0, "imbalance": 0.5, "spread": 1.0, "spread_bp": 0.2,
    }  # fmt: skip
    assert (body["indicators"]["rsi"], body["indicators"]["flow"]) == (55.5, -0.25)
    assert (body["indicators"]["trend"], body["indicators"]["ema_20"]) == (None, None)
    signal = body["signal"]
    assert (signal["action"], signal["confidence"], signal["outcome_code"]) == ("BUY", 0.7, "cooldown")
    assert 4 <= signal["age_seconds"] < 25
    assert "technical: momentum up" in signal["reason"]
    assert signal["strategies"]["orderbook"] == {"score": None, "weight": 0.0, "reason": "no book"}


async def test_before_the_first_decision_there_is_no_analysis(seed: Any, webui: Any) -> None:
    seed.market()
    answer = await (await webui()).get("/api/analysis")
    assert answer.status_code == 503
    assert "not made a decision yet" in answer.json()["detail"]


async def test_trades_come_newest_first_in_the_contracts_types(seed: Any, webui: Any) -> None:
    seed.account()
    seed.buy("50000", "0.004", hours_ago(2))
    realised = seed.sell("51000", "0.004", hours_ago(1), "take_profit")
    sold, bought = (await (await webui()).get("/api/trades")).json()
    assert (sold["side"], bought["side"]) == ("sell", "buy")
    assert sold["timestamp"] == pytest.approx(hours_ago(1).timestamp(), abs=60)
    assert sold["pnl"] == pytest.approx(float(realised))
    assert (bought["pnl"], bought["exit_reason"], sold["exit_reason"]) == (None, None, "take_profit")
    assert (sold["price"], sold["size"], sold["funds"], sold["fee"]) == (51000.0, 0.004, 204.0, 0.204)
    assert (sold["dry_run"], sold["status"], sold["symbol"]) == (1, "filled", "BTC-USDT")
    assert isinstance(sold["id"], int)
    assert isinstance(sold["order_id"], str)
    assert isinstance(sold["metadata"], dict)
    assert sold["created_at"].endswith("Z")


async def test_trades_follow_the_mode_in_effect_unless_one_is_asked_for(seed: Any, webui: Any) -> None:
    seed.account()
    seed.buy("50000", "0.004", hours_ago(2))
    live = seed.other("live", "main")
    live.account("500")
    live.buy("50000", "0.001", hours_ago(1))
    client = await webui()
    assert [trade["dry_run"] for trade in (await client.get("/api/trades")).json()] == [1]
    seed.beat(ServiceName.EXECUTOR, mode="live")
    assert [trade["dry_run"] for trade in (await client.get("/api/trades")).json()] == [0]
    assert [trade["dry_run"] for trade in (await client.get("/api/trades?mode=dry")).json()] == [1]


async def test_the_limit_is_kept_over_several_accounts(seed: Any, webui: Any) -> None:
    seed.account()
    seed.buy("50000", "0.004", hours_ago(5))
    seed.sell("50000", "0.004", hours_ago(3))
    second = seed.other("dry", "second")
    second.account()
    second.buy("50000", "0.001", hours_ago(4))
    second.sell("50000", "0.001", hours_ago(2))
    trades = (await (await webui()).get("/api/trades?limit=3")).json()
    assert [(trade["side"], trade["size"]) for trade in trades] == [("sell", 0.001), ("sell", 0.004), ("buy", 0.001)]


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("/api/trades?limit=0", 422, "limit"),
        ("/api/trades?limit=1001", 422, "limit"),
        ("/api/trades?limit=many", 422, "limit"),
        ("/api/decisions?limit=0", 422, "limit"),
        ("/api/trades?mode=paper", 422, "mode"),
        ("/api/performance?mode=DRY", 422, "mode"),
        ("/api/performance?period=8d", 422, "period"),
        ("/api/price?symbol=ETH-USDT", 404, "BTC-USDT"),
        ("/api/analysis?symbol=btc", 404, "BTC-USDT"),
        ("/api/nothing", 404, "/api/nothing"),
        ("/nothing", 404, "/nothing"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong_as_json(webui: Any, path: str, status: int, named: str) -> None:
    answer = await (await webui()).get(path)
    assert answer.status_code == status
    body = answer.json()
    assert set(body) == {"error", "detail"}
    assert named in f"{body['error']} {body['detail']}"


async def test_nothing_can_be_changed_here(webui: Any) -> None:
    answer = await (await webui()).post("/api/trades")
    assert (answer.status_code, set(answer.json())) == (405, {"error", "detail"})


async def test_performance_equals_a_recomputation_from_the_orders(seed: Any, webui: Any) -> None:
    seed.account("1000")
    seed.buy("50000", "0.006", hours_ago(72))
    first = seed.sell("51000", "0.003", hours_ago(70), "partial_exit")
    first += seed.sell("50500", "0.003", hours_ago(69), "trailing_stop")
    seed.buy("50000", "0.004", hours_ago(30))
    second = seed.sell("49000", "0.004", hours_ago(28), "stop_loss")
    seed.buy("48000", "0.005", hours_ago(3))
    third = seed.sell("48500", "0.002", hours_ago(2), "partial_exit")
    seed.market("48200", "48201")
    body = (await (await webui()).get("/api/performance")).json()
    assert (body["mode"], body["period"], body["total_trades"]) == ("dry", "all", 7)
    assert (body["winning_trades"], body["losing_trades"], body["win_rate"]) == (1, 1, 0.5)
    assert body["total_pnl"] == pytest.approx(float(first + second + third))
    assert body["avg_pnl"] == pytest.approx(float((first + second) / 2))
    assert body["best_trade_pnl"] == pytest.approx(float(first))
    assert body["worst_trade_pnl"] == pytest.approx(float(second))
    assert body["profit_factor"] == pytest.approx(float(first / -second))
    turnover = Decimal("0.003") * 101500 + Decimal("0.006") * 50000 + Decimal("0.004") * 99000
    turnover += Decimal("0.005") * 48000 + Decimal("0.002") * 48500
    assert body["fees"] == pytest.approx(float(turnover * FEE))
    left = Decimal("0.003") * 48200 * (1 - FEE) - Decimal("0.003") * 48000 * (1 + FEE)
    assert body["unrealized_pnl"] == pytest.approx(float(left))
    assert body["equity"] == pytest.approx(float(1000 + first + second + third + left))
    assert body["max_drawdown_usdt"] == pytest.approx(float(-second))
    assert body["max_drawdown"] == pytest.approx(float(-second / (1000 + first)))
    coins = Decimal(1000) / (50000 * (1 + FEE))
    assert body["buy_and_hold_pnl"] == pytest.approx(float(coins * 48200 * (1 - FEE) - 1000))
    assert body["sharpe"] is not None


async def test_a_period_counts_only_what_happened_in_it(seed: Any, webui: Any) -> None:
    seed.account("1000")
    seed.buy("50000", "0.006", hours_ago(72))
    before = seed.sell("51000", "0.006", hours_ago(70), "take_profit")
    seed.buy("50000", "0.004", hours_ago(20))
    inside = seed.sell("49000", "0.004", hours_ago(19), "stop_loss")
    seed.market("50000", "50001")
    client = await webui()
    day = (await client.get("/api/performance?period=24h")).json()
    assert (day["total_trades"], day["winning_trades"], day["losing_trades"], day["win_rate"]) == (2, 0, 1, 0.0)
    assert day["total_pnl"] == pytest.approx(float(inside))
    assert day["max_drawdown"] == pytest.approx(float(-inside / (1000 + before)))
    assert day["profit_factor"] == 0.0
    assert day["equity"] == pytest.approx(float(1000 + before + inside))
    assert day["since"].endswith("Z")
    everything = (await client.get("/api/performance?period=all")).json()
    week = (await client.get("/api/performance?period=7d")).json()
    for name in ("total_trades", "win_rate", "total_pnl", "avg_pnl", "best_trade_pnl", "fees", "max_drawdown"):
        assert week[name] == pytest.approx(everything[name]), name


async def test_what_is_not_defined_yet_is_null_and_never_zero(seed: Any, webui: Any) -> None:
    client = await webui()
    bare = (await client.get("/api/performance")).json()
    names = ("win_rate", "avg_pnl", "best_trade_pnl", "worst_trade_pnl", "profit_factor", "sharpe", "max_drawdown")
    assert [bare[name] for name in (*names, "equity", "buy_and_hold_pnl")] == [None] * 9
    assert (bare["total_trades"], bare["total_pnl"], bare["unrealized_pnl"]) == (0, 0.0, 0.0)
    seed.account()
    seed.buy("50000", "0.004", hours_ago(1))
    without_price = (await client.get("/api/performance")).json()
    assert (without_price["unrealized_pnl"], without_price["equity"]) == (None, None)
    assert without_price["win_rate"] is None


async def test_modes_and_venues_never_mix(seed: Any, webui: Any) -> None:
    seed.account()
    seed.buy("50000", "0.004", hours_ago(2))
    seed.sell("49000", "0.004", hours_ago(1))
    live = seed.other("live", "main")
    live.account("500")
    client = await webui()
    assert (await client.get("/api/performance?mode=live")).json()["total_trades"] == 0
    assert (await client.get("/api/performance?mode=live")).json()["equity"] == 500.0
    real = await webui(VENUE="kucoin")
    assert (await real.get("/api/performance")).json()["total_trades"] == 0
    assert (await real.get("/api/trades")).json() == []


async def test_a_working_agent_is_online_and_says_what_it_holds(seed: Any, webui: Any) -> None:
    seed.running()
    seed.account()
    seed.buy("49000", "0.004", hours_ago(1))
    seed.decision(action="BUY")
    seed.row(
        QTableRow,
        venue="practice", symbol="BTC-USDT", version=1, last_round_trip=4, episodes=4, total_reward_bp=-10.0,
        table={}, updated_at=now(),
    )  # fmt: skip
    body = (await (await webui()).get("/api/status")).json()
    assert (body["status"], body["why"], body["notes"]) == ("online", [], [])
    assert (body["symbol"], body["current_price"], body["price_formatted"]) == ("BTC-USDT", 50000.5, "$50,000.50")
    assert body["mode"] == {"requested": "dry", "effective": "dry"}
    assert body["model_stats"] == {
        "episodes": 4, "total_reward": -10.0, "avg_reward": -2.5,
        "action_distribution": {"HOLD": 1, "BUY": 1, "SELL": 0},
    }  # fmt: skip
    value = Decimal("0.004") * 50000
    assert body["position"]["size"] == 0.004
    assert body["position"]["value"] == pytest.approx(float(value))
    assert body["position"]["gain"] == pytest.approx(50000 / 49000 - 1)
    assert body["position"]["unrealized_pnl"] == pytest.approx(
        float(value * (1 - FEE) - Decimal("0.004") * 49000 * (1 + FEE))
    )
    assert body["performance"]["total_trades"] == 1
    assert body["services"]["executor"]["status"] == "healthy"
    assert body["services"]["webui-api"]["status"] == "never seen"
    assert body["last_update"].endswith("Z")


async def test_an_agent_that_does_not_work_says_why_instead_of_failing(seed: Any, webui: Any) -> None:
    client = await webui()
    empty = await client.get("/api/status")
    assert empty.status_code == 200
    assert empty.json()["status"] == "offline"
    assert empty.json()["current_price"] is None
    assert "executor has never sent a heartbeat" in empty.json()["why"]
    seed.running()
    seed.beat(ServiceName.DECISION_ENGINE, age=30)
    stalled = (await client.get("/api/status")).json()
    assert stalled["status"] == "stalled"
    assert stalled["services"]["decision-engine"]["status"] == "silent"


async def test_a_live_position_is_shown_as_winding_down_while_dry_is_in_effect(seed: Any, webui: Any) -> None:
    seed.running(mode="dry")
    live = seed.other("live", "main")
    live.account()
    live.buy("50000", "0.002", hours_ago(1))
    body = (await (await webui()).get("/api/status")).json()
    assert body["winding_down"] is True
    assert body["position"] is None
    assert body["positions"]["live"]["size"] == 0.002
    assert any("winding down" in note for note in body["notes"])


async def test_decisions_tell_the_four_scores_and_what_became_of_them(seed: Any, webui: Any) -> None:
    seed.decision(age=9, action="BUY", outcome="executed")
    decision_id = uuid.uuid4()
    seed.decision(
        age=1, decision_id=decision_id, outcome="refused", outcome_code="cooldown", outcome_detail="12 s left"
    )
    newest, older = (await (await webui()).get("/api/decisions?limit=5")).json()
    assert (newest["id"], newest["outcome"], newest["outcome_code"]) == (str(decision_id), "refused", "cooldown")
    assert older["outcome"] == "executed"
    assert newest["scores"] == {"technical": 0.4, "orderbook": None, "flow": -0.1, "qlearning": 0.0}
    assert newest["weights"]["technical"] == 0.4
    assert newest["reasons"]["flow"] == "sellers"
    assert len((await (await webui()).get("/api/decisions?limit=1")).json()) == 1


async def test_run_time_settings_count_without_a_restart(seed: Any, webui: Any, exporter: Any) -> None:
    seed.account()
    seed.buy("50000", "0.004", hours_ago(1))
    seed.market("50000", "50001")
    client = await webui()
    before = (await client.get("/api/performance")).json()["unrealized_pnl"]
    token = {"Authorization": "Bearer a-token-of-the-tests-0123456789"}
    await (await exporter()).patch("/config", json={"taker_fee": 0.002}, headers=token)
    after = (await client.get("/api/performance")).json()["unrealized_pnl"]
    assert after - before == pytest.approx(-0.001 * 200)
