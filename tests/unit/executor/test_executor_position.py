"""A position through its fills: entry, exits, and what is booked when."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import ExitReason, Mode, Side
from btc_shared.records import LedgerKey
from executor.domain.position import (
    Fill,
    Holding,
    OversoldError,
    Position,
    RoundTrip,
    add_entry_fill,
    open_position,
    reduce_position,
    unrealised,
    write_off,
)

D = Decimal
FEE = D("0.001")
T0 = 1_700_000_000_000

prices = st.decimals(min_value="1000", max_value="200000", places=1)
sizes = st.decimals(min_value="0.00001", max_value="2", places=8)


def fill(side: Side, price: Decimal, size: Decimal, number: int = 0) -> Fill:
    funds = price * size
    return Fill(
        fill_id=f"fill-{number}",
        intent_id=f"{side}-order",
        symbol="BTC-USDT",
        side=side,
        price=price,
        size=size,
        funds=funds,
        fee_quote=funds * FEE,
        fee=funds * FEE,
        fee_currency="USDT",
        time_ms=T0 + number,
    )


def bought(*fills: tuple[Decimal, Decimal]) -> Position:
    first, *more = [fill(Side.BUY, price, size, number) for number, (price, size) in enumerate(fills)]
    position = open_position(first, "trip-1", "decision-7", "signal-9")
    for further in more:
        position = add_entry_fill(position, further)
    return position


@given(st.lists(st.tuples(prices, sizes), min_size=1, max_size=5))
def test_an_entry_of_several_fills_sums_up(fills: list[tuple[Decimal, Decimal]]) -> None:
    position = bought(*fills)
    assert position.size == position.entry_size == sum(size for _, size in fills)
    assert position.entry_cost == position.open_cost == sum(price * size for price, size in fills)
    assert position.entry_fee == position.open_fee == position.entry_cost * FEE
    tiny = D("1e-18")  # the shown average is rounded
    assert min(price for price, _ in fills) - tiny <= position.entry_price
    assert position.entry_price <= max(price for price, _ in fills) + tiny
    assert position.opened_at_ms == T0
    assert position.last_fill_at_ms == T0 + len(fills) - 1
    assert (position.entry_decision_id, position.entry_signal_id) == ("decision-7", "signal-9")


@given(
    st.lists(st.tuples(prices, sizes), min_size=1, max_size=4),
    st.lists(st.tuples(prices, st.integers(1, 99)), max_size=5),
    prices,
)
def test_exits_book_everything_exactly_once(
    entries: list[tuple[Decimal, Decimal]], partial: list[tuple[Decimal, int]], last_price: Decimal
) -> None:
    position: Position | None = bought(*entries)
    assert position is not None
    spent = position.entry_cost + position.entry_fee
    earned = realised = D(0)
    for number, (price, percent) in enumerate(partial, 10):
        size = (position.size * percent / 100).quantize(D("1e-8"))
        if not 0 < size < position.size:
            continue
        exit_fill = fill(Side.SELL, price, size, number)
        earned += exit_fill.funds - exit_fill.fee_quote
        reduced = reduce_position(position, exit_fill, ExitReason.SIGNAL)
        assert reduced.round_trip is None
        assert reduced.position is not None
        realised += reduced.realised
        position = reduced.position
        assert position.realised == realised
        # What is not booked is bound in the rest, in proportion to it.
        assert position.open_cost + position.open_fee == spent - (earned - realised)
        share = (position.entry_cost * position.size / position.entry_size) - position.open_cost
        assert abs(share) < D("1e-10")
    last = fill(Side.SELL, last_price, position.size, 99)
    earned += last.funds - last.fee_quote
    closed = reduce_position(position, last, ExitReason.TAKE_PROFIT)
    assert closed.position is None
    trip = closed.round_trip
    assert trip is not None
    assert trip.net == realised + closed.realised == earned - spent
    assert trip.exit_size == trip.entry_size
    assert trip.fees == trip.entry_fee + trip.exit_fee
    assert trip.dust == 0
    assert trip.closed_at_ms == T0 + 99


def test_a_round_trip_in_numbers() -> None:
    position = bought((D(100_000), D("0.003")))
    half = reduce_position(position, fill(Side.SELL, D(101_500), D("0.0015"), 1), ExitReason.PARTIAL_EXIT)
    assert half.realised == D("152.25") - D("0.15225") - D("150") - D("0.15")
    assert half.cost == D("150.15")
    assert half.position is not None
    rest = reduce_position(half.position, fill(Side.SELL, D(101_000), D("0.0015"), 2), ExitReason.TRAILING_STOP)
    trip = rest.round_trip
    assert trip is not None
    assert trip.net == D("152.25") + D("151.5") - D("0.30375") - D("300.3")
    assert trip.net_bp == D("104.875")  # 3.14625 of a stake of 300
    assert trip.exit_reasons == (ExitReason.PARTIAL_EXIT, ExitReason.TRAILING_STOP)
    assert trip.won


def test_break_even_is_not_a_win() -> None:
    position = bought((D(100), D(1)))
    even = msgspec.structs.replace(fill(Side.SELL, D("100.2"), D(1), 1), fee_quote=D("0.1"))
    trip = reduce_position(position, even, ExitReason.SIGNAL).round_trip
    assert trip is not None
    assert trip.net == 0
    assert not trip.won


def test_each_reason_is_named_once_in_the_order_of_its_first_fill() -> None:
    position = bought((D(100), D(1)))
    for number, reason in enumerate([ExitReason.SIGNAL, ExitReason.STOP_LOSS, ExitReason.SIGNAL], 1):
        reduced = reduce_position(position, fill(Side.SELL, D(99), D("0.1"), number), reason)
        assert reduced.position is not None
        position = reduced.position
    assert position.exit_reasons == (ExitReason.SIGNAL, ExitReason.STOP_LOSS)


def test_marks_survive_entry_and_exit_fills() -> None:
    marked = msgspec.structs.replace(bought((D(100), D(1))), high_bid=D(105), armed=True)
    grown = add_entry_fill(marked, fill(Side.BUY, D(101), D(1), 1))
    shrunk = reduce_position(grown, fill(Side.SELL, D(104), D(1), 2), ExitReason.PARTIAL_EXIT).position
    assert shrunk is not None
    assert (shrunk.high_bid, shrunk.armed, shrunk.partial_done) == (D(105), True, True)


def test_an_entry_fill_that_is_learned_of_late_joins_the_rest_at_its_own_cost() -> None:
    half = reduce_position(bought((D(100), D(2))), fill(Side.SELL, D(110), D(1), 1), ExitReason.SIGNAL).position
    assert half is not None
    grown = add_entry_fill(half, fill(Side.BUY, D(120), D(1), 2))
    assert grown.size == 2
    assert grown.open_cost == D(220)
    assert grown.realised == half.realised


def test_selling_more_than_the_position_is_refused() -> None:
    with pytest.raises(OversoldError, match="but the position has 1"):
        reduce_position(bought((D(100), D(1))), fill(Side.SELL, D(100), D("1.00000001"), 1), ExitReason.SIGNAL)


def test_a_write_off_closes_the_round_trip_at_the_cost_of_the_dust() -> None:
    position = bought((D(100_000), D("0.003")))
    sold = reduce_position(position, fill(Side.SELL, D(100_000), D("0.00299"), 1), ExitReason.STOP_LOSS).position
    assert sold is not None
    written = write_off(sold, T0 + 5)
    trip = written.round_trip
    assert trip is not None
    assert trip.dust == D("0.00001")
    assert trip.entry_size == trip.exit_size + trip.dust
    assert written.realised == -D("1.001")  # 0.00001 at 100000 and its share of the fee
    assert trip.net == D("299") - D("0.299") - D("300.3")
    assert trip.closed_at_ms == T0 + 5


@given(prices, sizes, prices)
def test_unrealised_is_what_selling_now_would_realise(entry: Decimal, size: Decimal, bid: Decimal) -> None:
    position = bought((entry, size))
    sold = reduce_position(position, fill(Side.SELL, bid, size, 1), ExitReason.MANUAL)
    assert unrealised(position, bid, FEE) == sold.realised


@given(prices, sizes)
def test_records_survive_storage(price: Decimal, size: Decimal) -> None:
    position = bought((price, size))
    holding = Holding(
        key=LedgerKey(venue="kucoin", account="main", mode=Mode.DRY), symbol="BTC-USDT", position=position
    )
    assert msgspec.json.decode(msgspec.json.encode(holding), type=Holding) == holding
    trip = write_off(position, T0).round_trip
    assert msgspec.json.decode(msgspec.json.encode(trip), type=RoundTrip) == trip
