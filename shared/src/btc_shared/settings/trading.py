"""The numbers of the trading rules. Percentages are fractions (0.02 = 2 %), money is USDT, times are seconds.

`RiskSettings` (the executor's) and `EngineSettings` (the decision engine's) can be changed at run time.
"""

from decimal import Decimal
from typing import Any

from pydantic import Field, model_validator

from btc_shared.settings.base import Settings


def _fraction(default: str, description: str, *, low: str = "0", high: str = "1") -> Any:
    return Field(
        Decimal(default),
        gt=Decimal(low),
        le=Decimal(high),
        description=f"{description}; a fraction above {low} and up to {high}",
    )


class RiskSettings(Settings):
    """Sizes, exits, gates and limits."""

    max_position_pct: Decimal = _fraction("0.30", "largest share of the available USDT that one entry may spend")
    min_trade_amount: Decimal = Field(
        Decimal(10),
        ge=Decimal("0.1"),
        le=Decimal(1_000_000),
        description="smallest entry in USDT, 0.1 to 1000000",
    )
    taker_fee: Decimal = Field(
        Decimal("0.001"), ge=0, le=Decimal("0.05"), description="the taker's fee, a fraction from 0 to 0.05"
    )
    stop_loss_pct: Decimal = _fraction("0.02", "loss at which the whole position is sold", high="0.5")
    take_profit_pct: Decimal = _fraction("0.03", "gain at which the whole position is sold", high="10")
    partial_exit_pct: Decimal = _fraction(
        "0.015", "gain at which a part is sold, once (TAKE_PROFIT_PCT or more: never)", high="10"
    )
    partial_exit_fraction: Decimal = Field(
        Decimal("0.5"), gt=0, lt=1, description="share sold at the partial exit; above 0 and below 1"
    )
    trailing_activation_pct: Decimal = _fraction("0.015", "gain that arms the trailing stop", high="10")
    trailing_distance_pct: Decimal = _fraction("0.008", "distance of the trailing stop below the high", high="0.5")
    max_daily_trades: int = Field(15, ge=0, le=10_000, description="executed orders a UTC day before entries stop")
    max_daily_loss: Decimal = Field(
        Decimal(150),
        gt=0,
        le=Decimal(100_000_000),
        description="loss of a UTC day in USDT at which entries stop",
    )
    min_confidence: Decimal = Field(
        Decimal("0.60"), ge=0, le=1, description="lowest confidence of a signal that trades; 0 to 1"
    )
    min_trade_interval: Decimal = Field(
        Decimal(180),
        ge=0,
        le=86_400,
        description="seconds between a trade and the next signal's order; 0 to 86400",
    )
    max_market_age: Decimal = Field(
        Decimal(10), gt=0, le=300, description="oldest order book in seconds that a signal may trade on"
    )
    max_signal_age: Decimal = Field(Decimal(10), gt=0, le=300, description="oldest signal in seconds that may trade")
    max_price_jump: Decimal = _fraction("0.05", "change of the best bid that is confirmed by a REST read first")
    dry_latency: Decimal = Field(
        Decimal("0.25"), ge=0, le=60, description="seconds after which a simulated order meets the book"
    )
    dry_initial_balance: Decimal = Field(
        Decimal(1000),
        gt=0,
        le=Decimal(1_000_000_000),
        description="USDT that a new simulated account starts with",
    )


class EngineSettings(Settings):
    """When and how decisions are made."""

    poll_interval: float = Field(5.0, ge=0.1, le=60, description="seconds between decisions; 0.1 to 60")
    confirm_secs: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="seconds that a BUY or SELL must hold before its signal is sent; 0 to 3600",
    )
    decision_threshold: float = Field(
        0.30, ge=0.05, le=1, description="score beyond which a decision is BUY or SELL; 0.05 to 1"
    )
    weight_technical: float = Field(0.30, ge=0, le=1, description="weight of the technical strategy; 0 to 1")
    weight_orderbook: float = Field(0.25, ge=0, le=1, description="weight of the order-book strategy; 0 to 1")
    weight_flow: float = Field(0.25, ge=0, le=1, description="weight of the trade-flow strategy; 0 to 1")
    weight_qlearning: float = Field(0.20, ge=0, le=1, description="weight of the Q-learning strategy; 0 to 1")
    smoothing_secs: float = Field(
        60.0, gt=0, le=3600, description="time constant in seconds of the book's and the flow's means"
    )
    max_spread_bp: float = Field(
        5.0, gt=0, le=1000, description="spread in basis points beyond which the order book votes 0"
    )
    q_learning_rate: float = Field(0.1, gt=0, le=1, description="learning rate alpha of Q-learning; above 0 to 1")
    q_discount: float = Field(0.95, ge=0, le=1, description="discount gamma of Q-learning, once a round trip; 0 to 1")
    q_exploration: float = Field(
        0.05, ge=0, le=0.5, description="share of DRY decisions whose Q-learning vote is random; 0 to 0.5"
    )
    q_min_visits: int = Field(30, ge=0, le=100_000, description="visits that a cell needs before it votes")
    q_scale_bp: float = Field(20.0, gt=0, le=10_000, description="value in basis points that makes a full vote")

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> "EngineSettings":
        total = self.weight_technical + self.weight_orderbook + self.weight_flow + self.weight_qlearning
        if abs(total - 1) > 1e-9:
            raise ValueError(
                f"WEIGHT_TECHNICAL, WEIGHT_ORDERBOOK, WEIGHT_FLOW and WEIGHT_QLEARNING sum to {total:.4f}: must be 1"
            )
        return self
