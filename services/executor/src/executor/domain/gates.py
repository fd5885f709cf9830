"""The gates between a signal, or a person's close, and an order: asked in a fixed order, the first no counts.

Each gate looks at one frozen record of facts. A fact that is missing (None) is a no: nothing trades on what is not
known. Protective exits ask no gate.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from btc_shared.codes import Action, Mode, Refusal
from btc_shared.records import LedgerKey, SymbolRules
from executor.domain.arithmetic import exact, plain
from executor.domain.denied import Denied
from executor.domain.sizing import entry_funds

if TYPE_CHECKING:
    from btc_shared.settings import RiskSettings

# Scores and what follows from them are compared after rounding to this step, so that a float's last bit cannot decide.
_SCORE_STEP = Decimal("1e-9")


class GateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that gates look at; None is "not known".

    `now_ms`, `signal_time_ms` and `book_time_ms` must be readings of comparable clocks. `orders_in_flight` counts open
    and unknown orders of the symbol, without a resting exchange stop. `last_trade_at_ms` is the newest fill of the
    ledger, 0 when there never was one. `trades_today` and `day_result` are as in `limits`.
    """

    now_ms: int
    key: LedgerKey
    requested_mode: Mode | None = None

    signal_id: str | None = None
    signal_action: Action | None = None
    signal_venue: str | None = None
    signal_mode: Mode | None = None
    signal_symbol: str | None = None
    signal_time_ms: int | None = None
    confidence: Decimal | None = None

    rules: SymbolRules | None = None
    is_leader: bool | None = None
    has_converged: bool | None = None
    halted: bool | None = None
    halt_reason: str = ""
    degraded: tuple[str, ...] | None = None
    unprotected: bool | None = None

    position_size: Decimal | None = None
    position_opened_at_ms: int | None = None
    orders_in_flight: int | None = None
    book_time_ms: int | None = None
    best_ask: Decimal | None = None
    last_trade_at_ms: int | None = None
    trades_today: int | None = None
    loss_latched: bool | None = None
    day_result: Decimal | None = None
    available_quote: Decimal | None = None


Check = Callable[[GateFacts, "RiskSettings"], str | None]


class Gate(msgspec.Struct, frozen=True):
    """`check` gives the sentence that says why not, or None to pass."""

    code: Refusal
    check: Check


@exact
def first_refusal(gates: tuple[Gate, ...], facts: GateFacts, settings: "RiskSettings") -> Denied | None:
    """Ask the gates in order; the first no, or None when all let pass."""
    for gate in gates:
        detail = gate.check(facts, settings)
        if detail is not None:
            return Denied(code=gate.code, detail=detail)
    return None


def _valid_signal(action: Action) -> Check:
    def check(facts: GateFacts, settings: "RiskSettings") -> str | None:
        if facts.signal_action is not action:
            return f"the signal says {facts.signal_action or 'nothing'}; expected {action}"
        parts = {
            "id": facts.signal_id,
            "venue": facts.signal_venue,
            "mode": facts.signal_mode,
            "symbol": facts.signal_symbol,
        }
        missing = [name for name, value in parts.items() if not value]
        missing += ["time"] if facts.signal_time_ms is None else []
        missing += ["confidence"] if facts.confidence is None else []
        if missing:
            return f"the signal lacks: {', '.join(missing)}"
        assert facts.confidence is not None, "missing confidence was refused"
        if not facts.confidence.is_finite() or not 0 <= facts.confidence <= 1:
            return f"the signal's confidence is {facts.confidence}; it must be from 0 to 1"
        return None

    return check


