"""A day of 2022 as the exchange's history: what the agent computes on it is what TA-Lib computes on it."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

import pytest

from .conftest import SYMBOL, Metrics, NewSystem, Row, System
from .textbook import INDICATORS, FileBar, indicators, recorded_bars, write_history

BARS = 1_440
# The day of the June crash: no indicator rests near its middle or at its limit.
FIRST_MS = int(datetime(2022, 6, 13, tzinfo=UTC).timestamp()) * 1_000
MINUTE_MS = 60_000

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


class Day(NamedTuple):
    """The system after its first decisions.

    `shift_ms` leads from a bar of the file to the one that was served; `lived` are the bars that the exchange made
    since then, in the file's time.
    """

    system: System
    file: list[FileBar]
    lived: list[FileBar]
    shift_ms: int
    decisions: list[Row]
    analysis: dict[str, Any]
    metrics: Metrics
    shown: Row

    def known_at(self, bar_time: datetime) -> list[FileBar]:
        """All bars up to the one that was served with this opening time."""
        last_ms = round(bar_time.timestamp() * 1_000) - self.shift_ms
        return [bar for bar in (*self.file, *self.lived) if bar.ts_ms <= last_ms]


@pytest.fixture(scope="module")
def day(shared_data: Path, tmp_path_factory: pytest.TempPathFactory, new_system: NewSystem) -> Day:
    file = recorded_bars(shared_data, FIRST_MS, BARS)
    history = write_history(tmp_path_factory.mktemp("history") / "2022.csv", file)
    system = new_system(POLL_INTERVAL="0.5")
    address = system.start_exchange("--market", "calm2022", "--history", str(history), "--history-scale", "none")
    (market,) = system.http.get(f"{address}/health").json()["markets"]
    shift_ms = market["begins_ms"] - (file[-1].ts_ms + MINUTE_MS)
    system.start(address)

    last = datetime.fromtimestamp((file[-1].ts_ms + shift_ms) / 1_000, UTC)
    system.wait("the last bar", lambda: system.rows("SELECT 1 FROM candles WHERE open_time = %s", last))
    system.wait("decisions on it", lambda: system.rows("SELECT 1 FROM decisions WHERE bar_time >= %s", last)[4:])
    looks = system.wait("a moment between two decisions", lambda: _look(system))
    decisions = system.rows("SELECT * FROM decisions ORDER BY id")
    lived = _lived(system, address, market["begins_ms"], shift_ms)
    assert system.crashes() == []
    return Day(system, file, lived, shift_ms, decisions, *looks)


def _lived(system: System, address: str, begins_ms: int, shift_ms: int) -> list[FileBar]:
    params: dict[str, str | int] = {"symbol": SYMBOL, "type": "1min", "startAt": begins_ms // 1_000}
    rows = system.http.get(f"{address}/api/v1/market/candles", params=params).json()["data"]
    return [
        FileBar(int(time) * 1_000 - shift_ms, float(opened), float(high), float(low), float(close), float(volume))
        for time, opened, close, high, low, volume, _ in reversed(rows)
    ]


def _look(system: System) -> tuple[dict[str, Any], Metrics, Row] | None:
    """What is shown of the newest decision."""
    newest: LiteralString = "SELECT * FROM decisions ORDER BY id DESC LIMIT 1"
    before = system.row(newest)
    analysis, metrics = system.api("/api/analysis"), system.metrics()
    return (analysis, metrics, before) if system.row(newest) == before else None


def test_all_bars_are_stored_as_they_are_in_the_file(day: Day) -> None:
    rows = day.system.rows("SELECT * FROM candles ORDER BY open_time")
    stored = {round(row["open_time"].timestamp() * 1_000) - day.shift_ms: row for row in rows}
    # The feed asks for as many bars as the file has, up to the newest final one: by then a few are too old.
    expected = [bar for bar in day.file if bar.ts_ms >= min(stored)]
    assert len(expected) >= BARS - 5
    for bar in expected:
        row = stored[bar.ts_ms]
        for name in ("open", "high", "low", "close", "volume"):
            assert row[name] == Decimal(repr(getattr(bar, name)))
        assert (row["filled"], row["corrections"]) == (False, 0)


def test_every_indicator_of_the_first_decisions_is_the_textbook_s(day: Day) -> None:
    assert len(day.decisions) >= 5
    for decision in day.decisions:
        known = day.known_at(decision["bar_time"])
        expected = indicators([bar.close for bar in known], [bar.volume for bar in known])
        assert {name: decision["inputs"][name] for name in INDICATORS} == pytest.approx(expected, abs=1e-6)
        assert decision["inputs"]["close"] == known[-1].close


def test_no_decision_was_made_on_a_bar_of_the_past(day: Day) -> None:
    """The feed stores a day of bars bit by bit: a decision on the first of them would show an RSI of yesterday."""
    assert {row["bar_time"] for row in day.decisions if row["inputs"]["bar_age_secs"] > 120} == set()


def test_the_api_and_the_exporter_show_the_same_indicators(day: Day) -> None:
    known = day.known_at(day.shown["bar_time"])
    expected = indicators([bar.close for bar in known], [bar.volume for bar in known])
    shown = day.analysis["indicators"]
    assert {name: shown[name] for name in INDICATORS} == pytest.approx(expected, abs=1e-6)
    gauges = ("rsi", "momentum", "volatility", "trend")
    assert {name: day.metrics[f"btc_trading_{name}"] for name in gauges} == pytest.approx(
        {name: expected[name] for name in gauges}, abs=1e-6
    )


def test_the_day_is_one_on_which_wrong_indicators_would_show(day: Day) -> None:
    """Other lengths, another averaging or the bar before give other figures by far more than the tolerance."""
    closes, volumes = [bar.close for bar in day.file], [bar.volume for bar in day.file]
    expected, before = indicators(closes, volumes), indicators(closes[:-1], volumes[:-1])
    assert all(abs(expected[name] - before[name]) > 1e-4 for name in INDICATORS)
    assert 0 < expected["volatility"] < 1
    assert -1 < expected["trend"] < 1
