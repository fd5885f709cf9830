"""From what was read to the answers: pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from btc_shared.clock import from_ms
from btc_shared.codes import Action, Mode, ServiceName, Strategy
from btc_shared.figures import (
    Beats,
    Control,
    Decision,
    Ledger,
    Market,
    age_seconds,
    effective_mode,
    equity,
    is_beating,
    position_value,
    unrealised_pnl,
)
from webui_api import schemas
from webui_api.equity import EquityCurve
from webui_api.liveness import Liveness
from webui_api.performance import Learning, Performance, Period

BAR = timedelta(minutes=1)


def price_text(price: Decimal) -> str:
    """A price for a person: `$65,123.40`."""
    return f"${price:,.2f}"


def number(value: Decimal | None) -> float | None:
    """A booked number as JSON carries it."""
    return None if value is None else float(value)


def price_answer(symbol: str, market: Market, close_24h_ago: Decimal | None, now: datetime) -> schemas.PriceAnswer:
    change = float((market.price / close_24h_ago - 1) * 100) if close_24h_ago else None
    return schemas.PriceAnswer(
        symbol=symbol,
        price=float(market.price),
        formatted=price_text(market.price),
        timestamp=market.received_at,
        bid=float(market.bid),
        ask=float(market.ask),
        age_seconds=age_seconds(market.received_at, now),
        change_24h_pct=change,
    )


def analysis_answer(symbol: str, market: Market, decision: Decision, now: datetime) -> schemas.AnalysisAnswer:
    return schemas.AnalysisAnswer(
        symbol=symbol,
        price=float(market.price),
        price_formatted=price_text(market.price),
        timestamp=market.received_at,
        orderbook=schemas.OrderBook(
            bid_volume=float(market.bid_volume),
            ask_volume=float(market.ask_volume),
            imbalance=market.imbalance,
            spread=float(market.ask - market.bid),
            spread_bp=market.spread_bp,
        ),
        indicators=schemas.Indicators(**{name: decision.input(name) for name in schemas.Indicators.model_fields}),
        signal=schemas.SignalAnswer(
            action=decision.action,
            confidence=decision.confidence,
            reason=decision_reason(decision),
            score=decision.score,
            agreement=decision.agreement,
            threshold=decision.threshold,
            strategies={
                strategy: schemas.StrategyVote(
                    score=decision.scores[strategy],
                    weight=decision.weights.get(strategy),
                    reason=decision.reasons.get(strategy),
                )
                for strategy in Strategy
            },
            decided_at=decision.decided_at,
            age_seconds=age_seconds(decision.decided_at, now),
            outcome=decision.outcome,
            outcome_code=decision.outcome_code,
            outcome_detail=decision.outcome_detail,
        ),
    )


def decision_reason(decision: Decision) -> str:
    """Why a decision is what it is: its own sentence if it has one, else the strategies' reasons."""
    own = [str(text) for name, text in decision.reasons.items() if name not in frozenset(Strategy) and text]
    votes = [f"{name}: {text}" for name, text in decision.reasons.items() if name in frozenset(Strategy) and text]
    return "; ".join(own or votes) or f"{decision.action}: score {decision.score:+.3f}"


def basic_performance(ledger: Ledger, bid: Decimal | None, taker_fee: Decimal) -> schemas.BasicPerformance:
    """All of history from the running totals, so that its cost does not grow."""
    return schemas.BasicPerformance(
        **_totals(ledger),
        unrealized_pnl=number(unrealised_pnl(ledger, bid, taker_fee)),
        equity=number(equity(ledger, bid, taker_fee)),
        mode=ledger.mode,
        period=Period.ALL,
    )


