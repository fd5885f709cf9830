"""The protective exits: thresholds, their order, and what is remembered."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from btc_shared.codes import ExitReason, Side
from btc_shared.records import SymbolRules
from btc_shared.settings import RiskSettings
from executor.domain.exits import Judgement, judge, needs_confirmation, retry_alerts, retry_delay_ms
from executor.domain.position import Fill, Position, add_entry_fill, open_position, reduce_position

D = Decimal
RULES = SymbolRules(
    symbol="BTC-USDT",
    base_currency="BTC",
    quote_currency="USDT",
    base_increment=D("0.00000001"),
    quote_increment=D("0.000001"),
    price_increment=D("0.1"),
    base_min_size=D("0.00001"),
    quote_min_size=D("0.1"),
    min_funds=D("0.1"),
)
SETTINGS = RiskSettings()


def fill(price: Decimal, size: Decimal, side: Side = Side.BUY, number: int = 1) -> Fill:
    funds = price * size
    return Fill(
        fill_id=str(number),
        intent_id=f"order-{side}",
        symbol="BTC-USDT",
        side=side,
        price=price,
        size=size,
        funds=funds,
        fee_quote=funds * D("0.001"),
        fee=funds * D("0.001"),
        fee_currency="USDT",
        time_ms=1_700_000_000_000 + number,
    )


def position(entry: str = "100000", size: str = "0.01", **changes: Any) -> Position:
    return msgspec.structs.replace(open_position(fill(D(entry), D(size)), "trip"), **changes)


def reason(judgement: Judgement) -> ExitReason | None:
    return judgement.exit.reason if judgement.exit else None


def run(start: Position, *bids: str, settings: RiskSettings = SETTINGS) -> Judgement:
    judgement = Judgement(position=start, exit=None)
    for bid in bids:
        judgement = judge(judgement.position, D(bid), RULES, settings)
    return judgement


prices = st.decimals(min_value="1000", max_value="200000", places=1)
sizes = st.decimals(min_value="0.001", max_value="2", places=8)
positions = st.builds(
    lambda entry, size, high, armed, done: msgspec.structs.replace(
        open_position(fill(entry, size), "trip"), high_bid=high, armed=armed, partial_done=done
    ),
    prices,
    sizes,
    st.just(D(0)) | prices,
    st.booleans(),
    st.booleans(),
)


# --- thresholds: exactly at, one price increment before ---


@pytest.mark.parametrize(
    ("bid", "expected"),
    [
        ("98000.1", None),
        ("98000", ExitReason.STOP_LOSS),
        ("97000", ExitReason.STOP_LOSS),
        ("101499.9", None),
        ("101500", ExitReason.PARTIAL_EXIT),
        ("102999.9", ExitReason.PARTIAL_EXIT),
        ("103000", ExitReason.TAKE_PROFIT),
        ("150000", ExitReason.TAKE_PROFIT),
    ],
)
def test_thresholds_are_inclusive(bid: str, expected: ExitReason | None) -> None:
    assert reason(run(position(), bid)) is expected


def test_the_trailing_stop_is_inclusive_at_its_distance_from_the_high() -> None:
    held = position(partial_done=True, armed=True, high_bid=D(102500))
    assert reason(run(held, "101680.1")) is None
    assert reason(run(held, "101680")) is ExitReason.TRAILING_STOP  # 102500 × (1 − 0.008)


@given(
    first=prices,
    second=prices,
    sizes=st.tuples(sizes, sizes),
    bid=prices,
    high=st.just(D(0)) | prices,
    armed=st.booleans(),
    done=st.booleans(),
)
def test_every_judgement_equals_the_rules_in_rational_numbers(
    first: Decimal,
    second: Decimal,
    sizes: tuple[Decimal, Decimal],
    bid: Decimal,
    high: Decimal,
    armed: bool,
    done: bool,
) -> None:
    """The average entry price of two fills is no finite decimal as a rule: the referee computes with fractions."""
    held = add_entry_fill(open_position(fill(first, sizes[0]), "trip"), fill(second, sizes[1], number=2))
    held = msgspec.structs.replace(held, high_bid=high, armed=armed, partial_done=done)
    judgement = judge(held, bid, RULES, SETTINGS)

    entry = (Fraction(first) * Fraction(sizes[0]) + Fraction(second) * Fraction(sizes[1])) / Fraction(sum(sizes))
    gain = Fraction(bid) / entry - 1
    top = max(entry, Fraction(high), Fraction(bid))
    armed_after = armed or gain >= Fraction("0.015")
    expected = None
    if gain <= Fraction("-0.02"):
        expected = ExitReason.STOP_LOSS
    elif gain >= Fraction("0.03"):
        expected = ExitReason.TAKE_PROFIT
    elif not done and gain >= Fraction("0.015"):
        expected = ExitReason.PARTIAL_EXIT
    elif armed_after and 1 - Fraction(bid) / top >= Fraction("0.008"):
        expected = ExitReason.TRAILING_STOP
    assert reason(judgement) is expected
    assert judgement.position.armed is armed_after
    assert max(entry, Fraction(judgement.position.high_bid)) == top


@given(entry=prices, factor=st.sampled_from(["stop", "take", "partial"]))
def test_a_bid_exactly_on_a_threshold_triggers_and_the_next_digit_does_not(entry: Decimal, factor: str) -> None:
    held = position(str(entry), "0.00300007")
    tiny = D("1e-15")
    if factor == "stop":
        at, expected, before = entry * D("0.98"), ExitReason.STOP_LOSS, tiny
    elif factor == "take":
        at, expected, before = entry * D("1.03"), ExitReason.TAKE_PROFIT, -tiny
    else:
        at, expected, before = entry * D("1.015"), ExitReason.PARTIAL_EXIT, -tiny
    assert reason(judge(held, at, RULES, SETTINGS)) is expected
    assert reason(judge(held, at + before, RULES, SETTINGS)) is not expected


def test_the_average_of_three_fills_is_compared_without_rounding() -> None:
    """Entry 100000 at three thirds: 30-digit averages must not hide that the bid is exactly 2 % lower."""
    held = open_position(fill(D("99999.9"), D("0.00333333")), "trip")
    held = add_entry_fill(held, fill(D("100000"), D("0.00333333"), number=2))
    held = add_entry_fill(held, fill(D("100000.1"), D("0.00333333"), number=3))
    assert reason(judge(held, D("98000"), RULES, SETTINGS)) is ExitReason.STOP_LOSS
    assert reason(judge(held, D("98000.0000000001"), RULES, SETTINGS)) is None


# --- order ---


def test_the_stop_loss_comes_before_the_trailing_stop() -> None:
    held = position(partial_done=True, armed=True, high_bid=D(102500))
    assert reason(run(held, "97000")) is ExitReason.STOP_LOSS


def test_the_take_profit_comes_before_the_partial_exit_and_the_trailing_stop() -> None:
    held = position(armed=True, high_bid=D(110000))
    assert reason(run(held, "103000")) is ExitReason.TAKE_PROFIT


def test_the_partial_exit_comes_before_the_trailing_stop() -> None:
    held = position(armed=True, high_bid=D(102900))
    assert reason(run(held, "101500")) is ExitReason.PARTIAL_EXIT
    assert reason(run(msgspec.structs.replace(held, partial_done=True), "101500")) is ExitReason.TRAILING_STOP


def test_a_partial_exit_that_is_not_possible_now_blocks_nothing_after_it() -> None:
    held = position(armed=True, high_bid=D(102900))
    judgement = judge(held, D(101500), RULES, SETTINGS, partial_blocked=True)
    assert reason(judgement) is ExitReason.TRAILING_STOP
    assert not judgement.position.partial_done


# --- what is remembered ---


@given(positions, st.lists(prices, min_size=1, max_size=12))
def test_the_high_is_the_highest_bid_in_every_evaluation_and_armed_is_never_undone(
    held: Position, bids: list[Decimal]
) -> None:
    was_armed = held.armed
    highest = held.high_bid
    for bid in bids:
        held = judge(held, bid, RULES, SETTINGS).position
        highest = max(highest, bid)
        assert held.high_bid == highest
        assert held.high == max(held.entry_price, highest)
        assert held.armed or not was_armed
        was_armed = held.armed


def test_the_high_and_the_arming_are_updated_also_when_a_partial_exit_fires() -> None:
    judgement = run(position(), "101500")
    assert reason(judgement) is ExitReason.PARTIAL_EXIT
    assert judgement.position.armed
    assert judgement.position.high == D(101500)


@given(positions, prices)
def test_a_judgement_changes_nothing_but_its_marks(held: Position, bid: Decimal) -> None:
    after = judge(held, bid, RULES, SETTINGS).position
    marks = {"high_bid": held.high_bid, "armed": held.armed, "partial_done": held.partial_done}
    assert msgspec.structs.replace(after, **marks) == held


@given(positions, prices)
def test_judging_the_same_bid_again_says_the_same(held: Position, bid: Decimal) -> None:
    first = judge(held, bid, RULES, SETTINGS)
    assert judge(first.position, bid, RULES, SETTINGS) == first


def test_a_position_that_never_gained_is_not_trailed() -> None:
    assert reason(run(position(), "100500", "101499.9", "99000")) is None


def test_an_armed_position_is_sold_below_the_high_and_not_below_the_entry_only() -> None:
    held = run(position(partial_done=True), "101500", "102000").position
    assert reason(run(held, "101184.1")) is None
    assert reason(run(held, "101184")) is ExitReason.TRAILING_STOP


# --- partial exit ---


def test_a_partial_exit_is_due_until_its_first_fill_and_then_never_again() -> None:
    judgement = run(position(), "101500")
    assert judgement.exit is not None
    assert judgement.exit.size == D("0.005")
    assert not judgement.position.partial_done
    assert reason(run(judgement.position, "101500")) is ExitReason.PARTIAL_EXIT

    first_fill = fill(D(101500), D("0.00000001"), Side.SELL, number=2)
    after = reduce_position(judgement.position, first_fill, ExitReason.PARTIAL_EXIT).position
    assert after is not None
    assert after.partial_done
    assert reason(run(after, "101600", "102000")) is None


def test_another_exits_fill_does_not_mark_the_partial_exit_done() -> None:
    after = reduce_position(position(), fill(D(101500), D("0.001"), Side.SELL), ExitReason.SIGNAL).position
    assert after is not None
    assert not after.partial_done


@given(st.decimals(min_value="0.00001", max_value="0.00001999", places=8))
def test_a_partial_exit_with_a_part_below_the_minimum_is_skipped_and_done(size: Decimal) -> None:
    judgement = run(position(size=str(size)), "101500")
    assert judgement.exit is None
    assert judgement.position.partial_done


def test_a_skipped_partial_exit_lets_the_trailing_stop_act_in_the_same_evaluation() -> None:
    held = position(size="0.00001999", armed=True, high_bid=D(102900))
    judgement = run(held, "101500")
    assert reason(judgement) is ExitReason.TRAILING_STOP
    assert judgement.position.partial_done


def test_a_rest_below_the_minimum_skips_the_partial_exit_too() -> None:
    settings = RiskSettings(partial_exit_fraction=D("0.9"))
    judgement = run(position(size="0.00005"), "101500", settings=settings)
    assert judgement.exit is None
    assert judgement.position.partial_done


@given(positions, prices)
def test_a_whole_exit_sells_the_position_and_a_partial_one_its_floored_part(held: Position, bid: Decimal) -> None:
    decision = judge(held, bid, RULES, SETTINGS).exit
    assume(decision is not None)
    assert decision is not None
    if decision.reason is ExitReason.PARTIAL_EXIT:
        assert decision.size <= held.size / 2 < decision.size + RULES.base_increment
    else:
        assert decision.size == held.size


# --- sentences, jumps, retries ---


def test_the_sentence_names_the_numbers() -> None:
    decision = run(position(), "97999").exit
    assert decision is not None
    assert decision.detail == "best bid 97999 is -2.001 % from the entry; the stop loss is at -2 %"
    assert decision.gain == D("-0.02001")
    held = position(partial_done=True, armed=True, high_bid=D(102500))
    trailing = run(held, "101680").exit
    assert trailing is not None
    assert trailing.detail == (
        "best bid 101680 is +1.68 % from the entry and -0.8 % from the high 102500; "
        "the trailing stop is at -0.8 % from the high"
    )


@pytest.mark.parametrize("bid", ["0", "-1"])
def test_a_bid_that_is_no_price_is_refused(bid: str) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        judge(position(), D(bid), RULES, SETTINGS)


@pytest.mark.parametrize(
    ("last", "bid", "confirm"),
    [
        (None, "100000", True),
        ("100000", "105000", False),
        ("100000", "105000.1", True),
        ("100000", "95000", False),
        ("100000", "94999.9", True),
        ("100000", "100000", False),
    ],
)
def test_a_bid_more_than_the_jump_away_is_confirmed_first(last: str | None, bid: str, confirm: bool) -> None:
    assert needs_confirmation(None if last is None else D(last), D(bid), D("0.05")) is confirm


def test_refused_exits_wait_0_1_2_4_to_30_seconds_and_alert_from_the_second_attempt() -> None:
    assert [retry_delay_ms(n) for n in range(1, 10)] == [0, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]
    assert retry_delay_ms(100_000) == 30_000
    assert [retry_alerts(n) for n in (1, 2, 3)] == [False, True, True]
    with pytest.raises(ValueError, match="at least one"):
        retry_delay_ms(0)
