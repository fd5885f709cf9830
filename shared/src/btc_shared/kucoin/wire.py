"""Rules that hold for every number and time on KuCoin's wire.

Numbers are decimal text and stay exact. A price or size that is not a finite, plain, plausible number is
malformed: it never becomes a price. Fields that we do not know are ignored; ones that we need and miss are an error.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final, TypeVar

import msgspec

from btc_shared.codes import DataSource, Side
from btc_shared.kucoin.errors import MalformedError
from btc_shared.records import MINUTE_MS, BookPicture, Candle, Level, PublicTrade

# Bounded digits: whatever passes fits the database's numeric type and Decimal's arithmetic. No sign, no NaN.
Number = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?\Z")]
Moment = int | str
"""A time: an integer or its text, in seconds, milliseconds or nanoseconds."""

SMALLEST: Final = Decimal("1e-18")
LARGEST: Final = Decimal("1e15")
EARLIEST_MS: Final = 1_262_304_000_000  # 2010-01-01
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01
MS_PER_SECOND: Final = 1_000
NS_PER_MS: Final = 1_000_000
MAX_DIGITS: Final = 20
HIDDEN: Final = b"(hidden)"

S = TypeVar("S")
R = TypeVar("R")


class InvalidError(ValueError):
    """A decoded value breaks a rule; `read` turns it into a `MalformedError`. The text names the field."""


def read(
    what: str, decoder: msgspec.json.Decoder[S], body: bytes, build: Callable[[S], R], *, secret: bool = False
) -> R:
    """Decode `body` and build a record of it. A `secret` body is not quoted in the error.

    Raises:
        MalformedError: the body is not JSON, lacks a field, or a value breaks a rule.
    """
    try:
        decoded = decoder.decode(body)
    except (ValueError, RecursionError) as error:  # msgspec's errors, bad UTF-8, endless digits, endless nesting
        raise MalformedError(what, str(error), HIDDEN if secret else body) from error
    try:
        return build(decoded)
    except InvalidError as error:
        raise MalformedError(what, str(error), HIDDEN if secret else body) from error


def not_negative(text: str, field: str) -> Decimal:
    """The number as Decimal; 0 is fine (a volume)."""
    value = Decimal(text)
    if value and not SMALLEST <= value <= LARGEST:
        raise InvalidError(f"{field} is {text}, outside {SMALLEST} to {LARGEST}")
    return value


def positive(text: str, field: str) -> Decimal:
    """The number as Decimal, above 0 (a price or a size)."""
    value = not_negative(text, field)
    if not value:
        raise InvalidError(f"{field} is {text}: must be above 0")
    return value


def digits(value: int | str, field: str) -> int:
    """An integer that the exchange sends as number or as text. Ids never pass through floats."""
    text = str(value) if isinstance(value, int) else value
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise InvalidError(f"{field} is {text[:40]!r}: must be a whole number of at most {MAX_DIGITS} digits")
    return int(text)


def milliseconds(value: Moment, field: str, *, per_ms: int = 1) -> int:
    """A time in milliseconds; `per_ms` is `NS_PER_MS` for nanoseconds.

    A time outside 2010 to 2100 is in another unit than documented, or garbage.
    """
    return _plausible(digits(value, field) // per_ms, field, value)


def seconds(value: Moment, field: str) -> int:
    """A time that the exchange gives in seconds, in milliseconds."""
    return _plausible(digits(value, field) * MS_PER_SECOND, field, value)


def _plausible(moment_ms: int, field: str, value: Moment) -> int:
    if not EARLIEST_MS <= moment_ms < LATEST_MS:
        raise InvalidError(f"{field} is {str(value)[:40]}: not a time between 2010 and 2100 in the documented unit")
    return moment_ms


class LevelText(msgspec.Struct, array_like=True):
    """A price level on the wire: `["67000.1", "0.25"]`."""

    price: Number
    size: Number


class TradeText(msgspec.Struct):
    """A public trade on the wire; `time` is in nanoseconds, `side` the taker's."""

    sequence: int | str
    side: Side
    price: Number
    size: Number
    time: Moment


class CandleText(msgspec.Struct, array_like=True):
    """A bar on the wire. Mind the order: the close comes before high and low.

    `["1789000020", "67000", "67010.5", "67012", "66999.9", "1.5", "100510.25"]` is opening time (s), open, close,
    high, low, volume (base currency), turnover (quote currency).
    """

    time: Moment
    open: Number
    close: Number
    high: Number
    low: Number
    volume: Number
    turnover: Number


def book(
    symbol: str,
    event_time_ms: int,
    received_at_ms: int,
    bids: Sequence[LevelText],
    asks: Sequence[LevelText],
    source: DataSource,
) -> BookPicture:
    """A book picture whose sides are neither empty, unsorted nor crossed."""
    picture = BookPicture(
        symbol=symbol,
        event_time_ms=event_time_ms,
        received_at_ms=received_at_ms,
        bids=_levels(bids, "bids", descending=True),
        asks=_levels(asks, "asks", descending=False),
        source=source,
    )
    if picture.best_bid >= picture.best_ask:
        raise InvalidError(f"the book is crossed: best bid {picture.best_bid}, best ask {picture.best_ask}")
    return picture


def _levels(texts: Sequence[LevelText], side: str, *, descending: bool) -> tuple[Level, ...]:
    if not texts:
        raise InvalidError(f"{side} is empty")
    levels = tuple(
        Level(positive(text.price, f"a price in {side}"), positive(text.size, f"a size in {side}")) for text in texts
    )
    for better, worse in pairwise(levels):
        if (better.price <= worse.price) if descending else (better.price >= worse.price):
            raise InvalidError(f"{side} is not sorted: {worse.price} after {better.price}")
    return levels


def trade(symbol: str, row: TradeText) -> PublicTrade:
    """A public trade. Its id is `sequence`, the only one that frames and REST answers about a trade share."""
    return PublicTrade(
        symbol=symbol,
        trade_id=str(digits(row.sequence, "sequence")),
        event_time_ms=milliseconds(row.time, "time", per_ms=NS_PER_MS),
        price=positive(row.price, "price"),
        size=positive(row.size, "size"),
        side=row.side,
    )


def candle(symbol: str, row: CandleText) -> Candle:
    """A 1-minute bar whose figures fit each other."""
    bar = Candle(
        symbol=symbol,
        open_time_ms=seconds(row.time, "a bar's time"),
        open=positive(row.open, "a bar's open"),
        high=positive(row.high, "a bar's high"),
        low=positive(row.low, "a bar's low"),
        close=positive(row.close, "a bar's close"),
        volume=not_negative(row.volume, "a bar's volume"),
        turnover=not_negative(row.turnover, "a bar's turnover"),
    )
    if bar.open_time_ms % MINUTE_MS:
        raise InvalidError(f"a bar's time is {row.time}: not the beginning of a minute")
    if not (bar.low <= min(bar.open, bar.close) and max(bar.open, bar.close) <= bar.high):
        raise InvalidError(f"a bar's low {bar.low} and high {bar.high} do not enclose {bar.open} and {bar.close}")
    return bar
