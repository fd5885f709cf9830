"""From what was read to samples: what is known is there, what is not is left out, and modes do not mix."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from btc_shared.codes import Action, ExitReason, Mode, ServiceName, Side
from btc_shared.figures import Beat, Decision, Ledger, Market, Position, Totals
from btc_shared.settings import RiskSettings
from exporter.business import LastTrade, Picture, Recent, samples
from exporter.definitions import DEFINITIONS
from exporter.exposition import Samples

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def beat(age: float, mode: Mode | None = None) -> Beat:
    at = NOW - timedelta(seconds=age)
    return Beat(started_at=at, beat_at=at, status="healthy", effective_mode=mode, details={})


def market(age: float) -> Market:
    at = NOW - timedelta(seconds=age)
    return Market(
        book_time=at, received_at=at, bid=Decimal(100), ask=Decimal(102), bid_volume=Decimal(1), ask_volume=Decimal(1),
        imbalance=0.0, spread_bp=1.0, flow=None,
    )  # fmt: skip


def ledger(mode: Mode, size: str | None = None, **totals: Any) -> Ledger:
    position = Position(
        account="paper", size=Decimal(size or 1), entry_price=Decimal(90), open_cost=Decimal(90), high_bid=Decimal(90),
        trailing_armed=False, partial_done=False, opened_at=NOW,
    )  # fmt: skip
    return Ledger(
        mode=mode,
        totals=Totals(**totals),
        positions=(position,) if size else (),
        initial_balance=Decimal(1000),
        cash=Decimal(1000),
    )


def picture(**changes: Any) -> Picture:
    values: dict[str, Any] = {
        "symbol": "BTC-USDT",
        "market": None,
        "beats": {},
        "ledgers": {mode: ledger(mode) for mode in Mode},
        "recent": {mode: Recent() for mode in Mode},
        "last_trades": {},
        "decision": None,
        "decision_totals": dict.fromkeys(Action, 0),
        "decisions_1h": dict.fromkeys(Action, 0),
        "risk": RiskSettings(),
    }
    return Picture(**(values | changes))


def only(found: Samples, name: str) -> Any:
    """The value of a metric's only sample; None without one."""
    of_name = found.get(name, ())
    assert len(of_name) <= 1
    return of_name[0].value if of_name else None


def labelled(found: Samples, name: str) -> dict[tuple[str, ...], Any]:
    return {sample.labels: sample.value for sample in found.get(name, ())}


def test_every_metric_that_cannot_be_missing_is_there_before_anything_happened() -> None:
    found = samples(picture(), NOW)
    there = {name for name, of_name in found.items() if of_name}
    assert there == {definition.name for definition in DEFINITIONS if not definition.absent} | {
        "btc_trading_open_position_usdt"  # flat: 0 is true without any price
    }


def test_every_metric_is_there_once_all_is_known() -> None:
    decision = Decision(
        decision_id="1", symbol="BTC-USDT", mode=Mode.DRY, decided_at=NOW, trigger="poll", bar_time=None, price=None,
        action=Action.HOLD, score=0.0, agreement=0.0, confidence=0.0, threshold=0.3, scores={}, weights={}, reasons={},
        inputs=dict.fromkeys(("imbalance", "rsi", "momentum", "volatility", "trend"), 0.5),
        in_position=False, explored=False, settings_version=0, model_version="", signal_id=None, outcome=None,
        outcome_code=None, outcome_detail=None, outcome_at=None,
    )  # fmt: skip
    known = picture(
        market=market(1),
        ledgers={mode: ledger(mode, "1", winning=1, best_pnl=Decimal(1), worst_pnl=Decimal(1)) for mode in Mode},
        last_trades={
            (Mode.DRY, Side.SELL): LastTrade(executed_at=NOW, price=Decimal(1), size=Decimal(1), pnl=Decimal(1))
        },
        decision=decision,
    )
    assert {name for name, of_name in samples(known, NOW).items() if of_name} == {each.name for each in DEFINITIONS}


@pytest.mark.parametrize("mode", list(Mode))
def test_the_mode_in_effect_is_the_executors_and_the_modes_sum_to_one(mode: Mode) -> None:
    found = samples(picture(beats={ServiceName.EXECUTOR: beat(3600, mode)}), NOW)
    assert labelled(found, "btc_trading_active_mode") == {(each,): int(each is mode) for each in Mode}
    assert only(found, "btc_trading_live_mode") == int(mode is Mode.LIVE)


def test_without_any_word_of_the_executor_dry_is_assumed() -> None:
    for beats in ({}, {ServiceName.EXECUTOR: beat(1, None)}):
        assert labelled(samples(picture(beats=beats), NOW), "btc_trading_active_mode")[("dry",)] == 1


@pytest.mark.parametrize(("age", "price"), [(0, 101), (60, 101), (61, None)])
def test_an_old_price_is_no_price(age: float, price: int | None) -> None:
    held = {Mode.DRY: ledger(Mode.DRY, "0.5"), Mode.LIVE: ledger(Mode.LIVE)}
    found = samples(picture(market=market(age), ledgers=held), NOW)
    assert labelled(found, "btc_price") == ({("BTC-USDT",): Decimal(price)} if price else {})
    assert only(found, "btc_trading_open_position_usdt") == (Decimal(50) if price else None)
    assert only(found, "btc_trading_open_position_btc") == Decimal("0.5")


@pytest.mark.parametrize(
    ("executor", "engine", "running"), [(1, 1, 1), (10, 10, 1), (11, 1, 0), (1, 11, 0), (None, 1, 0)]
)
def test_the_agent_runs_while_executor_and_decision_engine_beat(
    executor: float | None, engine: float, running: int
) -> None:
    beats = {ServiceName.DECISION_ENGINE: beat(engine)}
    if executor is not None:
        beats[ServiceName.EXECUTOR] = beat(executor)
    assert only(samples(picture(beats=beats), NOW), "btc_trading_agent_running") == running


def test_rates_and_means_of_nothing_are_missing_and_break_even_loses() -> None:
    found = samples(picture(), NOW)
    assert only(found, "btc_trading_win_rate") is None
    assert labelled(found, "btc_trading_mode_win_rate") == {}
    closed = {
        Mode.DRY: ledger(Mode.DRY, winning=1, losing=3, closed_pnl=Decimal(-2), exits=dict.fromkeys(ExitReason, 2)),
        Mode.LIVE: ledger(Mode.LIVE),
    }
    found = samples(picture(ledgers=closed), NOW)
    assert (only(found, "btc_trading_win_rate"), only(found, "btc_trading_avg_pnl")) == (0.25, Decimal("-0.5"))
    assert labelled(found, "btc_trading_mode_win_rate") == {("dry",): 0.25}
    assert only(found, "btc_trading_exit_manual") == 2


def test_a_trailing_stop_that_can_never_arm_is_off() -> None:
    never = RiskSettings(trailing_activation_pct=Decimal("0.03"), take_profit_pct=Decimal("0.03"))
    assert only(samples(picture(risk=never), NOW), "btc_trading_trailing_stop_enabled") == 0
    assert only(samples(picture(), NOW), "btc_trading_trailing_stop_enabled") == 1
