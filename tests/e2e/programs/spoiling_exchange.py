"""An exchange that talks nonsense in between: `python -m spoiling_exchange UPSTREAM`.

It passes everything on to the practice exchange at UPSTREAM and back, and adds frames and answers that are wrong.
Wherever a wrong message can name a price, that is `POISON`: it must turn up nowhere. `GET /spoiled` tells how many
wrong messages of each kind were sent.
"""

import asyncio
import copy
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

POISON = "666.6"
# One wrong frame follows this many good ones.
GOOD_FRAMES = 2
HOUR_MS = 3_600_000

Frame = dict[str, Any]
Change = Callable[[Frame], Any]


def changed(**changes: Any) -> Change:
    """The frame with other values in its data; `...` takes a field away."""

    def change(frame: Frame) -> Frame:
        for name, value in changes.items():
            if value is ...:
                frame["data"].pop(name)
            else:
                frame["data"][name] = value
        return frame

    return change


def level(side: str, row: Any) -> Change:
    """The depth frame with another best level on a side."""

    def change(frame: Frame) -> Frame:
        frame["data"][side][0] = row
        return frame

    return change


def poisoned_book(**changes: Any) -> Change:
    """A book at the poisonous price that is fine but for `changes`."""
    return changed(**{"bids": [[POISON, "1"]], "asks": [["666.7", "1"]], **changes})


def candle(place: int, value: Any) -> Change:
    """The candles frame with another figure: time, open, close, high, low, volume, turnover."""

    def change(frame: Frame) -> Frame:
        frame["data"]["candles"][place] = value
        return frame

    return change


def later(frame: Frame, name: str, unit_per_ms: int) -> Frame:
    frame["data"][name] = type(frame["data"][name])(int(frame["data"][name]) + HOUR_MS * unit_per_ms)
    return frame


def poisoned_candle(frame: Frame, **changes: Any) -> Frame:
    time = frame["data"]["candles"][0]
    frame["data"]["candles"] = [time, POISON, POISON, POISON, POISON, "99999", "1"]
    frame["data"].update(changes)
    return frame


