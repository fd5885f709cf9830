"""An order's life: legal moves, ids, outcomes, and the proof that an order does not exist."""

import itertools
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import ExitReason, IntentState, Mode, Side
from btc_shared.records import LedgerKey, SymbolRules
from executor.domain.orders import (
    IllegalMoveError,
    Intent,
    MoveKind,
    client_oid,
    ended_state,
    move,
    proven_absent,
)

D = Decimal
ONE = D(1)
SENT = 1_700_000_000_000
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

# Rows: what is known; columns: what is reported. o ordinary, ! odd, = no news, . illegal
COLUMNS = ["intent", "sent", "acknowledged", "unknown", "filled", "partly_filled", "cancelled", "rejected", "absent"]
TABLE = {
    "intent":        "= o o o o o o o .",
    "sent":          ". = o o o o o o .",
    "acknowledged":  ". = = ! o o o ! .",
    "unknown":       ". = o = o o o o o",
    "filled":        ". = = = = . . . .",
    "partly_filled": ". = = = ! = . . .",
    "cancelled":     ". = = = ! ! = . .",
    "rejected":      ". = ! = ! ! ! = .",
    "absent":        ". = ! = ! ! ! = =",
}  # fmt: skip
KINDS = {"o": MoveKind.ORDINARY, "!": MoveKind.ODD, "=": MoveKind.NO_NEWS}


def intent(side: Side = Side.BUY, **changes: Any) -> Intent:
    values: dict[str, Any] = {
        "intent_id": "a1",
        "client_oid": "btca-a1",
        "key": LedgerKey(venue="kucoin", account="main", mode=Mode.LIVE),
        "symbol": "BTC-USDT",
        "side": side,
        "created_at_ms": SENT,
    }
    if side is Side.BUY:
        values["funds"] = D(300)
    else:
        values |= {"size": D("0.003"), "exit_reason": ExitReason.STOP_LOSS}
    return Intent(**(values | changes))


def test_the_table_covers_every_state() -> None:
    assert set(TABLE) == set(COLUMNS) == {state.value for state in IntentState}


@pytest.mark.parametrize(("known", "reported"), list(itertools.product(COLUMNS, COLUMNS)))
def test_a_report_moves_an_order_as_the_table_says(known: str, reported: str) -> None:
    sign = TABLE[known].split()[COLUMNS.index(reported)]
    if sign == ".":
        with pytest.raises(IllegalMoveError, match=f"{known} → {reported} is no legal move"):
            move(IntentState(known), IntentState(reported))
        return
    made = move(IntentState(known), IntentState(reported))
    assert made.kind is KINDS[sign]
    assert made.state == (known if sign == "=" else reported)
    assert made.why


def test_an_illegal_move_names_the_legal_ones() -> None:
    with pytest.raises(IllegalMoveError, match=r"legal are: filled, partly_filled$"):
        move(IntentState.CANCELLED, IntentState.ABSENT)
    with pytest.raises(IllegalMoveError, match=r"legal are: none$"):
        move(IntentState.FILLED, IntentState.CANCELLED)


def test_no_move_leads_back_to_an_order_that_was_never_sent() -> None:
    for known in IntentState:
        if known is not IntentState.INTENT:
            with pytest.raises(IllegalMoveError):
                move(known, IntentState.INTENT)


def test_an_order_that_ended_can_be_reopened_only_as_something_odd() -> None:
    for known, reported in itertools.product(IntentState, IntentState):
        if known.is_open or not reported.is_open or known is reported:
            continue
        try:
            made = move(known, reported)
        except IllegalMoveError:
            continue
        assert made.kind is MoveKind.ODD or not made.state.is_open


# --- ids ---


def test_a_client_oid_is_the_same_for_the_same_intent_and_fits_kucoins_rules() -> None:
    oid = client_oid("0f" * 16)
    assert oid == client_oid("0f" * 16)
    assert oid.startswith("btca-")
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", oid)


@given(st.text(alphabet="abcdef0123456789-_", min_size=1, max_size=35), st.text("abc-_19", min_size=1, max_size=35))
def test_different_intents_have_different_client_oids(first: str, second: str) -> None:
    assert (client_oid(first) == client_oid(second)) == (first == second)


@pytest.mark.parametrize("intent_id", ["", "x" * 36, "a b", "a.b", "é", "a\n"])
def test_an_id_that_kucoin_would_not_take_is_refused(intent_id: str) -> None:
    with pytest.raises(ValueError, match="32 hex digits fit"):
        client_oid(intent_id)


# --- intents ---


