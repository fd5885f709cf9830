"""Films and recordings by name."""

import hashlib
from pathlib import Path

import pytest

from kucoin_sim import scenarios
from kucoin_sim.generated import GeneratedMarket
from kucoin_sim.library import find, recordings
from kucoin_sim.options import parse
from kucoin_sim.presets import CRASH, PRESETS
from kucoin_sim.recording import RecordingError
from kucoin_sim.scenarios import SCENARIOS, first_hour

PAGE = Path(__file__).parents[3] / "docs" / "practice-market.md"
START_MS = 1_790_000_040_000
DEMO_FILM = "eb6c355aa31ce1348d337e78d3cb1505ec5c349175b3d643af5f0a56d7d45e72"
"""History, trades and books of the first quarter of an hour. If it changes, the demo's seed must be searched anew."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_first_hour_is_as_the_catalogue_says(name: str) -> None:
    scenario = SCENARIOS[name]
    assert first_hour(scenario.preset, scenario.seed) == scenario.first_hour


def test_the_demo_plays_the_film_that_was_searched_for() -> None:
    demo = SCENARIOS["demo"]
    assert demo.preset == CRASH.name
    market = GeneratedMarket(CRASH, demo.seed, START_MS)
    digest = hashlib.sha256(repr([tuple(bar) for bar in market.history]).encode())
    for second in range(1, 901):
        trades = market.advance_to(market.begins_ms + 1000 * second)
        digest.update(repr([tuple(trade) for trade in trades]).encode())
        book = market.book(50)
        digest.update(repr((book.bids, book.asks)).encode())
    assert digest.hexdigest() == DEMO_FILM


def test_the_page_has_the_catalogue() -> None:
    assert scenarios.table() in PAGE.read_text(encoding="utf-8")


def test_no_scenario_hides_a_preset() -> None:
    assert not SCENARIOS.keys() & PRESETS.keys()


def test_a_film_by_name_brings_its_own_seed_and_a_preset_takes_the_given_one() -> None:
    rally = SCENARIOS["rally"]
    by_name = parse(["--market", "rally"], {})
    assert (by_name.market, by_name.seed) == (rally.preset, rally.seed)
    by_variable = parse([], {"KUCOIN_SIM_MARKET": "rally"})
    assert (by_variable.market, by_variable.seed) == (rally.preset, rally.seed)
    preset = parse(["--market", rally.preset, "--seed", "5"], {})
    assert (preset.market, preset.seed) == (rally.preset, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("2024-08-08.jsonl.gz", "evening.gz", "evening.old.gz", ".hidden.gz"):
        (tmp_path / name).touch()
    (tmp_path / "no recording").mkdir()
    return tmp_path


def test_a_recording_is_found_by_its_short_or_whole_name_and_by_its_path(folder: Path) -> None:
    whole = folder / "2024-08-08.jsonl.gz"
    assert find("2024-08-08", folder) == find("2024-08-08.jsonl.gz", folder) == find(str(whole), None) == whole
    environ = {"KUCOIN_SIM_RECORDINGS": str(folder), "KUCOIN_SIM_RECORDING": "2024-08-08"}
    assert parse([], environ).recording == whole


def test_recordings_that_would_share_a_name_keep_their_whole_ones(folder: Path) -> None:
    assert list(recordings(folder)) == ["2024-08-08", "evening.gz", "evening.old.gz"]
    assert find("evening.old.gz", folder) == folder / "evening.old.gz"
    with pytest.raises(RecordingError, match=r"'evening' is neither a file nor one of 2024-08-08, evening.gz, evening"):
        find("evening", folder)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--market", "bull"], "'bull' is not one of crash, calm2022, demo, selloff, flash-crash, bleed, rally, calm"),
        (["--recording", "monday"], "there is no file 'monday' (with --recordings FOLDER a name will do)"),
        (["--recordings", "/no/such/folder"], "there is no folder '/no/such/folder'"),
    ],
)
def test_an_unknown_name_is_answered_with_what_there_is(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments, {})
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err
