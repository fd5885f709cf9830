"""The socket keeps one good connection, whatever the server does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from btc_shared.kucoin.answers import SocketServer, SocketToken
from btc_shared.kucoin.errors import MalformedError, RateLimit, RateLimitedError, UnavailableError
from btc_shared.kucoin.frames import Frame
from btc_shared.kucoin.socket import Socket, Subscription, Timing
from btc_shared.kucoin.transport import malformed

TOPIC, OTHER = "/market/match:BTC-USDT", "/spotMarket/level2Depth50:BTC-USDT"
QUICK = Timing(setup=5.0, first_delay=0.01, max_delay=0.05, close=0.2)

Script = Callable[[ServerConnection], Awaitable[None]]


def message(number: int, topic: str = TOPIC) -> str:
    return json.dumps({"data": {"n": number}, "subject": "s", "topic": topic, "type": "message"})


async def welcome(connection: ServerConnection) -> None:
    await connection.send('{"id":"c","type":"welcome"}')


async def acknowledge(connection: ServerConnection, topics: int = 1) -> list[dict[str, Any]]:
    """Answer the subscriptions as the exchange does, ids as text."""
    requests = []
    for _ in range(topics):
        request = json.loads(await connection.recv())
        requests.append(request)
        await connection.send(json.dumps({"id": str(request["id"]), "type": "ack"}))
    return requests


class Venue:
    """A server that plays the next script for each connection, the last one for ever."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.tokens = 0
        self.paths: list[str] = []
        self.frames: list[Frame] = []
        self.told: list[bool] = []
        self.changed = asyncio.Condition()
        self.port = 0
        self.refuse_tokens = 0
        self.ping_interval_ms, self.ping_timeout_ms = 60_000, 60_000

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        with contextlib.suppress(ConnectionClosed):
            await script(connection)

    async def token(self) -> SocketToken:
        self.tokens += 1
        if self.tokens <= self.refuse_tokens:
            raise UnavailableError("no token")
        address = f"ws://127.0.0.1:{self.port}/endpoint"
        return SocketToken(
            f"token=={self.tokens}", (SocketServer(address, self.ping_interval_ms, self.ping_timeout_ms),)
        )

    def on_frame(self, frame: Frame) -> None:
        self.frames.append(frame)
        asyncio.get_running_loop().create_task(self.notify())

    def on_connection(self, connected: bool) -> None:
        self.told.append(connected)
        asyncio.get_running_loop().create_task(self.notify())

    async def notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self.changed, asyncio.timeout(20):
            await self.changed.wait_for(condition)

    @contextlib.asynccontextmanager
    async def running(self, *subscriptions: Subscription, timing: Timing = QUICK) -> AsyncIterator[Socket]:
        async with serve(self.serve, "127.0.0.1", 0, ping_interval=None, max_size=None) as server:
            self.port = server.sockets[0].getsockname()[1]
            socket = Socket(
                self.token,
                subscriptions or [Subscription(TOPIC)],
                self.on_frame,
                on_connection=self.on_connection,
                timing=timing,
                now_ms=lambda: 1_790_000_000_000,
            )
            task = asyncio.create_task(socket.run())
            try:
                yield socket
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                await asyncio.sleep(0)  # the notifications that the end made


async def stay(connection: ServerConnection) -> None:
    """Read until the client leaves."""
    async for _ in connection:
        pass


async def good(connection: ServerConnection) -> None:
    await welcome(connection)
    await acknowledge(connection)
    await connection.send(message(1))
    await stay(connection)


async def test_nothing_is_sent_before_the_welcome_and_frames_arrive_in_order() -> None:
    requests: list[dict[str, Any]] = []

    async def script(connection: ServerConnection) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.recv(), 0.1)
        await welcome(connection)
        requests.extend(await acknowledge(connection, topics=2))
        for number in range(50):
            await connection.send(message(number))
        await stay(connection)

    venue = Venue(script)
    async with venue.running(Subscription(TOPIC), Subscription(OTHER, private=True)):
        await venue.until(lambda: len(venue.frames) == 50)
    assert [json.loads(frame.data)["n"] for frame in venue.frames] == list(range(50))
    assert venue.frames[0] == Frame(TOPIC, "s", b'{"n": 0}', 1_790_000_000_000)
    assert [(request["topic"], request["privateChannel"], request["response"]) for request in requests] == [
        (TOPIC, False, True),
        (OTHER, True, True),
    ]
    assert len({request["id"] for request in requests}) == 2
    assert venue.told == [True, False]


async def test_frames_between_subscription_and_acknowledgement_are_not_lost() -> None:
    async def script(connection: ServerConnection) -> None:
        await welcome(connection)
        request = json.loads(await connection.recv())
        await connection.send(message(7))
        await connection.send(json.dumps({"id": request["id"], "type": "ack"}))
        await stay(connection)

    venue = Venue(script)
    async with venue.running() as socket:
        await venue.until(lambda: venue.told == [True])
        assert socket.connected
    assert [json.loads(frame.data)["n"] for frame in venue.frames] == [7]


