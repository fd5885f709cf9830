"""The statistics themselves, on series whose answers are known."""

import math

import pytest

from kucoin_sim.measure import autocorrelation, correlation, kurtosis, smoothed, variance_ratio


def test_autocorrelation_of_an_alternating_series() -> None:
    values = [1.0, -1.0] * 500
    assert autocorrelation(values, 1) == pytest.approx(-1.0)
    assert autocorrelation(values, 2) == pytest.approx(1.0)
    assert math.isnan(autocorrelation([1.0, 1.0, 1.0], 1))
    assert math.isnan(autocorrelation([1.0, 2.0], 5))


def test_correlation_and_kurtosis() -> None:
    assert correlation([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(1.0)
    assert correlation([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1.0)
    assert kurtosis([1.0, -1.0] * 10) == pytest.approx(1.0)


def test_variance_ratio_tells_trends_from_reversals() -> None:
    assert variance_ratio([1.0] * 10 + [-1.0] * 10, 10) == pytest.approx(10.0)
    assert variance_ratio([1.0, -1.0] * 50, 2) == pytest.approx(0.0)


def test_smoothing_forgets_with_its_time_constant() -> None:
    values = [0.0] * 60 + [1.0] * 600
    slow = smoothed(values, 60.0)
    assert len(slow) == len(values) - 60
    assert slow[59] == pytest.approx(1.0 - math.exp(-1.0))
    assert slow[-1] == pytest.approx(1.0 - math.exp(-10.0))
