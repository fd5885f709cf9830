"""The day's limits: what counts on which UTC day, and the latch."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import Side
from executor.domain.ledger import Booking
from executor.domain.limits import (
    DAY_MS,
    count_trades,
    day_result,
    day_start_ms,
    is_latched,
    next_loss_latch,
    realised_on,
    utc_day,
)
from executor.domain.position import Fill, Position, open_position

D = Decimal
DAY = date(2026, 11, 22)
MIDNIGHT = 1_795_305_600_000
FEE = D("0.001")
LIMIT = D(150)


def position(price: Decimal, size: Decimal) -> Position:
    funds = price * size
    return open_position(
        Fill(
            fill_id="1",
            intent_id="1",
            symbol="BTC-USDT",
            side=Side.BUY,
            price=price,
            size=size,
            funds=funds,
            fee_quote=funds * FEE,
            fee=funds * FEE,
            fee_currency="USDT",
            time_ms=MIDNIGHT,
        ),
        "trip",
    )


def booking(time_ms: int, realised: str) -> Booking:
    return Booking(
        symbol="BTC-USDT",
        intent_id="1",
        fill_id="1",
        round_trip_id="1",
        time_ms=time_ms,
        realised=D(realised),
    )


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_belongs_to_its_utc_day(moment: datetime) -> None:
    time_ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert utc_day(time_ms) == moment.date()
    assert day_start_ms(moment.date()) <= time_ms < day_start_ms(moment.date()) + DAY_MS


def test_trades_count_on_the_day_of_their_first_fill() -> None:
    assert day_start_ms(DAY) == MIDNIGHT
    times_ms = [MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + 5, MIDNIGHT + DAY_MS - 1, MIDNIGHT + DAY_MS]
    assert count_trades(times_ms, DAY) == 3


def test_realised_counts_on_the_day_of_each_booking() -> None:
    bookings = [booking(MIDNIGHT - 1, "-500"), booking(MIDNIGHT, "-10.5"), booking(MIDNIGHT + 1, "3")]
    assert realised_on(bookings, DAY) == D("-7.5")


def test_the_days_result_adds_the_open_position_at_its_bid_less_the_exit_fee() -> None:
    held = position(D(100_000), D("0.003"))
    # 270 − 0.27 for the coins, 300 + 0.3 paid
    assert day_result(D(-100), [(held, D(90_000))], FEE) == D("-130.57")
    assert day_result(D(-100), [], FEE) == D(-100)


def test_the_days_result_is_unknown_without_a_bid_for_an_open_position() -> None:
    assert day_result(D(50), [(position(D(100), D(1)), None)], FEE) is None


@pytest.mark.parametrize(
    ("result", "latched"), [("-149.999999", None), ("-150", DAY), ("-150.000001", DAY), ("10", None)]
)
def test_the_loss_limit_is_inclusive(result: str, latched: date | None) -> None:
    assert next_loss_latch(None, DAY, D(result), LIMIT) == latched


def test_the_latch_holds_whatever_the_result_until_the_next_utc_day() -> None:
    assert next_loss_latch(DAY, DAY, D(1000), LIMIT) == DAY
    assert next_loss_latch(DAY, DAY, None, LIMIT) == DAY
    assert next_loss_latch(DAY, DAY, D(-160), D(10_000)) == DAY
    tomorrow = DAY + timedelta(days=1)
    assert is_latched(DAY, DAY)
    assert not is_latched(DAY, tomorrow)
    assert next_loss_latch(DAY, tomorrow, D(-149), LIMIT) is None
    assert next_loss_latch(DAY, tomorrow, D(-150), LIMIT) == tomorrow


def test_an_unknown_result_latches_nothing() -> None:
    assert next_loss_latch(None, DAY, None, LIMIT) is None


def test_a_clock_that_was_set_back_does_not_open_the_latch() -> None:
    assert is_latched(DAY, DAY - timedelta(days=1))
    assert next_loss_latch(DAY, DAY - timedelta(days=1), D(0), LIMIT) == DAY


@given(st.lists(st.decimals(min_value=-300, max_value=300, places=2), min_size=1, max_size=20))
def test_within_a_day_the_latch_remembers_the_worst_result(results: list[Decimal]) -> None:
    latch: date | None = None
    for result in results:
        latch = next_loss_latch(latch, DAY, result, LIMIT)
    assert is_latched(latch, DAY) == (min(results) <= -LIMIT)
