import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import Action, Strategy
from btc_shared.settings import EngineSettings
from decision_engine.domain import combine, decide, empty_table

from .conftest import MakeInputs

NAN = float("nan")
SETTINGS = EngineSettings()

score = st.integers(-(10**9), 10**9).map(lambda billionths: billionths / 1e9)
four_votes = st.lists(score | st.just(NAN), min_size=4, max_size=4).map(np.array)


@st.composite
def weighted(draw: st.DrawFn) -> EngineSettings:
    parts = draw(st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any))
    names = ("technical", "orderbook", "flow", "qlearning")
    weights = {f"weight_{name}": part / sum(parts) for name, part in zip(names, parts, strict=True)}
    return EngineSettings.model_validate(weights)


def test_the_score_is_the_weighted_sum() -> None:
    result = combine(np.array([0.5, 0.2, -0.4, 1.0]), SETTINGS)
    assert float(result.score) == pytest.approx(0.15 + 0.05 - 0.10 + 0.20)
    assert float(result.agreement) == pytest.approx(0.30 / 0.50)
    assert float(result.confidence) == pytest.approx(0.6 * (0.5 + 0.5 * 0.6))
    assert result.weights.tolist() == [0.30, 0.25, 0.25, 0.20]
    assert int(result.direction) == 0


@pytest.mark.parametrize(("value", "direction"), [(0.3, 0), (0.300000001, 1), (-0.3, 0), (-0.300000001, -1)])
def test_only_beyond_the_threshold_is_acted(value: float, direction: int) -> None:
    assert int(combine(np.full(4, value), SETTINGS).direction) == direction


def test_the_threshold_at_full_agreement_is_a_confidence_of_0_60() -> None:
    result = combine(np.full(4, 0.3), SETTINGS)
    assert (float(result.score), float(result.agreement), float(result.confidence)) == (0.3, 1.0, 0.6)


def test_dissent_costs_confidence() -> None:
    agreed = combine(np.array([0.4, 0.4, 0.4, 0.4]), SETTINGS)
    argued = combine(np.array([1.0, 1.0, -0.6, 0.0]), SETTINGS)
    assert float(argued.score) == float(agreed.score) == 0.4
    assert float(argued.confidence) < float(agreed.confidence)


def test_an_abstention_shares_its_weight_and_raises_the_threshold() -> None:
    result = combine(np.array([0.4, NAN, 0.4, 0.4]), SETTINGS)
    assert result.weights.tolist() == pytest.approx([0.4, 0, 1 / 3, 0.2 / 0.75])
    assert (float(result.threshold), float(result.abstaining_weight)) == (0.4, 0.25)
    assert (float(result.score), int(result.direction)) == (0.4, 0)
    assert int(combine(np.array([0.41, NAN, 0.41, 0.41]), SETTINGS).direction) == 1


@pytest.mark.parametrize(
    ("votes", "abstaining", "direction"),
    [
        ([1.0, NAN, NAN, 1.0], 0.50, 1),  # exactly half may abstain
        ([NAN, NAN, 1.0, 1.0], 0.55, 0),
        ([NAN, 1.0, 1.0, NAN], 0.50, 1),
        ([NAN, NAN, NAN, NAN], 1.0, 0),
    ],
)
def test_more_than_half_abstaining_holds(votes: list[float], abstaining: float, direction: int) -> None:
    result = combine(np.array(votes), SETTINGS)
    assert (float(result.abstaining_weight), int(result.direction)) == (abstaining, direction)


@pytest.mark.parametrize("votes", [[0.0] * 4, [NAN] * 4, [0.0, NAN, 0.0, 0.0]])
def test_no_opinion_at_all_is_zero_everywhere(votes: list[float]) -> None:
    result = combine(np.array(votes), SETTINGS)
    assert (float(result.score), float(result.agreement), float(result.confidence), int(result.direction)) == (
        0,
        0,
        0,
        0,
    )


@given(four_votes, weighted())
def test_numbers_stay_in_their_bounds(votes: np.ndarray, settings: EngineSettings) -> None:
    result = combine(votes, settings)
    assert abs(result.score) <= 1
    assert 0 <= result.agreement <= 1
    assert 0 <= result.confidence <= 1
    assert settings.decision_threshold - 1e-9 <= result.threshold <= settings.decision_threshold + 0.4 + 1e-9
    assert (result.weights >= 0).all()
    assert result.weights[np.isnan(votes)].sum() == 0
    assert result.weights.sum() == pytest.approx(1) or result.abstaining_weight == 1
    if result.direction:
        assert abs(result.score) > result.threshold
        assert result.abstaining_weight <= 0.5
        assert np.sign(result.score) == result.direction


