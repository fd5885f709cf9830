"""Nothing that happens depends on what comes later."""

from random import Random

import msgspec
import numpy as np
import pytest

from btc_cli.backtest.bars import WARM_UP_BARS, BarArrays, run_bars
from btc_cli.backtest.report import Report
from btc_cli.backtest.seeds import Start, practise
from btc_shared.settings import EngineSettings
from decision_engine.domain import Decision
from executor.domain.position import Fill

from .conftest import MakeAgent

DAY = 1_440
SETTINGS = EngineSettings()


def _past(report: Report, decisions: list[Decision], until_ms: int) -> tuple[object, ...]:
    """All that had happened by a moment."""
    history = [entry for entry in report.history if entry.time_ms <= until_ms]
    orders = {entry.intent_id for entry in history if isinstance(entry, Fill)}
    return (
        history,
        [trade for trade in report.trades if trade.intent_id in orders],
        [trip for trip in report.round_trips if trip.closed_at_ms <= until_ms],
        # A report adds a point at its own end.
        [point for point in report.equity if point.time_ms < until_ms],
        [decision for decision in decisions if decision.inputs.at_ms <= until_ms],
    )


def _changed(bars: BarArrays, first: int, factor: float) -> BarArrays:
    """The same bars with other prices and volumes from `first` on."""
    is_past = np.arange(len(bars)) < first
    columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    changed = {name: np.where(is_past, column, np.round(column * factor, 2)) for name, column in columns.items()}
    return BarArrays(symbol=bars.symbol, open_ms=bars.open_ms, **changed)


@pytest.mark.parametrize("every_bar", [False, True], ids=["stepping", "every-bar"])
def test_decisions_and_trades_on_bars_stay_when_the_future_is_cut_off_or_changed(
    bars_2022: BarArrays, make_agent: MakeAgent, every_bar: bool
) -> None:
    bars = bars_2022[131 * DAY : 131 * DAY + (800 if every_bar else 4 * DAY)]

    def run(some: BarArrays) -> tuple[Report, list[Decision]]:
        decisions: list[Decision] = []
        report = run_bars(make_agent(some), some, SETTINGS, every_bar=every_bar, watch=decisions.append)
        return report, decisions

    whole = run(bars)
    assert whole[0].round_trips
    rng = Random(17)
    first_ms, decided = int(bars.open_ms[0]), [decision.inputs.at_ms for decision in whole[1]]
    # Right behind a decision, where looking ahead would show, and anywhere.
    cuts = [(at_ms - first_ms) // 60_000 for at_ms in rng.sample(decided, 2 if every_bar else 5)]
    cuts.append(rng.randrange(WARM_UP_BARS + 100, len(bars)))
    for cut in cuts:
        until_ms = bars.close_ms(cut - 1)
        expected = _past(*whole, until_ms)
        assert _past(*run(bars[:cut]), until_ms) == expected
        assert _past(*run(_changed(bars, cut, rng.choice([0.8, 1.25]))), until_ms) == expected


def test_decisions_and_trades_on_a_film_stay_when_it_is_cut_off() -> None:
    def run(secs: float) -> tuple[Report, list[Decision]]:
        decisions: list[Decision] = []
        start = Start(preset="crash", seed=437, start_ms=1_790_000_055_000, startup_secs=7.0, exploration=3)
        return practise(start, secs, watch=decisions.append), decisions

    whole = run(330.0)
    assert whole[0].round_trips
    for secs in (131.7, 243.2, 262.4):
        until_ms = 1_790_000_055_000 + round(secs * 1_000)
        assert _past(*run(secs), until_ms) == _past(*whole, until_ms)


def test_a_report_and_its_hash_change_with_any_fill() -> None:
    start = Start(preset="crash", seed=437, start_ms=1_790_000_055_000, startup_secs=7.0)
    report = practise(start, 250.0)
    first = report.history[0]
    assert isinstance(first, Fill)
    other = msgspec.structs.replace(report, history=(msgspec.structs.replace(first, time_ms=1), *report.history[1:]))
    assert report != other
    assert report.digest() != other.digest()
