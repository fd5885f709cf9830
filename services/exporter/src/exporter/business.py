"""From what was read to samples: pure, one function per group of metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from btc_shared.codes import Action, Mode, ServiceName, Side
from btc_shared.figures import Beats, Decision, Ledger, Market, effective_mode, is_beating, position_value, usable
from btc_shared.settings import RiskSettings
from exporter.definitions import UP
from exporter.exposition import Number, Sample, Samples


@dataclass(frozen=True, kw_only=True)
class Recent:
    """A mode's last hours: executed orders, and what sells realised, net, USDT."""

    trades_1h: int = 0
    trades_24h: int = 0
    pnl_24h: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class LastTrade:
    """The newest executed order of one side and mode. `pnl` is None for a buy."""

    executed_at: datetime
    price: Decimal
    size: Decimal
    pnl: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Everything that one scrape shows, read in one transaction. Both modes and all actions are always there."""

    symbol: str
    market: Market | None
    beats: Beats
    ledgers: Mapping[Mode, Ledger]
    recent: Mapping[Mode, Recent]
    last_trades: Mapping[tuple[Mode, Side], LastTrade]
    decision: Decision | None
    decision_totals: Mapping[Action, int]
    decisions_1h: Mapping[Action, int]
    risk: RiskSettings


DOWN: Samples = {UP.name: [Sample((), 0)]}
"""What is known while the database is away."""


def samples(picture: Picture, now: datetime) -> Samples:
    """All samples of a scrape, by metric name."""
    mode = effective_mode(picture.beats)
    market = usable(picture.market, now)
    price = {"btc_price": [Sample((picture.symbol,), market.price)]} if market else {}
    return {
        UP.name: [Sample((), 1)],
        **price,
        **_mode_in_effect(picture, mode, market.bid if market else None),
        **_both_modes(picture, mode),
        **_last_trades(picture.last_trades),
        **_decisions(picture),
        **_running(picture.beats, now),
        **_settings(picture.risk),
    }


def _plain(values: Mapping[str, Number | None]) -> Samples:
    """Metrics without labels; what is missing is left out."""
    return {f"btc_trading_{name}": [Sample((), value)] for name, value in values.items() if value is not None}


def _mode_in_effect(picture: Picture, mode: Mode, bid: Decimal | None) -> Samples:
    ledger, recent = picture.ledgers[mode], picture.recent[mode]
    totals = ledger.totals
    return {
        **_plain(
            {
                "total_trades": totals.trades,
                "winning_trades": totals.winning,
                "losing_trades": totals.losing,
                "win_rate": totals.win_rate,
                "total_pnl": totals.realised_pnl,
                "avg_pnl": totals.average_pnl,
                "best_trade_pnl": totals.best_pnl,
                "worst_trade_pnl": totals.worst_pnl,
                "cumulative_pnl": totals.realised_pnl,
                "cumulative_pnl_24h": recent.pnl_24h,
                "trades_24h": recent.trades_24h,
                "trades_1h": recent.trades_1h,
                "open_position_btc": ledger.size,
                "open_position_usdt": position_value(ledger, bid),
                **{f"exit_{reason}": count for reason, count in totals.exits.items()},
            }
        ),
        "btc_trading_trades_total": [Sample((Side.BUY,), totals.buys), Sample((Side.SELL,), totals.sells)],
    }


def _both_modes(picture: Picture, mode: Mode) -> Samples:
    ledgers = picture.ledgers

    def by_mode(values: Iterable[tuple[Mode, Number | None]]) -> list[Sample]:
        return [Sample((key,), value) for key, value in values if value is not None]

    return {
        "btc_trading_mode_total_trades": by_mode((key, ledger.totals.trades) for key, ledger in ledgers.items()),
        "btc_trading_mode_winning": by_mode((key, ledger.totals.winning) for key, ledger in ledgers.items()),
        "btc_trading_mode_losing": by_mode((key, ledger.totals.losing) for key, ledger in ledgers.items()),
        "btc_trading_mode_pnl": by_mode((key, ledger.totals.realised_pnl) for key, ledger in ledgers.items()),
        "btc_trading_mode_win_rate": by_mode((key, ledger.totals.win_rate) for key, ledger in ledgers.items()),
        "btc_trading_mode_open_position_btc": by_mode((key, ledger.size) for key, ledger in ledgers.items()),
        "btc_trading_active_mode": by_mode((key, int(key is mode)) for key in ledgers),
        "btc_trading_mode_trades_total": [
            Sample((key, side), count)
            for key, ledger in ledgers.items()
            for side, count in ((Side.BUY, ledger.totals.buys), (Side.SELL, ledger.totals.sells))
        ],
        "btc_trading_mode_exits_total": [
            Sample((key, reason), count)
            for key, ledger in ledgers.items()
            for reason, count in ledger.totals.exits.items()
        ],
        **_plain({"live_mode": int(mode is Mode.LIVE)}),
    }


def _last_trades(trades: Mapping[tuple[Mode, Side], LastTrade]) -> Samples:
    def each(values: Iterable[tuple[tuple[Mode, Side], Number | None]]) -> list[Sample]:
        return [Sample((side, mode), value) for (mode, side), value in values if value is not None]

    return {
        "btc_trading_last_trade_info": each((key, trade.executed_at.timestamp()) for key, trade in trades.items()),
        "btc_trading_last_trade_price": each((key, trade.price) for key, trade in trades.items()),
        "btc_trading_last_trade_size": each((key, trade.size) for key, trade in trades.items()),
        "btc_trading_last_trade_pnl": each((key, trade.pnl) for key, trade in trades.items()),
    }


def _decisions(picture: Picture) -> Samples:
    decision = picture.decision
    inputs = {
        "rsi": "rsi",
        "momentum": "momentum",
        "volatility": "volatility",
        "trend": "trend",
        "orderbook_imbalance": "imbalance",
    }
    active = [trade.executed_at for trade in picture.last_trades.values()]
    active += [decision.decided_at] if decision else []
    return {
        **_plain({name: decision.input(key) if decision else None for name, key in inputs.items()}),
        **_plain({"last_activity_timestamp": max(active).timestamp() if active else None}),
        "btc_trading_decisions_total": [Sample((key,), count) for key, count in picture.decision_totals.items()],
        "btc_trading_decisions_1h": [Sample((key,), count) for key, count in picture.decisions_1h.items()],
    }


def _running(beats: Beats, now: datetime) -> Samples:
    running = is_beating(beats, ServiceName.EXECUTOR, now) and is_beating(beats, ServiceName.DECISION_ENGINE, now)
    return _plain({"agent_running": int(running)})


def _settings(risk: RiskSettings) -> Samples:
    return _plain(
        {
            "stop_loss_pct": risk.stop_loss_pct,
            "take_profit_pct": risk.take_profit_pct,
            # At or beyond the take profit everything is sold before the trailing stop could arm.
            "trailing_stop_enabled": int(risk.trailing_activation_pct < risk.take_profit_pct),
            "trailing_stop_activation_pct": risk.trailing_activation_pct,
            "trailing_stop_trail_pct": risk.trailing_distance_pct,
            "max_daily_trades": risk.max_daily_trades,
            "max_daily_loss": risk.max_daily_loss,
            "min_confidence": risk.min_confidence,
        }
    )
