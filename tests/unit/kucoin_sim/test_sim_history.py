"""Histories from files: exact when served as they are, fitted when scaled, refused with the row when wrong."""

import csv
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from kucoin_sim.candles import row
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.history import COLUMNS, HistoryError, load, price_decimals, served
from kucoin_sim.instruments import INSTRUMENTS
from kucoin_sim.markets import make_markets
from kucoin_sim.options import parse
from kucoin_sim.presets import CRASH

START_MS = 1_790_000_077_000
MINUTE_MS = 60_000
ROWS: Sequence[Sequence[float]] = [
    [1_640_995_200_000, 46210.57, 46265.41, 46210.55, 46246.66, 253.757],
    [1_640_995_260_000, 46246.66, 46335.17, 46235.8, 46314.36, 275.296],
    [1_640_995_380_000, 46314.36, 46314.37, 46300.0, 46300.01, 11.5],
]


def _csv(path: Path, rows: Sequence[Sequence[float]] = ROWS) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return path


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    return _csv(tmp_path / "history.csv")


def test_csv_and_both_kinds_of_json_say_the_same(csv_file: Path, tmp_path: Path) -> None:
    rows, objects = tmp_path / "rows.json", tmp_path / "objects.json"
    rows.write_text(json.dumps(ROWS))
    objects.write_text(json.dumps([dict(zip(COLUMNS, values, strict=True)) for values in ROWS]))
    bars = load(csv_file)
    assert bars == load(rows) == load(objects)
    assert bars[0].open == Decimal("46210.57")
    assert price_decimals(bars) == 2


def test_unscaled_bars_are_served_exactly_and_end_with_the_current_minute(csv_file: Path) -> None:
    options = parse(["--history", str(csv_file), "--history-scale", "none", "--market", "calm2022"], {})
    (market,) = make_markets(options, START_MS)
    begin = START_MS - START_MS % MINUTE_MS
    assert [row(bar, market.instrument)[1:6] for bar in market.history] == [
        ["46210.57", "46246.66", "46265.41", "46210.55", "253.757"],
        ["46246.66", "46314.36", "46335.17", "46235.8", "275.296"],
        ["46314.36", "46300.01", "46314.37", "46300", "11.5"],
    ]
    # The gap in the file stays a gap.
    assert [begin - bar.open_ms for bar in market.history] == [4 * MINUTE_MS, 3 * MINUTE_MS, MINUTE_MS]
    trades = market.advance_to(begin + MINUTE_MS)
    assert float(market.instrument.price_text(trades[0].price)) == pytest.approx(46300.01, rel=0.001)


def test_fitted_bars_end_at_the_generated_first_price(csv_file: Path) -> None:
    (market,) = make_markets(parse(["--history", str(csv_file)], {}), START_MS)
    assert market.instrument.price_text(market.history[-1].close) == "60000"
    ratio = Decimal(market.history[0].high) / Decimal(market.history[-1].close)
    assert float(ratio) == pytest.approx(46265.41 / 46300.01, rel=1e-5)


def test_a_history_leaves_the_film_as_it_is(csv_file: Path) -> None:
    plain = GeneratedMarket(CRASH, 1, START_MS)
    (fitted,) = make_markets(parse(["--history", str(csv_file)], {}), START_MS)
    end = plain.begins_ms + 60_000
    assert plain.advance_to(end) == fitted.advance_to(end)


def test_minutes_without_volume_have_no_candle(tmp_path: Path) -> None:
    rows: list[Sequence[float]] = [ROWS[0], [1_640_995_260_000, 5, 5, 5, 5, 0], ROWS[2]]
    bars = served(load(_csv(tmp_path / "history.csv", rows)), INSTRUMENTS["BTC-USDT"], START_MS, None)
    assert len(bars) == 2


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "has no rows"),
        ([[60_001, 1, 1, 1, 1, 1]], "row 1 .* full minute"),
        ([[60_000, 1, 1, 2, 1, 1]], "row 1 .* impossible"),
        ([[60_000, 1, 1, 1, 1, -1]], "row 1 .* impossible"),
        ([[60_000, 0, 1, 0, 1, 1]], "row 1 .* impossible"),
        ([[60_000, float("nan"), 1, 1, 1, 1]], "row 1 .* not a number"),
        ([[60_000, 1, 1, 1, 1, 1], [60_000, 1, 1, 1, 1, 1]], "row 2 .* not later"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, rows: list[list[float]], reason: str) -> None:
    with pytest.raises(HistoryError, match=reason):
        load(_csv(tmp_path / "history.csv", rows))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ts_ms,open\n1,2\n", "lacks the columns high, low, close, volume"),
        ("[[1,2]]", "row 1 .* neither an object nor 6 values"),
        ('[{"ts_ms": 60000}]', "row 1 .* has no open"),
        ("[1", "not valid JSON"),
        ("ts_ms,open,high,low,close,volume\n60000,x,1,1,1,1\n", "row 1 .* not a number"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "history"
    path.write_text(text)
    with pytest.raises(HistoryError, match=reason):
        load(path)


def test_a_history_belongs_to_one_pair(csv_file: Path) -> None:
    with pytest.raises(HistoryError, match="of one pair"):
        make_markets(parse(["--history", str(csv_file), "--symbols", "BTC-USDT,ETH-USDT"], {}), START_MS)


def test_without_a_history_a_generated_market_begins_a_minute_early() -> None:
    (market,) = make_markets(parse([], {}), START_MS)
    assert market.begins_ms == START_MS - START_MS % MINUTE_MS - MINUTE_MS
    assert len(market.advance_to(START_MS)) > 100
