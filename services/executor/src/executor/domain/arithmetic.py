"""Decimal arithmetic that does not round behind one's back.

Python's default of 28 digits is enough for one price but not for sums of unrounded fees, and a comparison with
a threshold must not depend on it. Functions marked `@exact` compute with 80 digits.
"""

from collections.abc import Callable
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ZERO = Decimal(0)
EXACT = Context(prec=80, traps=[InvalidOperation, DivisionByZero, Overflow])

# Finest step of an amount that comes from a division (a share of a cost or a fee), in USDT. BTC-USDT's exact
# fees have 12 decimals: price 1, size 8, fee rate 3.
SHARE_STEP = Decimal("1e-12")


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with 80 significant digits, whatever the caller's decimal context is."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return wrapper


@exact
def floor_to(value: Decimal, increment: Decimal) -> Decimal:
    """The largest multiple of `increment` that is not above `value`.

    Raises:
        ValueError: for a negative value or an increment that is not above 0.
    """
    if value < 0 or increment <= 0:
        raise ValueError(
            f"cannot floor {value} to steps of {increment}: the value must be 0 or more and the step above 0"
        )
    return value // increment * increment


@exact
def share(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`total × part / whole`, rounded to `SHARE_STEP`; all of it, unrounded, when the part is the whole."""
    if part == whole:
        return total
    return (total * part / whole).quantize(SHARE_STEP)


@exact
def plain(value: Decimal) -> str:
    """Digits without exponent and trailing zeros, as the exchange and people read them."""
    return format(value.normalize() + ZERO, "f")
