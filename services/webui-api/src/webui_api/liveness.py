"""Whether the agent works, and if not, why: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from btc_shared.codes import Mode, ServiceName
from btc_shared.figures import Beats, Control, Market, age_seconds, effective_mode, is_beating

MIN_DECISION_AGE_SECS = 30.0
POLLS_BEFORE_STALLED = 3

Status = Literal["online", "stalled", "offline"]
NEEDED = (ServiceName.EXECUTOR, ServiceName.DECISION_ENGINE)


@dataclass(frozen=True, kw_only=True)
class Liveness:
    """`online`: executor and decision engine beat, the feed is fresh and decisions are made. `offline`: neither of
    the two beats. `stalled`: anything between. `why` has a sentence for each thing that is not as it should be.
    """

    status: Status
    why: tuple[str, ...]


def liveness(
    beats: Beats,
    newest_decision: datetime | None,
    market: Market | None,
    *,
    poll_interval: float,
    max_market_age: float,
    now: datetime,
) -> Liveness:
    """What the services' signs of life say. Ages are seconds."""
    silent = [service for service in NEEDED if not is_beating(beats, service, now)]
    problems = [_silence(beats, service, now) for service in silent]
    problems += _stalls(newest_decision, market, poll_interval, max_market_age, now)
    status: Status = "offline" if len(silent) == len(NEEDED) else "stalled" if problems else "online"
    return Liveness(status=status, why=(*problems, *_degraded(beats, now)))


def _silence(beats: Beats, service: ServiceName, now: datetime) -> str:
    beat = beats.get(service)
    if beat is None:
        return f"{service} has never sent a heartbeat"
    return f"{service} sent its last heartbeat {age_seconds(beat.beat_at, now):.0f} s ago"


def _stalls(
    newest_decision: datetime | None,
    market: Market | None,
    poll_interval: float,
    max_market_age: float,
    now: datetime,
) -> list[str]:
    problems: list[str] = []
    if market is None:
        problems.append("the feed has not stored a market picture yet")
    elif (age := age_seconds(market.received_at, now)) > max_market_age:
        problems.append(f"the newest order book is {age:.0f} s old")
    if newest_decision is None:
        problems.append("no decision has been made yet")
    elif (age := age_seconds(newest_decision, now)) > max(MIN_DECISION_AGE_SECS, POLLS_BEFORE_STALLED * poll_interval):
        problems.append(f"the newest decision is {age:.0f} s old")
    return problems


def _degraded(beats: Beats, now: datetime) -> list[str]:
    """What beating services say is wrong with them."""
    problems: list[str] = []
    for service, beat in sorted(beats.items()):
        if beat.status == "healthy" or not is_beating(beats, service, now):
            continue
        failing = [
            f"{name} ({check.get('detail')})" for name, check in _checks(beat.details).items() if not check.get("ok")
        ]
        problems.append(f"{service} is {beat.status}" + (f": {', '.join(failing)}" if failing else ""))
    return problems


def _checks(details: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    checks = details.get("checks")
    if not isinstance(checks, Mapping):
        return {}
    return {name: check for name, check in checks.items() if isinstance(check, Mapping)}


def mode_notes(control: Control, beats: Beats, *, winding_down: bool) -> tuple[str, ...]:
    """What an owner should know about mode and kill switch, a sentence each."""
    in_effect = effective_mode(beats)
    notes: list[str] = []
    if control.halted:
        notes.append("entries are halted by the operator")
    if control.requested is not in_effect:
        notes.append(f"{control.requested.upper()} is requested, {in_effect.upper()} is in effect")
    if winding_down:
        notes.append(f"winding down: a {Mode.LIVE.upper()} position is open and protected until it is closed")
    return tuple(notes)