def _totals(holder: Ledger | Performance) -> dict[str, Any]:
    totals = holder.totals
    return {
        "total_trades": totals.trades,
        "winning_trades": totals.winning,
        "losing_trades": totals.losing,
        "win_rate": totals.win_rate,
        "total_pnl": float(totals.realised_pnl),
        "avg_pnl": number(totals.average_pnl),
        "best_trade_pnl": number(totals.best_pnl),
        "worst_trade_pnl": number(totals.worst_pnl),
        "fees": float(totals.fees),
    }


def performance_answer(found: Performance, since: datetime | None) -> schemas.PerformanceAnswer:
    return schemas.PerformanceAnswer(
        **_totals(found),
        unrealized_pnl=number(found.unrealised),
        equity=number(found.equity),
        mode=found.mode,
        period=found.period,
        max_drawdown=found.max_drawdown,
        max_drawdown_usdt=number(found.max_drawdown_usdt),
        profit_factor=found.profit_factor,
        sharpe=found.sharpe,
        buy_and_hold_pnl=number(found.buy_and_hold),
        since=since,
    )


def position_answer(ledger: Ledger, bid: Decimal | None, taker_fee: Decimal) -> schemas.PositionAnswer | None:
    """A ledger's open position, its accounts taken together; None when flat."""
    positions = ledger.positions
    if not positions:
        return None
    entry_price = sum((each.entry_price * each.size for each in positions), Decimal(0)) / ledger.size
    return schemas.PositionAnswer(
        size=float(ledger.size),
        entry_price=float(entry_price),
        value=number(position_value(ledger, bid)),
        unrealized_pnl=number(unrealised_pnl(ledger, bid, taker_fee)),
        gain=number(bid / entry_price - 1) if bid is not None else None,
        high_bid=float(max(each.high_bid for each in positions)),
        trailing_armed=any(each.trailing_armed for each in positions),
        partial_done=any(each.partial_done for each in positions),
        opened_at=min(each.opened_at for each in positions),
    )


def service_answers(beats: Beats, now: datetime) -> dict[str, schemas.ServiceAnswer]:
    """All services, also those that were never seen."""
    answers: dict[str, schemas.ServiceAnswer] = {}
    for service in ServiceName:
        beat = beats.get(service)
        if beat is None:
            answers[service] = schemas.ServiceAnswer(status="never seen", age_seconds=None, started_at=None)
            continue
        answers[service] = schemas.ServiceAnswer.model_validate(
            {
                "status": beat.status if is_beating(beats, service, now) else "silent",
                "age_seconds": age_seconds(beat.beat_at, now),
                "started_at": beat.started_at,
            }
        )
    return answers


def model_stats(learning: Learning, decisions: Mapping[Action, int]) -> schemas.ModelStats:
    return schemas.ModelStats(
        episodes=learning.episodes,
        total_reward=learning.total_reward_bp,
        avg_reward=learning.total_reward_bp / learning.episodes if learning.episodes else None,
        action_distribution={action: decisions[action] for action in (Action.HOLD, Action.BUY, Action.SELL)},
    )


def status_answer(
    *,
    symbol: str,
    venue: str,
    alive: Liveness,
    notes: tuple[str, ...],
    market: Market | None,
    beats: Beats,
    control: Control,
    ledgers: Mapping[Mode, Ledger],
    winding_down: bool,
    learning: Learning,
    decision_totals: Mapping[Action, int],
    decision: Decision | None,
    taker_fee: Decimal,
    now: datetime,
) -> schemas.StatusAnswer:
    """The whole status; `market` is None when its price is too old to be shown."""
    in_effect = effective_mode(beats)
    bid = market.bid if market else None
    positions = {mode: position_answer(ledger, bid, taker_fee) for mode, ledger in ledgers.items()}
    return schemas.StatusAnswer(
        status=alive.status,
        why=list(alive.why),
        notes=list(notes),
        symbol=symbol,
        venue=venue,
        current_price=float(market.price) if market else None,
        price_formatted=price_text(market.price) if market else None,
        performance=basic_performance(ledgers[in_effect], bid, taker_fee),
        model_stats=model_stats(learning, decision_totals),
        mode=schemas.ModeAnswer(requested=control.requested, effective=in_effect),
        halted=control.halted,
        winding_down=winding_down,
        position=positions[in_effect],
        positions=positions,
        services=service_answers(beats, now),
        last_decision_at=decision.decided_at if decision else None,
        last_update=now,
    )


