"""The demo trades soon, whenever it is started; a calm practice market is traded a few times a day."""

from collections import Counter
from decimal import Decimal

import pytest

from btc_cli import demo_market
from btc_cli.backtest.film import Pace
from btc_cli.backtest.report import Report
from btc_cli.backtest.seeds import Start, first_round_trip, practise, starts
from btc_shared.codes import Side
from kucoin_sim.presets import PRESETS
from kucoin_sim.scenarios import SCENARIOS

TEN_MINUTES = 600.0
DAY_MS = 86_400_000
MIDNIGHT_MS = 1_790_035_200_000
DATES_MS = (MIDNIGHT_MS, 1_767_225_600_000, 1_835_481_540_000)
"""A midnight, a New Year, and the last minute of a leap year's February."""
CALM_SEED = 13


def _demo(start_ms: int, startup_secs: float, exploration: int | None = None) -> Start:
    return Start(
        preset=demo_market.PRESET,
        seed=demo_market.SEED,
        start_ms=start_ms,
        startup_secs=startup_secs,
        exploration=exploration,
    )


def _check(report: Report) -> None:
    assert report.totals == report.recomputed().totals
    assert report.cash == report.initial_cash + report.recomputed().cash_change
    assert not report.rejections


def test_the_demo_market_exists() -> None:
    assert demo_market.PRESET in PRESETS
    film = SCENARIOS[demo_market.FILM]
    assert (film.preset, film.seed) == (demo_market.PRESET, demo_market.SEED)


@pytest.mark.parametrize(
    "start",
    starts(demo_market.PRESET, demo_market.SEED),
    ids=lambda start: f"{start.start_ms // 1000 % 60}s-{start.startup_secs}s",
)
def test_the_demo_has_a_whole_round_trip_soon_in_every_part_of_the_minute(start: Start) -> None:
    found = first_round_trip(start, TEN_MINUTES)
    assert found is not None
    _, closed_secs, _ = found
    assert closed_secs <= 420, "it should leave a margin below ten minutes"


@pytest.mark.parametrize("date_ms", DATES_MS)
def test_the_demo_does_the_same_on_any_date(date_ms: int) -> None:
    def story(start_ms: int) -> list[tuple[int, Side, Decimal, Decimal]]:
        report = practise(_demo(start_ms, 8.0), TEN_MINUTES)
        _check(report)
        return [(trade.first_fill_at_ms - start_ms, trade.side, trade.size, trade.funds) for trade in report.trades]

    assert story(date_ms + 15_000) == story(starts("crash", 1)[0].start_ms + 15_000)


@pytest.mark.parametrize("rng_seed", [1, 2, 3])
@pytest.mark.parametrize("second", [0, 45])
def test_exploring_does_not_keep_the_demo_from_its_round_trip(second: int, rng_seed: int) -> None:
    report = practise(_demo(MIDNIGHT_MS + second * 1_000, 10.0, rng_seed), TEN_MINUTES)
    _check(report)
    assert report.round_trips


@pytest.mark.long
@pytest.mark.parametrize("startup_secs", [5.0, 9.7, 20.0])
def test_the_demo_has_a_whole_round_trip_in_every_second_of_the_minute(startup_secs: float) -> None:
    for second in range(60):
        found = first_round_trip(_demo(MIDNIGHT_MS + second * 1_000, startup_secs), TEN_MINUTES)
        assert found is not None, f"no round trip when started at second {second}"
        assert found[1] <= 420, f"late when started at second {second}"


def _calm_days(days: int) -> Counter[int]:
    """Round trips by the simulated day on which they were entered."""
    start = Start(preset="calm2022", seed=CALM_SEED, start_ms=MIDNIGHT_MS, startup_secs=10.0)
    # One picture a second: the means of imbalance differ by 0.02 from those of ten, the round trips do not.
    report = practise(start, days * 86_400.0, pace=Pace(picture_ms=1_000, levels=10))
    _check(report)
    return Counter((trip.opened_at_ms - MIDNIGHT_MS) // DAY_MS for trip in report.round_trips)


def test_a_calm_day_has_one_to_eight_round_trips() -> None:
    assert 1 <= _calm_days(1)[0] <= 8


@pytest.mark.long
def test_each_of_four_calm_days_has_one_to_eight_round_trips() -> None:
    trips = _calm_days(4)
    assert all(1 <= trips[day] <= 8 for day in range(4)), trips
