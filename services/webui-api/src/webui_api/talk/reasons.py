"""Why something is not so, in both languages: refusals, exits, errors, and what the status complains about.

The services write English. Closed lists and known sentences are translated, anything else is quoted.
"""

import re
from collections.abc import Mapping

from btc_shared.api import ApiError
from btc_shared.codes import Action, ExitReason, Mode, Refusal, Strategy
from webui_api.talk.question import Language
from webui_api.talk.wording import Voice

REFUSALS: Mapping[Refusal, tuple[str, str]] = {
    Refusal.INVALID_SIGNAL: ("o sinal estava incompleto ou impossível", "the signal was incomplete or impossible"),
    Refusal.UNKNOWN_SYMBOL: (
        "o sinal era de outro par, ou a bolsa não o negocia agora",
        "the signal was for another pair, or the exchange does not trade it now",
    ),
    Refusal.STALE_SIGNAL: ("o sinal já era velho demais", "the signal was already too old"),
    Refusal.MODE_CHANGED: ("o sinal era de outro modo ou de outra bolsa", "the signal was for another mode or venue"),
    Refusal.NOT_RUNNING: (
        "o executor não podia operar: outro está no comando ou a recuperação não terminou",
        "the executor could not trade: another one is in charge, or recovery was not finished",
    ),
    Refusal.HALTED: ("as entradas estão paradas pelo operador", "entries are halted by the operator"),
    Refusal.DEGRADED: (
        "o livro-razão contradiz as execuções, ou as configurações não podem ser usadas",
        "the ledger contradicts its fills, or the settings cannot be used",
    ),
    Refusal.UNPROTECTED: (
        "a bolsa recusou a ordem de stop da última posição",
        "the exchange refused the stop order of the last position",
    ),
    Refusal.IN_POSITION: (
        "já há uma posição aberta, e só há uma por vez",
        "a position is open, and there is one at a time",
    ),
    Refusal.NO_POSITION: ("não há nada para vender", "there is nothing to sell"),
    Refusal.ORDER_IN_FLIGHT: ("outra ordem ainda está em andamento", "another order is still under way"),
    Refusal.STALE_MARKET: ("não havia livro de ofertas recente", "there was no fresh order book"),
    Refusal.LOW_CONFIDENCE: ("a confiança estava abaixo da mínima", "the confidence was below the minimum"),
    Refusal.COOLDOWN: ("a última operação era recente demais", "the last trade was too recent"),
    Refusal.DAILY_TRADE_LIMIT: (
        "o limite de operações do dia (UTC) foi atingido",
        "the limit of trades of the day (UTC) was reached",
    ),
    Refusal.DAILY_LOSS_LIMIT: (
        "o limite de perda do dia (UTC) foi atingido",
        "the loss limit of the day (UTC) was reached",
    ),
    Refusal.INSUFFICIENT_FUNDS: (
        "o saldo não paga nem a menor ordem",
        "the account cannot pay for the smallest order",
    ),
    Refusal.AMOUNT_TOO_SMALL: (
        "o valor permitido por operação é menor que o mínimo",
        "the amount allowed for a trade is below the minimum",
    ),
}

EXITS: Mapping[ExitReason, tuple[str, str]] = {
    ExitReason.STOP_LOSS: ("stop loss", "stop loss"),
    ExitReason.TAKE_PROFIT: ("take profit (alvo de lucro)", "take profit"),
    ExitReason.PARTIAL_EXIT: ("saída parcial com lucro", "partial exit in profit"),
    ExitReason.TRAILING_STOP: ("stop móvel (trailing stop)", "trailing stop"),
    ExitReason.SIGNAL: ("sinal de venda", "sell signal"),
    ExitReason.MANUAL: ("fechamento manual", "closed by hand"),
}

