"""One WebSocket connection that is always being kept: token, welcome, subscriptions, pings, watch, reconnects.

Every connection gets a fresh token, because old ones are refused; nothing is sent before the server's welcome; the
session is renewed before the exchange drops it after 24 h. Silence is measured from the connection attempt on, so a
socket that opens and never delivers is found as surely as one that stops.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from urllib.parse import quote
from uuid import uuid4

import msgspec
import structlog
from prometheus_client import Counter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException

from btc_shared import clock
from btc_shared.kucoin import frames, transport
from btc_shared.kucoin.answers import SocketToken
from btc_shared.kucoin.errors import KucoinError, MalformedError, RateLimitedError
from btc_shared.kucoin.frames import Frame

MAX_FRAME_BYTES = 1 << 20
OTHER_TOPIC = "other"
LOG_EVERY = 100

log = structlog.get_logger(__name__)
frames_received = Counter("kucoin_socket_frames", "Frames received, by topic", ["topic"])
reconnects = Counter("kucoin_socket_reconnects", "Sessions that ended and were begun anew, by reason", ["reason"])


class Subscription(NamedTuple):
    """A topic to subscribe. `max_silence_secs`: the connection counts as dead when the topic is silent for longer."""

    topic: str
    private: bool = False
    max_silence_secs: float | None = None


class Timing(NamedTuple):
    """The session's times in seconds."""

    setup: float = 30.0
    """from asking for the token to the last acknowledged subscription"""
    first_delay: float = 1.0
    max_delay: float = 30.0
    stable: float = 60.0
    """a session that lived this long starts the back-off anew; a shorter one lets it grow (30 connections a minute)"""
    max_age: float = 23 * 3600.0
    close: float = 1.0


