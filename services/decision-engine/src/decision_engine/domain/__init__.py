"""The decision core: pure functions and frozen records, the same lines live, in a replay and in a backtest.

Nothing here reads a clock, a network, a database or a random number: they come in as arguments.

    view = MarketView(symbol="BTC-USDT", tau_secs=settings.smoothing_secs)
    view = view.with_bars(bars).with_book(picture).with_trade(trade)
    decision = decide(view.inputs(mode=mode, at_ms=now_ms, is_long=False), settings, table)
    state, send = confirm(state, action=decision.action, ...)

Over whole arrays: `compute_indicators`, `technical_scores`, `cells_of` with `q_scores`, `combine`.
"""

from decision_engine.domain.confirmation import Confirmation, confirm
from decision_engine.domain.ensemble import Combination, Decision, combine, decide
from decision_engine.domain.flow import FLOW_TRADES, TradeWindow
from decision_engine.domain.indicators import (
    LIVE_BARS,
    IndicatorArrays,
    Indicators,
    compute_indicators,
    latest_indicators,
)
from decision_engine.domain.lessons import ClosedRoundTrip, TripFill, lesson
from decision_engine.domain.market_view import Inputs, MarketView
from decision_engine.domain.qlearning import LongBar, RoundTripLesson, learn, q_scores, sale_result_bp
from decision_engine.domain.qtable import (
    QTable,
    TableRefusedError,
    cell_of,
    cells_of,
    empty_table,
    table_from_json,
    table_to_json,
    table_version,
)
from decision_engine.domain.smoothing import SmoothedMean, recursive_mean, smooth
from decision_engine.domain.strategies import Vote, technical_scores

__all__ = [
    "FLOW_TRADES",
    "LIVE_BARS",
    "ClosedRoundTrip",
    "Combination",
    "Confirmation",
    "Decision",
    "IndicatorArrays",
    "Indicators",
    "Inputs",
    "LongBar",
    "MarketView",
    "QTable",
    "RoundTripLesson",
    "SmoothedMean",
    "TableRefusedError",
    "TradeWindow",
    "TripFill",
    "Vote",
    "cell_of",
    "cells_of",
    "combine",
    "compute_indicators",
    "confirm",
    "decide",
    "empty_table",
    "latest_indicators",
    "learn",
    "lesson",
    "q_scores",
    "recursive_mean",
    "sale_result_bp",
    "smooth",
    "table_from_json",
    "table_to_json",
    "table_version",
    "technical_scores",
]