def _unknown_symbol(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.rules is None or facts.rules.symbol != facts.signal_symbol:
        known = facts.rules.symbol if facts.rules else "no symbol"
        return f"the signal is for {facts.signal_symbol or 'no symbol'}; the exchange's rules are known for {known}"
    if not facts.rules.trading_enabled:
        return f"the exchange does not trade {facts.rules.symbol} at the moment"
    return None


def _stale_signal(facts: GateFacts, settings: "RiskSettings") -> str | None:
    return _not_fresh("the signal", facts.now_ms, facts.signal_time_ms, settings.max_signal_age)


def _stale_market(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.best_ask is None or facts.best_ask <= 0:
        return "there is no order book"
    return _not_fresh("the order book", facts.now_ms, facts.book_time_ms, settings.max_market_age)


def _not_fresh(what: str, now_ms: int, time_ms: int | None, max_age_secs: Decimal) -> str | None:
    """A time that lies as far ahead is refused as well: clocks that disagree prove no freshness."""
    if time_ms is None:
        return f"the age of {what} is not known"
    age_secs = Decimal(now_ms - time_ms) / 1000
    if age_secs > max_age_secs:
        return f"{what} is {plain(age_secs)} s old; {plain(max_age_secs)} s are allowed"
    if -age_secs > max_age_secs:
        return f"{what} is {plain(-age_secs)} s ahead of the clock; {plain(max_age_secs)} s are allowed"
    return None


def _other_ledger(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if (facts.signal_venue, facts.signal_mode) != (facts.key.venue, facts.key.mode):
        return (
            f"the signal is for {facts.signal_venue or 'no venue'} {facts.signal_mode or 'without a mode'}; in effect "
            f"is {facts.key.venue} {facts.key.mode}"
        )
    return None


def _mode_changed(facts: GateFacts, settings: "RiskSettings") -> str | None:
    """Entries with real money need LIVE requested as well as in effect: leaving LIVE stops them at once."""
    if facts.requested_mode is None:
        return "the requested mode is not known"
    if facts.key.mode is Mode.LIVE and facts.requested_mode is not Mode.LIVE:
        return f"{facts.requested_mode} is requested: entries with real money have stopped"
    return _other_ledger(facts, settings)


def _not_running(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if not facts.is_leader:
        return "another executor trades this account, or it is not known which"
    if not facts.has_converged:
        return "orders and balances are not yet compared with the exchange"
    return None


def _halted(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.halted is None:
        return "it is not known whether entries are halted"
    return f"entries are halted: {facts.halt_reason or 'no reason was given'}" if facts.halted else None


def _degraded(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.degraded is None:
        return "the agent's health is not known"
    return f"degraded: {'; '.join(facts.degraded)}" if facts.degraded else None


def _unprotected(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.unprotected is None:
        return "it is not known whether the exchange stop is in place"
    return "the exchange refused the stop order of the last position" if facts.unprotected else None


def _in_position(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.position_size is None:
        return "the position is not known"
    return f"a position of {plain(facts.position_size)} is open" if facts.position_size > 0 else None


def _no_position(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.position_size is None:
        return "the position is not known"
    return None if facts.position_size > 0 else "there is no position to sell"


def _order_in_flight(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.orders_in_flight is None:
        return "the open orders are not known"
    return f"open or unknown orders: {facts.orders_in_flight}" if facts.orders_in_flight > 0 else None


def _low_confidence(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.confidence is None:
        return "the signal's confidence is not known"
    confidence = facts.confidence.quantize(_SCORE_STEP)
    if confidence < settings.min_confidence:
        return f"confidence {plain(confidence)} is below {plain(settings.min_confidence)}"
    return None


def _cooldown(facts: GateFacts, settings: "RiskSettings") -> str | None:
    return _too_soon("the last trade", facts.now_ms, facts.last_trade_at_ms, settings)


def _cooldown_from_entry(facts: GateFacts, settings: "RiskSettings") -> str | None:
    return _too_soon("the entry", facts.now_ms, facts.position_opened_at_ms, settings)


def _too_soon(what: str, now_ms: int, since_ms: int | None, settings: "RiskSettings") -> str | None:
    if since_ms is None:
        return f"the time of {what} is not known"
    elapsed_secs = Decimal(now_ms - since_ms) / 1000
    if elapsed_secs < settings.min_trade_interval:
        return f"{plain(elapsed_secs)} s since {what}; {plain(settings.min_trade_interval)} s are required"
    return None


def _daily_trade_limit(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.trades_today is None:
        return "the number of today's trades is not known"
    if facts.trades_today >= settings.max_daily_trades:
        return f"{facts.trades_today} trades today (UTC); {settings.max_daily_trades} are allowed"
    return None


def _daily_loss_limit(facts: GateFacts, settings: "RiskSettings") -> str | None:
    if facts.loss_latched is None or facts.day_result is None:
        return "today's result is not known"
    if facts.loss_latched or facts.day_result <= -settings.max_daily_loss:
        return (
            f"today's loss limit of {plain(settings.max_daily_loss)} was reached, entries stop until 00:00 UTC; the "
            f"result now is {plain(facts.day_result)}"
        )
    return None


def _amount(code: Refusal) -> Check:
    def check(facts: GateFacts, settings: "RiskSettings") -> str | None:
        if facts.available_quote is None or facts.best_ask is None or facts.rules is None:
            return "the available balance, the price or the exchange's rules are not known"
        funds = entry_funds(facts.available_quote, facts.best_ask, facts.rules, settings)
        return funds.detail if isinstance(funds, Denied) and funds.code is code else None

    return check


BUY_GATES: tuple[Gate, ...] = (
    Gate(Refusal.INVALID_SIGNAL, _valid_signal(Action.BUY)),
    Gate(Refusal.UNKNOWN_SYMBOL, _unknown_symbol),
    Gate(Refusal.STALE_SIGNAL, _stale_signal),
    Gate(Refusal.MODE_CHANGED, _mode_changed),
    Gate(Refusal.NOT_RUNNING, _not_running),
    Gate(Refusal.HALTED, _halted),
    Gate(Refusal.DEGRADED, _degraded),
    Gate(Refusal.UNPROTECTED, _unprotected),
    Gate(Refusal.IN_POSITION, _in_position),
    Gate(Refusal.ORDER_IN_FLIGHT, _order_in_flight),
    Gate(Refusal.STALE_MARKET, _stale_market),
    Gate(Refusal.LOW_CONFIDENCE, _low_confidence),
    Gate(Refusal.COOLDOWN, _cooldown),
    Gate(Refusal.DAILY_TRADE_LIMIT, _daily_trade_limit),
    Gate(Refusal.DAILY_LOSS_LIMIT, _daily_loss_limit),
    Gate(Refusal.INSUFFICIENT_FUNDS, _amount(Refusal.INSUFFICIENT_FUNDS)),
    Gate(Refusal.AMOUNT_TOO_SMALL, _amount(Refusal.AMOUNT_TOO_SMALL)),
)

SIGNAL_SELL_GATES: tuple[Gate, ...] = (
    Gate(Refusal.INVALID_SIGNAL, _valid_signal(Action.SELL)),
    Gate(Refusal.UNKNOWN_SYMBOL, _unknown_symbol),
    Gate(Refusal.STALE_SIGNAL, _stale_signal),
    Gate(Refusal.MODE_CHANGED, _other_ledger),
    Gate(Refusal.NOT_RUNNING, _not_running),
    Gate(Refusal.DEGRADED, _degraded),
    Gate(Refusal.NO_POSITION, _no_position),
    Gate(Refusal.ORDER_IN_FLIGHT, _order_in_flight),
    Gate(Refusal.STALE_MARKET, _stale_market),
    Gate(Refusal.LOW_CONFIDENCE, _low_confidence),
    Gate(Refusal.COOLDOWN, _cooldown_from_entry),
)

MANUAL_CLOSE_GATES: tuple[Gate, ...] = (
    Gate(Refusal.NO_POSITION, _no_position),
    Gate(Refusal.ORDER_IN_FLIGHT, _order_in_flight),
)
