"""Exact numbers: what goes in as a decimal string comes out as the same number, written as KuCoin writes it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kucoin_sim.fixed import decimals_of, to_text, to_units


@given(st.integers(-(10**18), 10**18), st.integers(0, 12))
def test_text_and_units_are_each_others_inverse(units: int, decimals: int) -> None:
    text = to_text(units, decimals)
    assert to_units(text, decimals) == units
    assert Decimal(text) == Decimal(units).scaleb(-decimals)
    assert "E" not in text.upper()
    assert "." not in text or not text.endswith("0")


def test_numbers_are_written_without_trailing_zeros() -> None:
    assert to_text(669764, 1) == "66976.4"
    assert to_text(672690, 1) == "67269"
    assert to_text(2500, 8) == "0.000025"
    assert to_text(0, 8) == "0"
    assert to_text(-1, 2) == "-0.01"


@pytest.mark.parametrize("text", ["", "abc", "1.23.4", "NaN", "Infinity"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal number"):
        to_units(text, 2)


def test_more_decimals_than_the_unit_has_are_refused_not_rounded() -> None:
    assert to_units("25.42618900", 6) == 25426189
    with pytest.raises(ValueError, match="more than 5 decimals"):
        to_units("25.42618900", 5)


@pytest.mark.parametrize(("increment", "decimals"), [("0.01", 2), ("0.10", 1), ("1", 0), ("10", 0), ("0.00000001", 8)])
def test_decimals_of_an_increment(increment: str, decimals: int) -> None:
    assert decimals_of(increment) == decimals


@pytest.mark.parametrize("increment", ["0", "-0.1", "x", "NaN"])
def test_an_increment_must_be_a_positive_number(increment: str) -> None:
    with pytest.raises(ValueError):
        decimals_of(increment)
