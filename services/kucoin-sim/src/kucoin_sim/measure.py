"""Statistics of a market, generated or recorded, by the same definitions: `python -m kucoin_sim.measure crash`.

Used by the tests of the presets and for the tables in docs/practice-market.md. Returns are of one minute and in
percent; imbalance is (Σ bid − Σ ask) / Σ over the top 10 levels and flow (bought − sold) / Σ over the last 100 trades,
both sampled each second; "smoothed" is their exponentially weighted mean with a time constant of 60 s, without its
first minute.
"""

import argparse
import json
import math
import sys
import time
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, pstdev, quantiles

from kucoin_sim.candles import BarStore
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.market import Market
from kucoin_sim.presets import PRESETS
from kucoin_sim.recording import Recording
from kucoin_sim.replay import ReplayMarket

BOOK_LEVELS = 10
FLOW_TRADES = 100
SMOOTHING_SECONDS = 60.0
LEANING = 0.3

Figures = dict[str, float]


def autocorrelation(values: Sequence[float], lag: int) -> float:
    """Correlation of `values` with themselves `lag` places later; not a number when there are too few."""
    if len(values) <= lag + 1:
        return math.nan
    mean = fmean(values)
    variance = fmean((value - mean) ** 2 for value in values)
    if variance == 0.0:
        return math.nan
    pairs = zip(values, values[lag:], strict=False)
    return fmean((first - mean) * (second - mean) for first, second in pairs) / variance


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Pearson's correlation of two series of equal length."""
    if len(first) < 2:
        return math.nan
    mean_first, mean_second = fmean(first), fmean(second)
    covariance = fmean((a - mean_first) * (b - mean_second) for a, b in zip(first, second, strict=True))
    deviation = pstdev(first) * pstdev(second)
    return covariance / deviation if deviation else math.nan


def kurtosis(values: Sequence[float]) -> float:
    """Fourth standardised moment; 3 for a normal distribution."""
    mean = fmean(values)
    second = fmean((value - mean) ** 2 for value in values)
    return fmean((value - mean) ** 4 for value in values) / second**2 if second else math.nan


def variance_ratio(returns: Sequence[float], length: int) -> float:
    """Variance of sums of `length` returns, over `length` times that of one: above 1 for trends."""
    sums = [sum(returns[start : start + length]) for start in range(0, len(returns) - length + 1, length)]
    return pstdev(sums) ** 2 / (length * pstdev(returns) ** 2) if len(sums) > 1 else math.nan


def smoothed(values: Sequence[float], seconds: float = SMOOTHING_SECONDS) -> list[float]:
    """Exponentially weighted mean of values sampled each second, once it has run for `seconds`."""
    keep = math.exp(-1.0 / seconds)
    level, result = fmean(values[: int(seconds)]), []
    for value in values:
        level = keep * level + (1.0 - keep) * value
        result.append(level)
    return result[int(seconds) :]


def return_figures(closes: Sequence[float]) -> Figures:
    """Figures of the one-minute returns between `closes`."""
    returns = [100.0 * (after / before - 1.0) for before, after in pairwise(closes)]
    sizes = [abs(value) for value in returns]
    return {
        "minutes": len(returns),
        "sd_percent": pstdev(returns),
        "kurtosis": kurtosis(returns),
        "largest_percent": max(sizes),
        **{f"acf_return_{lag}": autocorrelation(returns, lag) for lag in (1, 2, 5)},
        **{f"acf_size_{lag}": autocorrelation(sizes, lag) for lag in (1, 5, 10, 30, 60)},
        "variance_ratio_10": variance_ratio(returns, 10),
        "variance_ratio_30": variance_ratio(returns, 30),
    }


