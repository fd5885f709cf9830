"""The exchange as a whole: its boards by symbol, played by the clock that the caller reads."""

from collections.abc import Callable, Mapping

import structlog

from kucoin_sim.board import Board
from kucoin_sim.feed import Feed
from kucoin_sim.figures import snapshot

Clock = Callable[[], int]
"""Milliseconds since 1970."""

_SNAPSHOT_EVERY_MS = 2000
_SLICE_MS = 500
"""How much market time is played before connections get their turn."""
_TOO_LATE_MS = 60_000
"""Later than this (a machine that slept) the pictures in between are left out."""

_log = structlog.get_logger(__name__)


class Exchange:
    """All pairs of the exchange. `play` pushes frames into `feed`."""

    def __init__(self, boards: Mapping[str, Board], feed: Feed, start_ms: int) -> None:
        self.boards = dict(boards)
        self._feed = feed
        self._played_ms = start_ms
        self._snapshot_ms = start_ms
        self._standing_still: set[str] = set()

    def play(self, now_ms: int) -> bool:
        """Play on towards `now_ms`; True when it is reached, False when there is more to play."""
        late_ms = now_ms - self._played_ms
        until_ms = min(now_ms, self._played_ms + _SLICE_MS)
        if late_ms > _TOO_LATE_MS:
            _log.warning("catching_up", late_ms=late_ms)
            until_ms = now_ms
            for board in self.boards.values():
                board.skip_to(now_ms, self._feed)
        for board in self.boards.values():
            board.play_to(until_ms, self._feed)
            self._note_end(board)
        self._played_ms = max(self._played_ms, until_ms)
        if self._played_ms >= self._snapshot_ms + _SNAPSHOT_EVERY_MS:
            self._snapshot_ms = self._played_ms
            self._push_snapshots()
        return self._played_ms >= now_ms

    def next_ms(self) -> int:
        """When there is something to do next."""
        moments = [moment for board in self.boards.values() if (moment := board.next_ms()) is not None]
        return min([*moments, self._snapshot_ms + _SNAPSHOT_EVERY_MS])

    def _push_snapshots(self) -> None:
        for symbol, board in self.boards.items():
            topic = f"/market/snapshot:{symbol}"
            if self._feed.wanted(topic):
                self._feed.publish(topic, "trade.snapshot", snapshot(board, self._played_ms))

    def _note_end(self, board: Board) -> None:
        symbol = board.instrument.symbol
        if board.market.next_ms() is None and symbol not in self._standing_still:
            self._standing_still.add(symbol)
            _log.warning("market_stands_still", symbol=symbol, last_event_ms=board.market.book_ms)
