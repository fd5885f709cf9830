"""By which way each kind of market data comes: the socket, or REST while the socket is down or silent."""

from collections.abc import Mapping
from typing import NamedTuple

from btc_shared.codes import DataSource


class Standing(NamedTuple):
    """The source in use, and since when (our clock, ms)."""

    source: DataSource
    since_ms: int


class Sources:
    """Which source is in use for each kind of data. It is REST until the socket has delivered that kind.

    Args:
        kinds: for each, how many seconds the socket may be silent while it counts as its source. A kind without a limit
            is not judged here; its source is told (`use`).
    """

    def __init__(self, kinds: Mapping[str, float | None], now_ms: int) -> None:
        self._silence_secs = dict(kinds)
        self._standing = dict.fromkeys(kinds, Standing(DataSource.REST, now_ms))
        self._heard_at: dict[str, float] = {}
        self._connected = False

    def __getitem__(self, kind: str) -> Standing:
        return self._standing[kind]

    def on_connection(self, connected: bool) -> None:
        """The socket's subscriptions are complete from now on, or not any more."""
        self._connected = connected
        if not connected:
            self._heard_at.clear()

    def heard(self, kind: str, at_secs: float) -> None:
        """The socket delivered something of this kind; `at_secs` on a clock that nobody sets."""
        self._heard_at[kind] = at_secs

    def look(self, at_secs: float, now_ms: int) -> list[str]:
        """Judge anew; returns the kinds whose source changed."""
        return [
            kind
            for kind, limit_secs in self._silence_secs.items()
            if limit_secs is not None and self.use(kind, self._judged(kind, limit_secs, at_secs), now_ms)
        ]

    def use(self, kind: str, source: DataSource, now_ms: int) -> bool:
        """From now on `source` is in use for `kind`; True when that is a change."""
        if self._standing[kind].source is source:
            return False
        self._standing[kind] = Standing(source, now_ms)
        return True

    def _judged(self, kind: str, limit_secs: float, at_secs: float) -> DataSource:
        heard_at = self._heard_at.get(kind)
        delivers = self._connected and heard_at is not None and at_secs - heard_at <= limit_secs
        return DataSource.SOCKET if delivers else DataSource.REST
