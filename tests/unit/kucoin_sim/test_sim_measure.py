"""The statistics themselves, on series whose answers are known."""

import math

import pytest

from kucoin_sim.estimators import (
    autocorrelation,
    correlation,
    kurtosis,
    quantile,
    rank_correlation,
    smoothed,
    tail_index,
    variance_ratio,
)
from kucoin_sim.market import Book, Trade
from kucoin_sim.measure import Minute, minute_figures, minutes_of, moment_of, trade_figures


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


def test_rank_correlation_sees_order_only_and_shares_ranks() -> None:
    assert rank_correlation([1.0, 2.0, 3.0, 4.0], [1.0, 10.0, 100.0, 1e9]) == pytest.approx(1.0)
    assert rank_correlation([1.0, 1.0, 2.0, 2.0], [5.0, 5.0, 7.0, 7.0]) == pytest.approx(1.0)
    assert rank_correlation([1.0, 2.0, 2.0, 3.0], [3.0, 2.0, 2.0, 1.0]) == pytest.approx(-1.0)


def test_variance_ratio_tells_trends_from_reversals() -> None:
    assert variance_ratio([1.0] * 10 + [-1.0] * 10, 10) == pytest.approx(10.0)
    assert variance_ratio([1.0, -1.0] * 50, 2) == pytest.approx(0.0)


def test_quantiles_lie_between_their_neighbours() -> None:
    assert [quantile([0.0, 1.0, 2.0, 4.0], share) for share in (0.0, 0.5, 1.0)] == [0.0, 1.5, 4.0]
    assert math.isnan(quantile([], 0.5))


def test_the_tail_index_of_a_power_law_is_its_power() -> None:
    # The values at evenly spaced chances of a Pareto distribution of index 1.5.
    values = [((place + 0.5) / 20_000) ** (-1.0 / 1.5) for place in range(20_000)]
    assert tail_index(sorted(values), 0.1) == pytest.approx(1.5, rel=0.01)
    assert math.isnan(tail_index([1.0] * 50, 0.1))


def test_smoothing_forgets_with_its_time_constant() -> None:
    values = [0.0] * 60 + [1.0] * 600
    slow = smoothed(values, 60.0)
    assert len(slow) == len(values) - 60
    assert slow[59] == pytest.approx(1.0 - math.exp(-1.0))
    assert slow[-1] == pytest.approx(1.0 - math.exp(-10.0))


def test_minutes_hold_their_own_trades_and_a_silent_one_keeps_the_price() -> None:
    trades = [
        Trade(59_999, 90, 5, "buy"),
        Trade(60_000, 100, 2, "buy"),
        Trade(119_999, 101, 3, "sell"),
        Trade(180_000, 103, 1, "sell"),
    ]
    assert minutes_of(trades, 60_000, 3) == [Minute(101, 5, 2), Minute(101, 0, 0), Minute(103, 1, 0)]


def test_the_flow_of_a_minute_is_what_takers_bought_less_what_they_sold() -> None:
    closes = [101.0, 100.0, 102.0, 100.0] * 10
    minutes = [
        Minute(close, 8.0, 6.0 if close > before else 2.0)
        for before, close in zip([100.0, *closes], closes, strict=False)
    ]
    figures = minute_figures(minutes)
    assert figures["flow_sd"] == pytest.approx(0.5, rel=0.02)
    assert figures["corr_flow_same_minute"] > 0.9
    assert "flow_sd" not in minute_figures([minute._replace(bought=None) for minute in minutes])


def test_prints_of_one_order_count_once() -> None:
    trades = []
    for time_ms in range(0, 100_000, 1000):
        trades += [Trade(time_ms, 100, 1, "buy"), Trade(time_ms, 101, 2, "buy"), Trade(time_ms, 99, 4, "sell")]
    figures = trade_figures(trades)
    assert figures["trades_an_order"] == 1.5
    assert figures["size_mean"] == 3.5  # 1 + 2 bought at once, 4 sold
    assert figures["acf_side_1"] == pytest.approx(-1.0)


def test_a_moment_of_the_book_in_numbers() -> None:
    bids = [(100_000 - 2 * level, 30 if level == 0 else 10) for level in range(20)]
    asks = [(100_002 + 4 * level, 10) for level in range(20)]
    moment = moment_of(Book(bids, asks))
    assert (moment.mid, moment.spread_ticks) == (100_001.0, 2)
    assert (moment.best_1, moment.best_5, moment.best_10, moment.best_20) == (40, 120, 220, 420)
    assert moment.imbalance == pytest.approx(20 / 220)
    assert moment.reach_bp == pytest.approx(10_000 * 57 / 100_001)
    assert moment.size_sigma == 0.0
