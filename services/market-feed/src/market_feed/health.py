"""What the feed tells about itself: `/health`, the heartbeat's details, and which source is in use."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import structlog

from btc_shared import clock
from btc_shared.codes import DataSource, ServiceName
from btc_shared.health import Check, Health
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.kucoin.socket import Socket
from btc_shared.outage import Outage
from market_feed import metrics
from market_feed.domain.sources import Sources
from market_feed.feed import Feed
from market_feed.gap_repair import GapRepair

# Fresh means (trading rules): the oldest that each may be.
FRESH_MS = {metrics.BOOK: 10_000, metrics.TRADES: 60_000, metrics.CANDLE: 120_000}
# How long the socket may be silent while it counts as the source: books come every 100 ms when something changes,
# trades every second or so. Bars have none: whoever closes them says what they were closed with.
SILENCE_SECS = {metrics.BOOK: 5.0, metrics.TRADES: 45.0, metrics.CANDLE: None}
# What the kinds are called in `/health`.
NAMES = {metrics.BOOK: "book", metrics.TRADES: "trades", metrics.CANDLE: "bars"}
WATCH_SECS = 0.5

log = structlog.get_logger(__name__)


class Signs:
    """The feed's signs of life."""

    def __init__(
        self,
        symbol: str,
        feed: Feed,
        socket: Socket,
        server_clock: ServerClock,
        sources: Sources,
        repair: GapRepair,
        *,
        at_secs: Callable[[], float] = monotonic,
    ) -> None:
        self._symbol, self._feed, self._socket, self._clock = symbol, feed, socket, server_clock
        self._sources, self._repair, self._at_secs = sources, repair, at_secs

    def health(self, redis: Outage, database: list[Outage]) -> Health:
        """The checks. Without a fresh book the feed cannot serve; the rest makes it degraded."""
        health = Health(ServiceName.MARKET_FEED)

        def stored() -> Check:
            away = [outage.detail() for outage in database if outage.error is not None]
            return Check(not away, away[0] if away else "answers", critical=False)

        health.add("socket", self._connection)
        for kind, name in NAMES.items():
            health.add(name, self._freshness(kind, critical=kind == metrics.BOOK))
        health.add("redis", lambda: Check(redis.error is None, redis.detail()))
        health.add("database", stored)
        health.tell("symbols", lambda: {self._symbol: self.market()})
        return health

    def market(self) -> dict[str, Any]:
        """Of book, trades and bars: the newest one's age (ms; None: there is none), its source, since when; and what
        could not be had: how often trades were missed, how many bars of the last week are missing.
        """
        ages = self._feed.age_ms()
        told: dict[str, Any] = {
            name: {
                "age_ms": ages[kind],
                "source": str(self._sources[kind].source),
                "since": _iso(self._sources[kind].since_ms),
            }
            for kind, name in NAMES.items()
        }
        told["trades"]["gaps"] = self._feed.trade_gaps
        told["bars"]["missing"] = self._repair.missing
        return told

    def details(self) -> dict[str, Any]:
        """For the heartbeat."""
        ages = self._feed.age_ms()
        return {
            "market": self.market(),
            "feed_age_ms": {"book": ages[metrics.BOOK], "trade": ages[metrics.TRADES], "bar": ages[metrics.CANDLE]},
            "socket_connected": self._socket.connected,
            "reconnects": self._socket.reconnects,
            "last_error": self._socket.last_error,
            "clock_offset_ms": self._clock.offset_ms if self._clock.ready.is_set() else None,
        }

    async def watch(self) -> None:
        """Judge the sources, tell when they change, and keep the metrics; for ever."""
        lost_at: dict[str, float] = {}
        while True:
            now, now_ms = self._at_secs(), clock.now_ms()
            changed = self._sources.look(now, now_ms)
            self._tell(changed, now, lost_at)
            self._measure()
            await asyncio.sleep(WATCH_SECS)

    def _tell(self, changed: list[str], now: float, lost_at: dict[str, float]) -> None:
        to_rest = [kind for kind in changed if self._sources[kind].source is DataSource.REST]
        to_socket = [kind for kind in changed if kind not in to_rest]
        if to_rest:
            reason = "the socket is silent" if self._socket.connected else "the socket is not connected"
            log.warning("rest_in_use", kinds=to_rest, reason=reason)
            lost_at.update(dict.fromkeys(to_rest, now))
        if to_socket:
            secs = {kind: round(now - lost_at.pop(kind), 1) for kind in to_socket if kind in lost_at}
            log.info("socket_in_use", kinds=to_socket, rest_was_used_secs=secs)

    def _measure(self) -> None:
        ages = self._feed.age_ms()
        for kind in NAMES:
            age_ms, (in_use, since_ms) = ages[kind], self._sources[kind]
            metrics.data_age.labels(kind).set(float("nan") if age_ms is None else age_ms / 1_000)
            metrics.source_since.labels(kind).set(since_ms / 1_000)
            for source in DataSource:
                metrics.source_in_use.labels(kind, source).set(source is in_use)

    def _connection(self) -> Check:
        if self._socket.connected:
            return Check(True, "connected", critical=False)
        return Check(False, f"not connected: {self._socket.last_error or 'connecting'}", critical=False)

    def _freshness(self, kind: str, *, critical: bool) -> Callable[[], Check]:
        def check() -> Check:
            age_ms, limit_ms, source = self._feed.age_ms()[kind], FRESH_MS[kind], self._sources[kind].source
            if age_ms is None:
                return Check(False, "none yet", critical)
            return Check(age_ms <= limit_ms, f"{age_ms} ms old, fresh up to {limit_ms} ms, by {source}", critical)

        return check


def _iso(moment_ms: int) -> str:
    return clock.from_ms(moment_ms).isoformat().replace("+00:00", "Z")
