"""The page about the practice markets names every number of the presets as it is."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from kucoin_sim.presets import PRESETS, Preset

PAGE = Path(__file__).parents[3] / "docs" / "practice-market.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


@pytest.mark.parametrize(("column", "preset"), list(enumerate(PRESETS.values(), 1)), ids=PRESETS)
def test_the_page_has_every_number(column: int, preset: Preset) -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| number | crash | calm2022 |")[2].partition("\n\n")[0]
    documented = {row[1]: _numbers(row[1 + column]) for row in ROW.finditer(table)}
    actual = {}
    for field in fields(preset):
        if field.name != "name":
            value = getattr(preset, field.name)
            actual[field.name] = value if isinstance(value, tuple) else (value,)
    assert documented == actual
