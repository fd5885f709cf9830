"""Every metric that the exporter offers, once: the renderer and the table in `docs/metrics.md` are made from this.

Names, types and labels are a contract with dashboards. `python -m exporter.definitions` prints the docs' table.
"""

from typing import Literal, NamedTuple

from btc_shared.codes import ExitReason


class Definition(NamedTuple):
    """One metric. `absent` says when it is left out, because it would have to be made up; empty: never."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()
    absent: str = ""


_NO_PRICE = "the market's price is missing or older than 60 s"
_NO_ROUND_TRIP = "no round trip is closed yet"
_NO_DECISION = "there is no decision yet, or its input was missing"
_NO_TRADE = "there is no such trade yet"

_EXITS = {
    ExitReason.STOP_LOSS: "stop loss",
    ExitReason.TAKE_PROFIT: "take profit",
    ExitReason.PARTIAL_EXIT: "partial exit",
    ExitReason.TRAILING_STOP: "trailing stop",
    ExitReason.SIGNAL: "a SELL signal",
    ExitReason.MANUAL: "hand",
}

UP = Definition("btc_exporter_up", "gauge", "1 when the database could be read for this scrape, else 0")

DEFINITIONS: tuple[Definition, ...] = (
    UP,
    Definition("btc_price", "gauge", "Mid of best bid and best ask, USDT", ("symbol",), _NO_PRICE),
    # The mode in effect
    Definition("btc_trading_total_trades", "counter", "Executed orders, mode in effect"),
    Definition("btc_trading_winning_trades", "counter", "Closed round trips with a net profit, mode in effect"),
    Definition("btc_trading_losing_trades", "counter", "Closed round trips without a net profit, mode in effect"),
    Definition(
        "btc_trading_win_rate",
        "gauge",
        "Share of closed round trips that won, 0 to 1, mode in effect",
        (),
        _NO_ROUND_TRIP,
    ),
    Definition("btc_trading_total_pnl", "gauge", "Realised net result, partial exits included, USDT, mode in effect"),
    Definition(
        "btc_trading_avg_pnl",
        "gauge",
        "Mean net result of a closed round trip, USDT, mode in effect",
        (),
        _NO_ROUND_TRIP,
    ),
    Definition(
        "btc_trading_best_trade_pnl", "gauge", "Best closed round trip, net, USDT, mode in effect", (), _NO_ROUND_TRIP
    ),
    Definition(
        "btc_trading_worst_trade_pnl", "gauge", "Worst closed round trip, net, USDT, mode in effect", (), _NO_ROUND_TRIP
    ),
    Definition("btc_trading_cumulative_pnl", "gauge", "The same as btc_trading_total_pnl"),
    Definition("btc_trading_cumulative_pnl_24h", "gauge", "Realised net in the last 24 hours, USDT, mode in effect"),
    Definition("btc_trading_trades_24h", "gauge", "Executed orders in the last 24 hours, mode in effect"),
    Definition("btc_trading_trades_1h", "gauge", "Executed orders in the last hour, mode in effect"),
    Definition("btc_trading_open_position_btc", "gauge", "Open position, BTC, mode in effect"),
    Definition(
        "btc_trading_open_position_usdt",
        "gauge",
        "Open position at the best bid, before fees, USDT, mode in effect",
        (),
        "a position is open and the market's price is missing or older than 60 s",
    ),
    Definition("btc_trading_trades_total", "counter", "Executed orders by side, mode in effect", ("side",)),
    *(
        Definition(f"btc_trading_exit_{reason}", "counter", f"Sell orders made by {words}, mode in effect")
        for reason, words in _EXITS.items()
    ),
    # Both modes side by side: rates and alerts use these
    Definition("btc_trading_mode_total_trades", "counter", "Executed orders", ("mode",)),
    Definition("btc_trading_mode_winning", "counter", "Closed round trips with a net profit", ("mode",)),
    Definition("btc_trading_mode_losing", "counter", "Closed round trips without a net profit", ("mode",)),
    Definition("btc_trading_mode_pnl", "gauge", "Realised net result, USDT", ("mode",)),
    Definition(
        "btc_trading_mode_win_rate", "gauge", "Share of closed round trips that won, 0 to 1", ("mode",), _NO_ROUND_TRIP
    ),
    Definition("btc_trading_mode_trades_total", "counter", "Executed orders by side", ("mode", "side")),
    Definition("btc_trading_mode_exits_total", "counter", "Sell orders by reason", ("mode", "reason")),
    Definition("btc_trading_mode_open_position_btc", "gauge", "Open position, BTC", ("mode",)),
    Definition("btc_trading_active_mode", "gauge", "1 for the mode in effect, 0 for the other", ("mode",)),
    Definition("btc_trading_live_mode", "gauge", "Mode in effect: 0 DRY, 1 LIVE"),
    Definition(
        "btc_trading_last_trade_info",
        "gauge",
        "Time of the last such trade, epoch seconds",
        ("side", "mode"),
        _NO_TRADE,
    ),
    Definition("btc_trading_last_trade_price", "gauge", "Its mean price, USDT", ("side", "mode"), _NO_TRADE),
    Definition("btc_trading_last_trade_size", "gauge", "Its size, BTC", ("side", "mode"), _NO_TRADE),
    Definition(
        "btc_trading_last_trade_pnl", "gauge", "Its net result, USDT", ("side", "mode"), f"{_NO_TRADE}, and for buys"
    ),
    # Decisions
    Definition("btc_trading_rsi", "gauge", "RSI(14) of the last decision, 0 to 100", (), _NO_DECISION),
    Definition("btc_trading_momentum", "gauge", "Change over 10 bars of the last decision, percent", (), _NO_DECISION),
    Definition(
        "btc_trading_volatility",
        "gauge",
        "Deviation of 20 one-bar returns of the last decision, percent",
        (),
        _NO_DECISION,
    ),
    Definition("btc_trading_trend", "gauge", "SMA(10) against SMA(30) of the last decision, -1 to 1", (), _NO_DECISION),
    Definition(
        "btc_trading_orderbook_imbalance", "gauge", "Book imbalance of the last decision, -1 to 1", (), _NO_DECISION
    ),
    Definition("btc_trading_decisions_total", "counter", "Decisions by action", ("action",)),
    Definition("btc_trading_decisions_1h", "gauge", "Decisions in the last hour by action", ("action",)),
    Definition(
        "btc_trading_last_activity_timestamp",
        "gauge",
        "Time of the newest decision or trade, epoch seconds",
        (),
        "there is neither a decision nor a trade yet",
    ),
    Definition("btc_trading_agent_running", "gauge", "1 while executor and decision engine send heartbeats, else 0"),
    # Settings in effect
    Definition("btc_trading_stop_loss_pct", "gauge", "Loss at which the position is sold, fraction"),
    Definition("btc_trading_take_profit_pct", "gauge", "Gain at which the position is sold, fraction"),
    Definition(
        "btc_trading_trailing_stop_enabled", "gauge", "1 when it arms below the take profit, 0 when it never can"
    ),
    Definition("btc_trading_trailing_stop_activation_pct", "gauge", "Gain that arms the trailing stop, fraction"),
    Definition(
        "btc_trading_trailing_stop_trail_pct", "gauge", "Distance of the trailing stop below the high, fraction"
    ),
    Definition("btc_trading_max_daily_trades", "gauge", "Executed orders a UTC day before entries stop"),
    Definition("btc_trading_max_daily_loss", "gauge", "Loss of a UTC day at which entries stop, USDT"),
    Definition("btc_trading_min_confidence", "gauge", "Lowest confidence that trades, 0 to 1"),
)


def markdown_table() -> str:
    """The docs' table of all metrics."""
    lines = ["| metric | type | labels | meaning | left out when |", "|---|---|---|---|---|"]
    for name, kind, text, labels, absent in DEFINITIONS:
        named = ", ".join(f"`{label}`" for label in labels)
        lines.append(f"| `{name}` | {kind} | {named} | {text} | {absent} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown_table())  # noqa: T201 - this is the command's output
