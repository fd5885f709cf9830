"""The messages that services exchange over Redis streams, and the one place that encodes and decodes them.

A stream entry has two fields: `kind` (which record) and `data` (the record as MessagePack). Decimals travel
as text, so nothing is rounded. A new field gets a default and is ignored by who does not know it, so that services of
two versions understand each other while they are being replaced. An entry that does not decode, or that carries a
number no market can have, raises `UnknownMessageError`; readers put it on the dead-letter stream.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from btc_shared.codes import Action, DataSource, ExitReason, Mode, Side
from btc_shared.records import BookPicture, Candle, LedgerKey, PublicTrade

KIND_FIELD = b"kind"
DATA_FIELD = b"data"


class TradeBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Public trades in the order in which the exchange made them, never empty; `received_at_ms` is our clock."""

    symbol: str
    received_at_ms: int
    trades: tuple[PublicTrade, ...]
    source: DataSource | None = None


class CandleUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """A bar became final (`correction` False) or a final bar was corrected later (True).

    What it tells happened before `candle.close_time_ms`, on the exchange's clock. `received_at_ms`, on ours, is when
    its figures were known; a bar that had to wait for the database is published later than that. `source` is who had
    the last word on the figures: the socket's frames (or their absence), or a REST answer.
    """

    candle: Candle
    correction: bool
    published_at_ms: int
    received_at_ms: int | None = None
    source: DataSource | None = None


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The decision engine asks for a trade. Ids are UUIDs as text."""

    signal_id: str
    decision_id: str
    venue: str
    symbol: str
    mode: Mode
    action: Action
    confidence: float
    price: float
    created_at_ms: int


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """The executor booked an order's fills. A hint to look into Postgres, which is the truth."""

    intent_id: str
    ledger: LedgerKey
    symbol: str
    side: Side
    reason: ExitReason | None
    size: str
    price: str
    round_trip_id: str
    round_trip_closed: bool
    executed_at_ms: int


Message = BookPicture | TradeBatch | CandleUpdate | Signal | Execution

_KINDS: dict[bytes, type[Message]] = {
    b"book": BookPicture,
    b"trades": TradeBatch,
    b"candle": CandleUpdate,
    b"signal": Signal,
    b"execution": Execution,
}
_NAMES = {cls: kind for kind, cls in _KINDS.items()}
_encoder = msgspec.msgpack.Encoder()
_decoders: dict[bytes, msgspec.msgpack.Decoder[Message]] = {
    kind: msgspec.msgpack.Decoder(cls) for kind, cls in _KINDS.items()
}


# Beyond any price, size or turnover; what is smaller survives every conversion to float.
_LARGEST = Decimal("1e15")


class UnknownMessageError(ValueError):
    """A stream entry is not a message of ours: unknown kind, or fields that do not fit it."""


def encode(message: Message) -> dict[bytes, bytes]:
    """Return the fields of the stream entry that carries `message`."""
    return {KIND_FIELD: _NAMES[type(message)], DATA_FIELD: _encoder.encode(message)}


def decode(fields: dict[bytes, bytes]) -> Message:
    """Return the message that a stream entry carries.

    Raises:
        UnknownMessageError: the entry is not one of ours; the text says why.
    """
    kind = fields.get(KIND_FIELD)
    decoder = _decoders.get(kind) if kind is not None else None
    if decoder is None:
        raise UnknownMessageError(f"unknown kind {kind!r}: expected one of {sorted(_KINDS)}")
    try:
        message = decoder.decode(fields.get(DATA_FIELD, b""))
    except msgspec.DecodeError as error:
        raise UnknownMessageError(f"malformed {kind!r} message: {error}") from error
    if problem := _problem(message):
        raise UnknownMessageError(f"impossible {kind!r} message: {problem}")
    return message


def _problem(message: Message) -> str | None:
    """Why a market message cannot be true: a NaN that gets in here would end up in a mean, an order or a crash."""
    if isinstance(message, BookPicture):
        if not (message.bids and message.asks):
            return "a side of the book is empty"
        return _bad_number(number for level in (*message.bids, *message.asks) for number in (level.price, level.size))
    if isinstance(message, TradeBatch):
        if not message.trades:
            return "there are no trades in it"
        return _bad_number(number for trade in message.trades for number in (trade.price, trade.size))
    if isinstance(message, CandleUpdate):
        bar = message.candle
        prices, amounts = (bar.open, bar.high, bar.low, bar.close), (bar.volume, bar.turnover)
        # A minute without trades has a volume of 0.
        return _bad_number(prices) or _bad_number(amount for amount in amounts if amount.is_signed() or amount)
    return None


def _bad_number(numbers: Iterable[Decimal]) -> str | None:
    for number in numbers:
        if not (number.is_finite() and 0 < number < _LARGEST):
            return f"a price or size is {number}: must be above 0 and below {_LARGEST}"
    return None
