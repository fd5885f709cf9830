import random
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from btc_shared.codes import Mode
from btc_shared.settings import EngineSettings
from decision_engine.domain import (
    Indicators,
    LongBar,
    QTable,
    RoundTripLesson,
    cell_of,
    cells_of,
    empty_table,
    learn,
    q_scores,
    sale_result_bp,
)
from decision_engine.domain.qlearning import vote_qlearning
from decision_engine.domain.qtable import CELLS

from .conftest import MakeInputs

MIDDLE = 2 * 125 + 2 * 25 + 2 * 5 + 2  # every indicator in its third fifth
MIDDLE_INDICATORS: dict[str, float | None] = {"rsi": 50.0, "momentum": 0.0, "volatility": 0.055, "trend": 0.0}


def _table(*, buy: float = 0.0, hold: float = 0.0, visits: int = 30, cell: int = MIDDLE) -> QTable:
    values = np.zeros((2, CELLS))
    counts = np.zeros((2, CELLS), np.int64)
    values[:, cell] = buy, hold
    counts[:, cell] = visits
    return QTable(values[0], counts[0], values[1], counts[1])


def _lesson(
    net_result_bp: float,
    *,
    number: int | None = None,
    entry: int | None = 7,
    bars: tuple[LongBar, ...] = (),
    close: int | None = 9,
) -> RoundTripLesson:
    return RoundTripLesson(
        number=number, entry_cell=entry, long_bars=bars, close_cell=close, net_result_bp=net_result_bp
    )


# --- states


@pytest.mark.parametrize(
    ("rsi", "momentum", "volatility", "trend", "cell"),
    [
        (0.0, -9.0, 0.0, -1.0, 0),
        (100.0, 9.0, 1.0, 1.0, CELLS - 1),
        (50.0, 0.0, 0.055, 0.0, MIDDLE),
        (40.8999, -9.0, 0.0, -1.0, 0),
        (40.9, -9.0, 0.0, -1.0, 125),  # an edge belongs to the upper part
        (40.9 - 1e-12, -9.0, 0.0, -1.0, 125),  # and so does what only floats keep below it
        (47.2, -9.0, 0.0, -1.0, 250),
        (52.9, -9.0, 0.0, -1.0, 375),
        (59.0, -9.0, 0.0, -1.0, 500),
        (0.0, -0.14, 0.0, -1.0, 25),
        (0.0, 0.138, 0.0, -1.0, 100),
        (0.0, -9.0, 0.0345, -1.0, 5),
        (0.0, -9.0, 0.095, -1.0, 20),
        (0.0, -9.0, 0.0, -0.091, 1),
        (0.0, -9.0, 0.0, 0.089, 4),
    ],
)
def test_a_state_is_the_fifths_of_its_indicators(
    rsi: float, momentum: float, volatility: float, trend: float, cell: int
) -> None:
    assert cell_of(Indicators(rsi=rsi, momentum=momentum, volatility=volatility, trend=trend)) == cell


def test_states_of_an_array_are_those_of_its_bars() -> None:
    rng = np.random.default_rng(3)
    values = {name: rng.normal(0, 0.2, 200) for name in ("momentum", "trend")}
    values |= {"rsi": rng.uniform(20, 80, 200), "volatility": rng.uniform(0, 0.2, 200)}
    values["trend"][5] = np.nan
    cells = cells_of(**values)
    assert cells[5] == -1
    for bar in range(200):
        row = {name: None if np.isnan(column[bar]) else float(column[bar]) for name, column in values.items()}
        assert cell_of(Indicators(**row)) == (None if cells[bar] == -1 else cells[bar])


# --- votes


@pytest.mark.parametrize(
    ("is_long", "buy", "hold", "visits", "score"),
    [
        (False, 10.0, 0.0, 30, 0.5),
        (False, 55.0, 0.0, 30, 1.0),
        (False, -10.0, 0.0, 30, 0.0),
        (False, 10.0, 0.0, 29, 0.0),
        (False, 10.0, -10.0, 30, 0.5),
        (True, 0.0, -5.0, 30, -0.25),
        (True, 0.0, -99.0, 30, -1.0),
        (True, 0.0, 12.0, 30, 0.0),
        (True, 0.0, -5.0, 29, 0.0),
        (True, 20.0, 0.0, 30, 0.0),
    ],
)
def test_the_vote_is_the_value_on_a_scale_of_20_bp(
    is_long: bool,
    buy: float,
    hold: float,
    visits: int,
    score: float,
    make_inputs: MakeInputs,
    settings: EngineSettings,
) -> None:
    table = _table(buy=buy, hold=hold, visits=visits)
    vote = vote_qlearning(make_inputs(is_long=is_long, indicators=MIDDLE_INDICATORS), settings, table)
    assert vote.score == score
    assert q_scores(table, settings)[int(is_long)][MIDDLE] == score
    assert not vote.explored


