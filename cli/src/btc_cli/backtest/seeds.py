"""Which practice markets make a good demo: `python -m btc_cli.backtest.seeds --first 1 --last 100`.

Prints, for each seed, how many of several starts led to a closed round trip in time, and when the first one was
entered and closed. A start is a second of the minute plus the time that the services need.
"""

import argparse
from collections.abc import Callable
from decimal import Decimal
from multiprocessing import Pool
from random import Random

import msgspec

from btc_cli.backtest.film import Pace, play_film, rules_of
from btc_cli.backtest.loop import Agent, counted_ids
from btc_cli.backtest.report import Report
from btc_cli.demo_market import PRESET
from btc_shared.codes import Mode
from btc_shared.records import LedgerKey
from btc_shared.settings import EngineSettings, RiskSettings
from decision_engine.domain import Decision
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.presets import PRESETS

PRACTICE = LedgerKey(venue="practice", account="paper", mode=Mode.DRY)
SECONDS_OF_THE_MINUTE = (0, 15, 30, 45)
STARTUP_SECS = (5.0, 12.3, 20.0)
"""How long after the exchange the services begin to follow the market."""
_MINUTE_MS = 1_790_000_040_000
"""Some full minute: a film does not depend on its date."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """One start of a demo."""

    preset: str
    seed: int
    start_ms: int
    startup_secs: float
    exploration: int | None = None
    """Seed of the random numbers to explore with; None: exploration is off."""


def practise(
    start: Start,
    secs: float,
    *,
    pace: Pace = Pace(),  # noqa: B008 - frozen
    watch: Callable[[Decision], None] = lambda decision: None,
) -> Report:
    """What a new agent with default settings makes of a generated market in the `secs` after the start."""
    market = GeneratedMarket(PRESETS[start.preset], start.seed, start.start_ms)
    risk, engine = RiskSettings(), EngineSettings()
    agent = Agent(PRACTICE, rules_of(market.instrument), risk, engine, cash=risk.dry_initial_balance, ids=counted_ids())
    return play_film(
        agent,
        market,
        engine,
        follow_ms=start.start_ms + round(start.startup_secs * 1_000),
        until_ms=start.start_ms + round(secs * 1_000),
        pace=pace,
        draw=None if start.exploration is None else Random(start.exploration).random,  # noqa: S311 - no secret
        watch=watch,
    )


def starts(preset: str, seed: int) -> list[Start]:
    """The same market begun in several seconds of a minute, with quick and slow services."""
    return [
        Start(preset=preset, seed=seed, start_ms=_MINUTE_MS + second * 1_000, startup_secs=startup_secs)
        for second in SECONDS_OF_THE_MINUTE
        for startup_secs in STARTUP_SECS
    ]


def first_round_trip(start: Start, secs: float) -> tuple[float, float, Decimal] | None:
    """Entry and close, in seconds after the start, and the net result in USDT; None if none closed in time."""
    trips = practise(start, secs, pace=Pace(levels=10)).round_trips
    if not trips:
        return None
    times_ms = trips[0].opened_at_ms - start.start_ms, trips[0].closed_at_ms - start.start_ms
    return times_ms[0] / 1_000, times_ms[1] / 1_000, trips[0].net


def _line(task: tuple[str, int, float]) -> str:
    preset, seed, secs = task
    runs = [first_round_trip(start, secs) for start in starts(preset, seed)]
    done = [run for run in runs if run is not None]
    line = f"seed {seed}: {len(done)} of {len(runs)}"
    if done:
        entries, closes, nets = zip(*done, strict=True)
        line += f", entered after {min(entries):.0f} to {max(entries):.0f} s, closed after {min(closes):.0f} to "
        line += f"{max(closes):.0f} s, net {min(nets):.2f} to {max(nets):.2f} USDT"
    return line


def main() -> None:
    """Print what each seed of a range is worth as a demo."""
    parser = argparse.ArgumentParser(prog="python -m btc_cli.backtest.seeds", description=main.__doc__)
    parser.add_argument("--market", choices=PRESETS, default=PRESET)
    parser.add_argument("--first", type=int, default=1, help="first seed (default: 1)")
    parser.add_argument("--last", type=int, default=20, help="last seed (default: 20)")
    parser.add_argument("--secs", type=float, default=600.0, help="length of each run (default: 600)")
    parser.add_argument("--processes", type=int, default=2, help="runs at a time (default: 2)")
    options = parser.parse_args()
    tasks = [(options.market, seed, options.secs) for seed in range(options.first, options.last + 1)]
    with Pool(options.processes) as pool:
        for line in pool.imap(_line, tasks):
            print(line, flush=True)


if __name__ == "__main__":
    main()
