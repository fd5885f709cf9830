"""Renders a generated market's order book on demand: the same moment always gives the same book.

Each level keeps its size and its distance to the next one for a life of its own (0.3–4 s), then draws new
ones; so imbalance changes over seconds, as in a recorded book, and a picture that nobody asks for costs nothing.
"""

import math
from random import Random

from kucoin_sim.market import Book

_DRAWS = 1 << 13
_LEVELS = 200


class BookShape:
    """Sizes and gaps by level.

    `size_median` is in size units and `gap_mean` in price units; the best level is `touch` times as thick as others.
    """

    def __init__(self, rng: Random, size_median: float, gap_mean: float, touch: float) -> None:
        self._sizes = [math.exp(rng.gauss(0.0, 1.4)) for _ in range(_DRAWS)]
        self._gaps = [1 + int(rng.expovariate(1.0) * max(0.0, gap_mean - 0.5)) for _ in range(_DRAWS)]
        self._lives = [3 + int(rng.expovariate(1.0) * 10) % 38 for _ in range(2 * _LEVELS)]
        self._phases = [rng.getrandbits(6) for _ in range(2 * _LEVELS)]
        self._strides = [rng.getrandbits(13) | 1 for _ in range(2 * _LEVELS)]
        # The touch is thicker than the levels behind it, which thicken slowly with distance.
        self._profile = [size_median * (touch if level == 0 else 0.7 + min(level, 60) / 60) for level in range(_LEVELS)]

    def render(self, tick: int, best_bid: int, best_ask: int, lean: float, levels: int) -> Book:
        """The book at 100-ms tick number `tick`; `lean` > 0 makes the bids thicker."""
        return Book(
            self._side(tick, 0, best_bid, -1, math.exp(lean), levels),
            self._side(tick, _LEVELS, best_ask, 1, math.exp(-lean), levels),
        )

    def _side(self, tick: int, first: int, best: int, step: int, factor: float, levels: int) -> list[tuple[int, int]]:
        sizes, gaps, profile = self._sizes, self._gaps, self._profile
        lives, phases, strides = self._lives, self._phases, self._strides
        price = best
        rows: list[tuple[int, int]] = []
        for level in range(min(levels, _LEVELS)):
            slot = first + level
            epoch = (tick + phases[slot]) // lives[slot]
            draw = (epoch * strides[slot] + slot * 2654435761 + (epoch >> 13) * 40503) % _DRAWS
            rows.append((price, 1 + int(sizes[draw] * profile[level] * factor)))
            price += step * gaps[draw]
            if price <= 0:
                break
        return rows
