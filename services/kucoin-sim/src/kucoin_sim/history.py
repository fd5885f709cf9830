"""Bars from a file, served as a market's REST history.

CSV with a header line, or JSON (a list of objects, or of rows in the columns' order): ts_ms, open, high, low, close,
volume; one-minute bars, oldest first. They are moved in time so that the last one ends where the market begins.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from kucoin_sim.instruments import Instrument
from kucoin_sim.market import Bar

COLUMNS = ("ts_ms", "open", "high", "low", "close", "volume")
MINUTE_MS = 60_000
MOST_DECIMALS = 8


class HistoryError(Exception):
    """A history file that cannot be served; the message names the row and what is wrong."""


class FileBar(NamedTuple):
    """A row as it stands in the file."""

    ts_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def load(path: Path) -> list[FileBar]:
    """Read and check a history file.

    Raises:
        HistoryError: the file cannot be read, or a row is incomplete, out of order or impossible.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HistoryError(f"cannot read the history {path}: {error}") from error
    rows = _json_rows(path, text) if text.lstrip().startswith("[") else _csv_rows(path, text)
    bars = [_parse(path, number, row) for number, row in enumerate(rows, 1)]
    if not bars:
        raise HistoryError(f"the history {path} has no rows")
    for number, (before, after) in enumerate(pairwise(bars), 2):
        if after.ts_ms <= before.ts_ms:
            raise HistoryError(f"row {number} of {path} is not later than the one before it")
    return bars


def price_decimals(bars: Iterable[FileBar]) -> int:
    """The most decimals that any price has, at most 8."""
    return min(MOST_DECIMALS, max(_decimals(price) for bar in bars for price in bar[1:5]))


def served(bars: Sequence[FileBar], instrument: Instrument, end_ms: int, last_close: int | None) -> list[Bar]:
    """Bars in the instrument's units, the last of which ends at `end_ms`.

    With `last_close` (price units) all prices are scaled so that the last bar closes there. Minutes without volume
    are left out: KuCoin has no candle for them.
    """
    shift_ms = end_ms - MINUTE_MS - bars[-1].ts_ms
    unit = Decimal(10) ** instrument.price_decimals
    scale = unit if last_close is None else Decimal(last_close) / bars[-1].close
    return [_bar(bar, instrument, bar.ts_ms + shift_ms, scale) for bar in bars if bar.volume > 0]


def _bar(bar: FileBar, instrument: Instrument, open_ms: int, scale: Decimal) -> Bar:
    opening, high, low, close = (int((price * scale).to_integral_value()) for price in bar[1:5])
    volume = max(1, int((bar.volume * 10**instrument.size_decimals).to_integral_value()))
    return Bar(open_ms, opening, high, low, close, volume, volume * (high + low + close) // 3)


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _csv_rows(path: Path, text: str) -> Iterator[dict[str, object]]:
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise HistoryError(f"{path} lacks the columns {', '.join(missing)}; needed are {', '.join(COLUMNS)}")
    yield from reader


def _json_rows(path: Path, text: str) -> Iterator[dict[str, object]]:
    try:
        rows = json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        raise HistoryError(f"{path} is not valid JSON: {error}") from error
    for number, row in enumerate(rows, 1):
        if isinstance(row, dict):
            yield row
        elif isinstance(row, list) and len(row) == len(COLUMNS):
            yield dict(zip(COLUMNS, row, strict=True))
        else:
            raise HistoryError(f"row {number} of {path} is neither an object nor {len(COLUMNS)} values")


def _parse(path: Path, number: int, row: dict[str, object]) -> FileBar:
    try:
        values = [Decimal(str(row[name])) for name in COLUMNS]
    except KeyError as error:
        raise HistoryError(f"row {number} of {path} has no {error.args[0]}") from error
    except InvalidOperation as error:
        raise HistoryError(f"row {number} of {path} has a value that is not a number") from error
    if not all(value.is_finite() for value in values):
        raise HistoryError(f"row {number} of {path} has a value that is not a number")
    bar = FileBar(int(values[0]), *values[1:])
    if bar.ts_ms != values[0] or bar.ts_ms % MINUTE_MS:
        raise HistoryError(f"row {number} of {path} does not open at a full minute (ts_ms {values[0]})")
    if not 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high or bar.volume < 0:
        raise HistoryError(f"row {number} of {path} is impossible: low ≤ open, close ≤ high and volume ≥ 0 must hold")
    return bar
