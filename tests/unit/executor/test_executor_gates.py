"""The gates: their order, their boundaries, and no on everything that is not known."""

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from btc_shared.codes import Action, Mode, Refusal
from btc_shared.records import LedgerKey, SymbolRules
from btc_shared.settings import RiskSettings
from executor.domain.gates import (
    BUY_GATES,
    MANUAL_CLOSE_GATES,
    SIGNAL_SELL_GATES,
    Gate,
    GateFacts,
    first_refusal,
)

D = Decimal
NOW = 1_700_000_000_000
SETTINGS = RiskSettings()
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

# The documented order, written down once more and by hand.
BUY_ORDER = [
    "invalid_signal",
    "unknown_symbol",
    "stale_signal",
    "mode_changed",
    "not_running",
    "halted",
    "degraded",
    "unprotected",
    "in_position",
    "order_in_flight",
    "stale_market",
    "low_confidence",
    "cooldown",
    "daily_trade_limit",
    "daily_loss_limit",
    "insufficient_funds",
    "amount_too_small",
]
SELL_ORDER = [
    "invalid_signal",
    "unknown_symbol",
    "stale_signal",
    "mode_changed",
    "not_running",
    "degraded",
    "no_position",
    "order_in_flight",
    "stale_market",
    "low_confidence",
    "cooldown",
]
MANUAL_ORDER = ["no_position", "order_in_flight"]

BUY = GateFacts(
    now_ms=NOW,
    key=LedgerKey(venue="kucoin", account="main", mode=Mode.DRY),
    requested_mode=Mode.DRY,
    signal_id="signal-1",
    signal_action=Action.BUY,
    signal_venue="kucoin",
    signal_mode=Mode.DRY,
    signal_symbol="BTC-USDT",
    signal_time_ms=NOW - 1_000,
    confidence=D("0.75"),
    rules=RULES,
    is_leader=True,
    has_converged=True,
    halted=False,
    degraded=(),
    unprotected=False,
    position_size=D(0),
    position_opened_at_ms=None,
    orders_in_flight=0,
    book_time_ms=NOW - 500,
    best_ask=D(100_000),
    last_trade_at_ms=0,
    trades_today=0,
    loss_latched=False,
    day_result=D(0),
    available_quote=D(1000),
)
SELL = msgspec.structs.replace(
    BUY,
    signal_action=Action.SELL,
    position_size=D("0.003"),
    position_opened_at_ms=NOW - 600_000,
)

# For each code, facts that make its gate, and no earlier one, say no.
BUY_TRIGGERS: dict[str, dict[str, Any]] = {
    "invalid_signal": {"signal_id": ""},
    "unknown_symbol": {"rules": msgspec.structs.replace(RULES, symbol="ETH-USDT")},
    "stale_signal": {"signal_time_ms": NOW - 60_000},
    "mode_changed": {"signal_mode": Mode.LIVE},
    "not_running": {"is_leader": False},
    "halted": {"halted": True},
    "degraded": {"degraded": ("the market feed is silent",)},
    "unprotected": {"unprotected": True},
    "in_position": {"position_size": D("0.003")},
    "order_in_flight": {"orders_in_flight": 1},
    "stale_market": {"book_time_ms": NOW - 60_000},
    "low_confidence": {"confidence": D("0.5")},
    "cooldown": {"last_trade_at_ms": NOW - 1_000},
    "daily_trade_limit": {"trades_today": 15},
    "daily_loss_limit": {"loss_latched": True},
    "amount_too_small": {"available_quote": D(20)},
    "insufficient_funds": {"available_quote": D(5)},
}
SELL_TRIGGERS = {code: BUY_TRIGGERS[code] for code in SELL_ORDER if code in BUY_TRIGGERS} | {
    "no_position": {"position_size": D(0)},
    "cooldown": {"position_opened_at_ms": NOW - 1_000},
}
MANUAL_TRIGGERS = {code: SELL_TRIGGERS[code] for code in MANUAL_ORDER}


def code(gates: tuple[Gate, ...], facts: GateFacts) -> Refusal | None:
    denied = first_refusal(gates, facts, SETTINGS)
    return denied.code if denied else None


def buy(**changes: Any) -> Refusal | None:
    return code(BUY_GATES, msgspec.structs.replace(BUY, **changes))


def sell(**changes: Any) -> Refusal | None:
    return code(SIGNAL_SELL_GATES, msgspec.structs.replace(SELL, **changes))


@pytest.mark.parametrize(
    ("gates", "order"), [(BUY_GATES, BUY_ORDER), (SIGNAL_SELL_GATES, SELL_ORDER), (MANUAL_CLOSE_GATES, MANUAL_ORDER)]
)
def test_the_gates_stand_in_the_documented_order(gates: tuple[Gate, ...], order: list[str]) -> None:
    assert [gate.code.value for gate in gates] == order


