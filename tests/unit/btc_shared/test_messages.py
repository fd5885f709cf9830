from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import Action, DataSource, ExitReason, Mode, Side
from btc_shared.messages import (
    DATA_FIELD,
    KIND_FIELD,
    CandleUpdate,
    Execution,
    Message,
    Signal,
    TradeBatch,
    UnknownMessageError,
    decode,
    encode,
)
from btc_shared.records import BookPicture, Candle, LedgerKey, Level, PublicTrade

numbers = st.decimals(min_value="0.00000001", max_value="99999999", places=8)
times = st.integers(min_value=0, max_value=4_102_444_800_000)
names = st.text(min_size=1, max_size=20)
levels = st.lists(st.builds(Level, numbers, numbers), min_size=1, max_size=5).map(tuple)
trades = st.builds(
    PublicTrade,
    symbol=names,
    trade_id=names,
    event_time_ms=times,
    price=numbers,
    size=numbers,
    side=st.sampled_from(Side),
)
candles = st.builds(
    Candle,
    symbol=names,
    open_time_ms=times,
    open=numbers,
    high=numbers,
    low=numbers,
    close=numbers,
    volume=numbers,
    turnover=numbers,
    filled=st.booleans(),
)
sources = st.none() | st.sampled_from(DataSource)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        BookPicture,
        symbol=names,
        event_time_ms=times,
        received_at_ms=times,
        bids=levels,
        asks=levels,
        source=sources,
    ),
    st.builds(
        TradeBatch,
        symbol=names,
        received_at_ms=times,
        trades=st.lists(trades, min_size=1, max_size=5).map(tuple),
        source=sources,
    ),
    st.builds(
        CandleUpdate,
        candle=candles,
        correction=st.booleans(),
        published_at_ms=times,
        received_at_ms=st.none() | times,
        source=sources,
    ),
    st.builds(
        Signal,
        signal_id=names,
        decision_id=names,
        venue=names,
        symbol=names,
        mode=st.sampled_from(Mode),
        action=st.sampled_from(Action),
        confidence=st.floats(0, 1),
        price=st.floats(1, 1e6),
        created_at_ms=times,
    ),
    st.builds(
        Execution,
        intent_id=names,
        ledger=st.builds(LedgerKey, venue=names, account=names, mode=st.sampled_from(Mode)),
        symbol=names,
        side=st.sampled_from(Side),
        reason=st.none() | st.sampled_from(ExitReason),
        size=names,
        price=names,
        round_trip_id=names,
        round_trip_closed=st.booleans(),
        executed_at_ms=times,
    ),
)


@given(messages)
def test_every_message_survives_the_wire_unchanged(message: Message) -> None:
    assert decode(encode(message)) == message


def test_decimals_keep_their_digits() -> None:
    trade = PublicTrade(
        symbol="BTC-USDT",
        trade_id="1",
        event_time_ms=1,
        price=Decimal("0.10"),
        size=Decimal("123456789.123456789123456789"),
        side=Side.BUY,
    )
    batch = decode(encode(TradeBatch(symbol="BTC-USDT", received_at_ms=1, trades=(trade,))))
    assert isinstance(batch, TradeBatch)
    assert str(batch.trades[0].price) == "0.10"
    assert str(batch.trades[0].size) == "123456789.123456789123456789"


@given(st.dictionaries(st.sampled_from([KIND_FIELD, DATA_FIELD, b"other"]), st.binary(max_size=50)))
def test_anything_else_is_an_unknown_message_never_another_error(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(UnknownMessageError):
        decode(fields)


@given(messages, st.integers(0, 200))
def test_a_truncated_message_is_unknown(message: Message, cut: int) -> None:
    fields = encode(message)
    fields[DATA_FIELD] = fields[DATA_FIELD][: min(cut, len(fields[DATA_FIELD]) - 1)]
    with pytest.raises(UnknownMessageError, match="malformed"):
        decode(fields)


NEWER_FIELDS = ("source", "received_at_ms")


@given(messages)
def test_messages_of_an_older_version_are_understood_and_so_are_those_of_a_newer_one(message: Message) -> None:
    fields = encode(message)
    raw = msgspec.msgpack.decode(fields[DATA_FIELD])
    added = [name for name in NEWER_FIELDS if name in raw and type(message).__struct_defaults__]
    if isinstance(message, BookPicture | TradeBatch):
        added.remove("received_at_ms")  # these have always had it
    older = {name: value for name, value in raw.items() if name not in added}
    expected = msgspec.structs.replace(message, **dict.fromkeys(added))
    assert decode({**fields, DATA_FIELD: msgspec.msgpack.encode(older)}) == expected
    newer = {**raw, "something_to_come": [1, "x"]}
    assert decode({**fields, DATA_FIELD: msgspec.msgpack.encode(newer)}) == message
