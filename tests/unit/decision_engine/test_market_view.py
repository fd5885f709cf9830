from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import Mode, Side
from btc_shared.records import BookPicture, Candle, Level, PublicTrade
from decision_engine.domain import FLOW_TRADES, Indicators, Inputs, MarketView, TradeWindow, latest_indicators

from .conftest import MakeInputs

SYMBOL = "BTC-USDT"
NOW = 1_700_000_040_000


def _trade(number: int, *, at_ms: int | None = None, side: Side = Side.BUY, size: str = "0.01") -> PublicTrade:
    return PublicTrade(
        symbol=SYMBOL,
        trade_id=str(number),
        event_time_ms=number if at_ms is None else at_ms,
        price=Decimal(20_000),
        size=Decimal(size),
        side=side,
    )


def _book(
    at_ms: int, *, bid_size: str = "1", ask_size: str = "1", bid: str = "19999", symbol: str = SYMBOL
) -> BookPicture:
    return BookPicture(
        symbol=symbol,
        event_time_ms=at_ms,
        received_at_ms=at_ms + 50,
        bids=(Level(Decimal(bid), Decimal(bid_size)),),
        asks=(Level(Decimal(20_001), Decimal(ask_size)),),
    )


def _bars(closes: list[float], first_open_ms: int, volume: float = 1.0) -> list[Candle]:
    return [
        Candle(
            symbol=SYMBOL,
            open_time_ms=first_open_ms + 60_000 * number,
            open=Decimal(1),
            high=Decimal(1),
            low=Decimal(1),
            close=Decimal(str(close)),
            volume=Decimal(str(volume)),
            turnover=Decimal(1),
        )
        for number, close in enumerate(closes)
    ]


def _window(trades: list[PublicTrade]) -> TradeWindow:
    window = TradeWindow()
    for trade in trades:
        window = window.add(trade)
    return window


VIEW = MarketView(symbol=SYMBOL, tau_secs=60)


# --- trades


def test_flow_is_missing_until_there_are_a_hundred_trades() -> None:
    window = _window([_trade(number) for number in range(FLOW_TRADES - 1)])
    assert window.flow is None
    assert window.add(_trade(FLOW_TRADES)).flow == 1.0


def test_flow_weighs_the_takers_sides_by_size() -> None:
    trades = [_trade(number, side=Side.SELL, size="3") for number in range(50)]
    trades += [_trade(number, side=Side.BUY, size="1") for number in range(50, 100)]
    assert _window(trades).flow == -0.5


def test_only_the_newest_hundred_trades_count() -> None:
    sold = [_trade(number, side=Side.SELL, size="1000") for number in range(30)]
    window = _window(sold + [_trade(number) for number in range(30, 130)])
    assert (len(window.trades), window.flow, window.newest_ms) == (100, 1.0, 129)


@given(st.permutations(range(120)), st.lists(st.integers(0, 119), max_size=30))
def test_neither_order_nor_repetition_changes_the_window(order: list[int], repeated: list[int]) -> None:
    trades = [_trade(number, side=Side.SELL if number % 3 else Side.BUY) for number in range(120)]
    window = _window([trades[number] for number in (*order, *repeated)])
    assert window.trades == tuple(trades[20:])


def test_a_trade_that_left_the_window_does_not_come_back() -> None:
    trades = [_trade(number) for number in range(FLOW_TRADES + 1)]
    window = _window(trades)
    assert window.trades == tuple(trades[1:])
    assert window.add(trades[0]) is window


def test_of_many_trades_in_one_millisecond_the_last_count() -> None:
    trades = [_trade(number, at_ms=5) for number in range(FLOW_TRADES + 30)]
    assert _window(trades).trades == tuple(trades[30:])


def test_flow_is_smoothed_from_the_first_full_window_on() -> None:
    view = VIEW
    for number in range(FLOW_TRADES):
        view = view.with_trade(_trade(number))
    assert view.flow_mean is not None
    assert view.flow_mean.value == 1.0
    view = view.with_trade(_trade(200, at_ms=FLOW_TRADES - 1 + 60_000, side=Side.SELL))
    assert view.flow == pytest.approx(0.98)
    assert view.flow_mean is not None
    assert view.flow_mean.value == pytest.approx(np.exp(-1) * 1.0 + (1 - np.exp(-1)) * 0.98)


# --- order book


def test_the_books_imbalance_is_smoothed_and_the_newest_is_kept() -> None:
    view = VIEW.with_book(_book(0)).with_book(_book(60_000, bid_size="3"))
    assert view.imbalance == 0.5
    assert view.imbalance_mean is not None
    assert view.imbalance_mean.value == pytest.approx(0.5 * (1 - np.exp(-1)))


