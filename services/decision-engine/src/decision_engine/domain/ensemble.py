"""The four votes made into one decision."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from btc_shared.codes import Action, Strategy
from decision_engine.domain.market_view import Inputs
from decision_engine.domain.qlearning import vote_qlearning
from decision_engine.domain.qtable import QTable
from decision_engine.domain.smoothing import FloatArray
from decision_engine.domain.strategies import Vote, rounded, vote_flow, vote_orderbook, vote_technical

if TYPE_CHECKING:
    from btc_shared.settings import EngineSettings

THRESHOLD_PER_ABSTENTION = 0.40
"""What the threshold gains when all the weight abstains."""
MAX_ABSTAINING = 0.50
"""Weight that may abstain before every decision is HOLD."""
FULL_SCORE = 0.5
"""|S| from which on it does not limit the confidence. Fixed, whatever the threshold."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision with everything that led to it. Numbers are rounded to 1e-9."""

    inputs: Inputs
    action: Action
    """What the score says, whether or not there is a position; `confirmation` knows what can be acted on."""
    score: float
    """S, the weighted sum of the votes, in [−1, 1]."""
    agreement: float
    """A = |S| / Σ weight·|score|, in [0, 1]; 0 if nobody votes for anything."""
    confidence: float
    """min(1, |S| / 0.5)·(0.5 + 0.5·A), in [0, 1]."""
    threshold: float
    """|S| that had to be exceeded."""
    abstaining_weight: float
    votes: tuple[Vote, ...]
    """One of each strategy, in the order of `Strategy`."""
    weights: tuple[float, ...]
    """Weight used for each vote: 0 if it abstained; the others sum to 1."""
    reason: str
    """Why this action, in a sentence; the votes carry their own reasons."""

    @property
    def explored(self) -> bool:
        """True if a vote was drawn at random."""
        return any(vote.explored for vote in self.votes)


@dataclass(frozen=True, slots=True)
class Combination:
    """What `combine` makes of scores of shape (…, 4): arrays of shape (…), weights of shape (…, 4)."""

    direction: NDArray[np.int8]
    """+1 BUY, −1 SELL, 0 HOLD."""
    score: FloatArray
    agreement: FloatArray
    confidence: FloatArray
    threshold: FloatArray
    abstaining_weight: FloatArray
    weights: FloatArray


def combine(scores: FloatArray, settings: "EngineSettings") -> Combination:
    """Weigh scores, for one decision or for an array of them.

    An abstention's weight is shared by the others in proportion, and raises the threshold. If all abstain,
    weights, score, agreement and confidence are 0.

    Args:
        scores: shape (…, 4) in the order of `Strategy`, each in [−1, 1]; NaN abstains.
    """
    base = np.array(strategy_weights(settings))
    votes = ~np.isnan(scores)
    votes_weight = (base * votes).sum(axis=-1)
    shared = np.divide(
        base * votes, votes_weight[..., None], out=np.zeros(scores.shape), where=votes_weight[..., None] > 0
    )
    products = shared * np.where(votes, scores, 0.0)
    raw, strength = products.sum(axis=-1), np.abs(products).sum(axis=-1)
    agreement = np.divide(np.abs(raw), strength, out=np.zeros(raw.shape), where=strength > 0)
    score = rounded(raw)
    abstaining = rounded(1 - votes_weight)
    threshold = rounded(settings.decision_threshold + THRESHOLD_PER_ABSTENTION * abstaining)
    acts = (np.abs(score) > threshold) & (abstaining <= MAX_ABSTAINING)
    return Combination(
        direction=(np.sign(score) * acts).astype(np.int8),
        score=score,
        agreement=rounded(agreement),
        confidence=rounded(np.minimum(1.0, np.abs(score) / FULL_SCORE) * (0.5 + 0.5 * agreement)),
        threshold=threshold,
        abstaining_weight=abstaining,
        weights=shared,
    )


def strategy_weights(settings: "EngineSettings") -> tuple[float, ...]:
    """The configured weights in the order of `Strategy`."""
    return tuple(float(getattr(settings, f"weight_{strategy}")) for strategy in Strategy)


def decide(inputs: Inputs, settings: "EngineSettings", table: QTable, explore_draw: float | None = None) -> Decision:
    """Ask the four strategies and weigh their votes. See `vote_qlearning` for `explore_draw`."""
    votes = (
        vote_technical(inputs),
        vote_orderbook(inputs, settings),
        vote_flow(inputs),
        vote_qlearning(inputs, settings, table, explore_draw),
    )
    result = combine(np.array([np.nan if vote.score is None else vote.score for vote in votes]), settings)
    action = {1: Action.BUY, -1: Action.SELL, 0: Action.HOLD}[int(result.direction)]
    score, threshold, abstaining = float(result.score), float(result.threshold), float(result.abstaining_weight)
    return Decision(
        inputs=inputs,
        action=action,
        score=score,
        agreement=float(result.agreement),
        confidence=float(result.confidence),
        threshold=threshold,
        abstaining_weight=abstaining,
        votes=votes,
        weights=tuple(result.weights.tolist()),
        reason=_reason(action, score, threshold, abstaining, votes),
    )


def _reason(action: Action, score: float, threshold: float, abstaining: float, votes: tuple[Vote, ...]) -> str:
    absent = ", ".join(vote.strategy for vote in votes if vote.abstains)
    if abstaining > MAX_ABSTAINING:
        return f"HOLD: {absent} abstain with {abstaining:.0%} of the weight, more than {MAX_ABSTAINING:.0%}"
    said = {Action.BUY: "above +", Action.SELL: "below −", Action.HOLD: "within ±"}[action]
    return f"{action}: score {score:+.3f} is {said}{threshold:.2f}" + (f" ({absent} abstained)" if absent else "")