@pytest.mark.parametrize(
    ("side", "changes"),
    [
        (Side.BUY, {"funds": None}),
        (Side.BUY, {"funds": D(0)}),
        (Side.BUY, {"size": D(1)}),
        (Side.BUY, {"exit_reason": ExitReason.MANUAL}),
        (Side.SELL, {"size": None}),
        (Side.SELL, {"size": D(-1)}),
        (Side.SELL, {"funds": D(10)}),
        (Side.SELL, {"exit_reason": None}),
    ],
)
def test_an_intent_that_is_neither_an_entry_nor_an_exit_is_refused(side: Side, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a buy has funds above 0 only"):
        intent(side, **changes)


def test_entries_may_be_accepted_for_five_seconds_and_exits_for_two() -> None:
    assert (intent(Side.BUY).window_ms, intent(Side.SELL).window_ms) == (5_000, 2_000)


# --- outcomes ---


@pytest.mark.parametrize(
    ("deal_size", "deal_funds", "expected"),
    [
        ("0", "0", IntentState.CANCELLED),
        ("0.00443", "299.988", IntentState.FILLED),  # the rest buys no order of its own
        ("0.00443", "299.900001", IntentState.FILLED),
        ("0.00443", "299.9", IntentState.PARTLY_FILLED),
        ("0.002", "135.4", IntentState.PARTLY_FILLED),
        ("0.0044", "300", IntentState.FILLED),
    ],
)
def test_a_buy_is_judged_by_its_fills(deal_size: str, deal_funds: str, expected: IntentState) -> None:
    assert ended_state(intent(Side.BUY), D(deal_size), D(deal_funds), RULES) is expected


@pytest.mark.parametrize(
    ("deal_funds", "expected"), [("299", "filled"), ("290.01", "filled"), ("290", "partly_filled")]
)
def test_a_buy_is_filled_when_the_rest_buys_no_increment(deal_funds: str, expected: str) -> None:
    coarse = msgspec.structs.replace(RULES, base_increment=D("0.1"))
    # At the average price of 100 one increment costs 10.
    assert ended_state(intent(Side.BUY), D(deal_funds) / 100, D(deal_funds), coarse) == expected


@pytest.mark.parametrize(
    ("deal_size", "expected"),
    [
        ("0", IntentState.CANCELLED),
        ("0.00299999", IntentState.PARTLY_FILLED),
        ("0.003", IntentState.FILLED),
    ],
)
def test_a_sell_is_judged_by_its_fills(deal_size: str, expected: IntentState) -> None:
    assert ended_state(intent(Side.SELL), D(deal_size), D(deal_size) * 60_000, RULES) is expected


# --- absent ---


def absent(
    side: Side, after_window_ms: int, *lookups_ms: int, before: Decimal | None = ONE, now: Decimal | None = ONE
) -> bool:
    """Times count from the end of the order's window."""
    order = intent(side)
    end = SENT + order.window_ms
    return proven_absent(
        order,
        sent_at_ms=SENT,
        now_ms=end + after_window_ms,
        empty_lookups_ms=[end + time_ms for time_ms in lookups_ms],
        available_base_before=before,
        available_base_now=now,
    )


@pytest.mark.parametrize(
    ("after_ms", "lookups", "proven"),
    [
        (60_000, (1, 5_001, 10_001), True),
        (59_999, (1, 5_001, 10_001), False),
        (60_000, (1, 5_000, 10_001), False),  # 4.999 s apart counts as one
        (60_000, (1, 5_001), False),
        (60_000, (-4_000, 0, 5_001, 10_001), False),  # inside the window nothing is proven
        (60_000, (1, 2, 3, 4), False),
        (60_000, (10_001, 1, 5_001, 7_000), True),  # in any order, with more between
    ],
)
def test_an_entry_is_absent_a_minute_after_its_window_and_three_spaced_lookups(
    after_ms: int, lookups: tuple[int, ...], proven: bool
) -> None:
    assert absent(Side.BUY, after_ms, *lookups) is proven


@pytest.mark.parametrize(
    ("after_ms", "lookups", "before", "now", "proven"),
    [
        (3_000, (1, 2), D(1), D(1), True),
        (2_999, (1, 2), D(1), D(1), False),
        (3_000, (1,), D(1), D(1), False),
        (3_000, (1, 1), D(1), D(1), False),
        (3_000, (0, 1), D(1), D(1), False),
        (3_000, (1, 2), D(1), D("0.5"), False),
        (3_000, (1, 2), None, None, False),
        (3_000, (1, 2), D(1), None, False),
        (86_400_000, (1, 2), D(1), D("0.9"), False),
    ],
)
def test_an_exit_is_absent_soon_but_only_if_the_coins_are_all_there(
    after_ms: int, lookups: tuple[int, ...], before: Decimal | None, now: Decimal | None, proven: bool
) -> None:
    assert absent(Side.SELL, after_ms, *lookups, before=before, now=now) is proven
