"""Answers about position, trades and results: pure. Simulated money is always called so."""

from datetime import UTC, datetime

from btc_shared.codes import Mode, Side
from webui_api.schemas import PerformanceAnswer, PositionAnswer, StatusAnswer, TradeAnswer
from webui_api.talk import reasons
from webui_api.talk.question import Question
from webui_api.talk.sources import TradeList
from webui_api.talk.wording import Voice, bullets, lines


def position(say: Voice, found: StatusAnswer) -> str:
    """The position of the mode in effect, and one of the other mode if it is open."""
    parts = []
    for mode in (found.mode.effective, *(mode for mode in Mode if mode is not found.mode.effective)):
        held = found.positions.get(mode)
        if held:
            parts.append(_open_position(say, found, mode, held))
        elif mode is found.mode.effective:
            parts.append(
                say(
                    f"**Nenhuma posição aberta** em {reasons.money_of(say, mode)}.",
                    f"**No open position** with {reasons.money_of(say, mode)}.",
                )
            )
    return "\n\n".join(parts)


def _open_position(say: Voice, found: StatusAnswer, mode: Mode, held: PositionAnswer) -> str:
    no_price = say("não se sabe: não há preço atual", "not known: there is no current price")
    value = say.money(held.value) if held.value is not None else no_price
    result = say.money(held.unrealized_pnl, signed=True) if held.unrealized_pnl is not None else no_price
    gain = (
        f" ({say.percent(held.gain, signed=True)} {say('sobre a entrada', 'over the entry')})"
        if held.gain is not None
        else ""
    )
    opened = say.age((found.last_update - held.opened_at).total_seconds())
    return lines(
        say(
            f"**Posição aberta: {say.coins(held.size)}**, {reasons.money_of(say, mode)}",
            f"**Open position: {say.coins(held.size)}**, {reasons.money_of(say, mode)}",
        ),
        "",
        bullets(
            f"{say('Preço médio de entrada', 'Mean entry price')}: {say.price(held.entry_price)}{gain}",
            f"{say('Valor na melhor compra (bid)', 'Value at the best bid')}: {value}",
            f"{say('Se vendida agora, já com as taxas', 'If sold now, after all fees')}: {result}",
            f"{say('Maior bid desde a entrada', 'Highest bid since the entry')}: {say.price(held.high_bid)}",
            say("Stop móvel armado", "The trailing stop is armed") if held.trailing_armed else None,
            say("Uma parte já foi vendida com lucro", "A part was already sold in profit")
            if held.partial_done
            else None,
            f"{say('Aberta', 'Opened')} {opened} ({say.time(held.opened_at)})",
        ),
    )


_ONE = {Side.BUY: ("compra", "buy"), Side.SELL: ("venda", "sell"), None: ("operação", "trade")}
_MANY = {Side.BUY: ("compras", "buys"), Side.SELL: ("vendas", "sells"), None: ("operações", "trades")}


def trades(say: Voice, found: TradeList, question: Question) -> str:
    """A table of trades, newest first."""
    one, many = say(*_ONE[question.side]), say(*_MANY[question.side])
    when = f" {say.period(question.period)}" if question.period else ""
    money = reasons.money_of(say, found.mode)
    if not found.trades:
        return say(f"**Nenhuma {one}**{when}, em {money}.", f"**No {many}**{when}, with {money}.")
    shown = len(found.trades)
    total = say("1.000 ou mais", "1,000 or more") if found.total is None else say.number(found.total, 0)
    if found.total == shown:
        title = f"{total} {many}" if shown > 1 else say(f"A única {one}", f"The only {one}")
    elif shown > 1:
        title = say(f"As {shown} mais novas de {total} {many}", f"The newest {shown} of {total} {many}")
    else:
        title = say(f"A mais nova de {total} {many}", f"The newest of {total} {many}")
    head = say(
        "| Quando | Lado | Quantidade | Preço | Taxa | Resultado líquido | Por quê |",
        "| When | Side | Size | Price | Fee | Net result | Why |",
    )
    rows = (_trade_row(say, trade) for trade in found.trades)
    return lines(f"**{title}**{when}, {money}", "", head, "|---|---|---:|---:|---:|---:|---|", *rows)


