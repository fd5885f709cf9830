"""What an operator may ask for, and when it is refused: pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from btc_shared.codes import Mode
from btc_shared.figures import age_seconds

PREFLIGHT_MAX_AGE_SECS = 120.0
DOUBLE_CLICK_SECS = 2.0
MODE_NAMES = {Mode.DRY: "DRY_RUN", Mode.LIVE: "LIVE"}
MODE_LABELS = {Mode.DRY: "DRY RUN", Mode.LIVE: "REAL"}

TOKEN_MISSING = "the control token is missing or wrong: send it as 'Authorization: Bearer', or log in at /mode"  # noqa: S105
TOKEN_NOT_CONFIGURED = "CONTROL_TOKEN is not set, so nobody can go LIVE, resume or change settings: set it and restart"  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks. `route` is method and path, `origin` address and program; `is_browser` when a person clicked.

    `forbidden` says why a browser's request must not count, because a foreign page may have sent it.
    """

    route: str
    origin: str
    authorised: bool
    is_browser: bool
    forbidden: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """A row of the audit table."""

    kind: Literal["mode", "halt", "resume", "settings"]
    caller: Caller
    from_value: str
    to_value: str
    accepted: bool
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """The executor's newest check of what LIVE needs."""

    checked_at: datetime
    passed: bool
    reasons: tuple[str, ...]


def live_obstacles(*, allow_live: bool, preflight: Preflight | None, now: datetime) -> tuple[str, ...]:
    """All reasons why LIVE cannot be requested now, a sentence each; empty when it can."""
    obstacles = [] if allow_live else ["ALLOW_LIVE is not true: set it in the environment of the exporter"]
    if preflight is None:
        return (*obstacles, "the executor has not stored a preflight check yet")
    age = age_seconds(preflight.checked_at, now)
    if age > PREFLIGHT_MAX_AGE_SECS:
        return (*obstacles, f"the last preflight check is {age:.0f} s old; the executor stores one every 60 s")
    if not preflight.passed:
        obstacles += [f"preflight: {reason}" for reason in preflight.reasons or ("it did not pass",)]
    return tuple(obstacles)


@dataclass(frozen=True, kw_only=True)
class ModeOutcome:
    """What became of a request for a mode. `status` is the HTTP status; `reasons` say why it was refused."""

    status: Literal[200, 401, 403, 409]
    previous: Mode
    current: Mode
    wanted: Mode
    reasons: tuple[str, ...] = ()


def decide_mode(
    current: Mode, wanted: Mode, caller: Caller, *, token_configured: bool, obstacles: tuple[str, ...]
) -> ModeOutcome:
    """DRY is granted to everyone but a foreign page; LIVE needs the token, then that nothing stands in its way."""
    status: Literal[401, 403, 409]
    reasons: tuple[str, ...]
    if caller.forbidden is not None:
        status, reasons = 403, (caller.forbidden,)
    elif wanted is Mode.DRY:
        return ModeOutcome(status=200, previous=current, current=wanted, wanted=wanted)
    elif not caller.authorised:
        status, reasons = 401, (why_not_authorised(token_configured=token_configured),)
    elif obstacles:
        status, reasons = 409, obstacles
    else:
        return ModeOutcome(status=200, previous=current, current=wanted, wanted=wanted)
    return ModeOutcome(status=status, previous=current, current=current, wanted=wanted, reasons=reasons)


def why_not_authorised(*, token_configured: bool) -> str:
    """What somebody without authority has to do."""
    return TOKEN_MISSING if token_configured else TOKEN_NOT_CONFIGURED


def is_double_click(caller: Caller, last_change: tuple[str, datetime] | None, now: datetime) -> bool:
    """True when a browser toggles again right after a toggle. Programs mean every request that they send."""
    if not caller.is_browser or last_change is None:
        return False
    route, at = last_change
    return route.endswith("/toggle-mode") and age_seconds(at, now) < DOUBLE_CLICK_SECS
