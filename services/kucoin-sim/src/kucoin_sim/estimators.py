"""Estimators of the statistics by which markets are compared, on plain series; which series is said in `measure`.

Each gives not-a-number where a series is too short or does not vary.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from statistics import fmean, pstdev


def autocorrelation(values: Sequence[float], lag: int) -> float:
    """Correlation of `values` with themselves `lag` places later, by the mean and variance of the whole series."""
    if len(values) <= lag + 1:
        return math.nan
    mean = fmean(values)
    deviations = [value - mean for value in values]
    variance = fmean(value * value for value in deviations)
    if variance == 0.0:
        return math.nan
    pairs = zip(deviations, deviations[lag:], strict=False)
    return sum(first * second for first, second in pairs) / (len(values) - lag) / variance


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Pearson's correlation of two series of equal length."""
    if len(first) < 2:
        return math.nan
    mean_first, mean_second = fmean(first), fmean(second)
    covariance = fmean((a - mean_first) * (b - mean_second) for a, b in zip(first, second, strict=True))
    deviation = pstdev(first, mean_first) * pstdev(second, mean_second)
    return covariance / deviation if deviation else math.nan


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's correlation: that of the ranks, so that no single large value decides it."""
    return correlation(_ranks(first), _ranks(second))


def _ranks(values: Sequence[float]) -> list[float]:
    """Rank of each value; equal values share the mean of their ranks."""
    ranks = [0.0] * len(values)
    before = 0
    for _, group in groupby(sorted(range(len(values)), key=values.__getitem__), key=values.__getitem__):
        places = list(group)
        for place in places:
            ranks[place] = before + (len(places) - 1) / 2
        before += len(places)
    return ranks


def kurtosis(values: Sequence[float]) -> float:
    """Fourth standardised moment; 3 for a normal distribution."""
    mean = fmean(values)
    second = fmean((value - mean) ** 2 for value in values)
    return fmean((value - mean) ** 4 for value in values) / second**2 if second else math.nan


def variance_ratio(returns: Sequence[float], length: int) -> float:
    """Variance of sums of `length` returns, over `length` times that of one: above 1 for trends."""
    sums = [sum(returns[start : start + length]) for start in range(0, len(returns) - length + 1, length)]
    variance = pstdev(returns) ** 2
    return pstdev(sums) ** 2 / (length * variance) if len(sums) > 1 and variance else math.nan


def quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile of an ascending series, interpolated between its two nearest values."""
    if not ordered:
        return math.nan
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def tail_index(ordered: Sequence[float], share: float) -> float:
    """Hill's estimator over the largest `share` of an ascending series of positive values.

    The chance of a value beyond x falls like x^-index in the tail: the smaller the index, the heavier the tail.
    """
    count = int(share * len(ordered))
    if count < 10:
        return math.nan
    threshold = math.log(ordered[-count - 1])
    excess = fmean(math.log(value) for value in ordered[-count:]) - threshold
    return 1.0 / excess if excess else math.nan


def smoothed(values: Sequence[float], seconds: float) -> list[float]:
    """Exponentially weighted mean of values sampled each second, once it has run for `seconds`."""
    keep = math.exp(-1.0 / seconds)
    level, result = fmean(values[: int(seconds)]), []
    for value in values:
        level = keep * level + (1.0 - keep) * value
        result.append(level)
    return result[int(seconds) :]
