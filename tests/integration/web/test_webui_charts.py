"""What charts are drawn from: the equity curve and the candles with the agent's trades, over a real database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from btc_shared.codes import ServiceName
from btc_shared.db.models import CandleRow
from webui_api import repository


def now() -> datetime:
    return datetime.now(UTC)


def minutes_ago(minutes: float) -> datetime:
    return now() - timedelta(minutes=minutes)


def this_minute() -> datetime:
    return now().replace(second=0, microsecond=0)


def candles(seed: Any, *opened: datetime, venue: str = "practice", filled: bool = False) -> None:
    for at in opened:
        seed.connection.execute(
            insert(CandleRow).values(
                venue=venue, symbol="BTC-USDT", open_time=at, open=Decimal(100), high=Decimal("103.5"),
                low=Decimal(99), close=Decimal(101), volume=Decimal("2.5"), turnover=Decimal(250), filled=filled,
            )
        )  # fmt: skip


async def test_the_curve_is_the_capital_and_every_result_after_it(seed: Any, webui: Any) -> None:
    seed.beat(ServiceName.EXECUTOR, mode="dry")
    seed.market("51000", "51001")
    seed.account("1000")
    seed.buy("50000", "0.004", minutes_ago(50))
    first = seed.sell("51000", "0.002", minutes_ago(40), "partial_exit")
    second = seed.sell("49000", "0.002", minutes_ago(30), "stop_loss")
    seed.buy("50000", "0.004", minutes_ago(20))
    client = await webui()
    body = (await client.get("/api/equity")).json()
    assert (body["mode"], body["period"], body["since"]) == ("dry", "all", None)
    assert (body["start_capital"], body["results"], body["complete"]) == (1000.0, 2, True)
    values = [point["equity"] for point in body["points"]]
    assert values == pytest.approx([1000, 1000 + float(first), *[1000 + float(first + second)] * 2])
    assert body["equity_now"] == (await client.get("/api/performance")).json()["equity"]
    assert all(point["time"].endswith("Z") for point in body["points"])


async def test_a_period_of_the_curve_begins_with_what_came_before(seed: Any, webui: Any) -> None:
    seed.account("1000")
    seed.buy("50000", "0.004", minutes_ago(200))
    early = seed.sell("51000", "0.004", minutes_ago(190))
    seed.buy("50000", "0.004", minutes_ago(50))
    late = seed.sell("49000", "0.004", minutes_ago(30))
    body = (await (await webui()).get("/api/equity?period=1h")).json()
    values = [point["equity"] for point in body["points"]]
    assert values == pytest.approx([1000 + float(early), *[1000 + float(early + late)] * 2])
    begins, since = (datetime.fromisoformat(text) for text in (body["points"][0]["time"], body["since"]))
    assert abs(begins - since) <= timedelta(milliseconds=1)  # points are in whole milliseconds


async def test_the_cost_is_bounded_and_what_is_left_out_is_said(
    seed: Any, webui: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MAX_RESULTS", 3)
    seed.account("1000")
    realised = []
    for number in range(5):
        seed.buy("50000", "0.001", minutes_ago(100 - 10 * number))
        realised.append(seed.sell(str(50100 + 100 * number), "0.001", minutes_ago(95 - 10 * number)))
    client = await webui()
    body = (await client.get("/api/equity")).json()
    assert (body["complete"], body["results"]) == (False, 3)
    assert body["points"][0]["equity"] == pytest.approx(1000 + float(sum(realised[:2])))
    assert body["points"][-1]["equity"] == pytest.approx(1000 + float(sum(realised)))
    assert (await client.get("/api/equity?period=1h")).json()["complete"] is True


async def test_modes_do_not_mix_and_an_empty_ledger_has_no_curve(seed: Any, webui: Any) -> None:
    client = await webui()
    bare = (await client.get("/api/equity")).json()
    assert (bare["points"], bare["start_capital"], bare["equity_now"], bare["complete"]) == ([], None, None, True)
    seed.account()
    seed.buy("50000", "0.004", minutes_ago(20))
    seed.sell("51000", "0.004", minutes_ago(10))
    live = seed.other("live", "main")
    live.account("500")
    assert (await client.get("/api/equity?mode=live")).json()["start_capital"] == 500.0
    assert (await client.get("/api/equity?mode=live")).json()["points"] == []
    assert len((await client.get("/api/equity?mode=dry")).json()["points"]) == 3


async def test_candles_come_oldest_first_with_gaps_and_filled_ones_marked(seed: Any, webui: Any) -> None:
    end = this_minute()
    candles(seed, *(end - timedelta(minutes=back) for back in (9, 8, 3)))
    candles(seed, end - timedelta(minutes=2), filled=True)
    candles(seed, end - timedelta(minutes=1), venue="kucoin")
    client = await webui()
    body = (await client.get("/api/candles")).json()
    assert body["symbol"] == "BTC-USDT"
    assert [candle["missing_before"] for candle in body["candles"]] == [0, 0, 4, 0]
    assert [candle["filled"] for candle in body["candles"]] == [False, False, False, True]
    assert [candle["time"] for candle in body["candles"]] == sorted(candle["time"] for candle in body["candles"])
    assert body["candles"][0] | {"time": ""} == {
        "time": "", "open": 100.0, "high": 103.5, "low": 99.0, "close": 101.0, "volume": 2.5, "filled": False,
        "missing_before": 0,
    }  # fmt: skip
    newest = (await client.get("/api/candles?limit=2")).json()["candles"]
    assert newest[0] == body["candles"][2] | {"missing_before": 0}
    assert newest[1] == body["candles"][3]


async def test_the_trades_of_the_span_are_there_until_now(seed: Any, webui: Any) -> None:
    seed.beat(ServiceName.EXECUTOR, mode="dry")
    seed.account("1000")
    seed.buy("50000", "0.004", minutes_ago(60))
    seed.sell("50500", "0.004", minutes_ago(50))
    seed.buy("50000", "0.004", minutes_ago(5))
    net = seed.sell("49000", "0.004", now(), "stop_loss")
    live = seed.other("live", "main")
    live.account("500")
    live.buy("50000", "0.001", minutes_ago(4))
    candles(seed, *(this_minute() - timedelta(minutes=back) for back in (8, 7)))
    body = (await (await webui()).get("/api/candles")).json()
    assert body["mode"] == "dry"
    bought, sold = body["trades"]
    assert (bought["side"], bought["price"], bought["size"]) == ("buy", 50000.0, 0.004)
    assert (bought["exit_reason"], bought["pnl"]) == (None, None)
    assert (sold["side"], sold["exit_reason"]) == ("sell", "stop_loss")
    assert sold["pnl"] == pytest.approx(float(net))
    assert bought["time"] < sold["time"]


async def test_without_candles_there_are_none_and_no_error(seed: Any, webui: Any) -> None:
    body = (await (await webui()).get("/api/candles")).json()
    assert (body["candles"], body["trades"]) == ([], [])


@pytest.mark.parametrize(
    "path", ["candles?limit=0", "candles?limit=1441", "candles?limit=x", "equity?period=2h", "equity?mode=real"]
)
async def test_wrong_parameters_are_a_422_that_says_which(webui: Any, path: str) -> None:
    answer = await (await webui()).get(f"/api/{path}")
    assert answer.status_code == 422
    assert path.partition("?")[2].partition("=")[0] in answer.json()["detail"][0]


async def test_charts_need_the_token_too(webui: Any) -> None:
    client = await webui(API_TOKEN="an-api-token-of-the-tests")
    for path in ("/api/equity", "/api/candles"):
        assert (await client.get(path)).status_code == 401
