"""Subscriptions: who gets which frames. A connection that does not keep up is cut, so that it blocks nobody."""

import asyncio
from dataclasses import dataclass

import msgspec

QUEUE_FRAMES = 4096
"""About a minute of everything that one pair pushes."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """The last item of a connection's queue: close with this code and reason."""

    code: int
    reason: str


class Outbox:
    """The bounded queue of one connection."""

    def __init__(self, queue_frames: int = QUEUE_FRAMES) -> None:
        self.queue: asyncio.Queue[str | Farewell] = asyncio.Queue(queue_frames)
        self.overrun = asyncio.Event()
        self.topics: set[str] = set()

    def put(self, item: str | Farewell) -> None:
        """Queue without waiting; a full queue marks the connection as overrun."""
        try:
            self.queue.put_nowait(item)
        except asyncio.QueueFull:
            self.overrun.set()


class Hub:
    """Implements `Feed` over the outboxes of the open connections. Frames are encoded once for all of them."""

    def __init__(self) -> None:
        self._outboxes: dict[str, set[Outbox]] = {}
        self.connections = 0

    def wanted(self, topic: str) -> bool:
        return topic in self._outboxes

    def publish(self, topic: str, subject: str, data: object) -> None:
        outboxes = self._outboxes.get(topic)
        if not outboxes:
            return
        frame = {"topic": topic, "type": "message", "subject": subject, "data": data}
        text = msgspec.json.encode(frame).decode()
        for outbox in outboxes:
            outbox.put(text)

    def subscribe(self, outbox: Outbox, topic: str) -> None:
        outbox.topics.add(topic)
        self._outboxes.setdefault(topic, set()).add(outbox)

    def unsubscribe(self, outbox: Outbox, topic: str) -> None:
        outbox.topics.discard(topic)
        outboxes = self._outboxes.get(topic)
        if outboxes is not None:
            outboxes.discard(outbox)
            if not outboxes:
                del self._outboxes[topic]

    def leave(self, outbox: Outbox) -> None:
        """Drop a connection's subscriptions."""
        for topic in tuple(outbox.topics):
            self.unsubscribe(outbox, topic)
