"""REST against a real process: KuCoin's envelopes, fields and types, its errors and its limits."""

import json
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from kucoin_sim.scenarios import SCENARIOS

BTC = {"symbol": "BTC-USDT"}

# file of the official example → (path, parameters)
CALLS: dict[str, tuple[str, Mapping[str, object]]] = {
    "getServerTime": ("/api/v1/timestamp", {}),
    "getServiceStatus": ("/api/v1/status", {}),
    "getAllSymbols": ("/api/v2/symbols", {}),
    "getSymbol": ("/api/v2/symbols/BTC-USDT", {}),
    "getKlines": ("/api/v1/market/candles", {**BTC, "type": "1min", "startAt": 1}),
    "getTicker": ("/api/v1/market/orderbook/level1", BTC),
    "getPartOrderBook": ("/api/v1/market/orderbook/level2_20", BTC),
    "getTradeHistory": ("/api/v1/market/histories", BTC),
    "get24hrStats": ("/api/v1/market/stats", BTC),
    "getAllTickers": ("/api/v1/market/allTickers", {}),
}


def _shape(value: Any) -> Any:
    """Field names and types; a list has the shape of its items, a text whether it is a number."""
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    if isinstance(value, list):
        shapes = [_shape(item) for item in value]
        return [shape for index, shape in enumerate(shapes) if shape not in shapes[:index]]
    if isinstance(value, str):
        return "number as text" if re.fullmatch(r"-?\d+(\.\d+)?", value) else "text"
    return type(value).__name__


def _example(shared_data: Path, name: str) -> Any:
    path = shared_data / "kucoin" / "rest_spec" / f"spot-market.{name}.json"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the recorded KuCoin samples")
    return json.loads(path.read_text())


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_has_the_fields_and_types_of_the_official_example(
    exchange: Any, shared_data: Path, name: str
) -> None:
    sample = _example(shared_data, name)
    path, parameters = CALLS[name]
    assert re.fullmatch(re.sub(r"\{\w+\}", r"[^/]+", sample["path"]), path)
    answer = exchange.get(path, **parameters)
    assert answer.status_code == 200
    assert _shape(answer.json()) == _shape(sample["response_example"])


def test_the_weight_of_each_call_is_the_official_one(start_exchange: Callable[..., Any], shared_data: Path) -> None:
    exchange = start_exchange()
    remaining = 2000
    for name, (path, parameters) in CALLS.items():
        remaining -= _example(shared_data, name)["rate_limit_weight"]
        headers = exchange.get(path, **parameters).headers
        assert (headers["gw-ratelimit-limit"], headers["gw-ratelimit-remaining"]) == ("2000", str(remaining)), name
        assert 0 < int(headers["gw-ratelimit-reset"]) <= 30_000
    remaining -= _example(shared_data, "getPublicToken")["rate_limit_weight"]
    assert httpx.post(f"{exchange.rest}/api/v1/bullet-public").headers["gw-ratelimit-remaining"] == str(remaining)


def test_the_bullet_has_the_official_fields_and_leads_back_to_the_exchange(exchange: Any, shared_data: Path) -> None:
    answer = httpx.post(f"{exchange.rest}/api/v1/bullet-public").json()
    assert _shape(answer) == _shape(_example(shared_data, "getPublicToken")["response_example"])
    (server,) = answer["data"]["instanceServers"]
    assert server["endpoint"] == exchange.rest.replace("http://", "ws://") + "/endpoint"
    assert (server["encrypt"], server["pingInterval"], server["pingTimeout"]) == (False, 18_000, 10_000)


def test_the_clock_is_the_machines_clock(exchange: Any) -> None:
    before = time.time_ns() // 1_000_000
    served = exchange.data("/api/v1/timestamp")
    assert before <= served <= time.time_ns() // 1_000_000


def test_books_are_sorted_deep_and_of_one_sequence(exchange: Any) -> None:
    sequences = []
    for levels in (20, 100):
        book = exchange.data(f"/api/v1/market/orderbook/level2_{levels}", **BTC)
        assert len(book["bids"]) == len(book["asks"]) == levels
        bids, asks = ([float(price) for price, _ in book[side]] for side in ("bids", "asks"))
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]
        sequences.append(int(book["sequence"]))
    sequences.append(int(exchange.data("/api/v1/market/orderbook/level1", **BTC)["sequence"]))
    assert sequences == sorted(sequences)


