"""The market that `agent demo` plays unless it is told otherwise.

The seed was searched for, not the rules bent: `python -m btc_cli.backtest.seeds` plays seeds with default settings in
virtual time. With this one the agent's first round trip is over within five minutes of the start, in whatever second
of a minute that lies. It has to be searched for anew when the preset or a trading rule changes; a test says when.
"""

from dataclasses import dataclass

FILM = "demo"
# What that film is; a test compares the two.
PRESET, SEED = "crash", 437


@dataclass(frozen=True)
class PracticeMarket:
    """What the practice market is like. The practice exchange checks `market` and `seed` itself."""

    symbol: str = "BTC-USDT"
    market: str = FILM
    seed: int | None = None