class SessionError(Exception):
    """The session is of no use any more; `reason` is the metric's label."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


class Socket:
    """Keeps one connection and hands every pushed frame, in order, to `on_frame`.

    `token` is asked before each connection (`PublicClient.public_token`). `on_frame` runs between two reads: it must
    not block; a `MalformedError` that it raises is counted and logged, any other exception ends `run`.
    `on_connection` is told True once all subscriptions are acknowledged and False when that connection ends.
    The log tells when the connection was lost and when it was back, not every try in between.
    """

    def __init__(
        self,
        token: Callable[[], Awaitable[SocketToken]],
        subscriptions: Sequence[Subscription],
        on_frame: Callable[[Frame], None],
        *,
        on_connection: Callable[[bool], None] = lambda _: None,
        timing: Timing | None = None,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self._token, self._subscriptions, self._on_frame = token, tuple(subscriptions), on_frame
        self._on_connection, self._timing, self._now_ms = on_connection, timing or Timing(), now_ms
        self._topics = {subscription.topic for subscription in subscriptions}
        self._malformed: dict[str, int] = {}
        self._heard: dict[str, float] = {}
        self._heard_any = 0.0
        self._attempts = 0
        self._lost_at: float | None = None
        self._failures = 0
        self._wait_secs = 0.0
        self.connected = False
        self.reconnects = 0
        self.last_error: str | None = None

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            reason, text = await self._session()
            failures = 0 if loop.time() - started >= self._timing.stable else failures + 1
            self.reconnects += 1
            reconnects.labels(reason).inc()
            if reason == "planned":
                log.info("socket_renewed", text=text)
                continue
            self.last_error = text
            limit = min(self._timing.first_delay * 2 ** min(failures, 10), self._timing.max_delay)
            delay = max(self._timing.first_delay, limit * random.uniform(0.5, 1.0))  # noqa: S311
            delay = max(delay, self._wait_secs)
            self._failures += 1
            if self._lost_at is None:
                self._lost_at = loop.time()
                log.warning("socket_lost", reason=reason, error=text, retry_in_secs=round(delay, 2))
            else:
                log.debug("socket_still_lost", reason=reason, error=text, retry_in_secs=round(delay, 2))
            await asyncio.sleep(delay)

    async def _session(self) -> tuple[str, str]:
        """One connection from token to end; returns why it ended (the metric's label and a sentence)."""
        self._wait_secs = 0.0
        try:
            await self._connect_and_read()
        except SessionError as error:
            return error.reason, str(error)
        except KucoinError as error:
            if isinstance(error, RateLimitedError):
                self._wait_secs = error.retry_after_ms / 1_000
            return "token", str(error)
        except TimeoutError:
            return "timeout", f"the connection was not ready after {self._timing.setup} s"
        except InvalidURI:  # its text would have the token
            return "lost", "the server's address, as the exchange gave it, is not valid"
        except (WebSocketException, OSError) as error:
            return "lost", str(error) or repr(error)
        finally:
            if self.connected:
                self.connected = False
                self._on_connection(False)
        raise AssertionError("a session ends with an error only")

    async def _connect_and_read(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._heard_any = started
        self._heard = {s.topic: started for s in self._subscriptions if s.max_silence_secs is not None}
        setup = asyncio.timeout(self._timing.setup)
        async with setup:
            token = await self._token()
            server = token.servers[self._attempts % len(token.servers)]
            self._attempts += 1
            opening = connect(
                _address(server.endpoint, token.token),
                max_size=MAX_FRAME_BYTES,
                ping_interval=None,  # the exchange wants its own JSON pings
                open_timeout=None,  # `setup` bounds it
                close_timeout=self._timing.close,
            )
            connection = await opening
        try:
            async with asyncio.timeout_at(setup.when()):
                await self._set_up(connection)
            self.connected = True
            self._on_connection(True)
            self._log_connected(loop.time())
            await self._read(connection, started, server.ping_interval_ms / 1_000, server.ping_timeout_ms / 1_000)
        finally:
            await connection.close()

    def _log_connected(self, now: float) -> None:
        away = {} if self._lost_at is None else {"away_secs": round(now - self._lost_at, 1), "failures": self._failures}
        self._lost_at, self._failures = None, 0
        log.info("socket_connected", topics=sorted(self._topics), **away)

    async def _set_up(self, connection: ClientConnection) -> None:
        """Wait for the welcome, subscribe, and wait for all acknowledgements; frames may arrive in between."""
        while (await self._receive(connection)) != "welcome":
            pass
        waiting: set[str | int | None] = set()
        for subscription in self._subscriptions:
            identity = uuid4().hex
            waiting.add(identity)
            request = {
                "id": identity,
                "type": "subscribe",
                "topic": subscription.topic,
                "privateChannel": subscription.private,
                "response": True,
            }
            await connection.send(msgspec.json.encode(request).decode())
        while waiting:
            received = await self._receive(connection)
            waiting.discard(received.removeprefix("ack:"))

    async def _read(
        self, connection: ClientConnection, started: float, ping_interval: float, ping_timeout: float
    ) -> None:
        loop = asyncio.get_running_loop()
        ping_at = loop.time() + ping_interval
        # Not all connections of a machine at the same moment.
        renew_at = started + self._timing.max_age * random.uniform(0.95, 1.0)  # noqa: S311
        while True:
            now = loop.time()
            if now >= ping_at:
                ping = msgspec.json.encode({"id": str(self._now_ms()), "type": "ping"}).decode()
                try:
                    async with asyncio.timeout(ping_timeout):
                        await connection.send(ping)
                except TimeoutError:
                    raise SessionError("stale", f"a ping could not be sent within {ping_timeout} s") from None
                ping_at = now + ping_interval
            if now >= renew_at:
                raise SessionError("planned", f"the connection is {round(now - started)} s old")
            silent_at = self._check_silence(now, ping_interval + ping_timeout)
            try:
                async with asyncio.timeout_at(min(ping_at, renew_at, silent_at)):
                    await self._receive(connection)
            except TimeoutError:
                continue

    def _check_silence(self, now: float, any_silence: float) -> float:
        """Raise when something has been silent for too long; return when that would be next."""
        silent_at = self._heard_any + any_silence
        if now >= silent_at:
            raise SessionError("stale", f"nothing was received for {any_silence} s, not even a pong")
        for subscription in self._subscriptions:
            if subscription.max_silence_secs is None:
                continue
            topic_silent_at = self._heard[subscription.topic] + subscription.max_silence_secs
            if now >= topic_silent_at:
                raise SessionError("stale", f"{subscription.topic} was silent for {subscription.max_silence_secs} s")
            silent_at = min(silent_at, topic_silent_at)
        return silent_at

    async def _receive(self, connection: ClientConnection) -> str:
        """Receive one frame and deal with it; returns its type, for an acknowledgement `ack:` and its id."""
        body = await connection.recv(decode=False)
        received_at_ms = self._now_ms()
        self._heard_any = asyncio.get_running_loop().time()
        try:
            envelope = frames.envelope(body)
        except MalformedError as error:
            frames_received.labels(OTHER_TOPIC).inc()
            self._count_malformed(OTHER_TOPIC, error)
            return ""
        if envelope.type == "message":
            topic = envelope.topic if envelope.topic in self._topics else OTHER_TOPIC
            frames_received.labels(topic).inc()
            try:
                self._on_frame(Frame(envelope.topic, envelope.subject, bytes(envelope.data), received_at_ms))
            except MalformedError as error:
                self._count_malformed(topic, error)
            else:
                if topic in self._heard:
                    self._heard[topic] = self._heard_any
        elif envelope.type == "error":
            text = bytes(envelope.data)[:200].decode(errors="replace")
            raise SessionError("error", f"the server reports error {envelope.code}: {text}")
        elif envelope.type == "ack":
            return f"ack:{envelope.id}"
        return envelope.type

    def _count_malformed(self, topic: str, error: MalformedError) -> None:
        transport.malformed.labels(topic).inc()
        seen = self._malformed[topic] = self._malformed.get(topic, 0) + 1
        if seen % LOG_EVERY == 1:  # the first and every hundredth
            log.warning("malformed_frame", topic=topic, seen=seen, error=str(error))


def _address(endpoint: str, token: str) -> str:
    separator = "&" if "?" in endpoint else "?"
    return f"{endpoint}{separator}token={quote(token, safe='=')}&connectId={uuid4().hex}"
