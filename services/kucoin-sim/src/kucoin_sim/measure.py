"""Statistics of a market, by one definition for generated and recorded ones: `python -m kucoin_sim.measure crash`.

Each statistic is a function of one of three series, whatever made it (`kucoin_sim.compare` sets them side by side):

minutes   closing price, volume and taker's bought volume of each minute. Returns are close to close, in percent;
          "size" is |return|; the flow of a minute is (bought − sold) / volume.
trades    public trades. Prints of one aggressive order (same ms, same side, next to each other) are put together
          first: sizes, sides (+1 bought, −1 sold) and gaps (ms) are those of aggressive orders.
moments   the book's best 20 levels, once a second. Imbalance is (Σ bid − Σ ask) / Σ over the best 10 levels. The
          flow beside it is (bought − sold) / Σ over the last 100 trades (prints); "smoothed" is the exponentially
          weighted mean with a time constant of 60 s, without its first minute.
"""

import argparse
import json
import math
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import fmean, pstdev
from typing import NamedTuple

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
from kucoin_sim.generated import MINUTE_MS, GeneratedMarket
from kucoin_sim.market import Book, Market, Trade
from kucoin_sim.presets import PRESETS
from kucoin_sim.recording import Recording
from kucoin_sim.replay import ReplayMarket
from kucoin_sim.scenarios import SCENARIOS, film_of

BOOK_LEVELS = 20
IMBALANCE_LEVELS = 10
FLOW_TRADES = 100
SMOOTHING_SECONDS = 60.0
LEANING = 0.3
TAIL_SHARE = 0.1
"""The largest tenth of the orders is their tail."""

Figures = dict[str, float]


class Minute(NamedTuple):
    """One minute; volumes in any one unit. `bought` is the volume that takers bought, None where it is not known."""

    close: float
    volume: float
    bought: float | None


class Moment(NamedTuple):
    """The book at a full second; sizes are sums over the best 1, 5, 10 and 20 levels of both sides."""

    mid: float
    spread_ticks: int
    spread_bp: float
    imbalance: float
    best_1: int
    best_5: int
    best_10: int
    best_20: int
    reach_bp: float
    """Distance of level 20 from level 1, mean of both sides."""
    size_sigma: float
    """Standard deviation of ln(size) over the levels 2 to 20 of both sides."""


@dataclass(slots=True)
class Film:
    """What a market showed: `trades`, and each second a moment of the book and the flow of the last trades."""

    begin_ms: int
    trades: list[Trade] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    flows: list[float] = field(default_factory=list)


def watch(market: Market, seconds: int) -> Film:
    """Play `market` for `seconds` from its beginning and look at it each second."""
    film = _begun(market)
    recent: deque[tuple[int, int]] = deque(maxlen=FLOW_TRADES)
    for second in range(1, seconds + 1):
        trades = market.advance_to(film.begin_ms + 1000 * second)
        film.trades += trades
        recent.extend((trade.size, trade.size if trade.side == "buy" else -trade.size) for trade in trades)
        total = sum(size for size, _ in recent)
        film.flows.append(sum(signed for _, signed in recent) / total if total else 0.0)
        film.moments.append(moment_of(market.book(BOOK_LEVELS)))
    return film


def listen(market: Market, seconds: int) -> Film:
    """Play `market` for `seconds` for its trades only, which takes a third of the time."""
    film = _begun(market)
    film.trades += market.advance_to(film.begin_ms + 1000 * seconds)
    return film