@given(four_votes, weighted())
def test_mirrored_votes_give_the_mirrored_decision(votes: np.ndarray, settings: EngineSettings) -> None:
    result, mirrored = combine(votes, settings), combine(-votes, settings)
    assert mirrored.score == -result.score
    assert mirrored.direction == -result.direction
    assert mirrored.confidence == result.confidence
    assert mirrored.threshold == result.threshold


@given(st.lists(four_votes, min_size=1, max_size=20))
def test_an_array_of_votes_gives_what_each_row_gives(rows: list[np.ndarray]) -> None:
    together = combine(np.array(rows), SETTINGS)
    for number, row in enumerate(rows):
        alone = combine(row, SETTINGS)
        for name in alone.__slots__:
            np.testing.assert_array_equal(getattr(together, name)[number], getattr(alone, name))


# --- whole decisions


def test_a_decision_says_why(make_inputs: MakeInputs) -> None:
    inputs = make_inputs(indicators={"rsi": 15.0}, imbalance_mean=0.5, imbalance=0.5, flow_mean=0.5, flow=0.5)
    decision = decide(inputs, SETTINGS, empty_table())
    assert decision.action is Action.BUY
    assert [vote.strategy for vote in decision.votes] == list(Strategy)
    assert [vote.score for vote in decision.votes] == [1.0, 0.5, 0.5, 0.0]
    assert decision.score == 0.55
    assert decision.confidence == 1.0
    assert decision.weights == (0.30, 0.25, 0.25, 0.20)
    assert decision.reason == "BUY: score +0.550 is above +0.30"
    assert all(vote.reason for vote in decision.votes)
    assert decision.inputs is inputs


def test_a_decision_to_sell_says_why(make_inputs: MakeInputs) -> None:
    inputs = make_inputs(indicators={"rsi": 85.0}, flow_mean=-0.5, flow=-0.5, book_age_secs=20.0)
    decision = decide(inputs, SETTINGS, empty_table())
    assert decision.action is Action.SELL
    assert decision.reason == "SELL: score -0.567 is below −0.40 (orderbook abstained)"


def test_a_hold_for_want_of_data_says_so(make_inputs: MakeInputs) -> None:
    inputs = make_inputs(bar_age_secs=None, book_age_secs=11.0, flow_mean=1.0, flow=1.0)
    decision = decide(inputs, SETTINGS, empty_table())
    assert decision.action is Action.HOLD
    assert (decision.score, decision.abstaining_weight, decision.threshold) == (1.0, 0.75, 0.6)
    assert decision.reason == "HOLD: technical, orderbook, qlearning abstain with 75% of the weight, more than 50%"


def test_candles_alone_decide_at_the_highest_threshold(make_inputs: MakeInputs) -> None:
    inputs = make_inputs(
        indicators={"rsi": 15.0}, book_age_secs=None, imbalance_mean=None, trade_age_secs=None, flow_mean=None
    )
    decision = decide(inputs, SETTINGS, empty_table())
    assert (decision.abstaining_weight, decision.threshold, decision.score) == (0.5, 0.5, 0.6)
    assert decision.action is Action.BUY


def test_an_empty_market_is_a_decision_too(make_inputs: MakeInputs) -> None:
    inputs = make_inputs(bar_age_secs=None, book_age_secs=None, trade_age_secs=None)
    decision = decide(inputs, SETTINGS, empty_table())
    assert (decision.action, decision.score, decision.confidence) == (Action.HOLD, 0.0, 0.0)
    assert decision.weights == (0, 0, 0, 0)


@given(st.sampled_from([True, False]), score, score, st.floats(0, 100))
def test_what_the_book_and_the_trades_say_is_followed_in_both_directions(
    is_long: bool, book: float, flow: float, rsi: float
) -> None:
    result = combine(np.array([0.0, book, flow, 0.0]), SETTINGS)
    stronger = combine(np.array([0.0, min(1.0, book + 0.1), flow, 0.0]), SETTINGS)
    assert stronger.score >= result.score
    assert stronger.direction >= result.direction
