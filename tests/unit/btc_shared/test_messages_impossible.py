"""A message may have all its fields and still be impossible: it must not get past the place that decodes it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from btc_shared.codes import Side
from btc_shared.messages import CandleUpdate, TradeBatch, UnknownMessageError, decode, encode
from btc_shared.records import BookPicture, Candle, Level, PublicTrade

GOOD_LEVEL = Level(Decimal(50_000), Decimal(1))
BAD_NUMBERS = ["NaN", "sNaN", "Infinity", "-Infinity", "-1", "0", "1e400", "1e15"]


def book(**changes: Any) -> BookPicture:
    values: dict[str, Any] = {"bids": (GOOD_LEVEL,), "asks": (Level(Decimal(50_001), Decimal(1)),)}
    return BookPicture(symbol="BTC-USDT", event_time_ms=1, received_at_ms=1, **(values | changes))


def batch(**changes: Any) -> TradeBatch:
    trade = PublicTrade(
        symbol="BTC-USDT", trade_id="1", event_time_ms=1, price=Decimal(50_000), size=Decimal(1), side=Side.BUY
    )
    return TradeBatch(symbol="BTC-USDT", received_at_ms=1, trades=(msgspec.structs.replace(trade, **changes),))


def bar(**changes: Any) -> CandleUpdate:
    price = Decimal(50_000)
    values: dict[str, Any] = {**dict.fromkeys(("open", "high", "low", "close"), price), "volume": Decimal(1)}
    candle = Candle(symbol="BTC-USDT", open_time_ms=60_000, **(values | {"turnover": Decimal(1)} | changes))
    return CandleUpdate(candle=candle, correction=False, published_at_ms=1)


@pytest.mark.parametrize("text", BAD_NUMBERS)
@pytest.mark.parametrize(
    "make",
    [
        lambda number: book(bids=(GOOD_LEVEL, Level(number, Decimal(1)))),
        lambda number: book(bids=(Level(Decimal(1), number),)),
        lambda number: book(asks=(Level(number, Decimal(1)),)),
        lambda number: batch(price=number),
        lambda number: batch(size=number),
        lambda number: bar(open=number),
        lambda number: bar(high=number),
        lambda number: bar(low=number),
        lambda number: bar(close=number),
    ],
)
def test_a_price_or_size_that_no_market_can_have_is_refused(make: Any, text: str) -> None:
    with pytest.raises(UnknownMessageError, match="impossible"):
        decode(encode(make(Decimal(text))))


@pytest.mark.parametrize("name", ["volume", "turnover"])
@pytest.mark.parametrize("text", sorted({*BAD_NUMBERS, "-NaN"} - {"0"}))
def test_a_bar_s_volume_is_finite_and_not_negative(name: str, text: str) -> None:
    with pytest.raises(UnknownMessageError, match="impossible"):
        decode(encode(bar(**{name: Decimal(text)})))


def test_a_bar_without_trades_is_possible() -> None:
    quiet = bar(volume=Decimal(0), turnover=Decimal(0))
    assert decode(encode(quiet)) == quiet


@pytest.mark.parametrize(
    "message", [book(bids=()), book(asks=()), TradeBatch(symbol="A-B", received_at_ms=1, trades=())]
)
def test_a_message_with_nothing_in_it_is_refused(message: Any) -> None:
    with pytest.raises(UnknownMessageError, match="impossible"):
        decode(encode(message))
