"""Where market data goes: the seam between the exchange's state and its WebSocket connections."""

from typing import Protocol


class Feed(Protocol):
    """Takes frames by topic."""

    def wanted(self, topic: str) -> bool:
        """Whether anybody subscribes to `topic`; frames that nobody wants need not be built."""

    def publish(self, topic: str, subject: str, data: object) -> None:
        """Push a message frame to the subscribers of `topic`."""
