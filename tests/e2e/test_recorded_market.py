"""A recorded market replayed through the whole system shows the figures of the recording, to the last digit."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .capture import MINUTE_MS, Capture
from .conftest import SYMBOL, Metrics, NewSystem, Row, System
from .textbook import INDICATORS, FileBar, decision, indicators, recorded_bars, write_history

CAPTURE = "binance_spot_btcusdt_depth_trades_2024-08-08.gz"
HISTORY_BARS = 300
# A slow slide: volatility damps, RSI turns, and no part of the technical score rests at its limit.
HISTORY_FIRST_MS = int(datetime(2022, 3, 5, 8, tzinfo=UTC).timestamp()) * 1_000
# What separates two ways of adding up the same floats.
ROUNDING = 1e-9

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(700)]


class Look(NamedTuple):
    """What all interfaces showed while the stored state was the same before and after."""

    state: Row
    decision: Row
    price: dict[str, Any]
    analysis: dict[str, Any]
    metrics: Metrics


class Replay(NamedTuple):
    """A replay that is over: what was recorded, what was stored, and what was shown meanwhile."""

    system: System
    capture: Capture
    history: list[FileBar]
    shift_ms: int
    decisions: list[Row]
    candles: dict[int, Row]
    looks: list[Look]

    def recorded_ms(self, moment: datetime | int) -> int:
        """The recording's time of a moment in the replay."""
        shown_ms = moment if isinstance(moment, int) else round(moment.timestamp() * 1_000)
        return shown_ms - self.shift_ms

    @property
    def on_books(self) -> list[Row]:
        """Decisions on a book of the recording that is at most ten seconds old."""
        return [row for row in self.decisions if self.is_on_book(row)]

    def is_on_book(self, decision: Row) -> bool:
        age, time_ms = decision["inputs"]["book_age_secs"], decision["inputs"]["book_time_ms"]
        # Before the recording begins the exchange shows its first book, at a time of no event.
        return age is not None and age <= 10 and self.recorded_ms(time_ms) >= self.capture.begins_ms

    @property
    def on_trades(self) -> list[Row]:
        """Those of them that had a hundred trades to look at."""
        return [row for row in self.on_books if row["inputs"]["flow"] is not None]


@pytest.fixture(
    scope="module",
    params=[pytest.param(2, id="two-whole-minutes"), pytest.param(None, id="all", marks=pytest.mark.long)],
)
def replay(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory, new_system: NewSystem
) -> Replay:
    """Convert the capture, replay it with a history of 2022 before it, and look at everything all the while."""
    folder = tmp_path_factory.mktemp("replay")
    source = shared_data / "market" / CAPTURE
    recording = folder / "market.recording"
    converted = subprocess.run(
        [sys.executable, "-m", "kucoin_sim.convert", "binance-spot", source, recording],
        check=True,
        capture_output=True,
        text=True,
    )
    capture = Capture(source)
    assert json.loads(converted.stdout)["trades"] == len(capture.prints)
    history = recorded_bars(shared_data, HISTORY_FIRST_MS, HISTORY_BARS)

    system = new_system(POLL_INTERVAL="1")
    address = system.start_exchange(
        "--recording", str(recording), "--history", str(write_history(folder / "history.csv", history))
    )
    system.start(address)
    (market,) = system.http.get(f"{address}/health").json()["markets"]
    shift_ms = market["begins_ms"] - capture.begins_ms
    assert shift_ms % MINUTE_MS == 0

    whole_minutes = [minute for minute in capture.bars if minute > capture.begins_ms][:-1]
    last_minute = whole_minutes[: request.param][-1]
    looks = _watch(system, market["begins_ms"], last_minute + shift_ms)
    candles = system.rows("SELECT * FROM candles ORDER BY open_time")
    decisions = system.rows("SELECT * FROM decisions ORDER BY id")
    assert system.crashes() == []
    return Replay(
        system=system,
        capture=capture,
        history=history,
        shift_ms=shift_ms,
        decisions=decisions,
        candles={round(row["open_time"].timestamp() * 1_000) - shift_ms: row for row in candles},
        looks=looks,
    )