def test_an_older_picture_is_ignored() -> None:
    view = VIEW.with_book(_book(1_000))
    assert view.with_book(_book(999, bid_size="3")) is view


# --- bars


def test_indicators_are_those_of_the_bars() -> None:
    closes = [20_000 + number % 7 for number in range(60)]
    view = VIEW.with_bars(_bars([float(close) for close in closes], 600_000))
    assert view.indicators == latest_indicators(closes, np.ones(60))
    assert view.last_bar_close_ms == 600_000 + 60 * 60_000


def test_bars_before_a_gap_do_not_count() -> None:
    closes = [20_000.0 + number % 7 for number in range(60)]
    bars = _bars(closes, 600_000)
    view = VIEW.with_bars(bars[:30] + bars[31:])
    assert view.indicators == latest_indicators(closes[31:], np.ones(29))
    assert view.indicators.sma_30 is None


def test_without_bars_everything_is_missing() -> None:
    view = VIEW.with_bars(_bars([1.0] * 40, 0)).with_bars([])
    assert (view.indicators, view.last_bar_close_ms) == (Indicators(), None)


# --- inputs


def test_inputs_hold_what_was_seen() -> None:
    bars_start = NOW - 62_000 - 39 * 60_000
    view = VIEW.with_bars(_bars([20_000.0] * 40, bars_start)).with_book(_book(NOW - 300, bid_size="3"))
    view = view.with_trade(_trade(1, at_ms=NOW - 4_000))
    inputs = view.inputs(mode=Mode.DRY, at_ms=NOW, is_long=True)
    assert (inputs.bid, inputs.ask, inputs.price) == (Decimal(19_999), Decimal(20_001), Decimal(20_000))
    assert inputs.spread_bp == pytest.approx(1.0)
    assert (inputs.book_age_secs, inputs.trade_age_secs, inputs.bar_age_secs) == (0.3, 4.0, 2.0)
    assert (inputs.imbalance, inputs.imbalance_mean, inputs.flow, inputs.flow_mean) == (0.5, 0.5, None, None)
    assert (inputs.is_long, inputs.mode, inputs.at_ms) == (True, Mode.DRY, NOW)


def test_a_view_that_has_seen_nothing_says_so() -> None:
    inputs = VIEW.inputs(mode=Mode.DRY, at_ms=NOW, is_long=False)
    assert inputs.price is None
    assert (inputs.book_problem, inputs.trade_problem, inputs.bar_problem) == (
        "no order book yet",
        "no public trade yet",
        "no final bar yet",
    )


@pytest.mark.parametrize(
    ("kind", "age_secs", "fresh"),
    [
        ("book", 10.0, True),
        ("book", 10.001, False),
        ("trade", 60.0, True),
        ("trade", 60.001, False),
        ("bar", 120.0, True),
        ("bar", 120.001, False),
        ("book", -2.0, True),
        ("book", -2.001, False),
        ("trade", -2.0, True),
        ("trade", -2.001, False),
        ("bar", 0.0, True),
        ("bar", -0.001, False),
    ],
)
def test_freshness_ends_where_the_rules_say(kind: str, age_secs: float, fresh: bool, make_inputs: MakeInputs) -> None:
    changes: dict[str, Any] = {f"{kind}_age_secs": age_secs}
    inputs = make_inputs(**changes)
    problem = getattr(inputs, f"{kind}_problem")
    assert (problem is None) is fresh


def test_stored_inputs_can_be_read_again(make_inputs: MakeInputs) -> None:
    inputs = make_inputs(indicators={"rsi": None})
    assert msgspec.json.decode(msgspec.json.encode(inputs), type=Inputs) == inputs
    assert msgspec.convert(msgspec.to_builtins(inputs), Inputs) == inputs


def test_data_of_another_symbol_is_refused() -> None:
    trade = msgspec.structs.replace(_trade(1), symbol="ETH-USDT")
    bar = msgspec.structs.replace(_bars([1.0], 0)[0], symbol="ETH-USDT")
    with pytest.raises(ValueError, match="takes no data of ETH-USDT"):
        VIEW.with_book(_book(0, symbol="ETH-USDT"))
    with pytest.raises(ValueError, match="takes no data of ETH-USDT"):
        VIEW.with_trade(trade)
    with pytest.raises(ValueError, match="takes no data of ETH-USDT"):
        VIEW.with_bars([bar])
