"""Exact decimal arithmetic."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domain.arithmetic import floor_to, plain, share

values = st.decimals(min_value=0, max_value=10**12, places=12)
increments = st.sampled_from([Decimal("1e-8"), Decimal("0.000001"), Decimal("0.1"), Decimal("0.25"), Decimal(5)])


@given(values, increments)
def test_floor_is_the_largest_multiple_that_is_not_above(value: Decimal, increment: Decimal) -> None:
    floored = floor_to(value, increment)
    assert floored % increment == 0
    assert floored <= value < floored + increment


def test_floor_does_not_depend_on_the_callers_decimal_context() -> None:
    with localcontext(prec=3):
        assert floor_to(Decimal("123456.789012"), Decimal("0.000001")) == Decimal("123456.789012")


@pytest.mark.parametrize(("value", "increment"), [("-1", "0.1"), ("1", "0"), ("1", "-0.1")])
def test_floor_refuses_negative_values_and_steps(value: str, increment: str) -> None:
    with pytest.raises(ValueError, match="must be 0 or more"):
        floor_to(Decimal(value), Decimal(increment))


@given(values, st.decimals(min_value="0.00000001", max_value=1000, places=8))
def test_the_share_of_the_whole_is_all_of_it(total: Decimal, whole: Decimal) -> None:
    assert share(total, whole, whole) == total


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E-8", "0.00000001"), ("1E+3", "1000"), ("10.500", "10.5"), ("0.00", "0"), ("-0", "0"), ("-2.0", "-2")],
)
def test_numbers_are_written_without_exponent_and_trailing_zeros(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text
