"""The answers' shapes: what programs rely on, and what `/openapi.json` tells. Times are ISO-8601 UTC unless said."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from btc_shared.codes import Action, ExitReason, Mode, Side
from webui_api.performance import Period


class ErrorAnswer(BaseModel):
    """Every error of this API."""

    error: str = Field(description="what is wrong")
    detail: Any = Field(None, description="more about it: a sentence, a list of problems, or null")


class PriceAnswer(BaseModel):
    """The market's price now. There is none with nulls: without a fresh price the answer is an error 503."""

    symbol: str
    price: float = Field(description="mean of best bid and best ask, USDT")
    formatted: str = Field(description="the price for a person, such as $65,123.40")
    timestamp: datetime = Field(description="when this price was seen")
    bid: float = Field(description="best bid, USDT")
    ask: float = Field(description="best ask, USDT")
    age_seconds: float
    change_24h_pct: float | None = Field(
        description="change against 24 hours ago, percent; null without a candle from then"
    )


class OrderBook(BaseModel):
    """The top of the order book, its first 10 levels."""

    bid_volume: float = Field(description="BTC wanted")
    ask_volume: float = Field(description="BTC offered")
    imbalance: float = Field(description="(bids - asks) / both, -1 to 1")
    spread: float = Field(description="best ask less best bid, USDT")
    spread_bp: float = Field(description="spread in basis points (0.01 %) of the price")


class Indicators(BaseModel):
    """What the last decision saw, of the last final 1-minute bar. Null: there were not enough data."""

    rsi: float | None = Field(description="RSI(14), 0 to 100")
    momentum: float | None = Field(description="change over 10 bars, percent")
    volatility: float | None = Field(description="deviation of 20 one-bar returns, percent, at most 1")
    trend: float | None = Field(description="SMA(10) against SMA(30), percent, -1 to 1")
    ema_20: float | None = Field(description="EMA(20), USDT")
    sma_10: float | None = Field(description="SMA(10), USDT")
    sma_30: float | None = Field(description="SMA(30), USDT")
    volume_ratio: float | None = Field(description="last bar's volume over the mean of 20")
    flow: float | None = Field(description="buys less sells over both, last 100 trades, -1 to 1")


class StrategyVote(BaseModel):
    """One strategy's part in a decision."""

    score: float | None = Field(description="-1 sell to +1 buy; null when it abstained")
    weight: float | None = Field(description="weight that its vote had")
    reason: str | None


class SignalAnswer(BaseModel):
    """The agent's own last decision."""

    action: Action
    confidence: float = Field(description="0 to 1")
    reason: str
    score: float = Field(description="weighted sum of the votes, -1 to 1")
    agreement: float = Field(description="0 to 1")
    threshold: float = Field(description="score that had to be exceeded")
    strategies: dict[str, StrategyVote]
    decided_at: datetime
    age_seconds: float
    outcome: str | None = Field(description="executed, refused or failed; null when nothing was tried (yet)")
    outcome_code: str | None
    outcome_detail: str | None


class AnalysisAnswer(BaseModel):
    """Price, order book, and what the agent last decided and why."""

    symbol: str
    price: float
    price_formatted: str
    timestamp: datetime
    orderbook: OrderBook
    indicators: Indicators
    signal: SignalAnswer


class BasicPerformance(BaseModel):
    """Result of one mode, net of fees, USDT. Null: not defined yet."""

    total_trades: int = Field(description="executed orders")
    winning_trades: int = Field(description="closed round trips with a net profit")
    losing_trades: int = Field(description="closed round trips without one")
    win_rate: float | None = Field(description="share of closed round trips that won, 0 to 1; null before the first")
    total_pnl: float = Field(description="realised, partial exits included")
    avg_pnl: float | None = Field(description="mean of closed round trips")
    best_trade_pnl: float | None
    worst_trade_pnl: float | None
    fees: float
    unrealized_pnl: float | None = Field(
        description="what selling the open position at the bid would add, after the fee; null without a price for it"
    )
    equity: float | None = Field(description="cash plus the open position at the bid less the fee")
    mode: Mode
    period: Period


class PerformanceAnswer(BasicPerformance):
    """All figures of one mode and period."""

    max_drawdown: float | None = Field(description="largest fall of realised equity from a peak, a fraction of it")
    max_drawdown_usdt: float | None = Field(description="largest fall of realised equity in USDT")
    profit_factor: float | None = Field(description="profits over losses of closed round trips; null without a loss")
    sharpe: float | None = Field(description="annualised, of daily realised returns; null with fewer than two")
    buy_and_hold_pnl: float | None = Field(
        description="what buying at the period's first trade and holding until now would have made, after fees"
    )
    since: datetime | None = Field(description="start of the period; null for all of history")


class PositionAnswer(BaseModel):
    """An open position."""

    size: float = Field(description="BTC")
    entry_price: float = Field(description="mean fill price without fees, USDT")
    value: float | None = Field(description="at the best bid, before fees, USDT; null without a price")
    unrealized_pnl: float | None = Field(description="after all fees, USDT; null without a price")
    gain: float | None = Field(description="bid over entry price less 1, as the exits judge it; null without a price")
    high_bid: float
    trailing_armed: bool
    partial_done: bool
    opened_at: datetime


