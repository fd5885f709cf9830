"""WebSocket against a real process: frames with the fields and types of official examples and recorded traffic."""

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

BTC = "BTC-USDT"
TIMEOUT_SECONDS = 30.0


async def _receive(socket: Any) -> Any:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return json.loads(await socket.recv())


async def _subscribe(socket: Any, *topics: str) -> None:
    assert (await _receive(socket))["type"] == "welcome"
    for number, topic in enumerate(topics):
        await socket.send(json.dumps({"id": number, "type": "subscribe", "topic": topic, "response": True}))


async def _collect(socket: Any, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """Message frames until `enough` of them."""
    frames: list[Any] = []
    while not enough(frames):
        frame = await _receive(socket)
        if frame["type"] == "message":
            frames.append(frame)
    return frames


def _sample(shared_data: Path, name: str, key: str) -> Any:
    path = shared_data / "kucoin" / name
    if not path.is_file():
        pytest.skip(f"no {name} among the recorded KuCoin samples")
    return json.loads(path.read_text())[key]


def _types(value: Any) -> Any:
    """Field names with types; a list has the types of its items; whole and broken numbers count as one in floats."""
    if isinstance(value, dict):
        return {name: _types(item) for name, item in value.items()}
    if isinstance(value, list):
        kinds = [_types(item) for item in value]
        return [kind for index, kind in enumerate(kinds) if kind not in kinds[:index]]
    return type(value).__name__


LIVE = "ws_live/public_recorded_2026-10-03.json"
FRAMES = [
    (f"/market/ticker:{BTC}", LIVE, "ticker"),
    ("/market/ticker:all", LIVE, "ticker_all"),
    (f"/market/level2:{BTC}", LIVE, "level2_variant_of_live_push"),
    (f"/market/match:{BTC}", "ws_spec/spot-public.trade.json", "frame_example"),
    (f"/market/candles:{BTC}_1hour", "ws_spec/spot-public.klines.json", "frame_example"),
    (f"/spotMarket/level1:{BTC}", "ws_spec/spot-public.orderbookLevel1.json", "frame_example"),
    (f"/spotMarket/level2Depth5:{BTC}", "ws_spec/spot-public.orderbookLevel5.json", "frame_example"),
    (f"/spotMarket/level2Depth50:{BTC}", "ws_spec/spot-public.orderbookLevel50.json", "frame_example"),
]


@pytest.mark.parametrize(("topic", "file", "key"), FRAMES, ids=[topic for topic, _, _ in FRAMES])
async def test_a_frame_has_the_fields_and_types_of_a_real_one(
    exchange: Any, shared_data: Path, topic: str, file: str, key: str
) -> None:
    sample = _sample(shared_data, file, key)
    async with exchange.connect() as socket:
        await _subscribe(socket, topic)
        (frame,) = await _collect(socket, lambda frames: len(frames) == 1)
    assert _types(frame) == _types(sample)
    assert frame["topic"] == topic
    if key != "ticker_all":
        assert frame["subject"] in (sample["subject"], "trade.candles.add")
    if "Depth" in topic:
        assert [len(frame["data"][side]) for side in ("asks", "bids")] == [len(sample["data"]["asks"])] * 2


async def test_a_snapshot_carries_json_numbers_under_the_recorded_names(exchange: Any, shared_data: Path) -> None:
    sample = _sample(shared_data, LIVE, "snapshot_symbol")["data"]["data"]
    async with exchange.connect() as socket:
        await _subscribe(socket, f"/market/snapshot:{BTC}")
        (frame,) = await _collect(socket, lambda frames: len(frames) == 1)
    data = frame["data"]["data"]
    assert data.keys() == sample.keys()
    assert frame["data"]["sequence"] == data["sequence"]

    def numbers_alike(ours: Any, theirs: Any) -> None:
        for name, value in theirs.items():
            if isinstance(value, dict):
                assert ours[name].keys() == value.keys()
                numbers_alike(ours[name], value)
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                assert isinstance(ours[name], (int, float)), name
            else:
                assert type(ours[name]) is type(value), name

    numbers_alike(data, sample)


async def test_everything_about_a_pair_arrives_side_by_side_and_agrees(exchange: Any) -> None:
    topics = (
        f"/market/ticker:{BTC},ETH-USDT",
        f"/market/match:{BTC}",
        f"/spotMarket/level2Depth50:{BTC}",
        f"/market/level2:{BTC}",
    )
    async with exchange.connect("together") as socket:
        await _subscribe(socket, *topics)
        frames = await _collect(
            socket, lambda frames: len({frame["topic"] for frame in frames}) == 5 and len(frames) > 150
        )
    books = {frame["data"]["timestamp"]: frame["data"] for frame in frames if "Depth50" in frame["topic"]}
    times = list(books)
    assert times == list(range(times[0], times[-1] + 100, 100))  # a picture every 100 ms, none left out
    ends = {}
    last = None
    for frame in frames:
        data = frame["data"]
        if frame["topic"] == f"/market/level2:{BTC}":
            assert last is None or data["sequenceStart"] == last + 1
            last = data["sequenceEnd"]
            ends[data["time"]] = str(last)
    tickers = [frame["data"] for frame in frames if frame["topic"] == f"/market/ticker:{BTC}"]
    compared = [data for data in tickers if data["time"] in books and data["time"] in ends]
    assert len(compared) > 5
    for data in compared:
        assert data["sequence"] == ends[data["time"]]
        assert data["bestBid"] == books[data["time"]]["bids"][0][0]
        assert data["bestAsk"] == books[data["time"]]["asks"][0][0]


async def test_candles_follow_matches_by_1_to_1_6_seconds(exchange: Any) -> None:
    async with exchange.connect() as socket:
        await _subscribe(socket, f"/market/match:{BTC}", f"/market/candles:{BTC}_1min")
        frames = await _collect(socket, lambda frames: sum("candles" in frame["topic"] for frame in frames) >= 8)
    matches = [frame["data"] for frame in frames if "match" in frame["topic"]]
    candles = [frame["data"] for frame in frames if "candles" in frame["topic"]]
    first_seen = int(matches[0]["time"])
    compared = 0
    for before, after in pairwise(candles):
        if before["candles"][0] != after["candles"][0] or before["time"] - 1_000_000_000 < first_seen:
            continue
        # What a candle adds to the last one are the trades that became a second old in between.
        new = sum(
            round(float(match["size"]) * 1e8)
            for match in matches
            if before["time"] - 10**9 < int(match["time"]) <= after["time"] - 10**9
        )
        grown = round(float(after["candles"][5]) * 1e8) - round(float(before["candles"][5]) * 1e8)
        assert abs(grown - new) <= 2
        compared += 1
    assert compared > 0


async def test_control_frames_over_the_wire(exchange: Any) -> None:
    async with exchange.connect("my-connection") as socket:
        assert await _receive(socket) == {"id": "my-connection", "type": "welcome"}
        await socket.send('{"id": 15, "type": "ping"}')
        pong = await _receive(socket)
        assert (pong["id"], pong["type"]) == ("15", "pong")
        await socket.send('{"id":"a","type":"subscribe","topic":"/market/ticker:NO-PAIR","response":true}')
        assert await _receive(socket) == {
            "id": "a",
            "type": "error",
            "code": 404,
            "data": "topic /market/ticker:NO-PAIR is not found",
        }


async def test_the_endpoint_without_a_path_serves_too(exchange: Any) -> None:
    address = exchange.rest.replace("http://", "ws://")
    async with connect(f"{address}/?token={exchange.bullet()['token']}", proxy=None) as socket:
        assert (await _receive(socket))["type"] == "welcome"


async def test_a_wrong_token_is_refused_with_401(exchange: Any) -> None:
    address = exchange.rest.replace("http://", "ws://")
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{address}/endpoint?token=guessed", proxy=None):
            pass
    assert refused.value.response.status_code == 401


async def test_too_many_messages_end_the_connection_with_bye(exchange: Any) -> None:
    async with exchange.connect("talker") as socket:
        for number in range(101):
            await socket.send(json.dumps({"id": number, "type": "ping"}))
        frames = [json.loads(text) async for text in socket]
    assert frames[-1] == {"id": "talker", "type": "error", "code": 509, "data": "exceed max permits per second"}
    assert len(frames) == 1 + 100 + 1
    assert (socket.close_code, socket.close_reason) == (1000, "Bye")


async def test_a_silent_client_is_closed_and_a_pinging_one_is_not(start_exchange: Callable[..., Any]) -> None:
    exchange = start_exchange("--ping-interval-ms", "300", "--ping-timeout-ms", "200")
    (server,) = exchange.bullet()["instanceServers"]
    assert (server["pingInterval"], server["pingTimeout"]) == (300, 200)
    async with exchange.connect("silent") as silent, exchange.connect("alive") as alive:
        frames = []

        async def hear_to_the_end() -> None:
            while True:
                frames.append(await _receive(silent))

        hearing = asyncio.create_task(hear_to_the_end())
        while not hearing.done():
            await alive.send('{"id":"1","type":"ping"}')
            await asyncio.wait({hearing}, timeout=0.15)
        assert isinstance(hearing.exception(), ConnectionClosedOK)
        assert frames[-1] == {"id": "silent", "type": "error", "code": 400, "data": "ping timeout"}
        await alive.send('{"id":"2","type":"ping"}')
        while (await _receive(alive)).get("id") != "2":
            pass


async def test_stopping_the_exchange_closes_connections(start_exchange: Callable[..., Any]) -> None:
    exchange = start_exchange()
    async with exchange.connect() as socket:
        await _subscribe(socket, f"/spotMarket/level2Depth50:{BTC}")
        await _collect(socket, lambda frames: len(frames) == 3)
        stopping = asyncio.create_task(asyncio.to_thread(exchange.stop))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await socket.wait_closed()
        assert await stopping == 0
    assert socket.close_code == 1012


async def test_a_consumer_that_never_reads_does_not_hold_up_the_others(exchange: Any) -> None:
    async with exchange.connect("deaf", max_queue=1, close_timeout=0.1) as deaf, exchange.connect("quick") as quick:
        for socket in (deaf, quick):
            await _subscribe(socket, f"/spotMarket/level2Depth50:{BTC}", f"/market/level2:{BTC}")
        frames = await _collect(quick, lambda frames: sum("Depth50" in frame["topic"] for frame in frames) >= 20)
        times = [frame["data"]["timestamp"] for frame in frames if "Depth50" in frame["topic"]]
        assert times == list(range(times[0], times[0] + 100 * len(times), 100))
