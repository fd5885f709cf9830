"""The day's limits: what counts, on which UTC day, and the latch on the day's loss.

Everything is counted from stored rows of one (venue, account, mode), so that a restart resets nothing.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from executor.domain.arithmetic import ZERO, exact
from executor.domain.ledger import Booking
from executor.domain.position import Position, unrealised

DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)


def utc_day(time_ms: int) -> date:
    """The UTC day of a time."""
    return _EPOCH + timedelta(days=time_ms // DAY_MS)


def day_start_ms(day: date) -> int:
    """00:00 UTC of a day."""
    return (day - _EPOCH).days * DAY_MS


def count_trades(first_fill_times_ms: Iterable[int], day: date) -> int:
    """Orders whose first fill was on `day`, exits included; one time per order with a fill."""
    return sum(1 for time_ms in first_fill_times_ms if utc_day(time_ms) == day)


@exact
def realised_on(bookings: Iterable[Booking], day: date) -> Decimal:
    """What the fills of a day booked, in USDT."""
    return sum((booking.realised for booking in bookings if utc_day(booking.time_ms) == day), ZERO)


@exact
def day_result(
    realised_today: Decimal, open_positions: Iterable[tuple[Position, Decimal | None]], taker_fee: Decimal
) -> Decimal | None:
    """Realised today plus what selling the open positions at their best bids would add, in USDT.

    None when a position's best bid is missing: the result is then unknown, not better.
    """
    result = realised_today
    for position, best_bid in open_positions:
        if best_bid is None:
            return None
        result += unrealised(position, best_bid, taker_fee)
    return result


def next_loss_latch(
    latched_on: date | None, today: date, result: Decimal | None, max_daily_loss: Decimal
) -> date | None:
    """The day on which the loss limit was hit, to be stored; None when it does not hold.

    Once hit it stays until 00:00 UTC, however the price or the setting changes; an unknown result changes nothing. A
    day later than today means that the clock was set back: it is kept.
    """
    if is_latched(latched_on, today):
        return latched_on
    return today if result is not None and result <= -max_daily_loss else None


def is_latched(latched_on: date | None, today: date) -> bool:
    """True while the stored latch refuses entries."""
    return latched_on is not None and latched_on >= today
