"""The decision engine's part: follow the market, decide, confirm, learn."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from btc_shared.messages import Signal
from btc_shared.records import MINUTE_MS, BookPicture, Candle, LedgerKey, PublicTrade
from decision_engine.domain import (
    ClosedRoundTrip,
    Confirmation,
    Decision,
    Indicators,
    MarketView,
    QTable,
    TripFill,
    confirm,
    decide,
    learn,
    lesson,
)
from executor.domain.position import Fill, RoundTrip

if TYPE_CHECKING:
    from btc_shared.settings import EngineSettings

MISSED_DECISIONS = 3
"""A condition counts as interrupted when this many decisions in a row are missing, as in the decision engine."""


class Patience(msgspec.Struct, frozen=True):
    """How long a condition must hold before its signal is sent, and the longest pause between two decisions on it."""

    confirm_secs: float
    max_gap_secs: float


def live_patience(settings: "EngineSettings") -> Patience:
    """What the decision engine asks for."""
    return Patience(settings.confirm_secs, settings.poll_interval * MISSED_DECISIONS)


class Mind:
    """Decides for one ledger and symbol. `draw` of the newest bar explores as in `vote_qlearning`; None: never."""

    def __init__(
        self,
        key: LedgerKey,
        symbol: str,
        settings: "EngineSettings",
        table: QTable,
        patience: Patience,
        ids: Callable[[], str],
    ) -> None:
        self._key, self._symbol, self._settings, self._patience, self._ids = key, symbol, settings, patience, ids
        self._condition: Confirmation | None = None
        self._entry_bars: dict[str, int | None] = {}
        self.view = MarketView(symbol=symbol, tau_secs=settings.smoothing_secs)
        self.draw: float | None = None
        self.table = table

    def take_book(self, picture: BookPicture) -> None:
        self.view = self.view.with_book(picture)

    def take_trades(self, trades: Sequence[PublicTrade]) -> None:
        for trade in trades:
            self.view = self.view.with_trade(trade)

    def take_bars(self, bars: Sequence[Candle]) -> None:
        """The last final bars, oldest first."""
        self.view = self.view.with_bars(bars)

    def take_indicators(self, last_bar_close_ms: int, indicators: Indicators) -> None:
        """What `take_bars` would have computed, computed for all bars at once."""
        self.view = msgspec.structs.replace(self.view, last_bar_close_ms=last_bar_close_ms, indicators=indicators)

    def decide(self, at_ms: int, *, is_long: bool) -> tuple[Decision, Signal | None]:
        """Make one decision; the signal, if its condition has been confirmed."""
        inputs = self.view.inputs(mode=self._key.mode, at_ms=at_ms, is_long=is_long)
        decision = decide(inputs, self._settings, self.table, self.draw)
        self._condition, sends = confirm(
            self._condition,
            action=decision.action,
            is_long=is_long,
            at_ms=at_ms,
            confirm_secs=self._patience.confirm_secs,
            max_gap_secs=self._patience.max_gap_secs,
        )
        if not sends:
            return decision, None
        signal = Signal(
            signal_id=self._ids(),
            decision_id=self._ids(),
            venue=self._key.venue,
            symbol=self._symbol,
            mode=self._key.mode,
            action=decision.action,
            confidence=decision.confidence,
            price=float(inputs.price) if inputs.price is not None else 0.0,
            created_at_ms=at_ms,
        )
        last_close_ms = self.view.last_bar_close_ms
        self._entry_bars[signal.decision_id] = None if last_close_ms is None else last_close_ms - MINUTE_MS
        return decision, signal

    def learn(self, trip: RoundTrip, fills: Sequence[Fill], bars: Sequence[Candle]) -> None:
        """Learn from a round trip that closed, once, in the order of closing.

        Args:
            fills: the round trip's own.
            bars: final bars from some hundred before the entry to the close.
        """
        entry_bar_ms = self._entry_bars.get(trip.entry_decision_id or "")
        self._entry_bars.clear()
        closed = ClosedRoundTrip(
            number=self.table.last_round_trip + 1,
            entry_bar_ms=entry_bar_ms,
            opened_at_ms=trip.opened_at_ms,
            closed_at_ms=trip.closed_at_ms,
            net_bp=float(trip.net_bp),
            fills=tuple(_trip_fill(fill) for fill in fills),
        )
        self.table = learn(self.table, [lesson(closed, bars)], self._settings)


def _trip_fill(fill: Fill) -> TripFill:
    return TripFill(side=fill.side, size=fill.size, funds=fill.funds, fee=fill.fee_quote, time_ms=fill.time_ms)
