"""What the messages of one connection mean: subscribe, unsubscribe, ping, and every way to get them wrong."""

from collections import deque
from typing import Any

import msgspec

from kucoin_sim.exchange import Exchange
from kucoin_sim.hub import Farewell, Hub, Outbox
from kucoin_sim.topics import MOST_TOPICS_A_CONNECTION, TopicError, candles_of, single_topics

MOST_MESSAGES = 100
MESSAGES_WINDOW_MS = 10_000
GOODBYE = Farewell(1000, "Bye")


def encode(frame: dict[str, object]) -> str:
    return msgspec.json.encode(frame).decode()


def error(identity: str | None, code: int, text: str) -> str:
    """An error frame; `identity` is the message's id, or the connection's when the connection is meant."""
    frame: dict[str, object] = {"type": "error", "code": code, "data": text}
    return encode(frame if identity is None else {"id": identity} | frame)


class Session:
    """Answers one connection's messages through its outbox."""

    def __init__(self, exchange: Exchange, hub: Hub, outbox: Outbox, connection_id: str) -> None:
        self._exchange = exchange
        self._hub = hub
        self._outbox = outbox
        self._connection_id = connection_id
        self._recent_ms: deque[int] = deque()

    def welcome(self) -> None:
        self._outbox.put(encode({"id": self._connection_id, "type": "welcome"}))

    def refuse(self, code: int, text: str) -> None:
        """An error that ends the connection."""
        self._outbox.put(error(self._connection_id, code, text))
        self._outbox.put(GOODBYE)

    def handle(self, text: str, now_ms: int) -> bool:
        """Answer one message; False when the connection ends with it."""
        while self._recent_ms and self._recent_ms[0] <= now_ms - MESSAGES_WINDOW_MS:
            self._recent_ms.popleft()
        self._recent_ms.append(now_ms)
        if len(self._recent_ms) > MOST_MESSAGES:
            self.refuse(509, "exceed max permits per second")
            return False
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            self._outbox.put(error(None, 400, "message is not valid JSON"))
            return True
        if not isinstance(message, dict):
            self._outbox.put(error(None, 400, "message is not an object"))
            return True
        self._answer(message, now_ms)
        return True

    def _answer(self, message: dict[str, Any], now_ms: int) -> None:
        # KuCoin answers with a string even to a numeric id.
        identity = str(message["id"]) if message.get("id") is not None else None
        kind = message.get("type")
        if kind == "ping":
            pong: dict[str, object] = {"type": "pong", "timestamp": now_ms * 1000}
            self._outbox.put(encode(pong if identity is None else {"id": identity} | pong))
            return
        if kind not in ("subscribe", "unsubscribe"):
            self._outbox.put(error(identity, 415, "type is not supported"))
            return
        try:
            topics = single_topics(message.get("topic"), self._exchange.boards)
            if kind == "subscribe":
                self._subscribe(topics)
            else:
                for topic in topics:
                    self._hub.unsubscribe(self._outbox, topic)
        except TopicError as refusal:
            self._outbox.put(error(identity, refusal.code, refusal.message))
            return
        if message.get("response") is True:
            ack: dict[str, object] = {"type": "ack"}
            self._outbox.put(encode(ack if identity is None else {"id": identity} | ack))

    def _subscribe(self, topics: list[str]) -> None:
        if len(self._outbox.topics.union(topics)) > MOST_TOPICS_A_CONNECTION:
            limit = MOST_TOPICS_A_CONNECTION
            raise TopicError(509, f"exceed max subscription count limitation of {limit} per session")
        for topic in topics:
            candles = candles_of(topic)
            if candles is not None:
                self._exchange.boards[candles.symbol].follow_candles(candles.candle_type)
            self._hub.subscribe(self._outbox, topic)