def _watch(system: System, begins_ms: int, last_minute_ms: int) -> list[Look]:
    """Look once a second from the recording's beginning until some decisions were made on `last_minute_ms`' bar."""
    looks: list[Look] = []
    begins_at, enough = (datetime.fromtimestamp(moment / 1_000, UTC) for moment in (begins_ms, last_minute_ms))
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        look = _look(system)
        if look is not None and look.state["book_time"] >= begins_at:
            looks.append(look)
        found = system.row("SELECT count(*) AS made FROM decisions WHERE bar_time >= %s", enough)
        if found["made"] >= 3:
            return looks
        time.sleep(1)
    raise AssertionError(f"the bar of {enough} was never decided on:\n{system.logs()}")


def _look(system: System) -> Look | None:
    """All interfaces at one moment; None when the state changed in between, or is not there yet."""
    before = _state(system)
    if before is None or system.get("webui_api", "/api/price").status_code == 503:
        return None
    look = Look(*before, system.api("/api/price"), system.api("/api/analysis"), system.metrics())
    return look if _state(system) == before else None


def _state(system: System) -> tuple[Row, Row] | None:
    state = system.rows("SELECT * FROM market_state")
    decision = system.rows("SELECT * FROM decisions ORDER BY id DESC LIMIT 1")
    return (state[0], decision[0]) if state and decision else None


def test_every_decision_read_the_recorded_book(replay: Replay) -> None:
    decisions = replay.on_books
    assert len(decisions) > 100
    for row in decisions:
        top, inputs = replay.capture.tops[replay.recorded_ms(row["inputs"]["book_time_ms"])], row["inputs"]
        assert row["price"] == top.mid
        assert [Decimal(inputs["bid"]) * 100, Decimal(inputs["ask"]) * 100] == [top.bid, top.ask]
        assert inputs["imbalance"] == pytest.approx(top.imbalance, abs=ROUNDING)
        assert inputs["spread_bp"] == pytest.approx(top.spread_bp, abs=ROUNDING)


def test_every_decision_read_the_flow_of_the_last_hundred_trades(replay: Replay) -> None:
    decisions = replay.on_trades
    assert len(decisions) > 100
    for row in decisions:
        places = replay.capture.places_at(replay.recorded_ms(row["inputs"]["trade_time_ms"]))
        assert places
        # A decision may fall between two trades of one millisecond.
        possible = [replay.capture.flows[place] for place in places if place >= 99]
        assert any(row["inputs"]["flow"] == pytest.approx(flow, abs=ROUNDING) for flow in possible)


def test_the_smoothed_imbalance_follows_every_single_book(replay: Replay) -> None:
    """Where the engine began to listen is not stored: from the first stored mean on, every book has to be in it."""
    means = {
        replay.recorded_ms(row["inputs"]["book_time_ms"]): row["inputs"]["imbalance_mean"] for row in replay.on_books
    }
    assert len(means) > 50
    first_ms = min(means)
    assert _agrees(replay.capture.imbalance_means(first_ms, means[first_ms]), means, first=first_ms)


def test_the_smoothed_flow_follows_every_single_trade(replay: Replay) -> None:
    capture = replay.capture
    means = {}
    for row in replay.on_trades:
        time_ms = replay.recorded_ms(row["inputs"]["trade_time_ms"])
        if row["inputs"]["flow"] == pytest.approx(capture.flows[capture.places_at(time_ms)[-1]], abs=ROUNDING):
            means[time_ms] = row["inputs"]["flow_mean"]
    assert len(means) > 50
    last = capture.places_at(min(means))[-1]
    explained = [begin for begin in range(99, last + 1) if _agrees(capture.flow_means(begin), means, first=min(means))]
    assert explained, f"no beginning explains {means}"


def _agrees(calculated: dict[int, float], stored: dict[int, float], *, first: int) -> bool:
    if calculated.get(first) != pytest.approx(stored[first], abs=ROUNDING):
        return False
    return all(calculated[time_ms] == pytest.approx(mean, abs=ROUNDING) for time_ms, mean in stored.items())


