"""Answers about the agent itself: status, mode, rules, help, and what it cannot answer. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from btc_shared.codes import Mode
from webui_api.schemas import StatusAnswer
from webui_api.talk import reasons
from webui_api.talk.question import Hint, Intent
from webui_api.talk.sources import Rules
from webui_api.talk.wording import Voice, bullets, lines

_STATUS = {
    "online": ("**O agente está online** e trabalhando", "**The agent is online** and working"),
    "stalled": ("**O agente está travado**: nem tudo funciona", "**The agent is stalled**: not everything works"),
    "offline": ("**O agente está offline**", "**The agent is offline**"),
}
_SERVICES = {
    "healthy": ("saudável", "healthy"),
    "degraded": ("degradado", "degraded"),
    "starting": ("iniciando", "starting"),
    "silent": ("sem sinal de vida", "silent"),
    "never seen": ("nunca visto", "never seen"),
}

TOPICS: Mapping[Intent, tuple[str, str]] = {
    Intent.PRICE: ("preço", "price"),
    Intent.ANALYSIS: ("análise", "analysis"),
    Intent.SIGNAL: ("sinal", "signal"),
    Intent.INDICATORS: ("indicadores", "indicators"),
    Intent.ORDER_BOOK: ("livro de ofertas", "order book"),
    Intent.STATUS: ("status", "status"),
    Intent.POSITION: ("posição", "position"),
    Intent.TRADES: ("operações", "trades"),
    Intent.PERFORMANCE: ("performance", "performance"),
    Intent.RISK_SETTINGS: ("configurações de risco", "risk settings"),
    Intent.MODE: ("modo", "mode"),
    Intent.WHY: ("o porquê", "the reasons"),
    Intent.HELP: ("ajuda", "help"),
}
EXAMPLES: Mapping[Intent, tuple[str, str]] = {
    Intent.PRICE: ("Qual o preço do Bitcoin?", "What is the price of Bitcoin?"),
    Intent.ANALYSIS: ("Mostre a análise técnica do BTC", "Show the technical analysis of BTC"),
    Intent.SIGNAL: ("Devo comprar agora?", "Should I buy now?"),
    Intent.INDICATORS: ("O RSI está sobrecomprado?", "Is the RSI overbought?"),
    Intent.ORDER_BOOK: ("Como está o livro de ofertas?", "How is the order book?"),
    Intent.STATUS: ("Como está o agente?", "How is the agent?"),
    Intent.POSITION: ("Você tem uma posição aberta?", "Do you have an open position?"),
    Intent.TRADES: ("Últimas 3 operações", "Last 3 trades"),
    Intent.PERFORMANCE: ("Quanto lucrei hoje?", "How much did I make today?"),
    Intent.RISK_SETTINGS: ("Quais são as configurações de risco?", "What are the risk settings?"),
    Intent.MODE: ("É dinheiro real ou simulado?", "Is it real or simulated money?"),
    Intent.WHY: ("Por que você não comprou?", "Why didn't you buy?"),
}
_HINTS: Mapping[Hint, tuple[str, str]] = {
    Hint.READ_ONLY: (
        "Aqui só respondo: não compro, não vendo e não mudo modo nem configurações.",
        "Here I only answer: I do not buy, sell, or change mode or settings.",
    ),
    Hint.NO_FORECAST: (
        "Não faço previsões. Posso dizer o sinal que o agente vê agora.",
        "I make no forecasts. I can tell the signal that the agent sees now.",
    ),
    Hint.OTHER_MARKET: (
        "Só conheço Bitcoin em USDT (BTC-USDT) na bolsa em que o agente opera: nenhum outro ativo, moeda ou bolsa.",
        "I only know Bitcoin in USDT (BTC-USDT) at the agent's own exchange: no other asset, currency or exchange.",
    ),
    Hint.ONLY_NOW: (
        "Disso só sei o agora (e a variação do preço em 24 horas). Do passado conheço operações e resultados.",
        "Of that I only know the present (and the price's change in 24 hours). Of the past I know trades and results.",
    ),
    Hint.OTHER_INDICATOR: (
        "Calculo RSI(14), momentum(10), volatilidade(20), tendência, EMA(20), SMA(10), SMA(30), volume e fluxo.",
        "I compute RSI(14), momentum(10), volatility(20), trend, EMA(20), SMA(10), SMA(30), volume ratio and flow.",
    ),
}


def status(say: Voice, found: StatusAnswer) -> str:
    result = say.money(found.performance.total_pnl, signed=True)
    price = (
        say.price(found.current_price)
        if found.current_price is not None
        else say("não há preço atual", "there is no current price")
    )
    decided = (
        say.age((found.last_update - found.last_decision_at).total_seconds())
        if found.last_decision_at
        else say("ainda nenhuma", "none yet")
    )
    services = [f"{name} {say(*_SERVICES[service.status])}" for name, service in found.services.items()]
    held = (
        say(f"aberta, {say.coins(found.position.size)}", f"open, {say.coins(found.position.size)}")
        if found.position
        else say("nenhuma", "none")
    )
    problems = [reasons.sentence(say, text) for text in (*found.why, *found.notes)]
    return lines(
        say(*_STATUS[found.status]) + f" ({say.time(found.last_update)}).",
        "",
        bullets(*(f"⚠ {text}" for text in problems)) + "\n" if problems else None,
        bullets(
            f"{say('Modo em vigor', 'Mode in effect')}: {reasons.money_of(say, found.mode.effective)}",
            f"{found.symbol}: {price}",
            f"{say('Posição', 'Position')}: {held}",
            f"{say('Resultado desde o início', 'Result since the beginning')}: {result} "
            f"({say.number(found.performance.total_trades, 0)} {say('operações', 'trades')})",
            f"{say('Última decisão', 'Last decision')}: {decided}",
            f"{say('Serviços', 'Services')}: {', '.join(services)}",
        ),
    )


def mode(say: Voice, found: StatusAnswer) -> str:
    return lines(
        f"**{say('Em vigor', 'In effect')}**: {reasons.money_of(say, found.mode.effective)}.",
        "",
        bullets(
            f"{say('Pedido pelo operador', 'Requested by the operator')}: {found.mode.requested.upper()}",
            say("Entradas: paradas pelo operador", "Entries: halted by the operator")
            if found.halted
            else say("Entradas: permitidas", "Entries: allowed"),
            say(
                f"Encerrando: há uma posição {Mode.LIVE.upper()} aberta, protegida até ser fechada",
                f"Winding down: a {Mode.LIVE.upper()} position is open, protected until it is closed",
            )
            if found.winding_down
            else None,
            say(
                "O modo não pode ser mudado por aqui, só na página de controle (exporter, `/mode`)",
                "The mode cannot be changed here, only on the control page (exporter, `/mode`)",
            ),
        ),
    )


def risk_settings(say: Voice, rules: Rules) -> str:
    risk, engine = rules.risk, rules.engine

    def part(name: str, portuguese: str, english: str, value: str) -> str:
        changed = say(" (mudado em execução)", " (changed at run time)") if name in rules.changed else ""
        return f"{say(portuguese, english)}: **{value}**{changed} (`{name.upper()}`)"

    def percent(value: Decimal) -> str:
        return say.percent(float(value))

    def seconds(value: Decimal | float) -> str:
        return say.duration(float(value))

    problems = [say.quoted(problem) for problem in rules.problems]
    return lines(
        say("**Configurações de risco em vigor**", "**Risk settings in effect**"),
        "",
        bullets(
            *(
                f"⚠ {say('As mudanças gravadas não podem ser usadas', 'The stored changes cannot be used')}: {problem}"
                for problem in problems
            ),
            part("stop_loss_pct", "Stop loss", "Stop loss", percent(risk.stop_loss_pct)),
            part("take_profit_pct", "Take profit (alvo de lucro)", "Take profit", percent(risk.take_profit_pct)),
            part("partial_exit_pct", "Saída parcial a partir de", "Partial exit from", percent(risk.partial_exit_pct)),
            part("partial_exit_fraction", "Parte vendida nela", "Part sold then", percent(risk.partial_exit_fraction)),
            part(
                "trailing_activation_pct", "Stop móvel armado a partir de", "Trailing stop armed from",
                percent(risk.trailing_activation_pct),
            ),
            part(
                "trailing_distance_pct", "Distância do stop móvel", "Trailing stop's distance",
                percent(risk.trailing_distance_pct),
            ),
            part(
                "max_position_pct", "Máximo por entrada, do saldo livre", "Largest entry, of the free balance",
                percent(risk.max_position_pct),
            ),
            part("min_trade_amount", "Menor entrada", "Smallest entry", say.money(float(risk.min_trade_amount))),
            part(
                "max_daily_trades", "Operações por dia (UTC)", "Trades a day (UTC)",
                say.number(risk.max_daily_trades, 0),
            ),
            part("max_daily_loss", "Perda por dia (UTC)", "Loss a day (UTC)", say.money(float(risk.max_daily_loss))),
            part("min_confidence", "Confiança mínima", "Lowest confidence", percent(risk.min_confidence)),
            part(
                "min_trade_interval", "Espera entre operações", "Pause between trades",
                seconds(risk.min_trade_interval),
            ),
            part("taker_fee", "Taxa por ordem", "Fee of an order", percent(risk.taker_fee)),
            part("confirm_secs", "Confirmação de um sinal", "Confirmation of a signal", seconds(engine.confirm_secs)),
        ),
    )  # fmt: skip


def help_text(say: Voice) -> str:
    return lines(
        say(
            "Sou o agente de trading de Bitcoin. Respondo com o que ele vê, decide e operou; não uso modelo de "
            "linguagem e não mudo nada. Você pode perguntar, em português ou inglês:",
            "I am the Bitcoin trading agent. I answer with what it sees, decides and has traded; I use no language "
            "model and change nothing. You can ask, in English or Portuguese:",
        ),
        "",
        examples(say),
    )


def not_understood(say: Voice, hint: Hint | None) -> str:
    """Says that there is no answer, why if that is known, and what can be asked. Never a figure."""
    start = (
        say(*_HINTS[hint])
        if hint
        else say(
            "Não entendi a pergunta, então não respondo nada.",
            "I did not understand the question, so I answer nothing.",
        )
    )
    return lines(start, "", say("Você pode perguntar, por exemplo:", "You can ask, for example:"), "", examples(say))


def examples(say: Voice) -> str:
    return bullets(*(f"{say(*TOPICS[intent])}: “{say(*text)}”" for intent, text in EXAMPLES.items()))


def not_answered(say: Voice, also: Intent) -> str:
    """A note about the rest of a question that asked for several things."""
    if also is Intent.UNKNOWN:
        return say("O resto da pergunta eu não entendi.", "I did not understand the rest of the question.")
    return say(
        f"Você perguntou também por outra coisa ({TOPICS[also][0]}): pergunte uma de cada vez.",
        f"You also asked for something else ({TOPICS[also][1]}): ask one thing at a time.",
    )