STRATEGIES: Mapping[Strategy, tuple[str, str]] = {
    Strategy.TECHNICAL: ("análise técnica", "technical"),
    Strategy.ORDERBOOK: ("livro de ofertas", "order book"),
    Strategy.FLOW: ("fluxo de negócios", "trade flow"),
    Strategy.QLEARNING: ("aprendizado (Q-learning)", "Q-learning"),
}

_ACTIONS = {
    Action.BUY: ("BUY (comprar)", "BUY"),
    Action.SELL: ("SELL (vender)", "SELL"),
    Action.HOLD: ("HOLD (esperar)", "HOLD"),
}

_KNOWN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), portuguese)
    for pattern, portuguese in (
        # webui_api.liveness
        (r"(\S+) has never sent a heartbeat", r"o serviço \1 nunca deu sinal de vida"),
        (r"(\S+) sent its last heartbeat (\d+) s ago", r"o último sinal de vida do serviço \1 foi há \2 s"),
        (r"the feed has not stored a market picture yet", "o feed ainda não gravou nenhum retrato do mercado"),
        (r"the newest order book is (\d+) s old", r"o livro de ofertas mais novo é de há \1 s"),
        (r"no decision has been made yet", "ainda não houve nenhuma decisão"),
        (r"the newest decision is (\d+) s old", r"a decisão mais nova é de há \1 s"),
        (r"(\S+) is degraded", r"o serviço \1 está degradado"),
        (r"(\S+) is starting", r"o serviço \1 está iniciando"),
        (r"(\S+) is degraded: (.+)", r"o serviço \1 está degradado: “\2” (registrado em inglês)"),
        (r"(\S+) is starting: (.+)", r"o serviço \1 está iniciando: “\2” (registrado em inglês)"),
        (r"entries are halted by the operator", "as entradas estão paradas pelo operador"),
        (r"(\S+) is requested, (\S+) is in effect", r"\1 foi pedido, mas \2 está em vigor"),
        (
            r"winding down: a LIVE position is open and protected until it is closed",
            "encerrando: há uma posição LIVE aberta, protegida até ser fechada",
        ),
        # webui_api.queries
        (r"there is no price", "não há preço"),
        (r"there is no current price", "não há preço atual"),
        (r"there is no analysis", "não há análise"),
        (r"the feed has not stored one for (\S+) yet", r"o feed ainda não gravou nenhum para \1"),
        (
            r"the newest one is (\d+) s old: the feed has stopped",
            r"o mais novo é de há \1 s: o feed parou",
        ),
        (r"the decision engine has not made a decision yet", "o motor de decisão ainda não decidiu nada"),
    )
)


def sentence(voice: Voice, english: str) -> str:
    """A sentence of the API in the voice's language; one that is not known is quoted."""
    if voice.language is Language.ENGLISH:
        return english
    for pattern, portuguese in _KNOWN:
        if match := pattern.fullmatch(english):
            return match.expand(portuguese)
    return voice.quoted(english)


def unavailable(voice: Voice, error: ApiError) -> str:
    """Why the API has no figures now, as a sentence for a person."""
    what = sentence(voice, error.error)
    why = f": {sentence(voice, error.detail)}" if isinstance(error.detail, str) else ""
    return f"{what[:1].upper()}{what[1:]}{why}."


def refusal(voice: Voice, code: str, detail: str | None) -> str:
    """What a refusal's code means, with the sentence that was stored with it."""
    meaning = (
        voice(*REFUSALS[Refusal(code)]) if code in frozenset(Refusal) else voice("motivo sem tradução", "no known code")
    )
    return f"`{code}`: {meaning}" + (f". {voice('Registro', 'Recorded')}: {voice.quoted(detail)}" if detail else "")


def action(voice: Voice, name: Action) -> str:
    return voice(*_ACTIONS[name])


def money_of(voice: Voice, mode: Mode) -> str:
    """Whose money: never let simulated money pass for real."""
    if mode is Mode.DRY:
        return voice("dinheiro **simulado** (modo DRY)", "**simulated** money (DRY mode)")
    return voice("dinheiro **real** (modo LIVE)", "**real** money (LIVE mode)")
