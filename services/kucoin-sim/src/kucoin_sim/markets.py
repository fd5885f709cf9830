"""Builds the markets that the options ask for."""

from collections.abc import Sequence
from dataclasses import replace

from kucoin_sim.generated import MINUTE_MS, GeneratedMarket
from kucoin_sim.history import FileBar, HistoryError, load, price_decimals, served
from kucoin_sim.instruments import INSTRUMENTS, Instrument
from kucoin_sim.market import Bar, Market
from kucoin_sim.options import Options
from kucoin_sim.presets import PRESETS, Preset
from kucoin_sim.recording import Recording
from kucoin_sim.replay import ReplayMarket


def make_markets(options: Options, start_ms: int) -> list[Market]:
    """One replay, or a generated market for each symbol.

    Raises:
        HistoryError, RecordingError: a file cannot be used.
    """
    bars = load(options.history) if options.history is not None else None
    fit = options.history_scale == "fit"
    if options.recording is not None:
        return [_replay(Recording(options.recording), bars, fit, start_ms)]
    preset = PRESETS[options.market]
    if bars is None:
        # A minute early, so that the first client already finds a hundred trades.
        first_ms = start_ms - MINUTE_MS
        return [GeneratedMarket(preset, options.seed, first_ms, INSTRUMENTS[symbol]) for symbol in options.symbols]
    if len(options.symbols) > 1:
        raise HistoryError(f"a history is of one pair: choose one of {', '.join(options.symbols)}")
    return [_with_history(preset, options.seed, INSTRUMENTS[options.symbols[0]], bars, fit, start_ms)]


def _replay(recording: Recording, bars: Sequence[FileBar] | None, fit: bool, start_ms: int) -> ReplayMarket:
    if bars is None:
        return ReplayMarket(recording, start_ms)

    def make_history(instrument: Instrument, first_price: int, end_ms: int) -> list[Bar]:
        return served(bars, instrument, end_ms, first_price if fit else None)

    return ReplayMarket(recording, start_ms, make_history)


def _with_history(
    preset: Preset, seed: int, instrument: Instrument, bars: Sequence[FileBar], fit: bool, start_ms: int
) -> GeneratedMarket:
    if fit:
        market = GeneratedMarket(preset, seed, start_ms, instrument)
        market.history = served(bars, instrument, market.begins_ms, market.history[-1].close)
        return market
    # Unscaled bars are served exactly: the pair then has as many decimals as they do.
    exact = replace(instrument, price_decimals=max(instrument.price_decimals, price_decimals(bars)))
    market = GeneratedMarket(preset, seed, start_ms, exact, start_price=float(bars[-1].close))
    market.history = served(bars, exact, market.begins_ms, None)
    return market
