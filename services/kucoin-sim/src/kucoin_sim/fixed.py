"""Exact decimal numbers as integers: a price of 66976.4 at one decimal is 669764.

Prices and sizes travel through the practice exchange as integers and become decimal strings only at its
edges, so nothing is ever rounded on the way.
"""

from decimal import Decimal, InvalidOperation


def to_text(units: int, decimals: int) -> str:
    """Decimal string of `units` × 10^-`decimals` as KuCoin writes it: no trailing zeros, no exponent."""
    if units < 0:
        return f"-{to_text(-units, decimals)}"
    whole, fraction = divmod(units, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}".rstrip("0") if fraction else str(whole)


def to_units(text: str, decimals: int) -> int:
    """Integer units of the decimal string `text`.

    Raises:
        ValueError: `text` is no number, or has more decimals than `decimals`.
    """
    try:
        scaled = Decimal(text).scaleb(decimals)
        units = int(scaled)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a decimal number") from error
    if units != scaled:
        raise ValueError(f"{text!r} has more than {decimals} decimals")
    return units


def decimals_of(increment: str) -> int:
    """Number of decimals of an increment such as "0.01" (2), "0.10" (1) or "1" (0).

    Raises:
        ValueError: `increment` is no positive number.
    """
    try:
        value = Decimal(increment)
    except InvalidOperation as error:
        raise ValueError(f"{increment!r} is not a decimal number") from error
    if not value.is_finite() or value <= 0:
        raise ValueError(f"the increment {increment!r} is not a positive number")
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
