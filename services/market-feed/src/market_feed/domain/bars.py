"""When a 1-minute bar is final, and what it then says.

The exchange never says that a bar is closed, sends its frames late, sends none for a minute without trades, and may
change its mind. So three sources are held against each other: the forming bar of the candle frames, the bar that the
trades themselves make, and the REST answer.

- A bar is closed 2 s after its minute, on the exchange's clock, if the socket covered the whole minute: of the frames'
  bar and the trades' bar the one with more volume counts (a bar only grows, so it has seen more), and without either
  the minute had no trades: a flat bar at the last close, volume 0, marked as filled.
- A minute that the socket did not cover is never guessed. It waits for REST, and the bars after it wait too: final
  bars follow each other without a hole.
- REST speaks with authority about minutes that ended at least 10 s before it was asked; it closes what waits and
  corrects what differs. Late frames and trades correct a closed bar only by adding volume.
- A row of REST about a minute that ended 2 s to 10 s before is one more account of it, like a frame; it also closes
  that minute if it waits. A missing row says nothing yet.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from btc_shared.codes import DataSource
from btc_shared.records import MINUTE_MS, Candle, PublicTrade

CLOSE_AFTER_MS = 2_000
CONFIRM_AFTER_MS = 10_000
# A socket that covered the beginning of a minute gets this long to show that it covered the end, too.
SOCKET_GRACE_MS = 5_000
KEPT_BARS = 10

_ZERO = Decimal(0)


class BarChange(NamedTuple):
    """A bar became final, or (`correction`) a final bar's figures changed; `source` had the last word on them."""

    candle: Candle
    correction: bool
    source: DataSource


class Coverage(NamedTuple):
    """The span in which the socket was connected without a break, exchange time in ms; both ends as frames tell."""

    since_ms: int
    until_ms: int

    def covers(self, open_time_ms: int) -> bool:
        """True when nothing of that minute can have been missed."""
        return self.since_ms <= open_time_ms and open_time_ms + MINUTE_MS <= self.until_ms


class _TradedBar:
    """The bar that a minute's trades make; trades may come in any order."""

    def __init__(self, open_time_ms: int, trade: PublicTrade) -> None:
        self.open_time_ms = open_time_ms
        self.first = self.last = trade
        self.high = self.low = trade.price
        self.volume = self.turnover = _ZERO

    def add(self, trade: PublicTrade) -> None:
        if order_of(trade) < order_of(self.first):
            self.first = trade
        if order_of(trade) >= order_of(self.last):
            self.last = trade
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        self.volume += trade.size
        self.turnover += trade.size * trade.price

    def candle(self) -> Candle:
        return Candle(
            symbol=self.first.symbol,
            open_time_ms=self.open_time_ms,
            open=self.first.price,
            high=self.high,
            low=self.low,
            close=self.last.price,
            volume=self.volume,
            turnover=self.turnover,
        )


