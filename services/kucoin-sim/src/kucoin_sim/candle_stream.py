"""The candle frames of one pair: they follow the trades by 1.0 to 1.6 seconds and never say that a bar is over.

Seen in recorded KuCoin traffic: the first frame of a bar is `trade.candles.add`, later ones `trade.candles.update`;
a trade late in a minute therefore updates a bar that is already over; after a minute without trades the first trade
also brings a flat bar of volume 0 for that minute, which REST does not have.
"""

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Literal

from kucoin_sim.candles import MINUTE_MS, extended_by, opened_by, opening_ms
from kucoin_sim.market import Bar, Trade

LEAST_LAG_MS = 1000
MOST_LAG_MS = 1600


@dataclass(frozen=True, slots=True)
class CandleFrame:
    """A candle as pushed at `time_ms`."""

    candle_type: str
    subject: Literal["trade.candles.add", "trade.candles.update"]
    bar: Bar
    time_ms: int


class CandleStream:
    """Delays trades and turns them into candle frames of the followed types."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._pending: deque[Trade] = deque()
        self._due_ms: int | None = None
        self._bars: dict[str, Bar | None] = {}
        self._included: dict[str, int] = {}
        self._added = 0
        self._flushed = 0

    @property
    def due_ms(self) -> int | None:
        """When the next frames are due."""
        return self._due_ms

    def follow(self, candle_type: str, running: Bar | None) -> None:
        """Begin with a type; `running` is its newest bar so far, with every trade that was added here before."""
        if candle_type not in self._bars:
            self._bars[candle_type] = running
            self._included[candle_type] = self._added

    def add(self, trade: Trade) -> None:
        self._added += 1
        self._pending.append(trade)
        if self._due_ms is None:
            self._schedule()

    def flush(self, now_ms: int) -> list[CandleFrame]:
        """The frames that are due by `now_ms`, in order; none before `due_ms`."""
        frames: list[CandleFrame] = []
        while self._due_ms is not None and self._due_ms <= now_ms:
            due_ms = self._due_ms
            ripe: list[Trade] = []
            while self._pending and self._pending[0].time_ms <= due_ms - LEAST_LAG_MS:
                ripe.append(self._pending.popleft())
            for candle_type in self._bars:
                counted = max(0, self._included[candle_type] - self._flushed)
                frames.extend(self._apply(candle_type, ripe[counted:], due_ms))
            self._flushed += len(ripe)
            self._due_ms = None
            if self._pending:
                self._schedule()
        return frames

    def _schedule(self) -> None:
        lag = self._rng.randint(LEAST_LAG_MS, MOST_LAG_MS)
        self._due_ms = self._pending[0].time_ms + lag

    def _apply(self, candle_type: str, trades: list[Trade], due_ms: int) -> list[CandleFrame]:
        frames: list[CandleFrame] = []
        added = changed = False
        bar = self._bars[candle_type]

        def emit() -> None:
            if bar is not None and changed:
                subject: Literal["trade.candles.add", "trade.candles.update"]
                subject = "trade.candles.add" if added else "trade.candles.update"
                frames.append(CandleFrame(candle_type, subject, bar, due_ms))

        for trade in trades:
            open_ms = opening_ms(trade.time_ms, candle_type)
            if bar is not None and open_ms <= bar.open_ms:
                bar, changed = extended_by(bar, trade), True
                continue
            emit()
            if bar is not None and candle_type == "1min" and bar.open_ms < open_ms - MINUTE_MS:
                close = bar.close
                flat = Bar(open_ms - MINUTE_MS, close, close, close, close, 0, 0)
                frames.append(CandleFrame(candle_type, "trade.candles.add", flat, due_ms))
            bar, added, changed = opened_by(trade, open_ms), True, True
        emit()
        self._bars[candle_type] = bar
        return frames