def _trade_row(say: Voice, trade: TradeAnswer) -> str:
    side = say("compra", "buy") if trade.side is Side.BUY else say("venda", "sell")
    result = "–"
    if trade.pnl is not None:
        share = f" ({say.percent(trade.pnl_pct, signed=True)})" if trade.pnl_pct is not None else ""
        result = say.money(trade.pnl, signed=True) + share
    by_signal = say("sinal de compra", "buy signal") if trade.metadata.get("decision_id") else "–"
    why = say(*reasons.EXITS[trade.exit_reason]) if trade.exit_reason else by_signal
    return (
        f"| {say.time(executed_at(trade))} | {side} | {say.coins(trade.size)} | {say.price(trade.price)} "
        f"| {say.money(trade.fee)} | {result} | {why} |"
    )


def performance(say: Voice, found: PerformanceAnswer) -> str:
    """All figures of a period; what is not defined is said to be so."""
    closed = found.winning_trades + found.losing_trades
    undefined = say("ainda não definido", "not defined yet")

    def money(value: float | None, missing: str = undefined) -> str:
        return say.money(value, signed=True) if value is not None else missing

    no_price = say("não se sabe: não há preço atual", "not known: there is no current price")
    no_comparison = say(
        "não se sabe: falta uma operação no período ou um preço atual",
        "not known: there is no trade in the period, or no current price",
    )
    no_equity = no_price if found.unrealized_pnl is None else say("não há conta ainda", "there is no account yet")
    rate = (
        f"{say.percent(found.win_rate, 1)} ({found.winning_trades} / {closed})"
        if found.win_rate is not None
        else undefined
    )
    drawdown = undefined
    if found.max_drawdown is not None and found.max_drawdown_usdt is not None:
        drawdown = f"{say.percent(found.max_drawdown)} ({say.money(found.max_drawdown_usdt)})"
    equity = say.money(found.equity) if found.equity is not None else no_equity
    return lines(
        say(
            f"**Resultado do agente {say.period(found.period)}: {say.money(found.total_pnl, signed=True)}** realizado, "
            f"líquido de taxas, em {reasons.money_of(say, found.mode)}",
            f"**The agent's result {say.period(found.period)}: {say.money(found.total_pnl, signed=True)}** realised, "
            f"net of fees, with {reasons.money_of(say, found.mode)}",
        ),
        "",
        bullets(
            f"{say('Patrimônio agora', 'Equity now')}: {equity}",
            f"{say('Não realizado (posição aberta, se vendida agora)', 'Unrealised (open position, if sold now)')}: "
            f"{money(found.unrealized_pnl, no_price)}",
            f"{say('Operações executadas', 'Executed trades')}: {say.number(found.total_trades, 0)}",
            f"{say('Taxa de acerto (ciclos fechados)', 'Win rate (closed round trips)')}: {rate}",
            f"{say('Média, melhor e pior ciclo', 'Mean, best and worst round trip')}: "
            f"{money(found.avg_pnl)}; {money(found.best_trade_pnl)}; {money(found.worst_trade_pnl)}",
            f"{say('Taxas pagas', 'Fees paid')}: {say.money(found.fees)}",
            f"{say('Maior queda (drawdown)', 'Largest drawdown')}: {drawdown}",
            f"{say('Fator de lucro', 'Profit factor')}: "
            f"{say.number(found.profit_factor) if found.profit_factor is not None else undefined}; "
            f"Sharpe: {say.number(found.sharpe) if found.sharpe is not None else undefined}",
            f"{say('Comprar e segurar teria rendido', 'Buying and holding would have made')}: "
            f"{money(found.buy_and_hold_pnl, no_comparison)}",
        ),
    )


def executed_at(trade: TradeAnswer) -> datetime:
    return datetime.fromtimestamp(trade.timestamp, UTC)
