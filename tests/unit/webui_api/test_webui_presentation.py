"""Numbers and words of the answers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from btc_shared.codes import Action, Mode
from btc_shared.figures import Decision, Ledger, Position
from webui_api.presentation import decision_reason, position_answer, price_text

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("price", "text"),
    [("65123.4", "$65,123.40"), ("0.005", "$0.00"), ("1234567.891", "$1,234,567.89"), ("99.995", "$100.00")],
)
def test_prices_for_a_person(price: str, text: str) -> None:
    assert price_text(Decimal(price)) == text


def decision(**changes: Any) -> Decision:
    values: dict[str, Any] = {
        "decision_id": "1",
        "symbol": "BTC-USDT",
        "mode": Mode.DRY,
        "decided_at": NOW,
        "trigger": "poll",
        "bar_time": None,
        "price": None,
        "action": Action.HOLD,
        "score": 0.1234,
        "agreement": 0.0,
        "confidence": 0.0,
        "threshold": 0.3,
        "scores": {},
        "weights": {},
        "reasons": {},
        "inputs": {},
        "in_position": False,
        "explored": False,
        "settings_version": 0,
        "model_version": "",
        "signal_id": None,
        "outcome": None,
        "outcome_code": None,
        "outcome_detail": None,
        "outcome_at": None,
    }
    return Decision(**(values | changes))


@pytest.mark.parametrize(
    ("reasons", "text"),
    [
        ({"decision": "HOLD: score within", "technical": "flat"}, "HOLD: score within"),
        ({"technical": "up", "flow": "sellers", "qlearning": ""}, "technical: up; flow: sellers"),
        ({}, "HOLD: score +0.123"),
    ],
)
def test_a_decisions_own_sentence_comes_before_the_votes(reasons: dict[str, str], text: str) -> None:
    assert decision_reason(decision(reasons=reasons)) == text


def test_inputs_are_found_where_the_engine_puts_them_and_missing_stays_missing() -> None:
    made = decision(inputs={"imbalance": 0.25, "flow": None, "rsi": 40, "trend": None})
    assert [made.input(name) for name in ("imbalance", "rsi", "flow", "trend", "sma_10")] == [
        0.25,
        40.0,
        None,
        None,
        None,
    ]


def position(size: str, price: str) -> Position:
    return Position(
        account="paper", size=Decimal(size), entry_price=Decimal(price), open_cost=Decimal(size) * Decimal(price),
        high_bid=Decimal(price), trailing_armed=False, partial_done=True, opened_at=NOW,
    )  # fmt: skip


def test_a_modes_accounts_are_shown_as_one_position() -> None:
    held = Ledger(mode=Mode.DRY, positions=(position("1", "100"), position("3", "200")))
    shown = position_answer(held, Decimal(210), Decimal(0))
    assert shown is not None
    assert (shown.size, shown.entry_price, shown.value, shown.unrealized_pnl) == (4.0, 175.0, 840.0, 140.0)
    assert shown.gain == pytest.approx(0.2)
    without_price = position_answer(held, None, Decimal(0))
    assert without_price is not None
    assert (without_price.value, without_price.unrealized_pnl, without_price.gain) == (None, None, None)
    assert position_answer(Ledger(mode=Mode.DRY), Decimal(210), Decimal(0)) is None
