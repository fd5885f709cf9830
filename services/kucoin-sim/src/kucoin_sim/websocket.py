"""The life of one WebSocket connection: token, handshake, reading and writing side by side, and the way out."""

import asyncio
from dataclasses import dataclass

import structlog
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from kucoin_sim.exchange import Clock, Exchange
from kucoin_sim.hub import QUEUE_FRAMES, Farewell, Hub, Outbox
from kucoin_sim.session import Session
from kucoin_sim.tokens import TokenBook

_FAREWELL_SECONDS = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """What the bullet answer announces, how long a connection may last, and how many frames it may fall behind."""

    ping_interval_ms: int = 18_000
    ping_timeout_ms: int = 10_000
    connection_ms: int = 24 * 3_600_000
    queue_frames: int = QUEUE_FRAMES

    @property
    def idle_seconds(self) -> float:
        return (self.ping_interval_ms + self.ping_timeout_ms) / 1000


class SocketServer:
    """Serves connections; everything they share is passed in."""

    def __init__(self, exchange: Exchange, hub: Hub, tokens: TokenBook, clock: Clock, limits: SocketLimits) -> None:
        self._exchange = exchange
        self._hub = hub
        self._tokens = tokens
        self._clock = clock
        self._limits = limits

    async def serve(self, websocket: WebSocket) -> None:
        """The endpoint. A token that was never issued is refused in the handshake, an old one by an error frame."""
        found = self._tokens.check(websocket.query_params.get("token", ""), self._clock())
        if found == "unknown":
            refusal = {"code": "401", "msg": "token is invalid"}
            await websocket.send_denial_response(JSONResponse(refusal, status_code=401))
            return
        connection_id = websocket.query_params.get("connectId") or f"{self._clock():x}"
        outbox = Outbox(self._limits.queue_frames)
        session = Session(self._exchange, self._hub, outbox, connection_id)
        await websocket.accept()
        if found == "expired":
            session.refuse(401, "token is expired")
            await _write(websocket, outbox)
            return
        self._hub.connections += 1
        try:
            await self._converse(websocket, session, outbox, connection_id)
        finally:
            self._hub.connections -= 1
            self._hub.leave(outbox)

    async def _converse(self, websocket: WebSocket, session: Session, outbox: Outbox, connection_id: str) -> None:
        session.welcome()
        reader = asyncio.create_task(self._read(websocket, session))
        writer = asyncio.create_task(_write(websocket, outbox))
        overrun = asyncio.create_task(outbox.overrun.wait())
        tasks = (reader, writer, overrun)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if overrun.done():
                _log.warning("slow_consumer_cut", connection_id=connection_id)
            elif reader.done() and not reader.cancelled() and reader.exception() is None and reader.result():
                # What the session queued last, an error and the farewell, still has to go out.
                await asyncio.wait((writer,), timeout=_FAREWELL_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _read(self, websocket: WebSocket, session: Session) -> bool:
        """Handle messages until the connection ends: True when our farewell is queued, False when the peer left."""
        oldest = asyncio.get_running_loop().time() + self._limits.connection_ms / 1000
        idle_seconds = self._limits.idle_seconds
        while True:
            try:
                async with asyncio.timeout_at(oldest), asyncio.timeout(idle_seconds):
                    text = await websocket.receive_text()
            except WebSocketDisconnect:
                return False
            except TimeoutError:
                over_age = asyncio.get_running_loop().time() >= oldest
                session.refuse(401, "token is expired") if over_age else session.refuse(400, "ping timeout")
                return True
            if not session.handle(text, self._clock()):
                return True


async def _write(websocket: WebSocket, outbox: Outbox) -> None:
    """Send what is queued, in order, until the farewell has been sent or the peer is gone."""
    try:
        while True:
            item = await outbox.queue.get()
            if isinstance(item, Farewell):
                await websocket.close(item.code, item.reason)
                return
            await websocket.send_text(item)
    except WebSocketDisconnect:
        return
