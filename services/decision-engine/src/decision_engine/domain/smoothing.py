"""Exponentially weighted means: a recursive one over evenly spaced arrays, a time-aware one for irregular samples."""

from functools import lru_cache
from math import exp, isfinite

import msgspec
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_BLOCK = 32  # values per matrix row; 16 to 64 measure alike


class SmoothedMean(msgspec.Struct, frozen=True, kw_only=True):
    """State of a time-aware mean.

    `value` is the mean as of the sample taken at `at_ms`. `earlier_value` and `earlier_ms` are the state before
    that millisecond (None at the first one), so that a further sample of the same millisecond can replace it.
    """

    value: float
    at_ms: int
    earlier_value: float | None = None
    earlier_ms: int | None = None


def smooth(state: SmoothedMean | None, sample: float, at_ms: int, tau_secs: float) -> SmoothedMean:
    """Take one sample: m ← m·e^(−Δt/τ) + x·(1 − e^(−Δt/τ)), with Δt since the sample before.

    The first sample (`state` None) sets the mean. A sample older than the newest is ignored. Of several samples
    of one millisecond the last one counts: a market order prints its fills in one millisecond, and what it left
    behind is what lasts.

    Raises:
        ValueError: if the sample is not finite or τ is not positive.
    """
    if not isfinite(sample):
        raise ValueError(f"sample is {sample}: a mean takes finite numbers only")
    if tau_secs <= 0:
        raise ValueError(f"tau_secs is {tau_secs}: must be above 0")
    if state is None:
        return SmoothedMean(value=sample, at_ms=at_ms)
    if at_ms < state.at_ms:
        return state
    if at_ms > state.at_ms:
        earlier_value, earlier_ms = state.value, state.at_ms
    elif state.earlier_value is not None and state.earlier_ms is not None:
        earlier_value, earlier_ms = state.earlier_value, state.earlier_ms
    else:
        return SmoothedMean(value=sample, at_ms=at_ms)
    kept = exp(-(at_ms - earlier_ms) / (1000 * tau_secs))
    return SmoothedMean(
        value=earlier_value * kept + sample * (1 - kept),
        at_ms=at_ms,
        earlier_value=earlier_value,
        earlier_ms=earlier_ms,
    )


def recursive_mean(values: FloatArray, weight: float, seed_length: int = 1) -> FloatArray:
    """y ← y + weight·(x − y) over an array, started with the plain mean of the first `seed_length` values.

    Returns the means from the seed on, shape (len(values) − seed_length + 1,), empty if there are too few values.
    Wilder's average is weight 1/n, an EMA 2/(n + 1), both with seed length n; the mean of `smooth` for samples
    every Δt is weight 1 − e^(−Δt/τ) with seed length 1.

    Blocks are multiplied with the matrix of the recursion's impulse response, and only the last mean of each
    block is carried on in a loop: some 10 ns a value instead of 50 ns in a plain loop.
    """
    if len(values) < seed_length:
        return np.empty(0)
    seed = float(values[:seed_length].mean())
    rest = values[seed_length:]
    count = -(-len(rest) // _BLOCK)
    blocks = np.zeros((count, _BLOCK))
    blocks.reshape(-1)[: len(rest)] = rest
    response, decay = _impulse_response(weight)
    means = blocks @ response
    carry, carries = seed, []
    block_decay = float(decay[-1])
    for last in means[:, -1].tolist():
        carries.append(carry)
        carry = last + block_decay * carry
    means += np.asarray(carries).reshape(-1, 1) * decay
    return np.concatenate(([seed], means.reshape(-1)[: len(rest)]))


@lru_cache(maxsize=16)
def _impulse_response(weight: float) -> tuple[FloatArray, FloatArray]:
    """Column j of the matrix makes a block's mean at its place j; the row holds what is left of the carry there."""
    steps = np.arange(_BLOCK, dtype=np.float64)
    lag = steps[None, :] - steps[:, None]
    response: FloatArray = np.where(lag >= 0, weight * (1 - weight) ** np.maximum(lag, 0), 0.0)
    decay: FloatArray = (1 - weight) ** (steps + 1)
    return response, decay