DEPTH: dict[str, Change] = {
    "bid is NaN": level("bids", ["NaN", "1"]),
    "ask is infinite": level("asks", ["Infinity", "1"]),
    "bid is negative": level("bids", ["-" + POISON, "1"]),
    "bid is huge": level("bids", ["1e99", "1"]),
    "bid is empty": level("bids", ["", "1"]),
    "bid is null": level("bids", [None, "1"]),
    "bid is a number": level("bids", [float(POISON), 1]),
    "bid has no size": level("bids", [POISON]),
    "size is NaN": level("asks", [POISON, "nan"]),
    "size is zero": level("asks", [POISON, "0"]),
    "level is a text": level("asks", POISON),
    "crossed": level("bids", ["99999999", "1"]),
    "unsorted": level("bids", [POISON, "1"]),
    "no bids": changed(bids=...),
    "empty bids": poisoned_book(bids=[]),
    "empty asks": poisoned_book(asks=[]),
    "asks are an object": poisoned_book(asks={}),
    "no time": poisoned_book(timestamp=...),
    "time is null": poisoned_book(timestamp=None),
    "time in seconds": poisoned_book(timestamp=1_790_000_000),
    "time is text": poisoned_book(timestamp="now"),
    "from the future": lambda frame: later(poisoned_book()(frame), "timestamp", 1),
    "data is null": lambda frame: {**frame, "data": None},
    "data is a list": lambda frame: {**frame, "data": [POISON]},
    "data is a text": lambda frame: {**frame, "data": POISON},
    "no data": lambda frame: {name: value for name, value in frame.items() if name != "data"},
}
MATCH: dict[str, Change] = {
    "price is NaN": changed(price="NaN"),
    "price is zero": changed(price="0"),
    "price is a number": changed(price=float(POISON)),
    "no price": changed(price=...),
    "size is negative": changed(price=POISON, size="-1"),
    "size is infinite": changed(price=POISON, size="inf"),
    "side is neither": changed(price=POISON, side="hold"),
    "no side": changed(price=POISON, side=...),
    "no time": changed(price=POISON, time=...),
    "time in milliseconds": changed(price=POISON, time="1790000000000"),
    "sequence is text": changed(price=POISON, sequence="first"),
    "other symbol": changed(price=POISON, symbol="ETH-USDT"),
    "from the future": lambda frame: later(changed(price=POISON, sequence="9" * 19)(frame), "time", 1_000_000),
}
CANDLES: dict[str, Change] = {
    "close is NaN": candle(2, "NaN"),
    "high below low": candle(3, POISON),
    "low is negative": candle(4, "-1"),
    "volume is NaN": candle(5, "NaN"),
    "volume is negative": candle(5, "-99999"),
    "time is text": candle(0, "now"),
    "not at a minute": lambda frame: candle(0, str(int(frame["data"]["candles"][0]) + 1))(poisoned_candle(frame)),
    "too few figures": lambda frame: poisoned_candle(frame, candles=[POISON, POISON]),
    "no figures": changed(candles=...),
    "other symbol": lambda frame: poisoned_candle(frame, symbol="ETH-USDT"),
    "from the future": lambda frame: candle(0, str(int(frame["data"]["candles"][0]) + 7_200))(poisoned_candle(frame)),
}
OTHER: dict[str, Change] = {
    "no JSON": lambda _: "}" + POISON + "{",
    "half a frame": lambda frame: json.dumps(frame)[:-20],
    "empty": lambda _: "",
    "a list": lambda frame: [frame],
    "a number": lambda _: float(POISON),
    "null": lambda _: "null",
    "bytes": lambda _: b"\xff\xfe\x00" + POISON.encode(),
    "endless nesting": lambda _: "[" * 50_000,
    "endless digits": lambda _: '{"type":' + "9" * 50_000 + "}",
    "no type": lambda frame: {name: value for name, value in frame.items() if name != "type"},
    "topic not asked for": lambda frame: {**poisoned_book()(frame), "topic": "/spotMarket/level2Depth50:ETH-USDT"},
}
WRONG = [
    *(("depth", name, "/spotMarket/level2Depth50:", change) for name, change in DEPTH.items()),
    *(("match", name, "/market/match:", change) for name, change in MATCH.items()),
    *(("candles", name, "/market/candles:", change) for name, change in CANDLES.items()),
    *(("other", name, "/spotMarket/level2Depth50:", change) for name, change in OTHER.items()),
]
ANSWERS: dict[str, Callable[[bytes], tuple[int, bytes]]] = {
    "no JSON": lambda _: (200, b"<html>" + POISON.encode()),
    "half an answer": lambda body: (200, body[: len(body) // 2]),
    "empty": lambda _: (200, b""),
    "no data": lambda _: (200, b'{"code":"200000"}'),
    "data is NaN": lambda _: (200, b'{"code":"200000","data":NaN}'),
    "data is a text": lambda _: (200, b'{"code":"200000","data":"' + POISON.encode() + b'"}'),
    "numbers are NaN": lambda body: (200, json.dumps(_with_nan(json.loads(body))).encode()),
    "not in service": lambda _: (503, b"down for maintenance"),
}


def _with_nan(value: Any) -> Any:
    """Every number and every text that is one becomes NaN, as text; the code stays."""
    if isinstance(value, dict):
        return {name: item if name == "code" else _with_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_nan(item) for item in value]
    if isinstance(value, bool):
        return value
    return "NaN" if isinstance(value, int | float) or str(value).replace(".", "").isdigit() else value


class Spoiler:
    """The state of the process: what comes next, what was sent."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.sent: Counter[str] = Counter()
        self._answers: dict[str, Any] = {}
        self._newest: dict[str, Frame] = {}
        self._wrong = cycle(WRONG)
        self._next = next(self._wrong)
        self._good = 0

    def wrong_answer(self, endpoint: str, body: bytes) -> tuple[int, bytes] | None:
        """What to answer instead of `body`; every second answer of an endpoint is a right one."""
        turns = self._answers.setdefault(endpoint, cycle([turn for name in ANSWERS for turn in (name, None)]))
        name: str | None = next(turns)
        if name is None:
            return None
        self.sent[f"answer: {name}"] += 1
        return ANSWERS[name](body)

    def wrong_frame(self, text: str) -> str | bytes | None:
        """What to send after the good frame `text`, if it is time."""
        frame = json.loads(text)
        if frame.get("type") != "message":
            return None
        self._newest[frame["topic"].partition(":")[0] + ":"] = frame
        self._good += 1
        kind, name, topic, change = self._next
        if self._good < GOOD_FRAMES or topic not in self._newest:
            return None
        self._good, self._next = 0, next(self._wrong)
        self.sent[f"{kind}: {name}"] += 1
        made = change(copy.deepcopy(self._newest[topic]))
        return made if isinstance(made, str | bytes) else json.dumps(made)


def build(spoiler: Spoiler, http: httpx.AsyncClient) -> Starlette:
    async def spoiled(_: Request) -> Response:
        return JSONResponse({"sent": spoiler.sent, "kinds": [f"{kind}: {name}" for kind, name, _, _ in WRONG]})

    async def health(_: Request) -> Response:
        return JSONResponse({})

    async def bullet(request: Request) -> Response:
        body = (await http.post(request.url.path)).json()
        (server,) = body["data"]["instanceServers"]
        server["endpoint"] = f"ws://{request.url.netloc}/endpoint"
        return _answer(request, json.dumps(body).encode(), 200)

    async def rest(request: Request) -> Response:
        answer = await http.get(request.url.path, params=str(request.query_params))
        return _answer(request, answer.content, answer.status_code)

    def _answer(request: Request, body: bytes, status: int) -> Response:
        status, body = spoiler.wrong_answer(request.url.path, body) or (status, body)
        return Response(body, status, media_type="application/json")

    async def endpoint(client: WebSocket) -> None:
        address = spoiler.upstream.replace("http", "ws", 1) + f"/endpoint?{client.query_params}"
        async with connect(address) as server:
            await client.accept()
            tasks = [asyncio.create_task(_to_server(client, server)), asyncio.create_task(_to_client(client, server))]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _to_server(client: WebSocket, server: ClientConnection) -> None:
        try:
            while True:
                await server.send(await client.receive_text())
        except (WebSocketDisconnect, ConnectionClosed):
            return

    async def _to_client(client: WebSocket, server: ClientConnection) -> None:
        try:
            async for text in server:
                assert isinstance(text, str)
                await client.send_text(text)
                wrong = spoiler.wrong_frame(text)
                if isinstance(wrong, bytes):
                    await client.send_bytes(wrong)
                elif wrong is not None:
                    await client.send_text(wrong)
        except (WebSocketDisconnect, ConnectionClosed):
            return

    return Starlette(
        routes=[
            Route("/spoiled", spoiled),
            Route("/health", health),
            Route("/api/v1/bullet-public", bullet, methods=["POST"]),
            Route("/api/{path:path}", rest),
            WebSocketRoute("/endpoint", endpoint),
        ]
    )


@asynccontextmanager
async def client(upstream: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=upstream, timeout=10) as http:
        yield http


async def main(upstream: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    async with client(upstream) as http:
        app = build(Spoiler(upstream), http)
        config = uvicorn.Config(
            app, log_config=None, lifespan="off", ws_ping_interval=None, timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        print(json.dumps({"rest": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
        await server.serve([listener])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