class ServiceAnswer(BaseModel):
    """A service's signs of life."""

    status: Literal["healthy", "degraded", "starting", "silent", "never seen"]
    age_seconds: float | None = Field(description="since its last heartbeat")
    started_at: datetime | None


class ModelStats(BaseModel):
    """What Q-learning has learned, and how the agent has decided so far."""

    episodes: int
    total_reward: float = Field(description="basis points of the stakes")
    avg_reward: float | None = Field(description="per episode; null before the first")
    action_distribution: dict[Action, int] = Field(description="decisions by action")


class ModeAnswer(BaseModel):
    """Asked for by the operator, and in effect in the executor."""

    requested: Mode
    effective: Mode


class StatusAnswer(BaseModel):
    """How the agent is. A price that is not there is null here, and `why` says so."""

    status: Literal["online", "stalled", "offline"]
    why: list[str] = Field(description="a sentence for everything that is not as it should be")
    notes: list[str] = Field(description="what an owner should know about mode and kill switch")
    symbol: str
    venue: str
    current_price: float | None
    price_formatted: str | None
    performance: BasicPerformance
    model_stats: ModelStats
    mode: ModeAnswer
    halted: bool
    winding_down: bool = Field(description="a live position is still open although LIVE is not wanted or in effect")
    position: PositionAnswer | None = Field(description="of the mode in effect; null when flat")
    positions: dict[Mode, PositionAnswer | None]
    services: dict[str, ServiceAnswer]
    last_decision_at: datetime | None
    last_update: datetime


class TradeAnswer(BaseModel):
    """One executed order."""

    id: int
    timestamp: float = Field(description="when it was executed, epoch seconds")
    symbol: str
    side: Side
    price: float = Field(description="mean fill price, USDT")
    size: float = Field(description="BTC")
    funds: float = Field(description="USDT, without the fee")
    fee: float = Field(description="USDT")
    order_id: str
    status: str
    pnl: float | None = Field(description="net result of a sell, USDT; null for a buy")
    pnl_pct: float | None = Field(description="its share of what was sold had cost, a fraction (0.02 = 2 %)")
    dry_run: Literal[0, 1]
    exit_reason: ExitReason | None
    metadata: dict[str, Any]
    created_at: datetime


class DecisionAnswer(BaseModel):
    """One decision, all that led to it, and what became of it."""

    id: str
    decided_at: datetime
    age_seconds: float
    symbol: str
    mode: Mode
    trigger: str = Field(description="poll or bar")
    bar_time: datetime | None
    price: float | None
    action: Action
    score: float
    agreement: float
    confidence: float
    threshold: float
    scores: dict[str, float | None] = Field(description="of the four strategies; null when one abstained")
    weights: dict[str, Any]
    reasons: dict[str, Any]
    inputs: dict[str, Any]
    in_position: bool
    explored: bool
    settings_version: int
    model_version: str
    signal_id: str | None
    outcome: str | None = Field(description="executed, refused or failed; null when nothing was tried (yet)")
    outcome_code: str | None = Field(description="the code of a refusal")
    outcome_detail: str | None
    outcome_at: datetime | None


class EquityPointAnswer(BaseModel):
    """Equity at one moment."""

    time: datetime
    equity: float = Field(description="realised equity, USDT: open positions count at what they cost")


class EquityAnswer(BaseModel):
    """The equity curve of one mode and period: a step for each realised result, thinned to 1,000 points at most.

    Thinning keeps every highest and lowest point. Without any trade there are no points.
    """

    mode: Mode
    period: Period
    since: datetime | None = Field(description="start of the period; null for all of history")
    start_capital: float | None = Field(description="what the ledger started with, USDT; null before it has an account")
    equity_now: float | None = Field(
        description="cash plus the open position at the bid less the fee, USDT; null without an account or a price"
    )
    results: int = Field(description="realised results that the curve is made of")
    complete: bool = Field(
        description="false: the period has more results than are read for this answer (20,000), so the curve begins "
        "later than the period; its values are right all the same"
    )
    points: list[EquityPointAnswer] = Field(description="oldest first; the last one is now")


class CandleAnswer(BaseModel):
    """One final 1-minute bar."""

    time: datetime = Field(description="start of its minute")
    open: float
    high: float
    low: float
    close: float
    volume: float = Field(description="BTC")
    filled: bool = Field(description="true: nothing was traded in this minute, the bar repeats the last close")
    missing_before: int = Field(description="minutes without a bar between the one before and this one; 0 is usual")


class MarkAnswer(BaseModel):
    """One executed order of the agent, for a chart."""

    id: int = Field(description="the trade's id, as in /api/trades")
    time: datetime
    side: Side
    price: float = Field(description="mean fill price, USDT")
    size: float = Field(description="BTC")
    exit_reason: ExitReason | None = Field(description="why a sell was made; null for a buy")
    pnl: float | None = Field(description="net result of a sell, USDT; null for a buy")


class CandlesAnswer(BaseModel):
    """The newest candles, and what the agent traded from the first one's start until now."""

    symbol: str
    mode: Mode = Field(description="whose trades are shown")
    candles: list[CandleAnswer] = Field(description="oldest first; the minute that is still running is not there")
    trades: list[MarkAnswer] = Field(description="oldest first; at most the newest 1000")