def test_an_empty_table_votes_0_and_does_not_abstain(make_inputs: MakeInputs, settings: EngineSettings) -> None:
    vote = vote_qlearning(make_inputs(indicators=MIDDLE_INDICATORS), settings, empty_table())
    assert (vote.score, vote.reason) == (0.0, f"cell {MIDDLE}: BUY was worth +0.0 bp in 0 visits (30 needed)")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bar_age_secs": 121.0}, "newest final bar is 121.0 s old (limit 120 s)"),
        ({"indicators": {"rsi": None, "trend": None}}, "missing: rsi, trend"),
    ],
)
@pytest.mark.parametrize("draw", [None, 0.0])
def test_without_a_state_it_abstains(
    changes: dict[str, Any], reason: str, draw: float | None, make_inputs: MakeInputs, settings: EngineSettings
) -> None:
    vote = vote_qlearning(make_inputs(**changes), settings, empty_table(), draw)
    assert (vote.score, vote.reason, vote.explored) == (None, reason, False)


# --- exploration


@pytest.mark.parametrize(
    ("draw", "is_long", "score", "explored"),
    [
        (0.0, False, 1.0, True),
        (0.0249, False, 1.0, True),
        (0.025, False, 0.0, True),
        (0.0499, False, 0.0, True),
        (0.05, False, 0.5, False),
        (None, False, 0.5, False),
        (0.0, True, -1.0, True),
        (0.03, True, 0.0, True),
        (0.9, True, -0.25, False),
    ],
)
def test_a_low_draw_makes_the_vote_random_among_the_allowed_actions(
    draw: float | None, is_long: bool, score: float, explored: bool, make_inputs: MakeInputs, settings: EngineSettings
) -> None:
    inputs = make_inputs(is_long=is_long, indicators=MIDDLE_INDICATORS)
    vote = vote_qlearning(inputs, settings, _table(buy=10, hold=-5), draw)
    assert (vote.score, vote.explored) == (score, explored)


def test_live_never_explores(make_inputs: MakeInputs, settings: EngineSettings) -> None:
    inputs = make_inputs(mode=Mode.LIVE, indicators=MIDDLE_INDICATORS)
    for draw in np.linspace(0, 0.999, 500):
        vote = vote_qlearning(inputs, settings, _table(buy=10), float(draw))
        assert (vote.score, vote.explored) == (0.5, False)


def test_draws_of_a_seeded_generator_explore_at_the_set_rate(make_inputs: MakeInputs, settings: EngineSettings) -> None:
    rng = random.Random(4)
    inputs = make_inputs(indicators=MIDDLE_INDICATORS)
    votes = [vote_qlearning(inputs, settings, empty_table(), rng.random()) for _ in range(4_000)]
    explored = [vote.score for vote in votes if vote.explored]
    assert len(explored) / len(votes) == pytest.approx(0.05, abs=0.01)
    assert sum(score or 0 for score in explored) / len(explored) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("draw", [-0.1, 1.0, float("nan")])
def test_a_draw_must_be_a_share(draw: float, make_inputs: MakeInputs, settings: EngineSettings) -> None:
    with pytest.raises(ValueError, match="must be in"):
        vote_qlearning(make_inputs(), settings, empty_table(), draw)


# --- learning


def test_a_round_trip_teaches_the_entrys_state(settings: EngineSettings) -> None:
    table = learn(empty_table(), [_lesson(40.0)], settings)
    assert table.buy_value_bp[7] == pytest.approx(4.0)  # 0.1 · (40 + 0.95·0 − 0)
    assert table.buy_visits[7] == 1
    table = learn(table, [_lesson(-20.0, entry=7, close=7)], settings)
    assert table.buy_value_bp[7] == pytest.approx(1.98)  # 4 + 0.1 · (−20 + 0.95·4 − 4)
    assert (table.episodes, table.total_reward_bp) == (2, 20.0)
    assert table.buy_value_bp.sum() == table.buy_value_bp[7]


def test_what_follows_counts_only_if_it_would_be_bought(settings: EngineSettings) -> None:
    good, bad = _table(buy=100.0, cell=9), _table(buy=-100.0, cell=9)
    assert learn(good, [_lesson(10.0)], settings).buy_value_bp[7] == pytest.approx(10.5)  # 0.1 · (10 + 95)
    assert learn(bad, [_lesson(10.0)], settings).buy_value_bp[7] == pytest.approx(1.0)
    assert learn(good, [_lesson(10.0, close=None)], settings).buy_value_bp[7] == pytest.approx(1.0)


