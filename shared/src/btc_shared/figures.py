"""The figures that the exporter and the API both show, each defined once.

Records hold what `btc_shared.db.reads` read; functions are pure. Money is USDT, sizes are BTC. What is not there or
not defined is None, never 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from btc_shared.codes import Action, ExitReason, Mode, ServiceName, Strategy

HEARTBEAT_MAX_AGE_SECS = 10.0
"""A service beats every 2 s, a slow database may hold a beat for 5 s: beyond this it is not running."""
MARKET_MAX_AGE_SECS = 60.0
"""A price older than this is shown as missing. (Trading asks for far fresher ones.)"""

_ZERO = Decimal(0)


def age_seconds(moment: datetime, now: datetime) -> float:
    """Seconds from `moment` to `now`; 0 for a moment that a clock step put into the future."""
    return max(0.0, (now - moment).total_seconds())


@dataclass(frozen=True, kw_only=True)
class Market:
    """The newest picture of the market. `received_at` is our clock, `book_time` the exchange's."""

    book_time: datetime
    received_at: datetime
    bid: Decimal
    ask: Decimal
    bid_volume: Decimal
    ask_volume: Decimal
    imbalance: float
    spread_bp: float
    flow: float | None

    @property
    def price(self) -> Decimal:
        """The mean of best bid and best ask."""
        return (self.bid + self.ask) / 2


def usable(market: Market | None, now: datetime) -> Market | None:
    """`market`, or None when it is too old to be shown as the present."""
    if market is None or age_seconds(market.received_at, now) > MARKET_MAX_AGE_SECS:
        return None
    return market


@dataclass(frozen=True, kw_only=True)
class Position:
    """An open position of one account. `open_cost` is what the coins that are left cost, the entry's fee included."""

    account: str
    size: Decimal
    entry_price: Decimal
    open_cost: Decimal
    high_bid: Decimal
    trailing_armed: bool
    partial_done: bool
    opened_at: datetime


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over a ledger, or over one period of it. `winning` and `losing` count closed round trips."""

    buys: int = 0
    sells: int = 0
    winning: int = 0
    losing: int = 0
    realised_pnl: Decimal = _ZERO
    closed_pnl: Decimal = _ZERO
    best_pnl: Decimal | None = None
    worst_pnl: Decimal | None = None
    fees: Decimal = _ZERO
    exits: Mapping[ExitReason, int] = field(default_factory=lambda: dict.fromkeys(ExitReason, 0))

    @property
    def trades(self) -> int:
        """Executed orders."""
        return self.buys + self.sells

    @property
    def closed(self) -> int:
        """Closed round trips."""
        return self.winning + self.losing

    @property
    def win_rate(self) -> float | None:
        """Share of closed round trips with a net profit, 0 to 1; None before the first."""
        return self.winning / self.closed if self.closed else None

    @property
    def average_pnl(self) -> Decimal | None:
        """Mean net result of a closed round trip; None before the first."""
        return self.closed_pnl / self.closed if self.closed else None


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """One mode's money, summed over its accounts. `cash` is None while there is no account."""

    mode: Mode
    totals: Totals = field(default_factory=Totals)
    positions: Sequence[Position] = ()
    initial_balance: Decimal | None = None
    cash: Decimal | None = None

    @property
    def size(self) -> Decimal:
        """Coins of the open positions."""
        return sum((position.size for position in self.positions), _ZERO)


def position_value(ledger: Ledger, bid: Decimal | None) -> Decimal | None:
    """Open positions at the best bid, before fees; 0 when flat, None without a bid for what is open."""
    if not ledger.positions:
        return _ZERO
    return ledger.size * bid if bid is not None else None


def unrealised_pnl(ledger: Ledger, bid: Decimal | None, taker_fee: Decimal) -> Decimal | None:
    """What selling all open positions at the best bid would add to the realised result, after the exit's fee."""
    value = position_value(ledger, bid)
    if value is None:
        return None
    return value * (1 - taker_fee) - sum((position.open_cost for position in ledger.positions), _ZERO)


def equity(ledger: Ledger, bid: Decimal | None, taker_fee: Decimal) -> Decimal | None:
    """Cash plus what selling all open positions at the best bid would bring, after the exit's fee."""
    value = position_value(ledger, bid)
    if value is None or ledger.cash is None:
        return None
    return ledger.cash + value * (1 - taker_fee)


@dataclass(frozen=True, kw_only=True)
class Beat:
    """A service's last sign of life."""

    started_at: datetime
    beat_at: datetime
    status: str
    effective_mode: Mode | None
    details: Mapping[str, Any]


Beats = Mapping[ServiceName, Beat]


def is_beating(beats: Beats, service: ServiceName, now: datetime) -> bool:
    """True while a service sends heartbeats."""
    beat = beats.get(service)
    return beat is not None and age_seconds(beat.beat_at, now) <= HEARTBEAT_MAX_AGE_SECS


def effective_mode(beats: Beats) -> Mode:
    """The mode in effect, as the executor last said; DRY while it never has."""
    beat = beats.get(ServiceName.EXECUTOR)
    return (beat.effective_mode if beat else None) or Mode.DRY


@dataclass(frozen=True, kw_only=True)
class Control:
    """What the operator asked for; DRY and not halted before anything was asked. `version` 0: never."""

    requested: Mode = Mode.DRY
    halted: bool = False
    changed_at: datetime | None = None
    version: int = 0


def winding_down(ledgers: Mapping[Mode, Ledger], requested: Mode, in_effect: Mode) -> bool:
    """True while a live position is open although LIVE is no longer wanted or in effect: it is being protected."""
    return bool(ledgers[Mode.LIVE].positions) and Mode.DRY in (requested, in_effect)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One decision with what led to it and what became of it. `outcome`: executed, refused, failed or None yet."""

    decision_id: str
    symbol: str
    mode: Mode
    decided_at: datetime
    trigger: str
    bar_time: datetime | None
    price: Decimal | None
    action: Action
    score: float
    agreement: float
    confidence: float
    threshold: float
    scores: Mapping[Strategy, float | None]
    weights: Mapping[str, Any]
    reasons: Mapping[str, Any]
    inputs: Mapping[str, Any]
    in_position: bool
    explored: bool
    settings_version: int
    model_version: str
    signal_id: str | None
    outcome: str | None
    outcome_code: str | None
    outcome_detail: str | None
    outcome_at: datetime | None

    def input(self, name: str) -> float | None:
        """One number that the decision read (an indicator, `imbalance`, …); None when it was missing."""
        value = self.inputs.get(name)
        return float(value) if isinstance(value, int | float) else None
