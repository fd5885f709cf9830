"""What the screen shows: figures as they are, a dash for what is missing, never a zero."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_cli import words
from btc_cli.readings import Readings, readings

_STATUS = {
    "status": "stalled",
    "why": ["the market feed is silent"],
    "symbol": "BTC-USDT",
    "current_price": 60_000.5,
    "mode": {"requested": "live", "effective": "dry"},
    "halted": False,
    "position": {"size": "0.01", "entry_price": 59_000, "unrealized_pnl": -9.4},
    "performance": {"total_pnl": 1.0},
}
_PRICE = {"symbol": "BTC-USDT", "price": 60_001, "bid": 60_000, "ask": 60_002, "change_24h_pct": -1.25}
_DECISION = {
    "id": "d1",
    "action": "BUY",
    "confidence": 0.71,
    "score": 0.4,
    "scores": {"technical": 0.5, "orderbook": None, "flow": 0.25, "qlearning": 0},
    "reasons": {"decision": "BUY: score +0.400 is above 0.30", "technical": "EMA up"},
    "outcome": "refused",
    "outcome_code": "cooldown",
}
_PERFORMANCE = {"total_pnl": 12.5, "total_trades": 4, "win_rate": 0.5, "fees": 1.2, "equity": 1012.5}


def test_a_full_answer_is_shown() -> None:
    now = readings(_STATUS, _PRICE, [_DECISION], _PERFORMANCE)
    assert words.price(now) == "60,001.00"
    assert words.percentage(now.change_24h_pct) == "-1.25 %"
    assert words.mode(now) == "DRY in effect, LIVE requested"
    assert words.decision(now.decision) == "BUY, confidence 71 %, refused (cooldown)"
    assert words.scores(now.decision) == "technical +0.50  orderbook —  flow +0.25  qlearning +0.00"
    assert now.decision is not None
    assert now.decision.reason == "BUY: score +0.400 is above 0.30"
    assert words.position(now) == "0.01 bought at 59,000.00, unrealised -9.40"
    assert words.result(now) == "+12.50 USDT net, 4 trades, win rate 50 %"
    assert now.why == ("the market feed is silent",)


def test_nothing_known_is_dashes_and_no_digit() -> None:
    now = readings(None, None, None, None)
    assert now == Readings()
    text = words.summary(now) + words.scores(now.decision) + words.money(now.equity)
    assert not any(letter.isdigit() for letter in text)
    assert text.count(words.DASH) >= 8


def test_a_price_that_is_not_there_says_why() -> None:
    now = readings(_STATUS | {"current_price": None}, {"error": "no fresh price", "detail": None}, [], {})
    assert words.price(now) == "— (no fresh price)"


@pytest.mark.parametrize(
    ("status", "shown"),
    [({}, words.DASH), ({"position": None}, "none"), ({"position": {"size": 0.5}}, "0.5 bought at —, unrealised —")],
)
def test_no_position_and_an_unknown_one_are_told_apart(status: dict[str, Any], shown: str) -> None:
    assert words.position(readings(status, {}, [], {})) == shown


def test_a_halt_is_shown_beside_the_mode() -> None:
    now = readings({"mode": {"requested": "dry", "effective": "dry"}, "halted": True}, {}, [], {})
    assert words.mode(now) == "DRY (halted)"


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "mode", "position", "price", "scores", "reasons", "win_rate", "why", "halted"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(_ANY, _ANY, _ANY, _ANY)
def test_no_answer_however_odd_breaks_the_screen(status: Any, price: Any, decisions: Any, performance: Any) -> None:
    assert words.summary(readings(status, price, decisions, performance))


@pytest.mark.parametrize(
    ("secs", "shown"),
    [(0.9, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3_660, "1 h 01 min"), (90_000, "1 d 1 h")],
)
def test_durations_are_short(secs: float, shown: str) -> None:
    assert words.duration(secs) == shown
