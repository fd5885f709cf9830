"""The life of a connection: welcome first, tokens, silence, age, and consumers that do not keep up."""

import asyncio
import json
from random import Random
from typing import Any

from starlette.websockets import WebSocket

from kucoin_sim.board import Board
from kucoin_sim.exchange import Exchange
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.hub import Hub
from kucoin_sim.presets import CALM_2022
from kucoin_sim.tokens import VALID_MS, TokenBook
from kucoin_sim.websocket import SocketLimits, SocketServer

NOW_MS = 1_790_000_040_000
TOPIC = "/spotMarket/level2Depth5:BTC-USDT"


class Peer:
    """The other end of a connection, at the level of ASGI messages; it may stop taking what is sent."""

    def __init__(self, query: str) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.inbox.put_nowait({"type": "websocket.connect"})
        self.sent: list[dict[str, Any]] = []
        self.takes = asyncio.Event()
        self.takes.set()
        scope = {
            "type": "websocket",
            "path": "/endpoint",
            "query_string": query.encode(),
            "headers": [],
            "extensions": {"websocket.http.response": {}},
        }
        self.websocket = WebSocket(scope, self.inbox.get, self._take)

    async def _take(self, message: Any) -> None:
        await self.takes.wait()
        self.sent.append(message)

    def say(self, **message: object) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})

    @property
    def frames(self) -> list[Any]:
        return [json.loads(message["text"]) for message in self.sent if message["type"] == "websocket.send"]

    @property
    def closed(self) -> tuple[int, str] | None:
        return next(((item["code"], item["reason"]) for item in self.sent if item["type"] == "websocket.close"), None)


class House:
    """A socket server over one pair, with a clock in hand."""

    def __init__(self, limits: SocketLimits | None = None) -> None:
        self.now_ms = NOW_MS
        self.hub = Hub()
        self.tokens = TokenBook()
        market = GeneratedMarket(CALM_2022, 1, NOW_MS, history_minutes=1)
        self.exchange = Exchange({"BTC-USDT": Board(market, NOW_MS, Random(1))}, self.hub, NOW_MS)
        self.server = SocketServer(
            self.exchange, self.hub, self.tokens, lambda: self.now_ms, limits if limits is not None else SocketLimits()
        )

    def peer(self) -> Peer:
        return Peer(f"token={self.tokens.issue(self.now_ms)}&connectId=me")

    def play(self, seconds: int) -> None:
        self.now_ms += seconds * 1000
        while not self.exchange.play(self.now_ms):
            pass


async def _until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the other end runs in this loop too
            await asyncio.sleep(0)


async def test_the_first_frame_is_the_welcome_with_the_connect_id() -> None:
    house, peer = House(), None
    peer = house.peer()
    serving = asyncio.create_task(house.server.serve(peer.websocket))
    await _until(lambda: peer.frames)
    assert peer.sent[0]["type"] == "websocket.accept"
    assert peer.frames == [{"id": "me", "type": "welcome"}]
    assert house.hub.connections == 1
    peer.leave()
    await serving
    assert house.hub.connections == 0


async def test_a_token_that_was_never_issued_is_refused_in_the_handshake() -> None:
    house, peer = House(), Peer("token=guessed")
    await house.server.serve(peer.websocket)
    assert peer.sent[0]["type"] == "websocket.http.response.start"
    assert peer.sent[0]["status"] == 401
    no_token = Peer("")
    await house.server.serve(no_token.websocket)
    assert no_token.sent[0]["status"] == 401


async def test_a_token_of_yesterday_is_refused_by_an_error_frame() -> None:
    house = House()
    peer = house.peer()
    house.now_ms += VALID_MS
    await house.server.serve(peer.websocket)
    assert peer.frames == [{"id": "me", "type": "error", "code": 401, "data": "token is expired"}]
    assert peer.closed == (1000, "Bye")


async def test_silence_longer_than_ping_interval_and_timeout_ends_the_connection() -> None:
    house = House(SocketLimits(ping_interval_ms=30, ping_timeout_ms=20))
    peer = house.peer()
    await house.server.serve(peer.websocket)
    assert peer.frames[-1] == {"id": "me", "type": "error", "code": 400, "data": "ping timeout"}
    assert peer.closed == (1000, "Bye")


async def test_a_connection_is_dropped_at_its_age_even_if_it_pings() -> None:
    house = House(SocketLimits(connection_ms=80))
    peer = house.peer()
    peer.say(id="1", type="ping")
    await house.server.serve(peer.websocket)
    assert [frame["type"] for frame in peer.frames] == ["welcome", "pong", "error"]
    assert peer.closed == (1000, "Bye")


async def test_a_consumer_that_stops_reading_is_cut_and_the_others_miss_nothing() -> None:
    most_frames = 200
    house = House(SocketLimits(queue_frames=most_frames))
    slow, quick = house.peer(), house.peer()
    serving = [asyncio.create_task(house.server.serve(peer.websocket)) for peer in (slow, quick)]
    for peer in (slow, quick):
        peer.say(id="1", type="subscribe", topic=TOPIC, response=True)
    await _until(lambda: len(slow.frames) == len(quick.frames) == 2)
    slow.takes.clear()
    pictures = 0
    while not serving[0].done():
        house.play(1)
        pictures += 10
        assert pictures <= 2 * most_frames
        # Whoever reads, reads on: the queue of the quick one is emptied each second.
        await _until(lambda expected=2 + pictures: len(quick.frames) == expected)
    assert pictures > most_frames
    await serving[0]
    assert house.hub.connections == 1
    house.play(1)
    await _until(lambda: len(quick.frames) == 12 + pictures)
    times = [frame["data"]["timestamp"] for frame in quick.frames[2:]]
    assert times == [NOW_MS + 100 * number for number in range(1, len(times) + 1)]
    quick.leave()
    await serving[1]
    assert not house.hub.wanted(TOPIC)


async def test_a_leaving_consumer_leaves_no_subscription_behind() -> None:
    house = House()
    peer = house.peer()
    peer.say(id="1", type="subscribe", topic=TOPIC, response=True)
    serving = asyncio.create_task(house.server.serve(peer.websocket))
    await _until(lambda: len(peer.frames) == 2)
    assert house.hub.wanted(TOPIC)
    peer.leave()
    await serving
    assert not house.hub.wanted(TOPIC)
    assert peer.closed is None
