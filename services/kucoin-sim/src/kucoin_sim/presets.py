"""Numbers of the generated markets. What they produce is measured in docs/practice-market.md."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A kind of market. Log returns are fractions; "σ" is the current standard deviation of one second.

    The price of each second moves by σ × (noise + lead_fast·fast + lead_slow·slow + lead_drift·drift), where
    fast, slow and drift are the order-flow pressures that also lean the book and the trades.
    """

    name: str
    sigma_minute: float
    """Noise of one minute at average volatility."""

    # Volatility: a product of three lognormal components and a two-state regime.
    volatility_seconds: tuple[float, float, float]
    volatility_weights: tuple[float, float, float]
    stress_factor: float
    stress_every_seconds: float
    stress_lasts_seconds: float
    jumps_a_day: float
    jump_sigmas: float
    """Size of a jump's standard deviation, in one-minute σ."""

    # Order-flow pressure: two mean-reverting components of variance 1, and episodes of drift.
    fast_seconds: float
    slow_seconds: float
    lead_fast: float
    lead_slow: float
    lead_drift: float
    episode_every_seconds: float
    episode_lasts_seconds: float
    episode_strength: tuple[float, float]

    # How pressure shows: the lean is atanh of the mean imbalance it makes.
    book_lean: tuple[float, float, float]
    """By fast, slow and drift."""
    trade_lean: tuple[float, float, float]
    trade_lean_own_move: float
    """By the same 100 ms' price move, in its σ."""
    trade_lean_recent_move: float
    """By the price move of the last seconds, in its σ: takers run after the price."""

    trades_a_second: float
    """At average volatility."""
    trades_with_recent_move: float
    """How much busier a recent price move makes the market: ln(trades a second) by σ of that move."""
    trade_bursts: float
    """Standard deviation of ln(trades a second) for no visible reason."""
    trade_size_median: float
    """In base currency at a price of 60,000."""
    trade_size_sigma: float
    book_size: float
    """Median size of a level, in base currency at a price of 60,000."""
    book_touch: float
    """Median size of the best level, in those of the levels behind it."""
    book_gap: float
    """Mean distance of neighbouring levels, a fraction of the price."""
    wide_spread_share: float
    """Share of seconds with a spread beyond two ticks, at average volatility."""
    wide_spread: float
    """Mean of such a spread, a fraction of the price, at average volatility."""

    reversion_seconds: float
    """How slowly the price is pulled back to where it began, so that a market can run for weeks."""


CRASH = Preset(
    name="crash",
    sigma_minute=0.0052,
    volatility_seconds=(120.0, 900.0, 3600.0),
    volatility_weights=(0.42, 0.35, 0.15),
    stress_factor=1.8,
    stress_every_seconds=2400.0,
    stress_lasts_seconds=600.0,
    jumps_a_day=30.0,
    jump_sigmas=1.5,
    fast_seconds=2.0,
    slow_seconds=40.0,
    lead_fast=0.45,
    lead_slow=0.04,
    lead_drift=0.055,
    episode_every_seconds=900.0,
    episode_lasts_seconds=480.0,
    episode_strength=(0.6, 1.0),
    book_lean=(0.50, 0.22, 0.70),
    trade_lean=(0.45, 0.25, 0.65),
    trade_lean_own_move=0.35,
    trade_lean_recent_move=0.0,
    trades_a_second=4.0,
    trades_with_recent_move=0.0,
    trade_bursts=0.0,
    trade_size_median=0.0010,
    trade_size_sigma=2.0,
    book_size=0.05,
    book_touch=5.0,
    book_gap=0.000015,
    wide_spread_share=0.05,
    wide_spread=0.00010,
    reversion_seconds=21_600.0,
)

CALM_2022 = Preset(
    name="calm2022",
    sigma_minute=0.00036,
    volatility_seconds=(120.0, 1800.0, 10_800.0),
    volatility_weights=(0.45, 0.35, 0.20),
    stress_factor=2.0,
    stress_every_seconds=10_800.0,
    stress_lasts_seconds=1200.0,
    jumps_a_day=10.0,
    jump_sigmas=2.0,
    fast_seconds=2.0,
    slow_seconds=40.0,
    lead_fast=0.45,
    lead_slow=0.03,
    lead_drift=0.03,
    episode_every_seconds=3600.0,
    episode_lasts_seconds=420.0,
    episode_strength=(0.3, 0.8),
    book_lean=(0.50, 0.22, 0.35),
    trade_lean=(0.45, 0.25, 0.30),
    trade_lean_own_move=0.35,
    trade_lean_recent_move=0.35,
    trades_a_second=5.0,
    trades_with_recent_move=0.6,
    trade_bursts=0.75,
    trade_size_median=0.0010,
    trade_size_sigma=2.65,
    book_size=0.05,
    book_touch=17.0,
    book_gap=0.0000115,
    wide_spread_share=0.01,
    wide_spread=0.00003,
    reversion_seconds=864_000.0,
)

PRESETS = {preset.name: preset for preset in (CRASH, CALM_2022)}
