"""Closed lists of codes.

Each value is at once the database value, the metric label and the word in the docs: never rename one.
"""

from enum import StrEnum


class Mode(StrEnum):
    """Simulated (`dry`) or real (`live`) money."""

    DRY = "dry"
    LIVE = "live"


class Side(StrEnum):
    """Side of an order, a fill or a public trade (there: the taker's)."""

    BUY = "buy"
    SELL = "sell"


class DataSource(StrEnum):
    """By which way market data came from the exchange."""

    SOCKET = "socket"
    REST = "rest"


class Action(StrEnum):
    """What a decision says."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Strategy(StrEnum):
    """The ensemble's four voices."""

    TECHNICAL = "technical"
    ORDERBOOK = "orderbook"
    FLOW = "flow"
    QLEARNING = "qlearning"


class ExitReason(StrEnum):
    """Why a sell was made."""

    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    PARTIAL_EXIT = "partial_exit"
    TRAILING_STOP = "trailing_stop"
    SIGNAL = "signal"
    MANUAL = "manual"

    @property
    def is_protective(self) -> bool:
        """True for the exits that no gate, limit, mode or halt may block."""
        return self not in (ExitReason.SIGNAL, ExitReason.MANUAL)


class Refusal(StrEnum):
    """Why a signal or a request was not turned into an order, in the order in which the gates are asked."""

    INVALID_SIGNAL = "invalid_signal"
    UNKNOWN_SYMBOL = "unknown_symbol"
    STALE_SIGNAL = "stale_signal"
    MODE_CHANGED = "mode_changed"
    NOT_RUNNING = "not_running"
    HALTED = "halted"
    DEGRADED = "degraded"
    UNPROTECTED = "unprotected"
    IN_POSITION = "in_position"
    NO_POSITION = "no_position"
    ORDER_IN_FLIGHT = "order_in_flight"
    STALE_MARKET = "stale_market"
    LOW_CONFIDENCE = "low_confidence"
    COOLDOWN = "cooldown"
    DAILY_TRADE_LIMIT = "daily_trade_limit"
    DAILY_LOSS_LIMIT = "daily_loss_limit"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    AMOUNT_TOO_SMALL = "amount_too_small"


class IntentState(StrEnum):
    """An order's life: intent, sent, then its outcome. `unknown` is a state, not an error."""

    INTENT = "intent"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ABSENT = "absent"

    @property
    def is_open(self) -> bool:
        """True while the order may still fill."""
        return self in (IntentState.INTENT, IntentState.SENT, IntentState.ACKNOWLEDGED, IntentState.UNKNOWN)


class ServiceName(StrEnum):
    """The processes that send heartbeats."""

    MARKET_FEED = "market-feed"
    DECISION_ENGINE = "decision-engine"
    EXECUTOR = "executor"
    WEBUI_API = "webui-api"
    EXPORTER = "exporter"