def test_bars_are_the_recorded_trades_minute_by_minute(replay: Replay) -> None:
    """The first minute too, of which the recording has only a part."""
    lived = {minute: row for minute, row in replay.candles.items() if minute > replay.capture.begins_ms - MINUTE_MS}
    assert len(lived) >= 3
    assert sorted(lived) == list(range(min(lived), max(lived) + 1, MINUTE_MS))
    for minute, row in lived.items():
        bar = replay.capture.bars[minute]
        assert {name: row[name] for name in bar._fields} == bar._asdict()
        # The frames of a minute come before anything of the next: nothing is ever late.
        assert (row["filled"], row["corrections"]) == (False, 0)


def test_history_is_2022_scaled_to_the_recording(replay: Replay) -> None:
    first_minute = replay.capture.begins_ms // MINUTE_MS * MINUTE_MS
    served = [row for minute, row in replay.candles.items() if minute < first_minute]
    expected = scaled(replay)
    assert len(served) == len(expected) == HISTORY_BARS
    assert [row["close"] for row in served] == [bar["close"] for bar in expected]
    assert served[-1]["close"] == Decimal(replay.capture.prints[0].price).scaleb(-2)
    for row, bar in zip(served, expected, strict=True):
        assert {name: row[name] for name in bar} == bar


def scaled(replay: Replay) -> list[dict[str, Decimal]]:
    """The history's prices, scaled so that its last close is the first recorded price, in cents."""
    first_price = Decimal(replay.capture.prints[0].price).scaleb(-2)
    factor = first_price / Decimal(repr(replay.history[-1].close))
    return [
        {
            **{
                name: (Decimal(repr(getattr(bar, name))) * factor).quantize(Decimal("0.01"))
                for name in ("open", "high", "low", "close")
            },
            "volume": Decimal(repr(bar.volume)),
        }
        for bar in replay.history
    ]


def test_indicators_of_every_decision_are_the_textbooks(replay: Replay) -> None:
    """On the bars up to the decision's own: history first, then the recording's minutes."""
    first_minute = replay.capture.begins_ms // MINUTE_MS * MINUTE_MS
    history = scaled(replay)
    bars = {first_minute - (len(history) - place) * MINUTE_MS: bar for place, bar in enumerate(history)}
    bars |= {minute: bar._asdict() for minute, bar in replay.capture.bars.items()}
    minutes = sorted(bars)
    checked = set()
    for row in replay.decisions:
        last = replay.recorded_ms(row["bar_time"])
        known = [bars[minute] for minute in minutes if minute <= last]
        expected = indicators([float(bar["close"]) for bar in known], [float(bar["volume"]) for bar in known])
        assert {name: row["inputs"][name] for name in INDICATORS} == pytest.approx(expected, abs=1e-6)
        checked.add(last)
    assert len(checked) >= 3


def test_every_decision_follows_from_what_it_read(replay: Replay) -> None:
    """Scores, weights, confidence and action, from inputs that were held against the recording above."""
    for row in replay.decisions:
        expected = decision(row["inputs"], qlearning=row["score_qlearning"])
        assert {name: row[name] for name in expected.scores} == pytest.approx(expected.scores, abs=ROUNDING)
        stored = [row[name] for name in ("score", "agreement", "confidence", "threshold")]
        assert stored == pytest.approx([*expected[1:5]], abs=1e-8)
        assert row["action"] == expected.action
        # Without thirty lessons in a cell the fourth voice says nothing, unless it explores.
        assert row["score_qlearning"] in ((None, 0.0, 1.0, -1.0) if row["explored"] else (None, 0.0))
    seen = [row["inputs"] for row in replay.decisions]
    assert min(one["rsi"] for one in seen) < 30 < max(one["rsi"] for one in seen)
    assert 0.03 < max(one["volatility"] for one in seen) < 0.06
    assert max(abs(one["trend"]) for one in seen[:60]) < 0.25


