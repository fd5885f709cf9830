"""The flow over the last 100 trades, each counted once."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import Side
from btc_shared.records import PublicTrade
from market_feed.domain.flow import KEPT_TRADES, RecentTrades, trade_flow

T0 = 1_790_000_000_000


def trade(number: int, side: Side = Side.BUY, size: str = "1", time_ms: int | None = None) -> PublicTrade:
    return PublicTrade(
        symbol="BTC-USDT",
        trade_id=str(number),
        event_time_ms=T0 + number if time_ms is None else time_ms,
        price=Decimal(100),
        size=Decimal(size),
        side=side,
    )


def test_the_flow_is_bought_minus_sold_over_the_total() -> None:
    assert trade_flow([trade(1, Side.BUY, "3"), trade(2, Side.SELL, "1")]) == 0.5
    assert trade_flow([trade(1, Side.SELL)]) == -1
    assert trade_flow([]) is None


def test_only_the_newest_hundred_count() -> None:
    old = [trade(number, Side.SELL, "1000") for number in range(50)]
    assert trade_flow(old + [trade(50 + number) for number in range(100)]) == 1


def test_a_trade_that_came_by_socket_and_by_rest_counts_once() -> None:
    recent = RecentTrades()
    assert recent.add([trade(5)]) == [trade(5)]
    assert recent.add([trade(4), trade(5), trade(6)]) == [trade(4), trade(6)]
    assert recent.newest == trade(6)


def test_history_that_arrives_late_takes_its_place_before_newer_trades() -> None:
    recent = RecentTrades()
    recent.add([trade(number, Side.BUY) for number in range(100, 200)])
    assert recent.add([trade(number, Side.SELL) for number in range(50)]) != []
    assert recent.flow() == 1


def test_an_exchange_that_began_its_numbers_anew_is_believed() -> None:
    recent = RecentTrades()
    recent.add([trade(number) for number in range(100)])
    again = trade(7, Side.SELL, time_ms=T0 + 3_600_000)
    assert recent.add([again]) == [again]
    assert recent.newest == again


def test_what_is_remembered_is_bounded_and_older_trades_are_no_news() -> None:
    recent = RecentTrades()
    for number in range(3 * KEPT_TRADES):
        recent.add([trade(number)])
    assert recent.add([trade(1)]) == []
    assert all(len(kept) == KEPT_TRADES for kept in vars(recent).values())


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(Side), st.integers(1, 9)), max_size=60))
def test_flow_is_within_bounds_and_does_not_depend_on_the_order_of_arrival(found: list[tuple[int, Side, int]]) -> None:
    unique = {number: trade(number, side, str(size)) for number, side, size in found}
    forward, backward = RecentTrades(), RecentTrades()
    for number in unique:
        forward.add([unique[number]])
    backward.add(reversed(list(unique.values())))
    assert forward.flow() == backward.flow()
    flow = forward.flow()
    assert flow is None if not unique else -1 <= (flow or 0) <= 1


@pytest.mark.parametrize("size", ["1e-18", "1000000000000000"])
def test_extreme_sizes_do_not_break_the_flow(size: str) -> None:
    assert trade_flow([trade(1, Side.BUY, size), trade(2, Side.SELL, size)]) == 0
