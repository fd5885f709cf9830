import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_engine.domain.smoothing import SmoothedMean, recursive_mean, smooth

finite = st.floats(-1e6, 1e6)


def _all(samples: list[tuple[int, float]], tau_secs: float = 60) -> SmoothedMean:
    state = None
    for at_ms, sample in samples:
        state = smooth(state, sample, at_ms, tau_secs)
    assert state is not None
    return state


def test_the_first_sample_sets_the_mean() -> None:
    assert smooth(None, 0.4, 1_000, 60).value == 0.4


def test_a_sample_counts_by_the_time_that_passed() -> None:
    assert _all([(0, 1.0), (60_000, 0.0)]).value == pytest.approx(math.exp(-1))
    assert _all([(0, 0.0), (30_000, 1.0)]).value == pytest.approx(1 - math.exp(-0.5))


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=8), finite, finite, st.floats(0.5, 600))
def test_how_often_an_unchanged_value_is_sampled_does_not_matter(
    steps_ms: list[int], start: float, sample: float, tau_secs: float
) -> None:
    times = np.cumsum(steps_ms).tolist()
    often = _all([(0, start), *((at_ms, sample) for at_ms in times)], tau_secs)
    once = _all([(0, start), (times[-1], sample)], tau_secs)
    assert often.value == pytest.approx(once.value, rel=1e-9, abs=1e-6)


def test_an_older_sample_is_ignored() -> None:
    state = _all([(0, 0.1), (5_000, 0.2)])
    assert smooth(state, 0.9, 4_999, 60) is state


def test_the_last_sample_of_a_millisecond_counts() -> None:
    burst = _all([(0, 0.1), (5_000, -1.0), (5_000, 0.7), (5_000, 0.2), (9_000, 0.3)])
    assert burst.value == _all([(0, 0.1), (5_000, 0.2), (9_000, 0.3)]).value
    assert _all([(0, 0.1), (0, 0.3)]).value == 0.3


@pytest.mark.parametrize("sample", [math.nan, math.inf])
def test_a_sample_must_be_a_number(sample: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        smooth(None, sample, 0, 60)


def test_a_time_constant_must_be_positive() -> None:
    with pytest.raises(ValueError, match="tau_secs is 0"):
        smooth(None, 0.5, 0, 0)


@given(st.lists(finite, max_size=150), st.floats(0.01, 0.9), st.integers(1, 40))
def test_the_array_recursion_is_the_plain_loop(values: list[float], weight: float, seed_length: int) -> None:
    expected = []
    if len(values) >= seed_length:
        expected.append(sum(values[:seed_length]) / seed_length)
        for value in values[seed_length:]:
            expected.append(expected[-1] + weight * (value - expected[-1]))
    means = recursive_mean(np.array(values), weight, seed_length)
    assert means.shape == (len(expected),)
    np.testing.assert_allclose(means, expected, rtol=1e-9, atol=1e-6)


@given(st.lists(finite, min_size=1, max_size=100), st.floats(1, 600))
def test_evenly_spaced_samples_give_the_same_in_an_array(values: list[float], tau_secs: float) -> None:
    states = _all([(60_000 * step, value) for step, value in enumerate(values)], tau_secs)
    means = recursive_mean(np.array(values), 1 - math.exp(-60 / tau_secs))
    assert means[-1] == pytest.approx(states.value, rel=1e-9, abs=1e-6)
