import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import Action
from decision_engine.domain import Confirmation, confirm

BUY, SELL, HOLD = Action.BUY, Action.SELL, Action.HOLD


def _sent(
    decisions: list[tuple[float, Action]],
    *,
    is_long: bool = False,
    confirm_secs: float = 30,
    max_gap_secs: float = 15,
) -> list[float]:
    """Times in seconds at which a signal was sent."""
    state: Confirmation | None = None
    times = []
    for at_secs, action in decisions:
        state, send = confirm(
            state,
            action=action,
            is_long=is_long,
            at_ms=round(at_secs * 1000),
            confirm_secs=confirm_secs,
            max_gap_secs=max_gap_secs,
        )
        if send:
            times.append(at_secs)
    return times


def _every_5_secs(actions: list[Action]) -> list[tuple[float, Action]]:
    return [(5.0 * number, action) for number, action in enumerate(actions)]


def test_a_signal_is_sent_once_its_condition_has_held() -> None:
    assert _sent(_every_5_secs([BUY] * 7)) == [30]
    assert _sent(_every_5_secs([BUY] * 6)) == []


def test_a_condition_that_goes_on_is_sent_again_after_the_same_wait() -> None:
    assert _sent(_every_5_secs([BUY] * 20)) == [30, 60, 90]


@pytest.mark.parametrize("interruption", [HOLD, SELL])
def test_an_interruption_begins_the_wait_anew(interruption: Action) -> None:
    assert _sent(_every_5_secs([BUY] * 6 + [interruption] + [BUY] * 7)) == [65]


def test_only_what_the_position_allows_is_a_condition() -> None:
    assert _sent(_every_5_secs([SELL] * 20)) == []
    assert _sent(_every_5_secs([BUY] * 20), is_long=True) == []
    assert _sent(_every_5_secs([SELL] * 7), is_long=True) == [30]


def test_becoming_long_ends_a_buy() -> None:
    arguments = {"confirm_secs": 30.0, "max_gap_secs": 15.0}
    state, send = confirm(None, action=BUY, is_long=False, at_ms=0, **arguments)
    assert (state, send) == (Confirmation(action=BUY, since_ms=0, seen_ms=0), False)
    assert confirm(state, action=BUY, is_long=True, at_ms=5_000, **arguments) == (None, False)


def test_the_wait_for_a_buy_is_not_the_wait_for_a_sell() -> None:
    state = Confirmation(action=BUY, since_ms=0, seen_ms=25_000)
    state_after, send = confirm(state, action=SELL, is_long=True, at_ms=30_000, confirm_secs=30, max_gap_secs=15)
    assert (state_after, send) == (Confirmation(action=SELL, since_ms=30_000, seen_ms=30_000), False)


def test_a_pause_between_decisions_proves_nothing() -> None:
    assert _sent([(0, BUY), (5, BUY), (40, BUY), (45, BUY)]) == []
    assert _sent([(0, BUY), (15, BUY), (30, BUY)]) == [30]


def test_a_clock_that_goes_back_begins_anew() -> None:
    assert _sent([(100, BUY), (50, BUY), (60, BUY), (70, BUY), (80, BUY)]) == [80]


def test_bars_alone_are_confirmed_by_the_next_bar() -> None:
    assert _sent([(0, BUY), (60, BUY)], max_gap_secs=90) == [60]
    assert _sent([(0, BUY), (60, HOLD), (120, BUY)], max_gap_secs=90) == []


def test_without_a_wait_every_decision_is_sent() -> None:
    assert _sent(_every_5_secs([BUY, BUY, HOLD, BUY]), confirm_secs=0) == [0, 5, 15]


@given(
    st.lists(st.tuples(st.sampled_from(list(Action)), st.integers(0, 20_000)), max_size=60),
    st.booleans(),
    st.floats(0.001, 60),
)
def test_before_each_signal_the_condition_held_without_a_break(
    steps: list[tuple[Action, int]], is_long: bool, confirm_secs: float
) -> None:
    wanted = SELL if is_long else BUY
    state: Confirmation | None = None
    held_since: int | None = None
    previous_ms = at_ms = 0
    for action, step_ms in steps:
        at_ms += step_ms
        state, send = confirm(
            state, action=action, is_long=is_long, at_ms=at_ms, confirm_secs=confirm_secs, max_gap_secs=15
        )
        if action is not wanted:
            held_since = None
        elif held_since is None or at_ms - previous_ms > 15_000:
            held_since = at_ms
        previous_ms = at_ms
        held = held_since is not None and at_ms - held_since >= confirm_secs * 1000
        assert send is held
        if send:
            held_since = at_ms