def trade_answer(row: Any) -> schemas.TradeAnswer:
    """A row of `trades`."""
    return schemas.TradeAnswer(
        id=row.id,
        timestamp=row.executed_at.timestamp(),
        symbol=row.symbol,
        side=row.side,
        price=float(row.price),
        size=float(row.size),
        funds=float(row.funds),
        fee=float(row.fee),
        order_id=row.order_id,
        status=row.status,
        pnl=number(row.pnl),
        pnl_pct=row.pnl_pct,
        dry_run=1 if row.mode == Mode.DRY else 0,
        exit_reason=row.exit_reason,
        metadata={
            **row.details,
            "intent_id": str(row.intent_id),
            "round_trip_id": str(row.round_trip_id),
            "decision_id": str(row.decision_id) if row.decision_id else None,
        },
        created_at=row.created_at,
    )


def equity_answer(curve: EquityCurve) -> schemas.EquityAnswer:
    return schemas.EquityAnswer(
        mode=curve.mode,
        period=curve.period,
        since=curve.since,
        start_capital=number(curve.start_capital),
        equity_now=number(curve.equity_now),
        results=curve.results,
        complete=curve.complete,
        points=[
            schemas.EquityPointAnswer(time=from_ms(point.time_ms), equity=float(point.equity)) for point in curve.points
        ],
    )


def candles_answer(symbol: str, mode: Mode, bars: Sequence[Any], newest_trades: Sequence[Any]) -> schemas.CandlesAnswer:
    """Rows of `candles`, oldest first, and of `trades`, newest first."""
    return schemas.CandlesAnswer(
        symbol=symbol,
        mode=mode,
        candles=[_candle(bar, before) for before, bar in zip([None, *bars], bars, strict=False)],
        trades=[
            schemas.MarkAnswer(
                id=row.id,
                time=row.executed_at,
                side=row.side,
                price=float(row.price),
                size=float(row.size),
                exit_reason=row.exit_reason,
                pnl=number(row.pnl),
            )
            for row in reversed(newest_trades)
        ],
    )


def _candle(bar: Any, before: Any | None) -> schemas.CandleAnswer:
    return schemas.CandleAnswer(
        time=bar.open_time,
        open=float(bar.open),
        high=float(bar.high),
        low=float(bar.low),
        close=float(bar.close),
        volume=float(bar.volume),
        filled=bar.filled,
        missing_before=(bar.open_time - before.open_time) // BAR - 1 if before else 0,
    )


def decision_answer(decision: Decision, now: datetime) -> schemas.DecisionAnswer:
    return schemas.DecisionAnswer(
        id=decision.decision_id,
        decided_at=decision.decided_at,
        age_seconds=age_seconds(decision.decided_at, now),
        symbol=decision.symbol,
        mode=decision.mode,
        trigger=decision.trigger,
        bar_time=decision.bar_time,
        price=number(decision.price),
        action=decision.action,
        score=decision.score,
        agreement=decision.agreement,
        confidence=decision.confidence,
        threshold=decision.threshold,
        scores={strategy: decision.scores[strategy] for strategy in Strategy},
        weights=dict(decision.weights),
        reasons=dict(decision.reasons),
        inputs=dict(decision.inputs),
        in_position=decision.in_position,
        explored=decision.explored,
        settings_version=decision.settings_version,
        model_version=decision.model_version,
        signal_id=decision.signal_id,
        outcome=decision.outcome,
        outcome_code=decision.outcome_code,
        outcome_detail=decision.outcome_detail,
        outcome_at=decision.outcome_at,
    )
