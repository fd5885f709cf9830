"""The generated markets beside recorded ones: what leaves its band is known by name, and nothing else does."""

from pathlib import Path

import pytest

from kucoin_sim import real_data
from kucoin_sim.compare import (
    BEGIN,
    END,
    KNOWN,
    UNEXPLAINED,
    Real,
    compare,
    generated_figures,
    placed,
    real_figures,
    report,
)
from kucoin_sim.presets import PRESETS

PAGE = Path(__file__).parents[3] / "docs" / "practice-market.md"
QUICK = {"crash": ((201, 202, 203), 8 * 3600), "calm2022": ((201, 202), 24 * 3600)}
"""Seeds and length: six windows of four hours, and two of a day."""
EACH_PRESET = pytest.mark.parametrize("name", PRESETS)

CERTAIN = {"depth_reach_bp", "depth_size_sigma", "spread_mean_bp", "acf_gap_1"}
"""Far outside in both presets: the comparison sees a deviation where there is one."""


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> Path:
    for path in real_data.FILES:
        if not (shared_data / path).is_file():
            pytest.skip(f"no {path.name} in the recorded market data")
    return shared_data


@pytest.fixture(scope="module")
def real(recorded: Path) -> Real:
    """Of the year only each tenth day, which moves its bands by a few percent."""
    return real_figures(recorded, every_day=10)


@EACH_PRESET
def test_generated_days_are_out_of_the_ordinary_only_where_it_is_known(name: str, real: Real) -> None:
    # A few windows may lie anywhere among the real windows. The long test takes the narrow bands.
    seeds, seconds = QUICK[name]
    rows = compare(name, real, [generated_figures(name, seed, seconds) for seed in seeds], left_out=0.0)
    assert len(rows) >= 40
    outside = {row.statistic.name for row in rows if not row.inside}
    assert outside <= KNOWN[name].keys(), "new deviations: mend them, or say why not in KNOWN"
    assert outside >= CERTAIN, "no deviation any more: measure again, and take it out of KNOWN"


@EACH_PRESET
def test_the_page_names_every_known_deviation_with_its_reason(name: str) -> None:
    tables = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    table = tables[tables.index(f"| {name} |") :].partition("\n\n")[0]
    reasons = [line.split("|")[-2].strip() for line in table.splitlines()[2:]]
    assert sorted(filter(None, reasons)) == sorted(KNOWN[name].values())


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_twelve_days_leave_the_narrow_bands_where_it_is_known_and_nowhere_else(recorded: Path) -> None:
    measured = report(recorded)
    assert UNEXPLAINED not in measured
    assert measured.count("**") == 2 * sum(len(reasons) for reasons in KNOWN.values())
    page = PAGE.read_text(encoding="utf-8")
    assert placed(page, measured) == page, "the tables on the page are not what the command prints"


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the lines"):
        placed("# A page", "| table |")
