"""The metrics' names, types and labels are a contract; the docs' table is made from the same definitions."""

from pathlib import Path

from exporter.definitions import DEFINITIONS, markdown_table

REPOSITORY = Path(__file__).parents[3]

COUNTERS = """
btc_trading_total_trades btc_trading_winning_trades btc_trading_losing_trades
btc_trading_mode_total_trades{mode} btc_trading_mode_winning{mode} btc_trading_mode_losing{mode}
btc_trading_decisions_total{action} btc_trading_trades_total{side}
btc_trading_exit_stop_loss btc_trading_exit_take_profit btc_trading_exit_partial_exit
btc_trading_exit_trailing_stop btc_trading_exit_signal btc_trading_exit_manual
btc_trading_mode_trades_total{mode,side} btc_trading_mode_exits_total{mode,reason}
"""
GAUGES = """
btc_exporter_up btc_price{symbol} btc_trading_win_rate btc_trading_total_pnl btc_trading_avg_pnl
btc_trading_best_trade_pnl btc_trading_worst_trade_pnl btc_trading_cumulative_pnl btc_trading_cumulative_pnl_24h
btc_trading_trades_24h btc_trading_trades_1h btc_trading_open_position_btc btc_trading_open_position_usdt
btc_trading_mode_pnl{mode} btc_trading_mode_win_rate{mode} btc_trading_mode_open_position_btc{mode}
btc_trading_active_mode{mode} btc_trading_live_mode
btc_trading_rsi btc_trading_momentum btc_trading_volatility btc_trading_trend btc_trading_orderbook_imbalance
btc_trading_agent_running btc_trading_decisions_1h{action} btc_trading_last_activity_timestamp
btc_trading_last_trade_info{side,mode} btc_trading_last_trade_price{side,mode}
btc_trading_last_trade_size{side,mode} btc_trading_last_trade_pnl{side,mode}
btc_trading_stop_loss_pct btc_trading_take_profit_pct btc_trading_trailing_stop_enabled
btc_trading_trailing_stop_activation_pct btc_trading_trailing_stop_trail_pct
btc_trading_max_daily_trades btc_trading_max_daily_loss btc_trading_min_confidence
"""


def test_names_types_and_labels_are_those_that_dashboards_query() -> None:
    found: dict[str, set[str]] = {"counter": set(), "gauge": set()}
    for name, kind, _, labels, _ in DEFINITIONS:
        found[kind].add(f"{name}{{{','.join(labels)}}}" if labels else name)
    assert found == {"counter": set(COUNTERS.split()), "gauge": set(GAUGES.split())}


def test_no_name_is_defined_twice() -> None:
    names = [definition.name for definition in DEFINITIONS]
    assert len(names) == len(set(names))


def test_the_docs_table_is_in_step_with_the_code() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert markdown_table() in page, "docs/metrics.md is old: put in what `python -m exporter.definitions` prints"
