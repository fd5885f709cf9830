from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decision_engine.domain import QTable, TableRefusedError, empty_table, table_from_json, table_to_json, table_version
from decision_engine.domain.qtable import CELLS


def _random_table(seed: int, episodes: int = 3) -> QTable:
    rng = np.random.default_rng(seed)
    return QTable(
        buy_value_bp=rng.normal(0, 30, CELLS),
        buy_visits=rng.integers(0, 1000, CELLS),
        hold_value_bp=rng.normal(0, 30, CELLS),
        hold_visits=rng.integers(0, 1000, CELLS),
        episodes=episodes,
        total_reward_bp=float(rng.normal(0, 100)),
        last_round_trip=int(rng.integers(0, 1000)),
        origin="2022",
    )


@given(st.integers(0, 2**32 - 1))
def test_a_stored_table_reads_as_it_was(seed: int) -> None:
    table = _random_table(seed)
    text = msgspec.json.encode(table_to_json(table))
    again = table_from_json(msgspec.json.decode(text))
    for name in QTable.__slots__:
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name), err_msg=name)
    assert table_version(again) == table_version(table)


def test_the_version_names_the_content() -> None:
    assert table_version(_random_table(1)) == table_version(_random_table(1))
    assert len({table_version(table) for table in (empty_table(), _random_table(1), _random_table(1, 4))}) == 3


def test_a_table_without_anything_learned_can_be_stored() -> None:
    assert table_version(table_from_json(table_to_json(empty_table()))) == table_version(empty_table())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "q-table-0"}, "its schema is 'q-table-0', this version reads 'q-table-1'"),
        ({"edges": {"rsi": [30.0, 50.0, 60.0, 70.0]}}, "its state edges are"),
        ({"buy_value_bp": [0.0] * 100}, "length >= 625"),
        ({"hold_visits": [0] * (CELLS + 1)}, "length <= 625"),
        ({"buy_visits": [-1] + [0] * (CELLS - 1)}, ">= 0"),
        ({"hold_value_bp": ["much"] + [0] * (CELLS - 1)}, "Expected `float`"),
        ({"hold_value_bp": [None] + [0] * (CELLS - 1)}, "Expected `float`"),
        ({"hold_value_bp": [float("nan")] + [0.0] * (CELLS - 1)}, "not finite"),
        ({"total_reward_bp": float("inf")}, "not finite"),
        ({"surprise": 1}, "unknown field `surprise`"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_the_remedy(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(TableRefusedError) as refusal:
        table_from_json(table_to_json(empty_table()) | changes)
    assert reason in str(refusal.value)
    assert "DELETE FROM q_tables" in str(refusal.value)


@pytest.mark.parametrize("content", [None, [], "q-table-1", {}])
def test_what_is_no_table_is_refused(content: object) -> None:
    with pytest.raises(TableRefusedError, match="its schema is"):
        table_from_json(content)


def test_a_table_with_a_missing_part_is_refused() -> None:
    content = table_to_json(empty_table())
    del content["buy_visits"]
    with pytest.raises(TableRefusedError, match="missing required field `buy_visits`"):
        table_from_json(content)


def test_edges_of_one_indicator_more_are_refused() -> None:
    content = table_to_json(empty_table())
    content["edges"] = content["edges"] | {"volume_ratio": (1.0, 2.0, 3.0, 4.0)}
    with pytest.raises(TableRefusedError, match="its state edges are"):
        table_from_json(content)