def test_each_long_bar_teaches_what_holding_on_gained(settings: EngineSettings) -> None:
    bars = (LongBar(3, -12.0), LongBar(4, 30.0), LongBar(3, 8.0), LongBar(None, 500.0))
    table = learn(empty_table(), [_lesson(18.0, bars=bars)], settings)
    assert table.hold_value_bp[3] == pytest.approx(3.7)  # 0.1·30 = 3, then 3 + 0.1·(10 − 3)
    assert table.hold_value_bp[4] == pytest.approx(-1.2)
    assert (table.hold_visits[3], table.hold_visits[4], table.hold_visits.sum()) == (2, 1, 3)


def test_an_entry_without_a_state_still_teaches_its_bars(settings: EngineSettings) -> None:
    table = learn(empty_table(), [_lesson(18.0, entry=None, bars=(LongBar(3, 8.0),))], settings)
    assert (table.buy_visits.sum(), table.hold_visits.sum(), table.episodes) == (0, 1, 1)


def test_a_trade_teaches_once(settings: EngineSettings) -> None:
    first, second = _lesson(40.0, number=11), _lesson(-5.0, number=12)
    once = learn(empty_table(), [first, second], settings)
    again = learn(once, [first, second], settings)
    assert (once.last_round_trip, once.episodes) == (12, 2)
    assert (again.last_round_trip, again.episodes) == (12, 2)
    np.testing.assert_array_equal(again.buy_value_bp, once.buy_value_bp)
    np.testing.assert_array_equal(again.buy_visits, once.buy_visits)


def test_replayed_history_may_teach_again_and_moves_no_number(settings: EngineSettings) -> None:
    table = learn(empty_table(), [_lesson(1.0), _lesson(1.0)], settings)
    assert (table.episodes, table.last_round_trip) == (2, 0)


def test_learning_leaves_the_given_table_alone(settings: EngineSettings) -> None:
    table = empty_table()
    learned = learn(table, [_lesson(40.0, bars=(LongBar(3, 8.0),))], settings)
    assert (table.buy_visits.sum(), table.hold_visits.sum(), table.episodes) == (0, 0, 0)
    with pytest.raises(ValueError, match="read-only"):
        learned.buy_value_bp[0] = 1.0


def test_thirty_good_round_trips_make_it_vote_for_an_entry(make_inputs: MakeInputs, settings: EngineSettings) -> None:
    lessons = [_lesson(25.0, number=number, entry=MIDDLE, close=None) for number in range(1, 31)]
    inputs = make_inputs(indicators=MIDDLE_INDICATORS)
    assert vote_qlearning(inputs, settings, learn(empty_table(), lessons[:29], settings)).score == 0.0
    assert vote_qlearning(inputs, settings, learn(empty_table(), lessons, settings)).score == 1.0


@pytest.mark.parametrize(
    ("lesson", "message"),
    [
        (_lesson(1.0, number=5, entry=CELLS), "round trip 5 names cell 625: cells are 0 to 624"),
        (_lesson(1.0, bars=(LongBar(-1, 0.0),)), "replayed round trip names cell -1"),
        (_lesson(float("nan")), "not finite"),
        (_lesson(1.0, bars=(LongBar(1, float("inf")),)), "not finite"),
    ],
)
def test_an_impossible_lesson_is_refused(lesson: RoundTripLesson, message: str, settings: EngineSettings) -> None:
    with pytest.raises(ValueError, match=message):
        learn(empty_table(), [lesson], settings)


# --- results


def test_the_result_of_a_sale_is_net_of_all_fees() -> None:
    # Bought 0.01 BTC at 20,000 (200 USDT + 0.2 fee), sold half at 20,300 (101.5 − 0.1015 fee); 0.005 left at 20,100.
    result = sale_result_bp(
        entry_cost=Decimal(200),
        entry_fee=Decimal("0.2"),
        proceeds=Decimal("101.3985"),
        open_size=Decimal("0.005"),
        bid=Decimal(20_100),
        taker_fee=Decimal("0.001"),
    )
    assert result == pytest.approx((101.3985 + 100.3995 - 200.2) / 200 * 10_000)


def test_the_result_needs_a_stake() -> None:
    zero = Decimal(0)
    with pytest.raises(ValueError, match="entry_cost is 0 USDT"):
        sale_result_bp(entry_cost=zero, entry_fee=zero, proceeds=zero, open_size=zero, bid=zero, taker_fee=zero)
