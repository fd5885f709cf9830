"""How much an order may buy or sell."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import Refusal
from btc_shared.records import SymbolRules
from btc_shared.settings import RiskSettings
from executor.domain.denied import Denied
from executor.domain.sizing import entry_funds, is_sellable, partial_exit_size, sell_size

D = Decimal
RULES = SymbolRules(
    symbol="BTC-USDT",
    base_currency="BTC",
    quote_currency="USDT",
    base_increment=D("0.00000001"),
    quote_increment=D("0.000001"),
    price_increment=D("0.1"),
    base_min_size=D("0.00001"),
    quote_min_size=D("0.1"),
    min_funds=D("0.1"),
)
SETTINGS = RiskSettings()
ASK = D("67717.6")


def settings(**changes: Any) -> RiskSettings:
    return RiskSettings(**changes)


def rules(**changes: Any) -> SymbolRules:
    return msgspec.structs.replace(RULES, **changes)


available = st.decimals(min_value=0, max_value=10_000_000, places=8)
fractions = st.decimals(min_value="0.0001", max_value=1, places=4)
fees = st.decimals(min_value=0, max_value="0.05", places=5)
sizes = st.decimals(min_value=0, max_value=10, places=8)


@given(available, fractions, fees)
def test_an_entry_is_capped_affordable_with_its_fee_and_on_the_increment(
    cash: Decimal, cap: Decimal, fee: Decimal
) -> None:
    funds = entry_funds(cash, ASK, RULES, settings(max_position_pct=cap, taker_fee=fee))
    if isinstance(funds, Denied):
        return
    assert funds % RULES.quote_increment == 0
    assert funds <= cash * cap
    assert funds * (1 + fee) <= cash
    assert funds >= SETTINGS.min_trade_amount
    # Nothing is left on the table: one increment more would break the cap or the account.
    more = funds + RULES.quote_increment
    assert more > cash * cap or more * (1 + fee) > cash


@given(available, fractions, fees)
def test_a_refused_entry_could_not_have_been_made_at_the_minimum(cash: Decimal, cap: Decimal, fee: Decimal) -> None:
    chosen = settings(max_position_pct=cap, taker_fee=fee)
    refused = entry_funds(cash, ASK, RULES, chosen)
    if not isinstance(refused, Denied):
        return
    pays_for_the_minimum = cash >= chosen.min_trade_amount * (1 + fee)
    assert refused.code is (Refusal.AMOUNT_TOO_SMALL if pays_for_the_minimum else Refusal.INSUFFICIENT_FUNDS)
    assert cash * cap < chosen.min_trade_amount or not pays_for_the_minimum


@pytest.mark.parametrize(
    ("cash", "expected"),
    [
        ("1000", D(300)),
        ("33.333334", D(10)),  # floor(10.0000002) is the smallest entry: inclusive
        ("33.333333", Refusal.AMOUNT_TOO_SMALL),  # floor(9.9999999): 10 is never taken instead
        ("10.01", Refusal.AMOUNT_TOO_SMALL),  # pays for 10 with its fee exactly
        ("10.009999", Refusal.INSUFFICIENT_FUNDS),
        ("0", Refusal.INSUFFICIENT_FUNDS),
        ("-5", Refusal.INSUFFICIENT_FUNDS),
    ],
)
def test_the_entrys_boundaries(cash: str, expected: Decimal | Refusal) -> None:
    funds = entry_funds(D(cash), ASK, RULES, SETTINGS)
    assert (funds.code if isinstance(funds, Denied) else funds) == expected


@pytest.mark.parametrize(
    ("cash", "detail"),
    [
        ("20", "30 % of 20 USDT is 6; the smallest entry is 10"),
        ("5", "5 USDT available pays for 4.995004 after the fee; the smallest entry is 10"),
    ],
)
def test_a_refused_entry_names_the_numbers(cash: str, detail: str) -> None:
    denied = entry_funds(D(cash), ASK, RULES, SETTINGS)
    assert isinstance(denied, Denied)
    assert denied.detail == detail


def test_everything_may_be_spent_but_the_fee() -> None:
    assert entry_funds(D(1000), ASK, RULES, settings(max_position_pct=D(1))) == D("999.000999")


@pytest.mark.parametrize("field", ["quote_min_size", "min_funds"])
def test_the_exchanges_minimum_counts_when_it_is_higher_than_ours(field: str) -> None:
    strict = rules(**{field: D(300)})
    denied = entry_funds(D(999), D(100), strict, SETTINGS)
    assert isinstance(denied, Denied)
    assert denied.code is Refusal.AMOUNT_TOO_SMALL
    assert "299.7" in denied.detail
    assert "300" in denied.detail


def test_the_exchanges_smallest_funds_are_inclusive() -> None:
    assert entry_funds(D(1000), D(100), rules(quote_min_size=D(300)), SETTINGS) == D(300)


def test_an_entry_whose_coins_could_not_be_sold_again_is_refused() -> None:
    coarse = rules(base_min_size=D("0.01"))
    denied = entry_funds(D(1000), ASK, coarse, SETTINGS)
    assert isinstance(denied, Denied)
    assert denied.code is Refusal.AMOUNT_TOO_SMALL
    assert "0.01 BTC" in denied.detail


def test_an_entry_that_falls_below_the_minimum_funds_at_its_stop_loss_is_refused() -> None:
    denied = entry_funds(D(1000), D(100), rules(min_funds=D(299)), SETTINGS)
    assert isinstance(denied, Denied)
    assert denied.code is Refusal.AMOUNT_TOO_SMALL


@given(wanted=sizes, position=sizes, committed=sizes, free=st.none() | sizes)
def test_a_sell_never_exceeds_what_is_wanted_free_of_the_position_or_available(
    wanted: Decimal, position: Decimal, committed: Decimal, free: Decimal | None
) -> None:
    size = sell_size(
        wanted, position_size=position, committed=committed, available_base=free, best_bid=ASK, rules=RULES
    )
    limit = min(wanted, position - committed, *([] if free is None else [free]))
    assert size == 0 or size <= limit
    assert size == 0 or committed + size <= position
    assert (size > 0) == (limit >= RULES.base_min_size)
    assert size % RULES.base_increment == 0


@pytest.mark.parametrize(
    ("size", "price", "sellable"),
    [
        ("0.00001", "67717.6", True),
        ("0.00000999", "67717.6", False),
        ("0.00001", "10000", True),  # 0.1 USDT, inclusive
        ("0.00001", "9999.9", False),
        ("0.00001", None, True),
        ("0", None, False),
    ],
)
def test_sellable_means_the_smallest_size_and_funds_inclusive(size: str, price: str | None, sellable: bool) -> None:
    assert is_sellable(D(size), None if price is None else D(price), RULES) is sellable


def test_nothing_is_never_sellable_even_without_minimums() -> None:
    assert not is_sellable(D(0), ASK, rules(base_min_size=D(0), min_funds=D(0)))


def test_a_size_is_tested_after_flooring_to_the_increment() -> None:
    assert not is_sellable(D("0.00019"), D(100000), rules(base_increment=D("0.0001"), base_min_size=D("0.00015")))


@given(sizes, st.decimals(min_value="0.01", max_value="0.99", places=2))
def test_a_partial_exit_leaves_two_sellable_parts_or_is_none(position: Decimal, fraction: Decimal) -> None:
    part = partial_exit_size(position, ASK, RULES, settings(partial_exit_fraction=fraction))
    exact_part = position * fraction
    if part == 0:
        assert min(exact_part, position - exact_part) < RULES.base_min_size + RULES.base_increment
    else:
        assert part <= exact_part < part + RULES.base_increment
        assert is_sellable(part, ASK, RULES)
        assert is_sellable(position - part, ASK, RULES)


@pytest.mark.parametrize(
    ("position", "part"), [("0.00443", "0.002215"), ("0.00000003", "0"), ("0.00002", "0.00001"), ("0.00001999", "0")]
)
def test_half_is_floored(position: str, part: str) -> None:
    assert partial_exit_size(D(position), ASK, RULES, SETTINGS) == D(part)