@pytest.mark.parametrize("code", [1000, 1011])
async def test_a_closed_connection_is_begun_anew_with_a_fresh_token_and_all_subscriptions(code: int) -> None:
    async def leaving(connection: ServerConnection) -> None:
        await welcome(connection)
        await acknowledge(connection)
        await connection.close(code, "Bye")

    venue = Venue(leaving, good)
    async with venue.running() as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert socket.connected
        assert socket.reconnects == 1
        assert "Bye" in str(socket.last_error)
    assert venue.told == [True, False, True, False]
    assert [path.partition("token=")[2].partition("&")[0] for path in venue.paths] == ["token==1", "token==2"]
    assert all("connectId=" in path for path in venue.paths)


async def test_a_token_that_cannot_be_had_is_asked_for_again() -> None:
    venue = Venue(good)
    venue.refuse_tokens = 2
    async with venue.running() as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert socket.reconnects == 2
    assert len(venue.paths) == 1


async def test_an_error_frame_ends_the_session() -> None:
    async def refusing(connection: ServerConnection) -> None:
        await welcome(connection)
        request = json.loads(await connection.recv())
        await connection.send(json.dumps({"id": request["id"], "type": "error", "code": 404, "data": "no such topic"}))
        await stay(connection)

    venue = Venue(refusing, good)
    async with venue.running() as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert "404" in str(socket.last_error)
        assert "no such topic" in str(socket.last_error)
    assert venue.told == [True, False]


@pytest.mark.parametrize("step", ["welcome", "acknowledgement"])
async def test_a_connection_that_never_becomes_ready_is_given_up(step: str) -> None:
    async def silent(connection: ServerConnection) -> None:
        if step == "acknowledgement":
            await welcome(connection)
        await stay(connection)

    venue = Venue(silent, good)
    async with venue.running(timing=QUICK._replace(setup=0.5)) as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert "not ready" in str(socket.last_error)


async def test_a_server_that_only_takes_the_connection_is_given_up() -> None:
    taken = 0

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        while await reader.read(1024):
            pass
        writer.close()

    venue = Venue(good)
    async with await asyncio.start_server(take, "127.0.0.1", 0) as dead:
        dead_port = dead.sockets[0].getsockname()[1]
        real = venue.token

        async def token() -> SocketToken:
            found = await real()
            server = found.servers[0]
            if venue.tokens == 1:
                server = SocketServer(f"ws://127.0.0.1:{dead_port}/", server.ping_interval_ms, server.ping_timeout_ms)
            return SocketToken(found.token, (server,))

        venue.token = token  # type: ignore[method-assign]
        async with venue.running(timing=QUICK._replace(setup=0.5)):
            await venue.until(lambda: len(venue.frames) == 1)
    assert taken == 1


async def test_a_topic_that_never_delivers_is_found_although_others_do() -> None:
    async def half(connection: ServerConnection) -> None:
        await welcome(connection)
        await acknowledge(connection, topics=2)
        while True:
            await connection.send(message(0, OTHER))
            await asyncio.sleep(0.05)

    async def whole(connection: ServerConnection) -> None:
        await welcome(connection)
        await acknowledge(connection, topics=2)
        await connection.send(message(1, TOPIC))
        await stay(connection)

    venue = Venue(half, whole)
    async with venue.running(Subscription(TOPIC, max_silence_secs=0.5), Subscription(OTHER)) as socket:
        await venue.until(lambda: any(frame.topic == TOPIC for frame in venue.frames))
        assert f"{TOPIC} was silent" in str(socket.last_error)


async def test_a_topic_that_delivers_only_garbage_counts_as_silent() -> None:
    async def garbage(connection: ServerConnection) -> None:
        await welcome(connection)
        await acknowledge(connection)
        while True:
            await connection.send(message(-1))
            await asyncio.sleep(0.05)

    class Picky(Venue):
        def on_frame(self, frame: Frame) -> None:
            if json.loads(frame.data)["n"] < 0:
                raise MalformedError(frame.topic, "is garbage", frame.data)
            super().on_frame(frame)

    venue = Picky(garbage, good)
    before = malformed.labels(TOPIC)._value.get()
    async with venue.running(Subscription(TOPIC, max_silence_secs=0.5)) as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert "was silent" in str(socket.last_error)
    assert malformed.labels(TOPIC)._value.get() > before


async def test_pings_go_out_and_a_server_that_answers_none_is_given_up() -> None:
    pings: list[dict[str, Any]] = []

    async def deaf(connection: ServerConnection) -> None:
        await welcome(connection)
        await acknowledge(connection)
        async for text in connection:
            pings.append(json.loads(text))

    venue = Venue(deaf, good)
    venue.ping_interval_ms, venue.ping_timeout_ms = 100, 400
    async with venue.running() as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert "not even a pong" in str(socket.last_error)
    assert len(pings) >= 2
    assert pings[0] == {"id": "1790000000000", "type": "ping"}