def test_every_refusal_is_some_gates_code() -> None:
    assert {gate.code for gate in (*BUY_GATES, *SIGNAL_SELL_GATES)} == set(Refusal)


@pytest.mark.parametrize(
    ("gates", "facts", "order", "triggers"),
    [
        (BUY_GATES, BUY, BUY_ORDER, BUY_TRIGGERS),
        (SIGNAL_SELL_GATES, SELL, SELL_ORDER, SELL_TRIGGERS),
        (MANUAL_CLOSE_GATES, SELL, MANUAL_ORDER, MANUAL_TRIGGERS),
    ],
    ids=["buy", "signal sell", "manual close"],
)
def test_of_every_combination_of_causes_the_first_in_order_is_the_refusal(
    gates: tuple[Gate, ...], facts: GateFacts, order: list[str], triggers: dict[str, dict[str, Any]]
) -> None:
    # An account that pays for nothing is also one whose share is too small: the stronger cause is set last.
    setting_order = sorted(order, key=lambda name: name == "insufficient_funds")
    for chosen in itertools.product((False, True), repeat=len(order)):
        causes = {name for name, is_set in zip(order, chosen, strict=True) if is_set}
        changes: dict[str, Any] = {}
        for name in setting_order:
            if name in causes:
                changes.update(triggers[name])
        expected = next((name for name in order if name in causes), None)
        denied = first_refusal(gates, msgspec.structs.replace(facts, **changes), SETTINGS)
        assert (denied.code.value if denied else None) == expected


NEEDED_BY_BUY = {
    "requested_mode": "mode_changed",
    "signal_id": "invalid_signal",
    "signal_action": "invalid_signal",
    "signal_venue": "invalid_signal",
    "signal_mode": "invalid_signal",
    "signal_symbol": "invalid_signal",
    "signal_time_ms": "invalid_signal",
    "confidence": "invalid_signal",
    "rules": "unknown_symbol",
    "is_leader": "not_running",
    "has_converged": "not_running",
    "halted": "halted",
    "degraded": "degraded",
    "unprotected": "unprotected",
    "position_size": "in_position",
    "orders_in_flight": "order_in_flight",
    "book_time_ms": "stale_market",
    "best_ask": "stale_market",
    "last_trade_at_ms": "cooldown",
    "trades_today": "daily_trade_limit",
    "loss_latched": "daily_loss_limit",
    "day_result": "daily_loss_limit",
    "available_quote": "insufficient_funds",
}


def test_the_table_of_needed_facts_is_complete() -> None:
    not_needed = {"now_ms", "key", "halt_reason", "position_opened_at_ms"}
    assert set(NEEDED_BY_BUY) | not_needed == set(GateFacts.__struct_fields__)


@pytest.mark.parametrize(("fact", "expected"), NEEDED_BY_BUY.items())
def test_a_missing_fact_refuses_an_entry(fact: str, expected: str) -> None:
    assert buy(**{fact: None}) == expected


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("signal_id", "invalid_signal"),
        ("rules", "unknown_symbol"),
        ("is_leader", "not_running"),
        ("has_converged", "not_running"),
        ("degraded", "degraded"),
        ("position_size", "no_position"),
        ("orders_in_flight", "order_in_flight"),
        ("book_time_ms", "stale_market"),
        ("best_ask", "stale_market"),
        ("position_opened_at_ms", "cooldown"),
    ],
)
def test_a_missing_fact_refuses_a_signals_sell(fact: str, expected: str) -> None:
    assert sell(**{fact: None}) == expected


def test_nothing_known_at_all_refuses_everything() -> None:
    nothing = GateFacts(now_ms=NOW, key=BUY.key)
    assert code(BUY_GATES, nothing) is Refusal.INVALID_SIGNAL
    assert code(SIGNAL_SELL_GATES, nothing) is Refusal.INVALID_SIGNAL
    assert code(MANUAL_CLOSE_GATES, nothing) is Refusal.NO_POSITION


@pytest.mark.parametrize(
    "changes",
    [
        {"halted": True},
        {"halted": None},
        {"unprotected": True},
        {"loss_latched": True, "day_result": D(-200)},
        {"trades_today": 99},
        {"available_quote": D(0)},
        {"last_trade_at_ms": NOW - 1},
    ],
)
def test_a_signals_sell_does_not_ask_what_only_entries_are_asked(changes: dict[str, Any]) -> None:
    assert sell(**changes) is None


