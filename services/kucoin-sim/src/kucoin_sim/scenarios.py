"""Films worth a name: preset, seed, and what happens in the first hour. `python -m kucoin_sim.scenarios` lists them.

The seeds were searched among 1–500 of `crash` and 1–40 of `calm2022`; a test plays every film and compares the figures.
"""

import sys
from itertools import pairwise
from statistics import pstdev
from typing import NamedTuple

from kucoin_sim.generated import MINUTE_MS, GeneratedMarket
from kucoin_sim.presets import CALM_2022, CRASH, PRESETS

_HOUR_SECONDS = 3600
_FIVE_MINUTES_SECONDS = 300


class FirstHour(NamedTuple):
    """Of the price each second, in percent of the first price; the last two are in percent of the price before."""

    move: float
    lowest: float
    highest: float
    minute_sd: float
    """Standard deviation of the one-minute returns."""
    five_minute_fall: float
    """The deepest fall within five minutes (between two prices five minutes apart)."""


class Scenario(NamedTuple):
    """A film of BTC-USDT. Another pair plays another film under the same name."""

    preset: str
    seed: int
    description: str
    first_hour: FirstHour


SCENARIOS = {
    "demo": Scenario(
        CRASH.name,
        437,
        "what `agent demo` plays: a wild hour, first up by a third",
        FirstHour(23.4, -1.0, 33.1, 2.30, -11.4),
    ),
    "selloff": Scenario(
        CRASH.name, 407, "a crash that goes on for the whole hour", FirstHour(-24.7, -28.2, 0.8, 1.50, -11.9)
    ),
    "flash-crash": Scenario(
        CRASH.name,
        360,
        "falls by a sixth within five minutes and recovers in part",
        FirstHour(-7.8, -13.2, 8.1, 2.02, -17.6),
    ),
    "bleed": Scenario(CRASH.name, 428, "a steady fall without a rebound", FirstHour(-15.1, -15.9, 0.4, 0.64, -5.9)),
    "rally": Scenario(CRASH.name, 205, "a steady rise", FirstHour(33.2, -2.2, 35.3, 1.23, -2.4)),
    "calm": Scenario(CALM_2022.name, 13, "a quiet market that goes nowhere", FirstHour(-0.5, -0.6, 0.2, 0.07, -0.3)),
    "calm-slide": Scenario(
        CALM_2022.name, 36, "a quiet market that loses ground", FirstHour(-2.1, -2.4, 0.2, 0.12, -1.0)
    ),
    "calm-rise": Scenario(CALM_2022.name, 38, "a quiet market that climbs", FirstHour(1.7, -0.1, 1.7, 0.07, -0.2)),
}


def film_of(name: str, seed: int | None) -> tuple[str, int]:
    """Preset and seed of `name`: a scenario brings its own seed, a preset plays `seed`, or 1.

    Raises:
        ValueError: a seed for a scenario, which would be another film.
    """
    scenario = SCENARIOS.get(name)
    if scenario is None:
        return name, 1 if seed is None else seed
    if seed not in (None, scenario.seed):
        raise ValueError(f"the film {name!r} is {scenario.preset} with the seed {scenario.seed}: leave the seed out")
    return scenario.preset, scenario.seed


def first_hour(preset: str, seed: int) -> FirstHour:
    """Play the first hour of a film and measure it, to a tenth of a percent (the returns to a hundredth)."""
    market = GeneratedMarket(PRESETS[preset], seed, MINUTE_MS)
    prices = [market.price]
    for second in range(1, _HOUR_SECONDS + 1):
        market.advance_to(market.begins_ms + 1000 * second)
        prices.append(market.price)
    before = prices[0]
    falls = (later / sooner for sooner, later in zip(prices, prices[_FIVE_MINUTES_SECONDS:], strict=False))
    ends = (prices[-1] / before, min(prices) / before, max(prices) / before)
    move, lowest, highest = (round(100.0 * (ratio - 1.0), 1) for ratio in ends)
    returns = [100.0 * (later / sooner - 1.0) for sooner, later in pairwise(prices[::60])]
    return FirstHour(move, lowest, highest, round(pstdev(returns), 2), round(100.0 * (min(falls) - 1.0), 1))


def table() -> str:
    """The catalogue as Markdown."""
    lines = [
        "| name | film | after an hour | lowest – highest | sd of a minute | deepest 5 minutes | what it is |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (preset, seed, description, hour) in SCENARIOS.items():
        lines.append(
            f"| `{name}` | {preset}, seed {seed} | {hour.move:+.1f} % | {hour.lowest:+.1f} – {hour.highest:+.1f} % "
            f"| {hour.minute_sd:.2f} % | {hour.five_minute_fall:+.1f} % | {description} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