class _Sampler:
    """Samples a market each second while it is played."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._recent: deque[tuple[int, int]] = deque(maxlen=FLOW_TRADES)
        self.mids: list[float] = []
        self.spreads_bp: list[float] = []
        self.spreads_ticks: list[int] = []
        self.imbalances: list[float] = []
        self.flows: list[float] = []
        self.trade_sizes: list[int] = []
        self.minute_flows: list[float] = []
        self._minute = (0, 0)
        self.bars = BarStore(())

    def step(self, now_ms: int) -> None:
        for trade in self._market.advance_to(now_ms):
            signed = trade.size if trade.side == "buy" else -trade.size
            self._recent.append((trade.size, signed))
            self._minute = (self._minute[0] + trade.size, self._minute[1] + signed)
            self.trade_sizes.append(trade.size)
            self.bars.add(trade)
        book = self._market.book(BOOK_LEVELS)
        bid, ask = book.bids[0][0], book.asks[0][0]
        self.mids.append((bid + ask) / 2)
        self.spreads_ticks.append(ask - bid)
        self.spreads_bp.append(10_000.0 * (ask - bid) / self.mids[-1])
        bids, asks = sum(size for _, size in book.bids), sum(size for _, size in book.asks)
        self.imbalances.append((bids - asks) / (bids + asks))
        total = sum(size for size, _ in self._recent)
        self.flows.append(sum(signed for _, signed in self._recent) / total if total else 0.0)
        if now_ms % 60_000 == 0 and self._minute[0]:
            self.minute_flows.append(self._minute[1] / self._minute[0])
            self._minute = (0, 0)


def measure(market: Market, seconds: int) -> dict[str, Figures]:
    """Play `market` for `seconds` from its beginning and return its figures by subject."""
    sampler = _Sampler(market)
    begin_ms = -(-market.begins_ms // 1000) * 1000
    market.advance_to(begin_ms)
    for second in range(1, seconds + 1):
        sampler.step(begin_ms + 1000 * second)
    closes = sampler.mids[59::60]
    figures = {"returns": return_figures(closes)} if len(closes) > 40 else {}
    figures["spread"] = _spread_figures(sampler)
    figures["imbalance"] = _pressure_figures(sampler.imbalances, sampler.mids)
    figures["flow"] = _pressure_figures(sampler.flows, sampler.mids)
    figures["together"] = _together(sampler)
    figures["trades"] = _trade_figures(sampler, market, seconds)
    if len(sampler.minute_flows) > 40:
        figures["minute_flow"] = _minute_flow_figures(sampler.minute_flows, closes)
    return figures


def _spread_figures(sampler: _Sampler) -> Figures:
    ticks, points = sampler.spreads_ticks, sampler.spreads_bp
    return {
        "one_or_two_ticks_share": fmean(1.0 if value <= 2 else 0.0 for value in ticks),
        "mean_bp": fmean(points),
        "p99_bp": quantiles(points, n=100)[98],
        "above_5_bp_share": fmean(1.0 if value > 5.0 else 0.0 for value in points),
    }


def _pressure_figures(values: Sequence[float], mids: Sequence[float]) -> Figures:
    slow = smoothed(values)
    sizes = [abs(value) for value in slow]
    deciles = quantiles(sizes, n=10)
    figures = {
        "sd": pstdev(values),
        **{f"acf_{lag}s": autocorrelation(values, lag) for lag in (1, 5, 10, 30, 60)},
    }
    for horizon in (1, 5, 10, 60):
        ahead = [after / before - 1.0 for before, after in zip(mids, mids[horizon:], strict=False)]
        figures[f"corr_next_{horizon}s"] = correlation(values[: len(ahead)], ahead)
    return figures | {
        "smoothed_sd": pstdev(slow),
        "smoothed_abs_median": deciles[4],
        "smoothed_abs_p90": deciles[8],
        "smoothed_abs_largest": max(sizes),
        "smoothed_above_0.3_share": fmean(1.0 if size > LEANING else 0.0 for size in sizes),
    }


def _together(sampler: _Sampler) -> Figures:
    """Stretches in which smoothed imbalance and flow both lean the same way by more than 0.3."""
    lean = [
        1 if min(book, flow) > LEANING else -1 if max(book, flow) < -LEANING else 0
        for book, flow in zip(smoothed(sampler.imbalances), smoothed(sampler.flows), strict=True)
    ]
    lengths, length, before = [], 0, 0
    for side in [*lean, 0]:
        if side == before and side:
            length += 1
            continue
        if length >= 60:
            lengths.append(length)
        length, before = (1, side) if side else (0, 0)
    hours = len(lean) / 3600
    return {
        "share": fmean(1.0 if side else 0.0 for side in lean),
        "stretches_of_a_minute_an_hour": len(lengths) / hours,
        "longest_seconds": float(max(lengths, default=0)),
    }


def _trade_figures(sampler: _Sampler, market: Market, seconds: int) -> Figures:
    unit = 10.0**market.instrument.size_decimals
    cuts = quantiles(sampler.trade_sizes, n=100)
    bars = sampler.bars.minutes_since(0)
    volumes = [bar.volume / unit for bar in bars]
    return {
        "a_second": len(sampler.trade_sizes) / seconds,
        "size_median": cuts[49] / unit,
        "size_mean": fmean(sampler.trade_sizes) / unit,
        "size_p99": cuts[98] / unit,
        "volume_a_minute_median": quantiles(volumes, n=2)[0] if len(volumes) > 1 else math.nan,
    }


def _minute_flow_figures(flows: Sequence[float], closes: Sequence[float]) -> Figures:
    returns = [after / before - 1.0 for before, after in pairwise(closes)]
    same = min(len(flows) - 1, len(returns))
    return {
        "sd": pstdev(flows),
        "acf_1": autocorrelation(flows, 1),
        "acf_2": autocorrelation(flows, 2),
        "acf_5": autocorrelation(flows, 5),
        "corr_same_minute": correlation(flows[1 : same + 1], returns[:same]),
        "corr_next_minute": correlation(flows[: same - 1], returns[: same - 1]),
    }


def main() -> None:
    """Print the figures of a preset or a recording as JSON."""
    parser = argparse.ArgumentParser(prog="python -m kucoin_sim.measure", description=main.__doc__)
    parser.add_argument("market", help=f"{', '.join(PRESETS)}, or the path of a recording")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=24.0, help="length of a generated market (default: 24)")
    options = parser.parse_args()
    now_ms = time.time_ns() // 1_000_000
    market: Market
    if options.market in PRESETS:
        market, seconds = GeneratedMarket(PRESETS[options.market], options.seed, now_ms), int(options.hours * 3600)
    else:
        market = ReplayMarket(Recording(Path(options.market)), now_ms)
        assert market.ends_ms is not None
        seconds = (market.ends_ms - market.begins_ms) // 1000
    rounded = {
        subject: {name: round(value, 4) for name, value in figures.items()}
        for subject, figures in measure(market, seconds).items()
    }
    sys.stdout.write(json.dumps(rounded, indent=1) + "\n")


if __name__ == "__main__":
    main()
