"""What a backtest comes to."""

import hashlib
from decimal import Decimal

import msgspec

from btc_shared.codes import ExitReason, Refusal
from btc_shared.equity_curve import EquityPoint
from executor.domain.audit import Recomputed, recompute
from executor.domain.ledger import Booking, Totals, Trade
from executor.domain.performance import Performance, performance
from executor.domain.position import Fill, Holding, RoundTrip


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger's whole life. Money in USDT, times in milliseconds; everything in the order in which it happened."""

    ended_at_ms: int
    initial_cash: Decimal
    cash: Decimal
    holding: Holding
    """What is held at the end, written-off dust included."""
    totals: Totals
    round_trips: tuple[RoundTrip, ...]
    trades: tuple[Trade, ...]
    history: tuple[Fill | Booking, ...]
    """Fills, and the bookings of dust that was written off (those without a fill)."""
    exit_reasons: dict[str, ExitReason]
    """By the intent's id."""
    refusals: dict[Refusal, int]
    """Signals that a gate stopped."""
    rejections: dict[str, int]
    """Orders that came to nothing at the simulated exchange, by its code."""
    equity: tuple[EquityPoint, ...]
    """After each executed order and at each full hour; the last one at the end."""

    @property
    def fills(self) -> tuple[Fill, ...]:
        return tuple(entry for entry in self.history if isinstance(entry, Fill))

    def performance(self) -> Performance:
        return performance(self.round_trips, self.equity)

    def recomputed(self) -> Recomputed:
        """The figures once more from the fills alone; they must equal the running ones."""
        return recompute(self.history, self.exit_reasons)

    def digest(self) -> str:
        """A hash of every field: two runs that did the same have the same."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()