def _candles(exchange: Any, **parameters: object) -> Any:
    return exchange.data("/api/v1/market/candles", **BTC, **parameters)


def test_candles_come_newest_first_with_the_running_bar_and_at_most_1500(exchange: Any) -> None:
    now = exchange.data("/api/v1/timestamp") // 1000
    rows = _candles(exchange, type="1min", startAt=now - 200_000, endAt=now + 60)
    times = [int(row[0]) for row in rows]
    assert len(rows) == 1500
    assert times == sorted(times, reverse=True)
    assert now - 120 < times[0] <= now
    for _, opening, close, high, low, volume, turnover in (list(map(float, row)) for row in rows):
        assert low <= min(opening, close) <= max(opening, close) <= high
        assert low * volume * 0.999 <= turnover <= high * volume * 1.001


def test_candles_open_at_or_after_start_and_before_end(exchange: Any) -> None:
    now = exchange.data("/api/v1/timestamp") // 1000
    minute = now - now % 60 - 600
    rows = _candles(exchange, type="1min", startAt=minute, endAt=minute + 180)
    assert [int(row[0]) for row in rows] == [minute + 120, minute + 60, minute]
    rows = _candles(exchange, type="1min", startAt=minute + 1, endAt=minute + 181)
    assert [int(row[0]) for row in rows] == [minute + 180, minute + 120, minute + 60]
    assert _candles(exchange, type="1min", startAt=now + 3600, endAt=now + 7200) == []
    assert _candles(exchange, type="1min") == []


def test_longer_candles_hold_the_minutes(exchange: Any) -> None:
    now = exchange.data("/api/v1/timestamp") // 1000
    hour = now - now % 3600 - 7200
    minutes = _candles(exchange, type="1min", startAt=hour, endAt=hour + 3600)[::-1]
    (row,) = _candles(exchange, type="1hour", startAt=hour, endAt=hour + 3600)
    assert len(minutes) == 60
    assert row[0] == str(hour)
    assert row[1] == minutes[0][1]
    assert row[2] == minutes[-1][2]
    assert float(row[3]) == max(float(minute[3]) for minute in minutes)
    assert float(row[4]) == min(float(minute[4]) for minute in minutes)
    assert float(row[5]) == pytest.approx(sum(float(minute[5]) for minute in minutes))


def test_the_trade_history_is_the_last_hundred_oldest_first_in_nanoseconds(exchange: Any) -> None:
    trades = exchange.data("/api/v1/market/histories", **BTC)
    assert len(trades) == 100
    assert [int(trade["sequence"]) for trade in trades] == sorted(int(trade["sequence"]) for trade in trades)
    times = [trade["time"] for trade in trades]
    assert times == sorted(times)
    assert all(10**18 < moment < 3 * 10**18 for moment in times)
    assert {trade["side"] for trade in trades} <= {"buy", "sell"}


def test_symbols_can_be_filtered_by_market(exchange: Any) -> None:
    assert [item["symbol"] for item in exchange.data("/api/v2/symbols")] == ["BTC-USDT", "ETH-USDT"]
    assert len(exchange.data("/api/v2/symbols", market="USDS")) == 2
    assert exchange.data("/api/v2/symbols", market="ALTS") == []


