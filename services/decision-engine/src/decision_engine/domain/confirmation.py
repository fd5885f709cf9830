"""From decisions to signals: a BUY or SELL is sent once it has held for a while.

The condition is a decision that can be acted on: BUY while flat or SELL while long. A HOLD, the opposite action,
or an action that the position does not allow ends it.

Sending starts the wait anew. So a condition that goes on is sent again each time that it has held for
`confirm_secs` more: an entry that a gate refused (a cooldown, an order in flight) comes at most that much late,
and a refusal that lasts is stored twice a minute at the default of 30 s, not at every decision.
"""

import msgspec

from btc_shared.codes import Action


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that is being confirmed."""

    action: Action
    """BUY or SELL."""
    since_ms: int
    """When it began, or its last signal was sent."""
    seen_ms: int
    """The newest decision that showed it."""


def confirm(
    state: Confirmation | None,
    *,
    action: Action,
    is_long: bool,
    at_ms: int,
    confirm_secs: float,
    max_gap_secs: float,
) -> tuple[Confirmation | None, bool]:
    """Take one decision; returns the new state (None: no condition) and whether its signal is to be sent now.

    A decision that lies before the last one, or more than `max_gap_secs` after it, begins anew: what held while
    nobody looked is not known.

    Args:
        action: the decision's.
        is_long: True while there is a position.
        at_ms: the decision's time.
        confirm_secs: how long the condition must hold; 0 sends at once.
        max_gap_secs: the longest pause between two decisions; several times the interval between decisions
            (1-minute bars alone: more than 60).
    """
    if action is not (Action.SELL if is_long else Action.BUY):
        return None, False
    goes_on = state is not None and state.action is action and 0 <= at_ms - state.seen_ms <= max_gap_secs * 1000
    since_ms = state.since_ms if state is not None and goes_on else at_ms
    send = at_ms - since_ms >= confirm_secs * 1000
    return Confirmation(action=action, since_ms=at_ms if send else since_ms, seen_ms=at_ms), send
