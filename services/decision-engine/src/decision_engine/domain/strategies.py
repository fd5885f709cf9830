"""Three of the ensemble's four strategies, and the vote that all of them give. (The fourth is in `qlearning`.)

A score lies in [−1 sell, +1 buy], rounded to 1e-9. A strategy without fresh or complete input abstains.
"""

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from btc_shared.codes import Strategy
from decision_engine.domain.indicators import Indicators
from decision_engine.domain.market_view import Inputs
from decision_engine.domain.smoothing import FloatArray

if TYPE_CHECKING:
    from btc_shared.settings import EngineSettings

SCORE_DECIMALS = 9
"""Scores are rounded before any threshold: what floats add in the last digits decides nothing."""

FULL_MOMENTUM = 0.40
"""Momentum in percent that makes a full vote."""
FULL_TREND = 0.25
"""Distance of SMA(10) from SMA(30) in percent that makes a full vote."""
FULL_EMA_DISTANCE = 0.25
"""Distance of the close from EMA(20) in percent that makes a full vote."""
OVERSOLD_RSI = 30.0
OVERBOUGHT_RSI = 70.0
RSI_SPAN = 10.0
"""RSI points beyond oversold or overbought that make a full vote."""
FULL_VOLATILITY = 0.06
"""Volatility in percent from which on the technical score is not damped."""
LEAST_DAMPING = 0.5
"""Factor that remains of the technical score in the calmest market."""

TECHNICAL_FIELDS = ("close", "ema_20", "rsi", "momentum", "trend", "volatility")


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's say in one decision."""

    strategy: Strategy
    score: float | None
    """In [−1, +1], rounded to 1e-9; None if it abstains."""
    reason: str
    explored: bool = False
    """True if the score was drawn at random to explore."""

    @property
    def abstains(self) -> bool:
        return self.score is None


def rounded(values: ArrayLike) -> FloatArray:
    """Values to 1e-9, without negative zeros. Shape as given."""
    return np.asarray(np.round(np.asarray(values, np.float64), SCORE_DECIMALS) + 0.0)


def technical_scores(
    *,
    close: ArrayLike,
    ema_20: ArrayLike,
    rsi: ArrayLike,
    momentum: ArrayLike,
    trend: ArrayLike,
    volatility: ArrayLike,
) -> FloatArray:
    """The technical score of each bar; arguments as in `Indicators`, of one shape. NaN where one of them is NaN.

    Trend following (momentum, trend, distance from the EMA) against reversal at RSI's extremes, damped in calm
    markets, where the same percentages are noise.
    """
    following = (
        _within(np.divide(momentum, FULL_MOMENTUM))
        + _within(np.divide(trend, FULL_TREND))
        + _within((np.divide(close, ema_20) - 1) * 100 / FULL_EMA_DISTANCE)
    ) / 3
    reversal = _within(np.subtract(OVERSOLD_RSI, rsi) / RSI_SPAN, low=0) - _within(
        np.subtract(rsi, OVERBOUGHT_RSI) / RSI_SPAN, low=0
    )
    damping = _within(np.divide(volatility, FULL_VOLATILITY), low=LEAST_DAMPING)
    return rounded(damping * _within(following + reversal))


def vote_technical(inputs: Inputs) -> Vote:
    """The last final bar's indicators; abstains if the bar is stale or an indicator is missing."""
    problem = inputs.bar_problem or missing_problem(inputs.indicators, TECHNICAL_FIELDS)
    if problem:
        return _abstention(Strategy.TECHNICAL, problem)
    indicators = inputs.indicators
    values = {name: float(getattr(indicators, name)) for name in TECHNICAL_FIELDS}
    return Vote(
        strategy=Strategy.TECHNICAL,
        score=float(technical_scores(**values)),
        reason=(
            f"momentum {values['momentum']:+.3f} %, trend {values['trend']:+.3f} %, "
            f"close {(values['close'] / values['ema_20'] - 1) * 100:+.3f} % from EMA, "
            f"RSI {values['rsi']:.1f}, volatility {values['volatility']:.3f} %"
        ),
    )


def vote_orderbook(inputs: Inputs, settings: "EngineSettings") -> Vote:
    """The smoothed book imbalance; 0 while the spread is wide; abstains if the book is stale or crossed."""
    problem = inputs.book_problem
    spread_bp, mean, now = inputs.spread_bp, inputs.imbalance_mean, inputs.imbalance
    if problem or spread_bp is None or mean is None or now is None:
        return _abstention(Strategy.ORDERBOOK, problem or "no order book yet")
    if spread_bp < 0:
        return _abstention(Strategy.ORDERBOOK, f"order book is crossed: bid {inputs.bid} above ask {inputs.ask}")
    if spread_bp > settings.max_spread_bp:
        return Vote(
            strategy=Strategy.ORDERBOOK,
            score=0.0,
            reason=f"spread {spread_bp:.1f} bp is above {settings.max_spread_bp:g} bp",
        )
    return Vote(
        strategy=Strategy.ORDERBOOK,
        score=float(rounded(_within(mean))),
        reason=f"book imbalance {mean:+.2f} on average, {now:+.2f} now, spread {spread_bp:.1f} bp",
    )


def vote_flow(inputs: Inputs) -> Vote:
    """The smoothed trade flow; abstains if the newest trade is stale or there are too few."""
    problem = inputs.trade_problem
    mean, now = inputs.flow_mean, inputs.flow
    if problem or mean is None or now is None:
        return _abstention(Strategy.FLOW, problem or "too few public trades yet")
    return Vote(
        strategy=Strategy.FLOW,
        score=float(rounded(_within(mean))),
        reason=f"trade flow {mean:+.2f} on average, {now:+.2f} now",
    )


def missing_problem(indicators: Indicators, fields: tuple[str, ...]) -> str | None:
    """Names the indicators among `fields` that are missing; None if all are there."""
    missing = [name for name in fields if getattr(indicators, name) is None]
    return f"missing: {', '.join(missing)}" if missing else None


def _abstention(strategy: Strategy, reason: str) -> Vote:
    return Vote(strategy=strategy, score=None, reason=reason)


def _within(values: ArrayLike, low: float = -1.0) -> FloatArray:
    """Clipped to [low, 1]; NaN stays NaN."""
    return np.minimum(np.maximum(values, low), 1.0)
