"""Online, stalled or offline, and a sentence for each reason."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from btc_shared.codes import Mode, ServiceName
from btc_shared.figures import Beat, Beats, Control, Market
from webui_api.liveness import Liveness, liveness, mode_notes

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXECUTOR, ENGINE = ServiceName.EXECUTOR, ServiceName.DECISION_ENGINE


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def beat(age: float = 1, status: str = "healthy", mode: Mode | None = None, **details: Any) -> Beat:
    return Beat(started_at=ago(900), beat_at=ago(age), status=status, effective_mode=mode, details=details)


def market(age: float) -> Market:
    return Market(
        book_time=ago(age), received_at=ago(age), bid=Decimal(1), ask=Decimal(2), bid_volume=Decimal(1),
        ask_volume=Decimal(1), imbalance=0.0, spread_bp=1.0, flow=None,
    )  # fmt: skip


def judged(beats: Beats, *, decision: float | None = 1, book: float | None = 1, poll: float = 5) -> Liveness:
    return liveness(
        beats,
        None if decision is None else ago(decision),
        None if book is None else market(book),
        poll_interval=poll,
        max_market_age=10,
        now=NOW,
    )


BOTH = {EXECUTOR: beat(), ENGINE: beat()}


def test_all_well_is_online_without_a_reason() -> None:
    assert judged(BOTH) == Liveness(status="online", why=())


@pytest.mark.parametrize(
    ("beats", "facts", "reason"),
    [
        (BOTH, {"decision": 31}, "newest decision is 31 s old"),
        (BOTH, {"decision": None}, "no decision has been made yet"),
        (BOTH, {"book": 11}, "newest order book is 11 s old"),
        (BOTH, {"book": None}, "not stored a market picture"),
        ({EXECUTOR: beat()}, {}, "decision-engine has never sent a heartbeat"),
        ({ENGINE: beat(), EXECUTOR: beat(40)}, {}, "executor sent its last heartbeat 40 s ago"),
    ],
)
def test_what_is_missing_stalls_it(beats: Beats, facts: dict[str, Any], reason: str) -> None:
    found = judged(beats, **facts)
    assert found.status == "stalled"
    assert len(found.why) == 1
    assert reason in found.why[0]


def test_slow_deciding_by_intention_is_not_stalled() -> None:
    assert judged(BOTH, decision=90, poll=30).status == "online"
    assert judged(BOTH, decision=91, poll=30).status == "stalled"


@pytest.mark.parametrize("beats", [{}, {EXECUTOR: beat(11), ENGINE: beat(11)}, {ServiceName.EXPORTER: beat()}])
def test_without_executor_and_decision_engine_it_is_offline(beats: Beats) -> None:
    assert judged(beats).status == "offline"


def test_a_degraded_service_is_named_with_its_failing_checks() -> None:
    failing = beat(
        status="degraded", checks={"redis": {"ok": False, "detail": "away"}, "market": {"ok": True, "detail": ""}}
    )
    found = judged({**BOTH, EXECUTOR: failing})
    assert (found.status, found.why) == ("online", ("executor is degraded: redis (away)",))
    assert judged({**BOTH, ServiceName.EXPORTER: beat(60, status="degraded")}).why == ()


def test_odd_details_of_a_heartbeat_do_no_harm() -> None:
    assert judged({**BOTH, EXECUTOR: beat(status="starting", checks="none")}).why == ("executor is starting",)


def test_mode_and_kill_switch_are_noted() -> None:
    halted = Control(requested=Mode.LIVE, halted=True)
    notes = mode_notes(halted, {EXECUTOR: beat(mode=Mode.DRY)}, winding_down=True)
    assert notes[0] == "entries are halted by the operator"
    assert notes[1] == "LIVE is requested, DRY is in effect"
    assert notes[2].startswith("winding down")
    assert mode_notes(Control(), {}, winding_down=False) == ()