class Bars:
    """The newest final bars of one symbol and what is known of those that are not final yet.

    Every method returns what became final or was corrected, oldest first. Nothing is final before the first answer
    of REST (`on_rest`), because a flat bar needs a close before it; or after `before`, a final bar to go on from.
    """

    def __init__(self, before: Candle | None = None) -> None:
        self._final: dict[int, Candle] = {} if before is None else {before.open_time_ms: before}
        self._frames: dict[int, Candle] = {}
        self._traded: dict[int, _TradedBar] = {}

    @property
    def newest(self) -> Candle | None:
        """The newest final bar."""
        return self._final[max(self._final)] if self._final else None

    @property
    def next_open_ms(self) -> int | None:
        """The opening time of the minute that becomes final next."""
        return max(self._final) + MINUTE_MS if self._final else None

    @property
    def oldest_open_ms(self) -> int | None:
        """The oldest final bar that can still be corrected."""
        return min(self._final) if self._final else None

    def on_frame(self, candle: Candle, now_ms: int) -> list[BarChange]:
        """A candle frame: the forming bar, or late news of a final one."""
        if self._is_of_use(candle.open_time_ms, now_ms):
            self._hear(candle)
            self._forget()
        return self._late_growth(candle.open_time_ms, DataSource.SOCKET)

    def on_trade(self, trade: PublicTrade, now_ms: int, source: DataSource = DataSource.SOCKET) -> list[BarChange]:
        """A public trade; the caller gives each one once."""
        open_time_ms = trade.event_time_ms // MINUTE_MS * MINUTE_MS
        if self._is_of_use(open_time_ms, now_ms):
            bar = self._traded.get(open_time_ms) or _TradedBar(open_time_ms, trade)
            bar.add(trade)
            self._traded[open_time_ms] = bar
            self._forget()
        return self._late_growth(open_time_ms, source)

    def close_due(self, now_ms: int, coverage: Coverage | None) -> list[BarChange]:
        """Close the minutes that ended 2 s ago or earlier, up to the first that the socket did not cover."""
        changes: list[BarChange] = []
        while (newest := self.newest) is not None:
            minute = newest.close_time_ms
            if now_ms < minute + MINUTE_MS + CLOSE_AFTER_MS or coverage is None or not coverage.covers(minute):
                break
            changes.append(self._close(self._best(minute) or _flat(newest, minute), DataSource.SOCKET))
        return changes

    def waits_for_rest(self, now_ms: int, coverage: Coverage | None) -> bool:
        """True when the next minute should be final, but the socket cannot say what was in it."""
        newest = self.newest
        if newest is None or coverage is None or coverage.since_ms > newest.close_time_ms:
            grace_ms = CLOSE_AFTER_MS
        else:
            grace_ms = SOCKET_GRACE_MS
        return newest is not None and now_ms >= newest.close_time_ms + MINUTE_MS + grace_ms

    def on_rest(self, rows: Sequence[Candle], start_ms: int, asked_at_ms: int) -> list[BarChange]:
        """REST's bars from the minute `start_ms` on, asked for at `asked_at_ms`; absent minutes had no trades.

        Starting later than `next_open_ms` gives up the minutes in between.
        """
        by_minute = {row.open_time_ms: row for row in rows if row.volume or self.newest is None}
        end_ms = (asked_at_ms - CONFIRM_AFTER_MS) // MINUTE_MS * MINUTE_MS
        changes: list[BarChange] = []
        for minute in range(start_ms, end_ms, MINUTE_MS):
            row, final, newest = by_minute.get(minute), self._final.get(minute), self.newest
            if final is not None:
                if row is not None and _figures(row) != _figures(final):
                    changes.append(self._correct(row, DataSource.REST))
            elif newest is None or minute > newest.open_time_ms:
                known = row or self._best(minute) or (_flat(newest, minute) if newest is not None else None)
                if known is not None:
                    changes.append(self._close(known, DataSource.REST))
        for minute in sorted(minute for minute in by_minute if minute >= max(start_ms, end_ms)):
            changes += self._on_early_row(by_minute[minute], asked_at_ms)
        return changes + self._flattened(DataSource.REST)

    def _on_early_row(self, row: Candle, asked_at_ms: int) -> list[BarChange]:
        """A row about a minute that is still running, or has just ended."""
        minute, newest = row.open_time_ms, self.newest
        if newest is None or asked_at_ms < row.close_time_ms + CLOSE_AFTER_MS:
            return []
        self._hear(row)
        if minute == newest.close_time_ms:
            return [self._close(self._best(minute) or row, DataSource.REST)]
        return self._late_growth(minute, DataSource.REST)

    def _hear(self, candle: Candle) -> None:
        """Remember an account of a minute; a bar only grows, so one with less volume is an old one."""
        known = self._frames.get(candle.open_time_ms)
        if known is None or candle.volume >= known.volume:
            self._frames[candle.open_time_ms] = candle

    def _best(self, minute: int) -> Candle | None:
        """What the socket told about a minute: of the two accounts the one that has seen more volume, if any."""
        frame, traded = self._frames.get(minute), self._traded.get(minute)
        if traded is not None and (frame is None or traded.volume > frame.volume):
            return traded.candle()
        return frame if frame is not None and frame.volume else None

    def _late_growth(self, minute: int, source: DataSource) -> list[BarChange]:
        final, best = self._final.get(minute), self._best(minute)
        if final is None or best is None or best.volume <= final.volume:
            return []
        return [self._correct(best, source), *self._flattened(source)]

    def _flattened(self, source: DataSource) -> list[BarChange]:
        """Flat bars follow the close before them when that was corrected."""
        changes: list[BarChange] = []
        for minute in sorted(self._final):
            before, final = self._final.get(minute - MINUTE_MS), self._final[minute]
            if before is not None and final.filled and final.close != before.close:
                changes.append(self._correct(_flat(before, minute), source))
        return changes

    def _close(self, candle: Candle, source: DataSource) -> BarChange:
        # A bar of volume 0 is a filled one, also when the exchange makes it itself.
        final = msgspec.structs.replace(candle, filled=not candle.volume)
        self._final[final.open_time_ms] = final
        self._forget()
        return BarChange(final, correction=False, source=source)

    def _correct(self, candle: Candle, source: DataSource) -> BarChange:
        self._final[candle.open_time_ms] = candle
        return BarChange(candle, correction=True, source=source)

    def _is_of_use(self, open_time_ms: int, now_ms: int) -> bool:
        """False for a bar from the future (garbage) and for one that is too old to correct."""
        oldest = self.oldest_open_ms
        if oldest is None:
            oldest = now_ms - KEPT_BARS * MINUTE_MS
        return oldest <= open_time_ms <= now_ms + MINUTE_MS

    def _forget(self) -> None:
        for minute in sorted(self._final)[:-KEPT_BARS]:
            del self._final[minute]
        oldest = self.oldest_open_ms
        for known in (self._frames, self._traded):
            if oldest is not None:
                for minute in [minute for minute in known if minute < oldest]:
                    del known[minute]
            else:
                for minute in sorted(known)[:-KEPT_BARS]:
                    del known[minute]


def order_of(trade: PublicTrade) -> tuple[int, int]:
    """The exchange's order of trades: its time, then its sequence."""
    return trade.event_time_ms, int(trade.trade_id)


def _flat(before: Candle, open_time_ms: int) -> Candle:
    """The bar of a minute without trades after `before`."""
    return Candle(
        symbol=before.symbol,
        open_time_ms=open_time_ms,
        open=before.close,
        high=before.close,
        low=before.close,
        close=before.close,
        volume=_ZERO,
        turnover=_ZERO,
        filled=True,
    )


def _figures(candle: Candle) -> tuple[Decimal, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume, candle.turnover
