"""Candles: one-minute bars from trades, and every longer type from those.

KuCoin's habits that clients stumble over are kept: rows are open, CLOSE, high, low; the newest comes first; an
interval without trades has no row; the running bar is included.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from kucoin_sim.instruments import Instrument
from kucoin_sim.market import Bar, Trade

MINUTE_MS = 60_000
MOST_ROWS = 1500
KEPT_MINUTES = 3 * 24 * 60

_DAY_MS = 86_400_000
_MONDAY_MS = 4 * _DAY_MS
"""1970-01-05, the first Monday."""
_LENGTHS_MS = {
    "1min": MINUTE_MS,
    "3min": 3 * MINUTE_MS,
    "5min": 5 * MINUTE_MS,
    "15min": 15 * MINUTE_MS,
    "30min": 30 * MINUTE_MS,
    "1hour": 60 * MINUTE_MS,
    "2hour": 120 * MINUTE_MS,
    "4hour": 240 * MINUTE_MS,
    "6hour": 360 * MINUTE_MS,
    "8hour": 480 * MINUTE_MS,
    "12hour": 720 * MINUTE_MS,
    "1day": _DAY_MS,
    "1week": 7 * _DAY_MS,
}
CANDLE_TYPES = (*_LENGTHS_MS, "1month")


def opening_ms(time_ms: int, candle_type: str) -> int:
    """Opening time of the bar of `candle_type` in which `time_ms` lies; weeks begin on Monday, days at 00:00 UTC."""
    if candle_type == "1month":
        first = datetime.fromtimestamp(time_ms / 1000, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return int(first.timestamp()) * 1000
    length = _LENGTHS_MS[candle_type]
    offset = _MONDAY_MS if candle_type == "1week" else 0
    return time_ms - (time_ms - offset) % length


def opened_by(trade: Trade, open_ms: int) -> Bar:
    return Bar(open_ms, trade.price, trade.price, trade.price, trade.price, trade.size, trade.price * trade.size)


def extended_by(bar: Bar, trade: Trade) -> Bar:
    return Bar(
        bar.open_ms,
        bar.open,
        max(bar.high, trade.price),
        min(bar.low, trade.price),
        trade.price,
        bar.volume + trade.size,
        bar.turnover + trade.price * trade.size,
    )


def merged(bars: Iterable[Bar], candle_type: str) -> Iterator[Bar]:
    """Bars of a longer type from one-minute `bars` in order of time."""
    current: Bar | None = None
    for bar in bars:
        open_ms = opening_ms(bar.open_ms, candle_type)
        if current is None or current.open_ms != open_ms:
            if current is not None:
                yield current
            current = bar._replace(open_ms=open_ms)
        else:
            current = Bar(
                open_ms,
                current.open,
                max(current.high, bar.high),
                min(current.low, bar.low),
                bar.close,
                current.volume + bar.volume,
                current.turnover + bar.turnover,
            )
    if current is not None:
        yield current


class BarStore:
    """The last three days of one-minute bars, the running one included."""

    def __init__(self, history: Iterable[Bar]) -> None:
        self._bars: deque[Bar] = deque(history, maxlen=KEPT_MINUTES)

    def add(self, trade: Trade) -> None:
        """Count `trade`; trades come in order of time."""
        open_ms = trade.time_ms - trade.time_ms % MINUTE_MS
        if self._bars and self._bars[-1].open_ms == open_ms:
            self._bars[-1] = extended_by(self._bars[-1], trade)
        else:
            self._bars.append(opened_by(trade, open_ms))

    def last(self, candle_type: str) -> Bar | None:
        """The newest bar of a type."""
        if not self._bars:
            return None
        open_ms = opening_ms(self._bars[-1].open_ms, candle_type)
        recent: deque[Bar] = deque()
        for bar in reversed(self._bars):
            if bar.open_ms < open_ms:
                break
            recent.appendleft(bar)
        return next(merged(recent, candle_type))

    def minutes_since(self, since_ms: int) -> list[Bar]:
        """One-minute bars that opened at or after `since_ms`, oldest first."""
        recent: list[Bar] = []
        for bar in reversed(self._bars):
            if bar.open_ms < since_ms:
                break
            recent.append(bar)
        recent.reverse()
        return recent

    def rows(self, candle_type: str, start_ms: int, end_ms: int) -> list[Bar]:
        """Bars with `start_ms` ≤ opening < `end_ms`, newest first, at most 1,500."""
        bars = self._bars if candle_type == "1min" else merged(self._bars, candle_type)
        inside = [bar for bar in bars if start_ms <= bar.open_ms < end_ms]
        inside.reverse()
        return inside[:MOST_ROWS]


def row(bar: Bar, instrument: Instrument) -> list[str]:
    """A candle as KuCoin writes it: time (s), open, close, high, low, volume, turnover; all strings."""
    return [
        str(bar.open_ms // 1000),
        instrument.price_text(bar.open),
        instrument.price_text(bar.close),
        instrument.price_text(bar.high),
        instrument.price_text(bar.low),
        instrument.size_text(bar.volume),
        instrument.turnover_text(bar.turnover),
    ]
