"""How hard and in which direction a generated market pushes: volatility and order flow, moved once a second."""

import math
from random import Random
from statistics import NormalDist

from kucoin_sim.presets import Preset

NORMAL_BITS = 14
NORMALS = tuple(NormalDist().inv_cdf((index + 0.5) / (1 << NORMAL_BITS)) for index in range(1 << NORMAL_BITS))
"""Standard normal draws by table, indexed by random bits: several times faster than `Random.gauss`; |z| ≤ 4.01."""

_EPISODE_RAMP_SECONDS = 20.0


class Pressure:
    """Current volatility and order-flow pressure of a market; also whether a price jump falls into this second.

    `level` is the volatility as a multiple of the preset's; `fast` and `slow` have mean 0 and variance 1; `drift`
    lies in ±1 and is 0 outside an episode; `jump` is in one-minute σ, nearly always 0.
    """

    __slots__ = (
        "_bits",
        "_chance",
        "_decay",
        "_jump_chance",
        "_kick",
        "_level_offset",
        "_preset",
        "_seconds_left",
        "_target",
        "_volatility",
        "drift",
        "fast",
        "jump",
        "level",
        "slow",
        "stressed",
    )

    def __init__(self, preset: Preset, rng: Random) -> None:
        self._preset = preset
        self._chance = rng.random
        self._bits = rng.getrandbits
        times = (*preset.volatility_seconds, preset.fast_seconds, preset.slow_seconds)
        self._decay = tuple(math.exp(-1.0 / seconds) for seconds in times)
        self._kick = tuple(math.sqrt(1.0 - decay * decay) for decay in self._decay)
        # The mean square of the lognormal part is then 1.
        self._level_offset = -sum(weight * weight for weight in preset.volatility_weights)
        self._volatility = [NORMALS[self._bits(NORMAL_BITS)] for _ in preset.volatility_weights]
        self._jump_chance = preset.jumps_a_day / 86_400.0
        self._target = 0.0
        self._seconds_left = 0
        self.stressed = False
        self.level = 1.0
        self.fast = 0.0
        self.slow = 0.0
        self.drift = 0.0
        self.jump = 0.0

    def advance(self) -> None:
        """Go on by one second."""
        preset, bits, chance = self._preset, self._bits, self._chance
        decay, kick, volatility = self._decay, self._kick, self._volatility
        exponent = self._level_offset
        for index, weight in enumerate(preset.volatility_weights):
            value = decay[index] * volatility[index] + kick[index] * NORMALS[bits(NORMAL_BITS)]
            volatility[index] = value
            exponent += weight * value
        turn = preset.stress_lasts_seconds if self.stressed else preset.stress_every_seconds
        if chance() * turn < 1.0:
            self.stressed = not self.stressed
        self.level = math.exp(exponent) * (preset.stress_factor if self.stressed else 1.0)
        self.fast = decay[3] * self.fast + kick[3] * NORMALS[bits(NORMAL_BITS)]
        self.slow = decay[4] * self.slow + kick[4] * NORMALS[bits(NORMAL_BITS)]
        self.jump = preset.jump_sigmas * NORMALS[bits(NORMAL_BITS)] if chance() < self._jump_chance else 0.0
        self._advance_episode()

    def _advance_episode(self) -> None:
        if self._seconds_left > 0:
            self._seconds_left -= 1
            if self._seconds_left == 0:
                self._target = 0.0
        elif self._chance() * self._preset.episode_every_seconds < 1.0:
            weakest, strongest = self._preset.episode_strength
            strength = weakest + (strongest - weakest) * self._chance()
            self._target = strength if self._chance() < 0.5 else -strength
            # An exponential length with a floor of a third: no episode is over before it shows.
            floor = self._preset.episode_lasts_seconds / 3.0
            self._seconds_left = 1 + int(floor - 2.0 * floor * math.log(1.0 - self._chance()))
        self.drift += (self._target - self.drift) / _EPISODE_RAMP_SECONDS