def test_unknown_parameters_and_authentication_headers_are_ignored(exchange: Any) -> None:
    answer = httpx.get(
        f"{exchange.rest}/api/v1/market/orderbook/level1",
        params={**BTC, "tradeType": "TRADE"},
        headers={"KC-API-KEY": "None", "KC-API-SIGN": "x", "KC-API-TIMESTAMP": "0", "KC-API-PASSPHRASE": "y"},
    )
    assert answer.json()["code"] == "200000"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "404000"),
        ("GET", "/", 404, "404000"),
        ("DELETE", "/api/v9/anything", 404, "404000"),
        ("POST", "/api/v1/timestamp", 405, "405000"),
        ("GET", "/api/v1/bullet-public", 405, "405000"),
        ("GET", "/api/v1/market/orderbook/level1", 400, "400100"),
        ("GET", "/api/v1/market/orderbook/level1?symbol=NO-PAIR", 200, "900001"),
        ("GET", "/api/v2/symbols/NO-PAIR", 200, "900001"),
        ("GET", "/api/v1/market/candles?symbol=BTC-USDT", 400, "400100"),
        ("GET", "/api/v1/market/candles?symbol=BTC-USDT&type=2min&startAt=1", 400, "400100"),
        ("GET", "/api/v1/market/candles?symbol=BTC-USDT&type=1min&startAt=yesterday", 400, "400100"),
    ],
)
def test_errors_have_kucoins_code_and_status_and_no_data(
    exchange: Any, method: str, path: str, status: int, code: str
) -> None:
    answer = httpx.request(method, exchange.rest + path)
    assert answer.status_code == status
    assert answer.json().keys() == {"code", "msg"}
    assert answer.json()["code"] == code
    assert "gw-ratelimit-remaining" in answer.headers


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"", 200),
        ({"Content-Type": "application/json"}, b"", 200),
        ({"Content-Type": "application/octet-stream"}, b"", 200),
        ({"Content-Type": "application/json; charset=utf-8"}, b"{}", 200),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1", 415),
        ({}, b"{}", 415),
    ],
)
def test_a_body_must_be_declared_as_json(exchange: Any, headers: dict[str, str], body: bytes, status: int) -> None:
    answer = httpx.post(f"{exchange.rest}/api/v1/bullet-public", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["code"] == ("200000" if status == 200 else "415000")


def test_more_than_2000_weights_within_30_seconds_are_refused(start_exchange: Callable[..., Any]) -> None:
    exchange = start_exchange()
    with httpx.Client(base_url=exchange.rest) as client:
        answers = [client.get("/api/v1/market/allTickers") for _ in range(134)]
        assert [answer.status_code for answer in answers] == [200] * 133 + [429]
        refused = answers[-1]
        assert refused.json() == {"code": "429000", "msg": "Too Many Requests"}
        assert refused.headers["gw-ratelimit-remaining"] == "5"
        assert 0 < int(refused.headers["gw-ratelimit-reset"]) <= 30_000
        assert client.get("/api/v1/market/orderbook/level1", params=BTC).status_code == 200
        assert client.get("/health").status_code == 200


def test_it_starts_quickly_reports_its_market_and_ends_with_status_0(start_exchange: Callable[..., Any]) -> None:
    exchange = start_exchange("--market", "calm2022", "--seed", "5")
    health = exchange.get("/health").json()
    (market,) = health["markets"]
    assert health["status"] == "ok"
    assert (market["symbol"], market["state"], market["ends_ms"]) == ("BTC-USDT", "running", None)
    assert market["market"] == "generated market calm2022, seed 5"
    assert market["begins_ms"] % 60_000 == 0
    assert 0 <= health["time_ms"] - market["book_ms"] < 60_000
    assert exchange.stop(signal.SIGTERM) == 0
    assert [line["event"] for line in exchange.log()] == ["ready", "stopped"]


def test_a_film_is_chosen_by_its_name(start_exchange: Callable[..., Any]) -> None:
    rally = SCENARIOS["rally"]
    (market,) = start_exchange("--market", "rally").get("/health").json()["markets"]
    assert market["market"] == f"generated market {rally.preset}, seed {rally.seed}"


def test_two_runs_with_one_seed_show_the_same_history(start_exchange: Callable[..., Any]) -> None:
    first, second, other = start_exchange(), start_exchange(), start_exchange("--seed", "2")
    closes = [
        {row[2] for row in _candles(exchange, type="1min", startAt=1)[2:1000]} for exchange in (first, second, other)
    ]
    # They may have started in different minutes, which moves the window by one bar.
    assert len(closes[0] & closes[1]) > 900
    assert len(closes[0] & closes[2]) < 100


@pytest.mark.parametrize("content", [b"not a recording", b""])
def test_a_file_that_cannot_be_played_ends_it_with_the_reason(
    start_exchange: Callable[..., Any], tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "recording"
    path.write_bytes(content)
    exchange = start_exchange("--recording", str(path))
    assert exchange.stop() == 1
    (line,) = exchange.log()
    assert line["event"] == "cannot_start"
    assert str(path) in line["reason"]


def test_an_occupied_port_ends_it_with_the_reason(start_exchange: Callable[..., Any], exchange: Any) -> None:
    port = exchange.rest.rsplit(":", 1)[1]
    second = start_exchange("--port", port)
    assert second.stop() == 1
    assert second.log()[-1]["event"] == "cannot_start"
    assert "in use" in second.log()[-1]["reason"]