def test_a_manual_close_asks_for_a_position_and_no_order_in_flight_only() -> None:
    bare = GateFacts(now_ms=NOW, key=BUY.key, position_size=D("0.003"), orders_in_flight=0, halted=True)
    assert first_refusal(MANUAL_CLOSE_GATES, bare, SETTINGS) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"confidence": D("0.6")}, None),
        ({"confidence": D("0.599999999")}, "low_confidence"),
        ({"confidence": D("0.5999999999")}, None),  # rounded to 1e-9 before it is compared
        ({"confidence": D(0.6)}, None),  # the float's binary digits do not decide
        ({"confidence": D(1)}, None),
        ({"confidence": D(0)}, "low_confidence"),
        ({"confidence": D("1.1")}, "invalid_signal"),
        ({"confidence": D("-0.1")}, "invalid_signal"),
        ({"confidence": D("NaN")}, "invalid_signal"),
        ({"signal_action": Action.HOLD}, "invalid_signal"),
        ({"signal_action": Action.SELL}, "invalid_signal"),
        ({"signal_time_ms": NOW - 10_000}, None),
        ({"signal_time_ms": NOW - 10_001}, "stale_signal"),
        ({"signal_time_ms": NOW + 10_000}, None),
        ({"signal_time_ms": NOW + 10_001}, "stale_signal"),
        ({"book_time_ms": NOW - 10_000}, None),
        ({"book_time_ms": NOW - 10_001}, "stale_market"),
        ({"book_time_ms": NOW + 10_001}, "stale_market"),
        ({"best_ask": D(0)}, "stale_market"),
        ({"last_trade_at_ms": NOW - 180_000}, None),
        ({"last_trade_at_ms": NOW - 179_999}, "cooldown"),
        ({"last_trade_at_ms": NOW + 5_000}, "cooldown"),
        ({"trades_today": 14}, None),
        ({"trades_today": 15}, "daily_trade_limit"),
        ({"day_result": D("-149.99")}, None),
        ({"day_result": D(-150)}, "daily_loss_limit"),
        ({"loss_latched": True, "day_result": D(500)}, "daily_loss_limit"),
        ({"available_quote": D("33.333334")}, None),
        ({"available_quote": D("33.333333")}, "amount_too_small"),
        ({"available_quote": D("10.009999")}, "insufficient_funds"),
        ({"rules": msgspec.structs.replace(RULES, trading_enabled=False)}, "unknown_symbol"),
        ({"signal_venue": "practice"}, "mode_changed"),
        ({"requested_mode": Mode.LIVE}, None),  # LIVE that is not in effect does not stop practice
    ],
)
def test_an_entrys_boundaries(changes: dict[str, Any], expected: str | None) -> None:
    assert buy(**changes) == expected


def test_a_sells_cooldown_counts_from_the_entry() -> None:
    assert sell(position_opened_at_ms=NOW - 180_000, last_trade_at_ms=NOW) is None
    assert sell(position_opened_at_ms=NOW - 179_999, last_trade_at_ms=0) is Refusal.COOLDOWN


def test_leaving_live_stops_entries_at_once_and_lets_a_signal_sell() -> None:
    live = LedgerKey(venue="kucoin", account="main", mode=Mode.LIVE)
    leaving = {"key": live, "signal_mode": Mode.LIVE, "requested_mode": Mode.DRY}
    assert buy(**leaving) is Refusal.MODE_CHANGED
    assert buy(**(leaving | {"requested_mode": Mode.LIVE})) is None
    assert sell(**leaving) is None


@pytest.mark.parametrize("name", BUY_ORDER)
def test_every_refusal_has_a_sentence(name: str) -> None:
    denied = first_refusal(BUY_GATES, msgspec.structs.replace(BUY, **BUY_TRIGGERS[name]), SETTINGS)
    assert denied is not None
    assert len(denied.detail) > 15


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"confidence": D("0.5")}, "confidence 0.5 is below 0.6"),
        ({"last_trade_at_ms": NOW - 12_500}, "12.5 s since the last trade; 180 s are required"),
        ({"signal_time_ms": NOW - 12_500}, "the signal is 12.5 s old; 10 s are allowed"),
        ({"book_time_ms": NOW + 12_500}, "the order book is 12.5 s ahead of the clock; 10 s are allowed"),
        ({"halted": True, "halt_reason": "asked for by a person"}, "entries are halted: asked for by a person"),
        ({"degraded": ("no feed", "no disk")}, "degraded: no feed; no disk"),
        ({"trades_today": 16}, "16 trades today (UTC); 15 are allowed"),
        ({"confidence": None, "signal_id": None}, "the signal lacks: id, confidence"),
        ({"signal_action": Action.HOLD}, "the signal says HOLD; expected BUY"),
        ({"signal_venue": "practice"}, "the signal is for practice dry; in effect is kucoin dry"),
        ({"signal_symbol": "ETH-USDT"}, "the signal is for ETH-USDT; the exchange's rules are known for BTC-USDT"),
    ],
)
def test_the_sentences_name_the_numbers(changes: dict[str, Any], words: str) -> None:
    denied = first_refusal(BUY_GATES, msgspec.structs.replace(BUY, **changes), SETTINGS)
    assert denied is not None
    assert denied.detail == words


def test_facts_survive_storage() -> None:
    assert msgspec.json.decode(msgspec.json.encode(BUY), type=GateFacts) == BUY
