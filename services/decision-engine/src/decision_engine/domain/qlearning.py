"""The learning strategy: what it votes, how it explores, what a closed round trip teaches it."""

from collections.abc import Iterable
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from btc_shared.codes import Mode, Strategy
from decision_engine.domain.market_view import Inputs
from decision_engine.domain.qtable import CELLS, STATE_FIELDS, QTable, cell_of
from decision_engine.domain.smoothing import FloatArray
from decision_engine.domain.strategies import Vote, missing_problem, rounded

if TYPE_CHECKING:
    from btc_shared.settings import EngineSettings


class LongBar(msgspec.Struct, frozen=True, array_like=True):
    """A final bar at whose close the position was open: entry's first fill ≤ the bar's close < last exit's fill."""

    cell: int | None
    """The bar's `cell_of`; None (an indicator was missing) teaches nothing."""
    sold_here_bp: float
    """`sale_result_bp` of selling all that was still held at the best bid when the bar closed."""


class RoundTripLesson(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be learned from one closed round trip.

    Results are net of all fees, in bp of the stake; the stake is the cost of the entry's fills without their
    fees, as in the ledger's `net_bp`. Partial and protective exits count like any other.
    """

    number: int | None
    """The round trip's row number in the ledger, from 1, which grows in the order of closing. None for replayed
    history, which may be learned again and again."""
    entry_cell: int | None
    """Cell of the last final bar when the entry was decided."""
    long_bars: tuple[LongBar, ...]
    """Oldest first."""
    close_cell: int | None
    """Cell of the last final bar when the last exit filled."""
    net_result_bp: float
    """Of all exits together: the ledger's `net_bp`, or `sale_result_bp` with nothing left open."""


def sale_result_bp(
    *,
    entry_cost: Decimal,
    entry_fee: Decimal,
    proceeds: Decimal,
    open_size: Decimal,
    bid: Decimal,
    taker_fee: Decimal,
) -> float:
    """Net result in bp of the stake if what is open were sold at the bid.

    Args:
        entry_cost: cost of the entry's fills without fees, USDT: the stake.
        entry_fee: their fees, USDT.
        proceeds: what the exits so far brought, less their fees, USDT.
        open_size: BTC still held.
        bid: price of the sale, USDT.
        taker_fee: a fraction.

    Raises:
        ValueError: if the entry's cost is not positive.
    """
    if entry_cost <= 0:
        raise ValueError(f"entry_cost is {entry_cost} USDT: must be above 0")
    net = proceeds + open_size * bid * (1 - taker_fee) - entry_cost - entry_fee
    return float(net / entry_cost * 10_000)


def q_scores(table: QTable, settings: "EngineSettings") -> tuple[FloatArray, FloatArray]:
    """The vote of every cell, shape (CELLS,), when flat (0 to +1) and when long (−1 to 0).

    A cell visited less than `q_min_visits` times votes 0.
    """
    scale = settings.q_scale_bp
    flat = np.clip(table.buy_value_bp / scale, 0, 1) * (table.buy_visits >= settings.q_min_visits)
    long = np.clip(table.hold_value_bp / scale, -1, 0) * (table.hold_visits >= settings.q_min_visits)
    return rounded(flat), rounded(long)


def vote_qlearning(
    inputs: Inputs, settings: "EngineSettings", table: QTable, explore_draw: float | None = None
) -> Vote:
    """The table's vote on the last final bar; abstains if the bar is stale or one of the state's indicators missing.

    Flat it can only favour BUY, long only SELL. With `explore_draw` below `q_exploration` the vote is random
    instead: to act for the lower half of those draws, not to act for the upper. Never in LIVE, whatever is drawn.

    Args:
        explore_draw: a number drawn uniformly from [0, 1); None: do not explore. Draw once a bar, not once a
            decision: a random vote that does not outlast `confirm_secs` leads to no trade and teaches nothing.

    Raises:
        ValueError: if the draw is not in [0, 1).
    """
    if explore_draw is not None and not 0 <= explore_draw < 1:
        raise ValueError(f"explore_draw is {explore_draw}: must be in [0, 1)")
    problem = inputs.bar_problem or missing_problem(inputs.indicators, STATE_FIELDS)
    cell = cell_of(inputs.indicators)
    if problem or cell is None:
        return Vote(strategy=Strategy.QLEARNING, score=None, reason=problem or "missing state")
    rate = settings.q_exploration
    if explore_draw is not None and explore_draw < rate and inputs.mode is not Mode.LIVE:
        acts = explore_draw < rate / 2
        return Vote(
            strategy=Strategy.QLEARNING,
            score=(-1.0 if inputs.is_long else 1.0) if acts else 0.0,
            reason=f"exploring in cell {cell}: random vote to {_action(inputs.is_long) if acts else 'HOLD'}",
            explored=True,
        )
    flat_scores, long_scores = q_scores(table, settings)
    values, visits = (
        (table.hold_value_bp, table.hold_visits) if inputs.is_long else (table.buy_value_bp, table.buy_visits)
    )
    reason = (
        f"cell {cell}: {'HOLD' if inputs.is_long else 'BUY'} was worth {values[cell]:+.1f} bp in {visits[cell]} visits"
    )
    if visits[cell] < settings.q_min_visits:
        reason += f" ({settings.q_min_visits} needed)"
    return Vote(
        strategy=Strategy.QLEARNING,
        score=float((long_scores if inputs.is_long else flat_scores)[cell]),
        reason=reason,
    )


def learn(table: QTable, lessons: Iterable[RoundTripLesson], settings: "EngineSettings") -> QTable:
    """The table after the lessons, taken in order; the given one stays as it is.

    With Q the value before the lesson: Q(entry, BUY) moves by α·(R + γ·max(0, Q(close, BUY)) − Q), R being the
    net result in bp. Then, for each long bar, Q(bar, HOLD) moves by α·(R − selling at that bar − Q). Each move is
    a visit. A round trip whose number is not above `last_round_trip` was learned already and is skipped.

    Raises:
        ValueError: if a cell does not exist or a result is not finite; nothing is learned then.
    """
    buy_value, hold_value = table.buy_value_bp.tolist(), table.hold_value_bp.tolist()
    buy_visits, hold_visits = table.buy_visits.tolist(), table.hold_visits.tolist()
    episodes, total_bp, last_number = table.episodes, table.total_reward_bp, table.last_round_trip
    alpha, gamma = settings.q_learning_rate, settings.q_discount
    for lesson in lessons:
        if lesson.number is not None:
            if lesson.number <= last_number:
                continue
            last_number = lesson.number
        _refuse_bad(lesson)
        result = lesson.net_result_bp
        if lesson.entry_cell is not None:
            later = 0.0 if lesson.close_cell is None else max(0.0, buy_value[lesson.close_cell])
            buy_value[lesson.entry_cell] += alpha * (result + gamma * later - buy_value[lesson.entry_cell])
            buy_visits[lesson.entry_cell] += 1
        for bar in lesson.long_bars:
            if bar.cell is not None:
                hold_value[bar.cell] += alpha * (result - bar.sold_here_bp - hold_value[bar.cell])
                hold_visits[bar.cell] += 1
        episodes += 1
        total_bp += result
    return QTable(
        buy_value_bp=np.array(buy_value, np.float64),
        buy_visits=np.array(buy_visits, np.int64),
        hold_value_bp=np.array(hold_value, np.float64),
        hold_visits=np.array(hold_visits, np.int64),
        episodes=episodes,
        total_reward_bp=total_bp,
        last_round_trip=last_number,
        origin=table.origin,
    )


def _action(is_long: bool) -> str:
    return "SELL" if is_long else "BUY"


def _refuse_bad(lesson: RoundTripLesson) -> None:
    name = "replayed round trip" if lesson.number is None else f"round trip {lesson.number}"
    cells = (lesson.entry_cell, lesson.close_cell, *(bar.cell for bar in lesson.long_bars))
    for cell in cells:
        if cell is not None and not 0 <= cell < CELLS:
            raise ValueError(f"{name} names cell {cell}: cells are 0 to {CELLS - 1}")
    if not isfinite(lesson.net_result_bp) or not all(isfinite(bar.sold_here_bp) for bar in lesson.long_bars):
        raise ValueError(f"{name} has a result that is not finite")
