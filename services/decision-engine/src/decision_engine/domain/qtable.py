"""The Q table: which market states it knows, what it learned about them, and how it is stored.

A state is a cell (RSI, momentum, volatility and trend, each in a fifth of what 2022 showed) and flat or long.
Flat, only BUY has a value to learn (HOLD is 0); long, only HOLD has one (SELL is 0). So the table is two arrays.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from decision_engine.domain.indicators import Indicators
from decision_engine.domain.smoothing import FloatArray

IntArray = NDArray[np.int64]

STATE_EDGES: dict[str, tuple[float, ...]] = {
    "rsi": (40.9, 47.2, 52.9, 59.0),
    "momentum": (-0.140, -0.035, 0.036, 0.138),
    "volatility": (0.0345, 0.049, 0.066, 0.095),
    "trend": (-0.091, -0.023, 0.023, 0.089),
}
"""Quintiles of the 1-minute bars of 2022, in the indicators' units. A value on an edge belongs to the upper part."""

STATE_FIELDS = tuple(STATE_EDGES)
CELLS = 5 ** len(STATE_EDGES)
SCHEMA = "q-table-1"

_REMEDY = "to begin with an empty one, remove its row from the table q_tables (DELETE FROM q_tables WHERE symbol = …)"


class TableRefusedError(ValueError):
    """A stored table does not fit this version; the message says why and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Q table refused: {reason}; {_REMEDY}")


@dataclass(frozen=True, slots=True, eq=False)
class QTable:
    """What was learned. The arrays have shape (CELLS,) and cannot be written to."""

    buy_value_bp: FloatArray
    """Q(flat, BUY): net result of entering here, in bp of the stake."""
    buy_visits: IntArray
    hold_value_bp: FloatArray
    """Q(long, HOLD): what holding on from here gained over selling here, in bp of the stake."""
    hold_visits: IntArray
    episodes: int = 0
    """Round trips learned from, replayed ones included."""
    total_reward_bp: float = 0.0
    """Sum of their net results, in bp of their stakes."""
    last_round_trip: int = 0
    """Number of the last round trip of the ledger that was learned; 0 before the first."""
    origin: str = ""
    """Where a trained table comes from: period, hash of the data, out-of-sample result."""

    def __post_init__(self) -> None:
        for array in (self.buy_value_bp, self.buy_visits, self.hold_value_bp, self.hold_visits):
            array.setflags(write=False)


def empty_table() -> QTable:
    """A table that has seen nothing: it votes 0 everywhere."""
    return QTable(np.zeros(CELLS), np.zeros(CELLS, np.int64), np.zeros(CELLS), np.zeros(CELLS, np.int64))


def cells_of(*, rsi: ArrayLike, momentum: ArrayLike, volatility: ArrayLike, trend: ArrayLike) -> IntArray:
    """The cell, 0 to CELLS − 1, of each bar; arguments as in `Indicators`, of one shape. −1 where one is NaN."""
    values = {"rsi": rsi, "momentum": momentum, "volatility": volatility, "trend": trend}
    cells = np.zeros(np.shape(rsi), np.int64)
    missing = np.zeros(np.shape(rsi), np.bool_)
    for name, edges in STATE_EDGES.items():
        column = np.round(np.asarray(values[name], np.float64), 9)
        cells = cells * 5 + np.searchsorted(edges, column, side="right")
        missing |= np.isnan(column)
    return np.where(missing, -1, cells)


def cell_of(indicators: Indicators) -> int | None:
    """The cell of one bar; None if one of its four indicators is missing."""
    values = {name: getattr(indicators, name) for name in STATE_FIELDS}
    if any(value is None for value in values.values()):
        return None
    return int(cells_of(**values))


_Values = Annotated[list[float], msgspec.Meta(min_length=CELLS, max_length=CELLS)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Visits = Annotated[list[_Count], msgspec.Meta(min_length=CELLS, max_length=CELLS)]


class _StoredTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema: str
    edges: dict[str, tuple[float, ...]]
    buy_value_bp: _Values
    buy_visits: _Visits
    hold_value_bp: _Values
    hold_visits: _Visits
    episodes: _Count
    total_reward_bp: float
    last_round_trip: _Count
    origin: str


def table_to_json(table: QTable) -> dict[str, Any]:
    """The table as what JSON knows: lists, numbers and text, for a JSONB column or a file."""
    stored = _StoredTable(
        schema=SCHEMA,
        edges=STATE_EDGES,
        buy_value_bp=table.buy_value_bp.tolist(),
        buy_visits=table.buy_visits.tolist(),
        hold_value_bp=table.hold_value_bp.tolist(),
        hold_visits=table.hold_visits.tolist(),
        episodes=table.episodes,
        total_reward_bp=table.total_reward_bp,
        last_round_trip=table.last_round_trip,
        origin=table.origin,
    )
    content: dict[str, Any] = msgspec.to_builtins(stored)
    return content


def table_from_json(content: object) -> QTable:
    """Read what `table_to_json` wrote.

    Raises:
        TableRefusedError: if it is damaged, or its schema or its states are not this version's.
    """
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else content
        raise TableRefusedError(f"its schema is {found!r}, this version reads {SCHEMA!r}")
    try:
        table = msgspec.convert(content, _StoredTable)
    except msgspec.ValidationError as error:
        raise TableRefusedError(f"it is damaged ({error})") from error
    if table.edges != STATE_EDGES:
        raise TableRefusedError(f"its state edges are {table.edges}, this version's are {STATE_EDGES}")
    if not np.isfinite([*table.buy_value_bp, *table.hold_value_bp, table.total_reward_bp]).all():
        raise TableRefusedError("it is damaged (a value is not finite)")
    return QTable(
        buy_value_bp=np.array(table.buy_value_bp, np.float64),
        buy_visits=np.array(table.buy_visits, np.int64),
        hold_value_bp=np.array(table.hold_value_bp, np.float64),
        hold_visits=np.array(table.hold_visits, np.int64),
        episodes=table.episodes,
        total_reward_bp=table.total_reward_bp,
        last_round_trip=table.last_round_trip,
        origin=table.origin,
    )


def table_version(table: QTable) -> str:
    """12 hexadecimal digits that name the content, to be stored with every decision made on it."""
    return hashlib.sha256(msgspec.json.encode(table_to_json(table))).hexdigest()[:12]
