"""When a position has to be sold: the protective exits.

gain = best bid / average entry price − 1, without fees. All comparisons are inclusive and exact: each is written
as products of the fills' sums, because the average entry price seldom is a finite decimal.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from btc_shared.codes import ExitReason
from btc_shared.records import SymbolRules
from executor.domain.arithmetic import exact, plain
from executor.domain.position import Position
from executor.domain.sizing import partial_exit_size

if TYPE_CHECKING:
    from btc_shared.settings import RiskSettings

_RETRY_CEILING_MS = 30_000


class ExitDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A sell that is due: `size` in BTC before `sizing.sell_size` limits it to what is free."""

    reason: ExitReason
    size: Decimal
    best_bid: Decimal
    gain: Decimal
    detail: str


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`position` carries the new high, armed and partial-done marks: store it whether an exit is due or not."""

    position: Position
    exit: ExitDecision | None


@exact
def judge(
    position: Position,
    best_bid: Decimal,
    rules: SymbolRules,
    settings: "RiskSettings",
    *,
    partial_blocked: bool = False,
) -> Judgement:
    """Judge a position at a (confirmed) best bid: 1 stop loss, 2 take profit, 3 partial exit, 4 trailing stop.

    The high and the arming are updated in every evaluation. A partial exit that is due but cannot be made, because
    either part would be below the exchange's minimums, is marked done; one that is made is marked by its first fill
    (`position.reduce_position`).

    Args:
        partial_blocked: a partial exit's order is open or unknown, or its last one was refused and its retry is not
            due yet; the trailing stop is then judged in its place.

    Raises:
        ValueError: for a best bid that is not above 0.
    """
    if not best_bid > 0:
        raise ValueError(f"the best bid is {best_bid}: it must be above 0")
    cost = position.entry_cost
    value = best_bid * position.entry_size
    high_bid = max(position.high_bid, best_bid)
    high_value = max(cost, high_bid * position.entry_size)
    armed = position.armed or value >= cost * (1 + settings.trailing_activation_pct)
    partial_done = position.partial_done

    reason: ExitReason | None = None
    size = position.size
    if value <= cost * (1 - settings.stop_loss_pct):
        reason = ExitReason.STOP_LOSS
    elif value >= cost * (1 + settings.take_profit_pct):
        reason = ExitReason.TAKE_PROFIT
    elif not partial_done and not partial_blocked and value >= cost * (1 + settings.partial_exit_pct):
        part = partial_exit_size(position.size, best_bid, rules, settings)
        if part > 0:
            reason, size = ExitReason.PARTIAL_EXIT, part
        else:
            partial_done = True
    if reason is None and armed and value <= high_value * (1 - settings.trailing_distance_pct):
        reason = ExitReason.TRAILING_STOP

    marked = msgspec.structs.replace(position, high_bid=high_bid, armed=armed, partial_done=partial_done)
    if reason is None:
        return Judgement(position=marked, exit=None)
    gain = (value / cost - 1).quantize(Decimal("1e-9"))
    decision = ExitDecision(
        reason=reason,
        size=size,
        best_bid=best_bid,
        gain=gain,
        detail=_sentence(reason, gain, best_bid, high_value / position.entry_size, settings),
    )
    return Judgement(position=marked, exit=decision)


def _sentence(reason: ExitReason, gain: Decimal, best_bid: Decimal, high: Decimal, settings: "RiskSettings") -> str:
    bid = f"best bid {plain(best_bid)} is {_percent(gain)} from the entry"
    match reason:
        case ExitReason.STOP_LOSS:
            return f"{bid}; the stop loss is at {_percent(-settings.stop_loss_pct)}"
        case ExitReason.TAKE_PROFIT:
            return f"{bid}; the take profit is at {_percent(settings.take_profit_pct)}"
        case ExitReason.PARTIAL_EXIT:
            return f"{bid}; the partial exit is at {_percent(settings.partial_exit_pct)}"
        case _:
            below = _percent(best_bid / high - 1)
            return (
                f"{bid} and {below} from the high {plain(high.quantize(Decimal('1e-8')))}; the trailing stop is at "
                f"{_percent(-settings.trailing_distance_pct)} from the high"
            )


def _percent(fraction: Decimal) -> str:
    """`0.015` as `+1.5 %`, to four places."""
    percent = (fraction * 100).quantize(Decimal("0.0001"))
    return f"{'+' if percent > 0 else ''}{plain(percent)} %"


@exact
def needs_confirmation(last_bid: Decimal | None, best_bid: Decimal, max_price_jump: Decimal) -> bool:
    """True if a bid has to be confirmed by a read of its own before exits are judged on it.

    That is when it is more than `max_price_jump` away from the last, or when there is no last to compare it with.
    Without an answer in time the caller acts on it all the same.
    """
    if last_bid is None:
        return True
    return abs(best_bid - last_bid) > max_price_jump * last_bid


def retry_delay_ms(refusals: int) -> int:
    """Time to wait before an exit's next intent, after this many refusals in a row: 0, 1, 2, 4, 8, 16, 30, 30 s …

    Raises:
        ValueError: when nothing was refused.
    """
    if refusals < 1:
        raise ValueError(f"{refusals} refusals: a retry follows at least one")
    if refusals == 1:
        return 0
    # The exponent is bounded so that a day of refusals does not build a number of thousands of digits.
    return min(1_000 << min(refusals - 2, 10), _RETRY_CEILING_MS)


def retry_alerts(attempt: int) -> bool:
    """An exit's first attempt may fail quietly; from the second on a person is told. `attempt` counts from 1."""
    return attempt >= 2