async def test_pongs_keep_a_quiet_connection() -> None:
    pings = 0

    async def quiet(connection: ServerConnection) -> None:
        nonlocal pings
        await welcome(connection)
        await acknowledge(connection)
        async for _ in connection:
            pings += 1
            await connection.send('{"type":"pong","timestamp":1790000000000000}')
            if pings == 20:
                await connection.send(message(1))

    venue = Venue(quiet)
    venue.ping_interval_ms, venue.ping_timeout_ms = 50, 400  # twenty pings take more than interval + timeout
    async with venue.running() as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert socket.reconnects == 0
    assert pings == 20


async def test_the_session_is_renewed_before_it_is_too_old() -> None:
    venue = Venue(good)
    async with venue.running(timing=QUICK._replace(max_age=0.3)) as socket:
        await venue.until(lambda: len(venue.frames) == 3)
        assert socket.last_error is None
    assert venue.tokens >= 3


@pytest.mark.parametrize(
    ("body", "counted"),
    [
        (b"\xff\xfe", 2),
        ("not JSON", 2),
        ("[]", 2),
        ('{"no":"type"}', 2),
        ("", 2),
        ('{"type":"notice","data":1}', 0),
    ],
)
async def test_garbage_is_counted_and_changes_nothing(body: str | bytes, counted: int) -> None:
    async def script(connection: ServerConnection) -> None:
        await welcome(connection)
        await connection.send(body)
        await acknowledge(connection)
        await connection.send(body)
        await connection.send(message(1))
        await stay(connection)

    venue = Venue(script)
    before = malformed.labels("other")._value.get()
    async with venue.running() as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert socket.reconnects == 0
    assert malformed.labels("other")._value.get() - before == counted


async def test_a_frame_beyond_the_bound_ends_the_connection_not_the_process() -> None:
    async def flood(connection: ServerConnection) -> None:
        await welcome(connection)
        await acknowledge(connection)
        await connection.send("x" * (2 << 20))
        await stay(connection)

    venue = Venue(flood, good)
    async with venue.running() as socket:
        await venue.until(lambda: len(venue.frames) == 1)
        assert socket.reconnects == 1


async def test_a_mistake_of_the_handler_is_not_hidden() -> None:
    venue = Venue(good)

    def broken(frame: Frame) -> None:
        raise ZeroDivisionError(frame.topic)

    async with serve(venue.serve, "127.0.0.1", 0, ping_interval=None) as server:
        venue.port = server.sockets[0].getsockname()[1]
        socket = Socket(venue.token, [Subscription(TOPIC)], broken, timing=QUICK)
        with pytest.raises(ZeroDivisionError):
            await socket.run()
        assert not socket.connected


async def test_delays_grow_while_sessions_are_short_and_stay_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        delays.append(seconds)
        await real_sleep(0)

    async def no_token() -> SocketToken:
        if len(delays) == 12:
            raise asyncio.CancelledError
        raise UnavailableError("away")

    monkeypatch.setattr("btc_shared.kucoin.socket.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await Socket(no_token, [Subscription(TOPIC)], lambda _: None).run()
    assert all(1 <= delay <= 30 for delay in delays)
    assert min(delays[6:]) >= 15


async def test_the_log_tells_the_loss_and_the_return_and_nothing_of_the_tries_between() -> None:
    async def drop(connection: ServerConnection) -> None:
        await welcome(connection)
        await acknowledge(connection)

    async def stay(connection: ServerConnection) -> None:
        await drop(connection)
        await connection.wait_closed()

    venue = Venue(drop, stay)
    venue.refuse_tokens = 3
    with capture_logs() as lines:
        async with venue.running():
            await venue.until(lambda: venue.told == [True, False, True])
    told = [line for line in lines if line["log_level"] != "debug"]
    assert [line["event"] for line in told] == ["socket_lost", "socket_connected", "socket_lost", "socket_connected"]
    assert [line["failures"] for line in told if line["event"] == "socket_connected"] == [3, 1]


async def test_a_rate_limit_is_waited_for_before_the_next_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    async def token() -> SocketToken:
        if len(waits) < 2:
            raise RateLimitedError(RateLimit.QUOTA, 21_000)
        raise UnavailableError("no token")

    monkeypatch.setattr("btc_shared.kucoin.socket.asyncio.sleep", note)
    running = asyncio.create_task(Socket(token, [Subscription(TOPIC)], lambda _: None, timing=QUICK).run())
    async with asyncio.timeout(20):
        while len(waits) < 3:
            await sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert waits[:2] == [21.0, 21.0]
    assert waits[2] < 1
