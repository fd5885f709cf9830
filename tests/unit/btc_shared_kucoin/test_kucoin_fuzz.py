"""Whatever arrives becomes a valid record or a MalformedError; nothing else is ever raised."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from btc_shared.kucoin import answers, frames
from btc_shared.kucoin.answers import Ticker
from btc_shared.kucoin.errors import MalformedError
from btc_shared.kucoin.frames import Frame
from btc_shared.records import BookPicture, Candle, PublicTrade

LEVELS = [["67000.1", "0.4"], ["67000", "1.25"]]
CANDLE = ["1789999980", "67000", "67010.5", "67012", "66999.9", "1.5", "100510.25"]
TRADE = {"sequence": "11", "side": "sell", "price": "6.1", "size": "0.0021", "time": 1_790_000_000_123_000_000}


def framed(parser: Callable[[Frame], Any], topic: str) -> Callable[[bytes], Any]:
    return lambda body: parser(Frame(topic, "", body, 0))


CASES: list[tuple[Callable[[bytes], Any], Any]] = [
    (
        framed(frames.book_picture, "/spotMarket/level2Depth50:BTC-USDT"),
        {"bids": LEVELS, "asks": [["67000.2", "1"]], "timestamp": 1_790_000_000_123},
    ),
    (framed(frames.public_trade, "/market/match:BTC-USDT"), TRADE | {"symbol": "BTC-USDT"}),
    (framed(frames.candle, "/market/candles:BTC-USDT_1min"), {"symbol": "BTC-USDT", "candles": CANDLE}),
    (frames.envelope, {"type": "message", "topic": "/x", "subject": "y", "id": "1", "code": 1, "data": {}}),
    (lambda body: answers.candles(body, "BTC-USDT"), [CANDLE]),
    (lambda body: answers.recent_trades(body, "BTC-USDT"), [TRADE]),
    (
        lambda body: answers.book(body, "BTC-USDT", 0),
        {"time": 1_790_000_000_123, "bids": LEVELS, "asks": [["7e4", "1"]]},
    ),
    (
        lambda body: answers.ticker(body, "BTC-USDT"),
        {
            "time": 1_790_000_000_123,
            "price": "2",
            "bestBid": "1",
            "bestBidSize": "1",
            "bestAsk": "3",
            "bestAskSize": "1",
        },
    ),
    (
        lambda body: answers.socket_token(body),
        {"token": "t", "instanceServers": [{"endpoint": "ws://x", "pingInterval": 1000, "pingTimeout": 1000}]},
    ),
    (answers.server_time_ms, 1_790_000_000_123),
]

numbers = st.sampled_from(
    ["0", "-1", "NaN", "sNaN", "Infinity", "1e5", "1E+99", "0E-8", "9" * 60, "1.", ".5", "", "1,5"]
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here]
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found += paths(child, (*here, key))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def check(record: Any) -> None:
    if isinstance(record, list):
        for item in record:
            check(item)
    elif isinstance(record, BookPicture):
        assert record.bids
        assert record.asks
        assert Decimal(0) < record.best_bid < record.mid < record.best_ask
        assert all(level.price.is_finite() and level.size > 0 for level in record.bids + record.asks)
        assert -1 <= record.imbalance() <= 1
    elif isinstance(record, PublicTrade):
        assert record.price > 0
        assert record.size > 0
        assert record.price * record.size < Decimal("1e31")
        assert int(record.trade_id) >= 0
    elif isinstance(record, Candle):
        assert 0 < record.low <= min(record.open, record.close) <= max(record.open, record.close) <= record.high
        assert record.volume >= 0
        assert record.turnover >= 0
        assert record.open_time_ms % 60_000 == 0
    elif isinstance(record, Ticker):
        assert 0 < record.bid < record.ask


def outcome(parser: Callable[[bytes], Any], body: bytes) -> None:
    try:
        record = parser(body)
    except MalformedError:
        return
    check(record)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_a_changed_answer_is_a_valid_record_or_malformed(case: tuple[Callable[[bytes], Any], Any], data: Any) -> None:
    parser, sample = case
    check(parser(json.dumps(sample).encode()))
    changed = sample
    for _ in range(data.draw(st.integers(1, 3))):
        changed = replaced(changed, data.draw(st.sampled_from(paths(changed))), data.draw(junk))
    outcome(parser, json.dumps(changed).encode())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_a_damaged_text_is_a_valid_record_or_malformed(case: tuple[Callable[[bytes], Any], Any], data: Any) -> None:
    parser, sample = case
    body = json.dumps(sample).encode()
    start = data.draw(st.integers(0, len(body)))
    outcome(parser, body[:start] + data.draw(st.binary(max_size=6)) + body[start + data.draw(st.integers(0, 9)) :])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CASES), st.binary(max_size=40))
@example(CASES[0], b"[" * 100_000)
@example(CASES[9], b"9" * 10_000)
def test_any_bytes_are_malformed_or_valid(case: tuple[Callable[[bytes], Any], Any], body: bytes) -> None:
    outcome(case[0], body)