def _begun(market: Market) -> Film:
    film = Film(-(-market.begins_ms // 1000) * 1000)
    market.advance_to(film.begin_ms)
    return film


def moment_of(book: Book) -> Moment:
    """A book of at least 20 levels a side, in numbers."""
    bid, ask = book.bids[0][0], book.asks[0][0]
    mid = (bid + ask) / 2
    bids, asks = ([size for _, size in side[:BOOK_LEVELS]] for side in book)
    best_10 = sum(bids[:IMBALANCE_LEVELS]) + sum(asks[:IMBALANCE_LEVELS])
    reach = (bid - book.bids[BOOK_LEVELS - 1][0] + book.asks[BOOK_LEVELS - 1][0] - ask) / 2
    return Moment(
        mid=mid,
        spread_ticks=ask - bid,
        spread_bp=10_000.0 * (ask - bid) / mid,
        imbalance=(sum(bids[:IMBALANCE_LEVELS]) - sum(asks[:IMBALANCE_LEVELS])) / best_10,
        best_1=bids[0] + asks[0],
        best_5=sum(bids[:5]) + sum(asks[:5]),
        best_10=best_10,
        best_20=sum(bids) + sum(asks),
        reach_bp=10_000.0 * reach / mid,
        size_sigma=pstdev([math.log(size) for size in (*bids[1:], *asks[1:])]),
    )


def minutes_of(trades: Sequence[Trade], begin_ms: int, count: int) -> list[Minute]:
    """The `count` whole minutes from `begin_ms`; a minute without trades closes where the one before it did."""
    minutes: list[Minute] = []
    close = float(trades[0].price)
    place = 0
    for number in range(1, count + 1):
        end_ms = begin_ms + number * MINUTE_MS
        volume = bought = 0
        while place < len(trades) and trades[place].time_ms < end_ms:
            trade = trades[place]
            place += 1
            if trade.time_ms < begin_ms:
                continue
            close = float(trade.price)
            volume += trade.size
            bought += trade.size if trade.side == "buy" else 0
        minutes.append(Minute(close, volume, bought))
    return minutes


def return_figures(closes: Sequence[float]) -> Figures:
    """Figures of the one-minute returns between `closes`."""
    returns = _returns(closes)
    sizes = [abs(value) for value in returns]
    ordered = sorted(sizes)
    median = quantile(ordered, 0.5)
    return {
        "minutes": len(returns),
        "sd_percent": pstdev(returns),
        "kurtosis": kurtosis(returns),
        "largest_percent": ordered[-1],
        "p99_to_median": quantile(ordered, 0.99) / median if median else math.nan,
        **{f"acf_return_{lag}": autocorrelation(returns, lag) for lag in (1, 2, 5)},
        **{f"acf_size_{lag}": autocorrelation(sizes, lag) for lag in (1, 5, 10, 30, 60)},
        "variance_ratio_10": variance_ratio(returns, 10),
        "variance_ratio_30": variance_ratio(returns, 30),
    }


def minute_figures(minutes: Sequence[Minute]) -> Figures:
    """Figures of returns, volumes and flows of consecutive minutes; the first minute only gives the first price."""
    closes = [minute.close for minute in minutes]
    returns = _returns(closes)
    volumes = [minute.volume for minute in minutes[1:]]
    mean_volume = fmean(volumes)
    figures = return_figures(closes) | {
        "corr_volume_size": rank_correlation(volumes, [abs(value) for value in returns]),
        "volume_variation": pstdev(volumes, mean_volume) / mean_volume,
        "acf_volume_1": autocorrelation(volumes, 1),
    }
    flows = [
        (2 * minute.bought - minute.volume) / minute.volume if minute.volume else 0.0
        for minute in minutes[1:]
        if minute.bought is not None
    ]
    if len(flows) == len(returns):
        figures |= {
            "flow_sd": pstdev(flows),
            **{f"acf_flow_{lag}": autocorrelation(flows, lag) for lag in (1, 2, 5)},
            "corr_flow_same_minute": correlation(flows, returns),
            "corr_flow_next_minute": correlation(flows[:-1], returns[1:]),
        }
    return figures


def _returns(closes: Sequence[float]) -> list[float]:
    return [100.0 * (after / before - 1.0) for before, after in pairwise(closes)]


def trade_figures(trades: Sequence[Trade]) -> Figures:
    """Figures of the aggressive orders in `trades`. Sizes keep their unit; gaps are relative to their mean."""
    orders: list[list[int]] = []
    time_ms, side = -1, ""
    for trade in trades:
        if trade.time_ms == time_ms and trade.side == side:
            orders[-1][1] += trade.size
            continue
        time_ms, side = trade.time_ms, trade.side
        orders.append([time_ms, trade.size, 1 if side == "buy" else -1])
    sizes = sorted(float(order[1]) for order in orders)
    signs = [float(order[2]) for order in orders]
    gaps = [float(after[0] - before[0]) for before, after in pairwise(orders)]
    median, mean_gap, ordered_gaps = quantile(sizes, 0.5), fmean(gaps), sorted(gaps)
    return {
        "orders_a_second": 1000.0 / mean_gap,
        "trades_an_order": len(trades) / len(orders),
        "size_median": median,
        "size_mean": fmean(sizes),
        "size_p90_to_median": quantile(sizes, 0.9) / median,
        "size_p99_to_median": quantile(sizes, 0.99) / median,
        "size_tail_index": tail_index(sizes, TAIL_SHARE),
        **{f"acf_side_{lag}": autocorrelation(signs, lag) for lag in (1, 5, 10, 50)},
        "gap_median": quantile(ordered_gaps, 0.5) / mean_gap,
        "gap_p90": quantile(ordered_gaps, 0.9) / mean_gap,
        "gap_variation": pstdev(gaps, mean_gap) / mean_gap,
        "acf_gap_1": autocorrelation([math.log(gap + 1.0) for gap in gaps], 1),
    }


def book_figures(moments: Sequence[Moment]) -> Figures:
    """Figures of spread, depth and imbalance of consecutive seconds."""
    ticks = sorted(float(moment.spread_ticks) for moment in moments)
    points = sorted(moment.spread_bp for moment in moments)
    imbalances = [moment.imbalance for moment in moments]
    ordered = sorted(imbalances)
    whole = sum(moment.best_20 for moment in moments)
    return {
        "spread_one_or_two_ticks_share": fmean(1.0 if value <= 2 else 0.0 for value in ticks),
        "spread_median_ticks": quantile(ticks, 0.5),
        "spread_p99_ticks": quantile(ticks, 0.99),
        "spread_median_bp": quantile(points, 0.5),
        "spread_mean_bp": fmean(points),
        "spread_p99_bp": quantile(points, 0.99),
        "spread_above_5_bp_share": fmean(1.0 if value > 5.0 else 0.0 for value in points),
        "depth_best_1_share": sum(moment.best_1 for moment in moments) / whole,
        "depth_best_5_share": sum(moment.best_5 for moment in moments) / whole,
        "depth_best_10_share": sum(moment.best_10 for moment in moments) / whole,
        "depth_reach_bp": fmean(moment.reach_bp for moment in moments),
        "depth_size_sigma": fmean(moment.size_sigma for moment in moments),
        "imbalance_sd": pstdev(imbalances),
        "imbalance_p10": quantile(ordered, 0.1),
        "imbalance_p90": quantile(ordered, 0.9),
        **{f"acf_imbalance_{lag}s": autocorrelation(imbalances, lag) for lag in (1, 5, 10, 30, 60)},
    }


def lead_figures(values: Sequence[float], mids: Sequence[float]) -> Figures:
    """Figures of a leaning sampled each second (imbalance or flow): how long it lasts, and what follows it."""
    slow = smoothed(values, SMOOTHING_SECONDS)
    sizes = sorted(abs(value) for value in slow)
    figures = {
        "sd": pstdev(values),
        **{f"acf_{lag}s": autocorrelation(values, lag) for lag in (1, 5, 10, 30, 60)},
    }
    for horizon in (1, 5, 10, 60):
        ahead = [after / before - 1.0 for before, after in zip(mids, mids[horizon:], strict=False)]
        figures[f"corr_next_{horizon}s"] = correlation(values[: len(ahead)], ahead)
    return figures | {
        "smoothed_sd": pstdev(slow),
        "smoothed_abs_median": quantile(sizes, 0.5),
        "smoothed_abs_p90": quantile(sizes, 0.9),
        "smoothed_abs_largest": sizes[-1],
        "smoothed_above_0.3_share": fmean(1.0 if size > LEANING else 0.0 for size in sizes),
    }


def together_figures(imbalances: Sequence[float], flows: Sequence[float]) -> Figures:
    """Stretches in which smoothed imbalance and flow both lean the same way by more than 0.3."""
    books, trades = smoothed(imbalances, SMOOTHING_SECONDS), smoothed(flows, SMOOTHING_SECONDS)
    lean = [
        1 if min(book, flow) > LEANING else -1 if max(book, flow) < -LEANING else 0
        for book, flow in zip(books, trades, strict=True)
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


def measure(market: Market, seconds: int) -> dict[str, Figures]:
    """Play `market` for `seconds` (more than two minutes) from its beginning and return its figures by subject."""
    film = watch(market, seconds)
    mids = [moment.mid for moment in film.moments]
    imbalances = [moment.imbalance for moment in film.moments]
    figures = {
        "book": book_figures(film.moments),
        "imbalance": lead_figures(imbalances, mids),
        "flow": lead_figures(film.flows, mids),
        "together": together_figures(imbalances, film.flows),
        "trades": trade_figures(film.trades),
    }
    minutes = seconds // 60
    if minutes > 40:
        figures["minutes"] = minute_figures(minutes_of(film.trades, film.begin_ms, minutes))
    return figures


def main() -> None:
    """Print the figures of a preset, a scenario or a recording as JSON. Sizes are in units of the pair's size step."""
    names = [*PRESETS, *SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m kucoin_sim.measure", description=main.__doc__)
    parser.add_argument("market", help=f"{', '.join(names)}, or the path of a recording")
    parser.add_argument("--seed", type=int, help="for a preset (default: 1)")
    parser.add_argument("--hours", type=float, default=24.0, help="length of a generated market (default: 24)")
    options = parser.parse_args()
    now_ms = time.time_ns() // 1_000_000
    market: Market
    if options.market in names:
        preset, seed = film_of(options.market, options.seed)
        market, seconds = GeneratedMarket(PRESETS[preset], seed, now_ms), int(options.hours * 3600)
    elif (path := Path(options.market)).is_file():
        market = ReplayMarket(Recording(path), now_ms)
        assert market.ends_ms is not None
        seconds = (market.ends_ms - market.begins_ms) // 1000
    else:
        parser.error(f"{options.market!r} is neither a file nor one of {', '.join(names)}")
    rounded = {
        subject: {name: round(value, 4) for name, value in figures.items()}
        for subject, figures in measure(market, seconds).items()
    }
    sys.stdout.write(json.dumps(rounded, indent=1) + "\n")


if __name__ == "__main__":
    main()