def test_the_stored_market_state_is_the_recording_s(replay: Replay) -> None:
    states = {look.state["received_at"]: look.state for look in replay.looks}
    assert len(states) > 20
    for state in states.values():
        top = replay.capture.tops[replay.recorded_ms(state["book_time"])]
        assert (state["bid"] * 100, state["ask"] * 100) == (top.bid, top.ask)
        assert (state["bid_volume"].scaleb(8), state["ask_volume"].scaleb(8)) == (top.bid_volume, top.ask_volume)
        assert state["imbalance"] == pytest.approx(top.imbalance, abs=ROUNDING)
        assert state["spread_bp"] == pytest.approx(top.spread_bp, abs=ROUNDING)
        if state["last_trade_time"] is None:
            continue
        places = replay.capture.places_at(replay.recorded_ms(state["last_trade_time"]))
        flows = [replay.capture.flows[place] for place in places]
        assert any(state["flow"] == pytest.approx(flow, abs=ROUNDING) for flow in flows)
        assert state["last_trade_price"] * 100 in [replay.capture.prints[place].price for place in places]


def test_the_api_shows_the_recorded_price_and_book(replay: Replay) -> None:
    assert len(replay.looks) > 20
    for look in replay.looks:
        top = replay.capture.tops[replay.recorded_ms(look.state["book_time"])]
        seen_at = look.state["received_at"]
        assert seen_at >= look.state["book_time"]
        assert datetime.fromisoformat(look.price["timestamp"]) == seen_at
        assert datetime.fromisoformat(look.analysis["timestamp"]) == seen_at
        assert look.price["price"] == look.analysis["price"] == float(top.mid)
        assert look.price["formatted"] == look.analysis["price_formatted"] == f"${top.mid:,.2f}"
        assert (look.price["bid"], look.price["ask"]) == (top.bid / 100, top.ask / 100)
        book = look.analysis["orderbook"]
        assert book["imbalance"] == pytest.approx(top.imbalance, abs=ROUNDING)
        assert book["spread"] == pytest.approx((top.ask - top.bid) / 100, abs=ROUNDING)
        assert book["bid_volume"] == pytest.approx(top.bid_volume / 1e8, abs=ROUNDING)
        assert book["ask_volume"] == pytest.approx(top.ask_volume / 1e8, abs=ROUNDING)


def test_the_api_and_the_exporter_show_the_decision_s_own_inputs(replay: Replay) -> None:
    """Both show the last decision's figures; those were held against the recording above."""
    for look in replay.looks:
        inputs, signal = look.decision["inputs"], look.analysis["signal"]
        assert datetime.fromisoformat(signal["decided_at"]) == look.decision["decided_at"]
        assert (signal["action"], signal["confidence"]) == (look.decision["action"], look.decision["confidence"])
        assert look.analysis["indicators"] == {name: inputs[name] for name in (*INDICATORS, "flow")}
        shown = {name: look.metrics.get(f"btc_trading_{name}") for name in ("rsi", "momentum", "volatility", "trend")}
        assert shown == {name: pytest.approx(inputs[name], abs=ROUNDING) for name in shown}


def test_the_exporter_shows_the_recorded_price_and_imbalance(replay: Replay) -> None:
    on_books = [look for look in replay.looks if replay.is_on_book(look.decision)]
    assert len(on_books) > 20
    for look in on_books:
        top = replay.capture.tops[replay.recorded_ms(look.state["book_time"])]
        assert look.metrics[f'btc_price{{symbol="{SYMBOL}"}}'] == float(top.mid)
        decided = replay.capture.tops[replay.recorded_ms(look.decision["inputs"]["book_time_ms"])]
        assert look.metrics["btc_trading_orderbook_imbalance"] == pytest.approx(decided.imbalance, abs=ROUNDING)


def test_nothing_was_lost_on_the_way(replay: Replay) -> None:
    feed, engine = replay.system.metrics("market_feed"), replay.system.metrics("decision_engine")
    assert {name: value for name, value in feed.items() if "_dropped_total" in name and value} == {}
    assert {name: value for name, value in feed.items() if name.startswith("kucoin_malformed") and value} == {}
    assert {name: value for name, value in engine.items() if name.startswith("engine_stale_messages") and value} == {}
