"""The generated markets beside recorded ones: `python -m kucoin_sim.compare DATA` (development only).

Every statistic is measured in windows of one length in both, and the median of the generated windows has to lie in
the band that the real windows span:

minutes   days (calm2022) or four hours (crash); the band leaves out the lowest and the highest tenth of the real
          windows, because among many days there is always one on which the venue stood still or a single print ruled.
trades    a generated day against five days of Kraken and six minutes of Binance. Their activity differs by a factor
          of 150, so what they have in common can be expected of a third venue; the band is from least to largest.
book      one minute of seconds, from the least to the largest of five recorded minutes of Binance.

What is outside is either mended or named in `KNOWN` with its reason; a test holds both lists together.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from kucoin_sim import real_data
from kucoin_sim.estimators import quantile
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.measure import (
    Figures,
    book_figures,
    listen,
    minute_figures,
    minutes_of,
    trade_figures,
    watch,
)
from kucoin_sim.presets import CALM_2022, CRASH, PRESETS

SEEDS = range(201, 213)
"""Others than those that the presets were tuned with (101–106)."""
DAY_SECONDS = 86_400
BOOK_SECONDS = 3600
BOOK_WINDOW = 60
CRASH_WINDOW_MINUTES = 240
LEFT_OUT = 0.1
UNEXPLAINED = "unexplained"
BEGIN, END = "<!-- compare: begin -->", "<!-- compare: end -->"
T = TypeVar("T")
_START_MS = 1_790_000_040_000
"""Some full minute: a film does not depend on its date."""


class Statistic(NamedTuple):
    """One row: its name in `measure` and what it is called on the page."""

    name: str
    text: str


MINUTES = (
    Statistic("sd_percent", "standard deviation of returns, %"),
    Statistic("kurtosis", "kurtosis of returns"),
    Statistic("p99_to_median", "99th percentile of size, in medians"),
    Statistic("acf_return_1", "autocorrelation of returns, lag 1"),
    Statistic("acf_size_1", "volatility clustering: autocorrelation of size, lag 1"),
    Statistic("acf_size_5", "… lag 5"),
    Statistic("acf_size_10", "… lag 10"),
    Statistic("acf_size_30", "… lag 30"),
    Statistic("acf_size_60", "… lag 60"),
    Statistic("variance_ratio_10", "variance ratio, 10 minutes"),
    Statistic("variance_ratio_30", "variance ratio, 30 minutes"),
    Statistic("corr_volume_size", "rank correlation of volume and size"),
    Statistic("volume_variation", "volume: standard deviation, in means"),
    Statistic("acf_volume_1", "autocorrelation of volume, lag 1"),
)
MINUTE_FLOWS = (
    Statistic("flow_sd", "flow: standard deviation"),
    Statistic("acf_flow_1", "autocorrelation of flow, lag 1"),
    Statistic("acf_flow_5", "… lag 5"),
    Statistic("corr_flow_same_minute", "correlation of flow with the return of its minute"),
    Statistic("corr_flow_next_minute", "… of the next minute"),
)
TRADES = (
    Statistic("trades_an_order", "prints of one order, mean"),
    Statistic("size_p90_to_median", "order size: 90th percentile, in medians"),
    Statistic("size_p99_to_median", "… 99th percentile, in medians"),
    Statistic("size_tail_index", "… tail index (Hill, largest tenth)"),
    Statistic("acf_side_1", "autocorrelation of sides, lag 1 order"),
    Statistic("acf_side_5", "… lag 5"),
    Statistic("acf_side_10", "… lag 10"),
    Statistic("acf_side_50", "… lag 50"),
    Statistic("gap_median", "time between orders: median, in means"),
    Statistic("gap_p90", "… 90th percentile, in means"),
    Statistic("gap_variation", "… standard deviation, in means"),
    Statistic("acf_gap_1", "… autocorrelation of ln(1 + ms), lag 1"),
)
BOOK = (
    Statistic("spread_median_ticks", "spread: median, ticks"),
    Statistic("spread_one_or_two_ticks_share", "… share of one or two ticks"),
    Statistic("spread_p99_ticks", "… 99th percentile, ticks"),
    Statistic("spread_mean_bp", "… mean, bp"),
    Statistic("depth_best_1_share", "depth: share of the best level in 20"),
    Statistic("depth_best_5_share", "… of the best 5"),
    Statistic("depth_best_10_share", "… of the best 10"),
    Statistic("depth_reach_bp", "… distance of level 20, bp"),
    Statistic("depth_size_sigma", "… standard deviation of ln(size), levels 2–20"),
    Statistic("imbalance_sd", "imbalance: standard deviation"),
    Statistic("imbalance_p10", "… 10th percentile"),
    Statistic("imbalance_p90", "… 90th percentile"),
    Statistic("acf_imbalance_1s", "… autocorrelation after 1 s"),
    Statistic("acf_imbalance_5s", "… after 5 s"),
)

_FEW_TRADES = "a few trades a second, whose sizes differ by factors, instead of the 28 of the real minutes"
_PRICE_STEP = "KuCoin's price step, 0.1 USDT, is ten times that of the recorded venue"
_FEW_MINUTES = "the recorded five minutes happen to swing back; too few to follow"
_DEMONSTRATION = "kept as it is: the demonstration's film was searched for with it"
KNOWN: dict[str, dict[str, str]] = {
    CRASH.name: {
        "variance_ratio_10": "episodes of drift, which give a demonstration something to trade",
        "corr_volume_size": _DEMONSTRATION,
        "volume_variation": _DEMONSTRATION,
        "size_p90_to_median": _DEMONSTRATION,
        "size_p99_to_median": _DEMONSTRATION,
        "acf_side_1": _DEMONSTRATION,
        "gap_median": _DEMONSTRATION,
        "gap_p90": _DEMONSTRATION,
        "gap_variation": _DEMONSTRATION,
        "acf_gap_1": _DEMONSTRATION,
        "spread_one_or_two_ticks_share": "meant: spreads widen in a crash, and the recorded evening is a quiet one",
        "spread_mean_bp": _PRICE_STEP + "; and spreads widen in a crash",
        "depth_best_1_share": _DEMONSTRATION,
        "depth_best_5_share": _DEMONSTRATION,
        "depth_best_10_share": _DEMONSTRATION,
        "depth_reach_bp": "thinner than the recorded venue, and left so: orders pay for their size",
        "depth_size_sigma": "no dust: a real book is full of orders of a few dollars",
        "imbalance_p10": _DEMONSTRATION,
        "acf_imbalance_5s": _FEW_MINUTES,
    },
    CALM_2022.name: {
        "volume_variation": "no busy and idle hours of the day, and no order beyond two bitcoin",
        "flow_sd": _FEW_TRADES,
        "acf_flow_1": _FEW_TRADES,
        "corr_flow_same_minute": _FEW_TRADES,
        "gap_p90": "bursts last seconds; real ones have every length",
        "acf_gap_1": "bursts last seconds; real ones have every length",
        "spread_mean_bp": _PRICE_STEP,
        "depth_reach_bp": "thinner than the recorded venue, and left so: orders pay for their size",
        "depth_size_sigma": "no dust: a real book is full of orders of a few dollars",
        "acf_imbalance_1s": "the best level is redrawn whole; a real one grows and shrinks",
        "acf_imbalance_5s": _FEW_MINUTES,
    },
}
"""What is outside its band, and why it is left there."""


class Real(NamedTuple):
    """Figures of the recorded windows."""

    minutes: dict[str, list[Figures]]
    """By the name of the preset that is compared with them."""
    trades: list[Figures]
    book: list[Figures]


class Row(NamedTuple):
    """One statistic of a preset beside its band."""

    statistic: Statistic
    generated: float
    least: float
    largest: float
    real: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        return self.low <= self.generated <= self.high


def real_figures(folder: Path, every_day: int = 1) -> Real:
    """Measure the recorded markets in `folder`; of 2022 only each `every_day`-th day, for tests in a hurry.

    Raises:
        OSError: a file is missing.
    """
    year = [minute_figures(day) for number, day in enumerate(real_data.days_of_2022(folder)) if number % every_day == 0]
    median = quantile(sorted(figures["sd_percent"] for figures in year), 0.5)
    crash = real_data.crash_of_2020(folder)
    film = real_data.captured(folder)
    return Real(
        minutes={
            CALM_2022.name: [figures for figures in year if figures["sd_percent"] <= median],
            CRASH.name: [minute_figures(window) for window in _windows(crash, CRASH_WINDOW_MINUTES)],
        },
        trades=[trade_figures(trades) for trades in (*real_data.kraken_days(folder), film.trades)],
        book=[book_figures(window) for window in _windows(film.moments, BOOK_WINDOW)],
    )


def generated_figures(name: str, seed: int, seconds: int = DAY_SECONDS) -> tuple[list[Figures], Figures, list[Figures]]:
    """The same of one generated film: its minutes by window, its trades, and the book of its first hour by minute."""
    film = listen(GeneratedMarket(PRESETS[name], seed, _START_MS), seconds)
    minutes = minutes_of(film.trades, film.begin_ms, seconds // 60)
    length = CRASH_WINDOW_MINUTES if name == CRASH.name else DAY_SECONDS // 60
    moments = watch(GeneratedMarket(PRESETS[name], seed, _START_MS), BOOK_SECONDS).moments
    return (
        [minute_figures(window) for window in _windows(minutes, length)],
        trade_figures(film.trades),
        [book_figures(window) for window in _windows(moments, BOOK_WINDOW)],
    )


def compare(
    name: str,
    real: Real,
    generated: Iterable[tuple[list[Figures], Figures, list[Figures]]],
    left_out: float = LEFT_OUT,
) -> list[Row]:
    """Every statistic of preset `name`; `generated` has one entry for each seed.

    The band of the minutes leaves out the share `left_out` of the real windows at either end.
    """
    by_seed = list(generated)
    minutes = [figures for windows, _, _ in by_seed for figures in windows]
    books = [figures for _, _, windows in by_seed for figures in windows]
    flows = MINUTE_FLOWS if name == CALM_2022.name else ()
    return [
        *_rows((*MINUTES, *flows), minutes, real.minutes[name], left_out),
        *_rows(TRADES, [figures for _, figures, _ in by_seed], real.trades, 0.0),
        *_rows(BOOK, books, real.book, 0.0),
    ]


def _rows(
    statistics: Sequence[Statistic], generated: Sequence[Figures], real: Sequence[Figures], left_out: float
) -> list[Row]:
    rows = []
    for statistic in statistics:
        ours, theirs = (sorted(figures[statistic.name] for figures in side) for side in (generated, real))
        band = (quantile(theirs, share) for share in (0.5, left_out, 1.0 - left_out))
        rows.append(Row(statistic, quantile(ours, 0.5), ours[0], ours[-1], *band))
    return rows


def _windows(series: Sequence[T], length: int) -> list[Sequence[T]]:
    return [series[start : start + length] for start in range(0, len(series) - length + 1, length)]


def table(name: str, rows: Iterable[Row]) -> str:
    """Markdown: what is outside its band is bold and has its reason, or is called unexplained."""
    lines = [
        f"| {name} | generated: median (least – largest) | real: median (band) | outside because |",
        "|---|---|---|---|",
    ]
    for row in rows:
        ours = f"{_figure(row.generated)} ({_figure(row.least)} – {_figure(row.largest)})"
        theirs = f"{_figure(row.real)} ({_figure(row.low)} – {_figure(row.high)})"
        reason = "" if row.inside else KNOWN[name].get(row.statistic.name, UNEXPLAINED)
        lines.append(f"| {row.statistic.text} | {ours if row.inside else f'**{ours}**'} | {theirs} | {reason} |")
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:.{digits}f}".replace("-", "−")


def report(folder: Path) -> str:
    """All tables; takes some minutes on two processors."""
    real = real_figures(folder)
    with ProcessPoolExecutor(2) as pool:
        tables = [
            table(name, compare(name, real, pool.map(partial(generated_figures, name), SEEDS))) for name in PRESETS
        ]
    return "\n".join(tables)


def placed(page: str, text: str) -> str:
    """`page` with `text` between its markers.

    Raises:
        ValueError: it lacks them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"the page lacks the lines {BEGIN} and {END}")
    return f"{before}{begin}\n{text}{end}{after}"


def main() -> None:
    """Print a Markdown table for each preset: generated beside real, what is outside its band in bold."""
    parser = argparse.ArgumentParser(prog="python -m kucoin_sim.compare", description=main.__doc__)
    parser.add_argument("data", type=Path, help="folder with the recorded markets")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page instead")
    options = parser.parse_args()
    try:
        text = report(options.data)
        if options.write is None:
            sys.stdout.write(text)
            return
        options.write.write_text(placed(options.write.read_text(encoding="utf-8"), text), encoding="utf-8")
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
