"""Answers about the market and the agent's view of it: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from btc_shared.codes import Action, Strategy
from btc_shared.figures import Market, age_seconds
from webui_api.schemas import AnalysisAnswer, DecisionAnswer, Indicators, OrderBook, PriceAnswer, SignalAnswer
from webui_api.talk import reasons
from webui_api.talk.question import Extreme, Indicator
from webui_api.talk.wording import Voice, bullets, lines

OVERSOLD_RSI, OVERBOUGHT_RSI = 30, 70
OLD_DECISION_SECS = 30.0
"""Beyond this a decision is not called the present one (decisions come every few seconds)."""


def price(say: Voice, found: PriceAnswer) -> str:
    change = (
        say.percent(found.change_24h_pct / 100, signed=True)
        if found.change_24h_pct is not None
        else say("não se sabe: falta o candle de 24 horas atrás", "not known: the candle of 24 hours ago is missing")
    )
    return lines(
        f"**{found.symbol}: {say.price(found.price)}**",
        "",
        bullets(
            say(
                f"Melhor compra (bid) {say.price(found.bid)}, melhor venda (ask) {say.price(found.ask)}; "
                "o preço é a média das duas",
                f"Best bid {say.price(found.bid)}, best ask {say.price(found.ask)}; the price is their mean",
            ),
            f"{say('Variação em 24 horas', 'Change in 24 hours')}: {change}",
            f"{say('Visto', 'Seen')} {say.age(found.age_seconds)} ({say.time(found.timestamp)})",
        ),
    )


def order_book(say: Voice, symbol: str, market: Market, now: datetime) -> str:
    book = OrderBook(
        bid_volume=float(market.bid_volume),
        ask_volume=float(market.ask_volume),
        imbalance=market.imbalance,
        spread=float(market.ask - market.bid),
        spread_bp=market.spread_bp,
    )
    best = say(
        f"Melhor compra (bid) {say.price(float(market.bid))}, melhor venda (ask) {say.price(float(market.ask))}",
        f"Best bid {say.price(float(market.bid))}, best ask {say.price(float(market.ask))}",
    )
    title = say(f"**Livro de ofertas {symbol}**, 10 primeiros níveis", f"**Order book {symbol}**, first 10 levels")
    seen = f"{say('Visto', 'Seen')} {say.age(age_seconds(market.received_at, now))}"
    return lines(title, "", bullets(best, *_book(say, book), seen))


def _book(say: Voice, book: OrderBook) -> tuple[str, ...]:
    more = (
        say("mais compra do que venda", "more bids than asks")
        if book.imbalance > 0
        else say("mais venda do que compra", "more asks than bids")
        if book.imbalance < 0
        else say("equilibrado", "balanced")
    )
    spread = f"{say.number(book.spread, 2)} USDT ({say.number(book.spread_bp, 2)} bp)"
    return (
        say(
            f"Compra (bids) {say.coins(book.bid_volume)}, venda (asks) {say.coins(book.ask_volume)}",
            f"Bids {say.coins(book.bid_volume)}, asks {say.coins(book.ask_volume)}",
        ),
        f"{say('Desequilíbrio', 'Imbalance')} {say.number(book.imbalance, 2, signed=True)} ({more})",
        f"Spread {spread}",
    )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The agent's last decision, from either of the API's answers that carry it. Votes: score, weight, reason."""

    action: Action
    confidence: float
    score: float
    threshold: float
    age_seconds: float
    votes: Mapping[Strategy, tuple[float | None, float | None, str | None]]
    outcome: str | None
    outcome_code: str | None
    outcome_detail: str | None

    @classmethod
    def of_signal(cls, found: SignalAnswer) -> "Verdict":
        votes = {Strategy(name): (vote.score, vote.weight, vote.reason) for name, vote in found.strategies.items()}
        return cls(votes=votes, **{name: getattr(found, name) for name in _SHARED})

    @classmethod
    def of_decision(cls, found: DecisionAnswer) -> "Verdict":
        votes = {name: (found.scores.get(name), found.weights.get(name), found.reasons.get(name)) for name in Strategy}
        return cls(votes=votes, **{name: getattr(found, name) for name in _SHARED})


_SHARED = tuple(each.name for each in fields(Verdict) if each.name != "votes")


def analysis(say: Voice, found: AnalysisAnswer, now: datetime) -> str:
    age = say.age(age_seconds(found.timestamp, now))
    return lines(
        say(f"**Análise de {found.symbol}**", f"**Analysis of {found.symbol}**"),
        "",
        bullets(f"{say('Preço', 'Price')} {say.price(found.price)} ({age})", *_book(say, found.orderbook)),
        "",
        _indicator_lines(say, found.indicators),
        "",
        signal(say, Verdict.of_signal(found.signal)),
    )


def signal(say: Voice, verdict: Verdict) -> str:
    """The agent's own last decision, with what it rests on; never advice."""
    old = verdict.age_seconds > OLD_DECISION_SECS
    title = say("Último sinal", "Last signal") if old else say("Sinal", "Signal")
    warning = say(
        "Atenção: esta decisão não é recente; pode não valer mais.",
        "Careful: this decision is not recent; it may no longer hold.",
    )
    return lines(
        f"**{title}: {reasons.action(say, verdict.action)}**, "
        f"{say('confiança', 'confidence')} {say.percent(verdict.confidence, 1)}, "
        f"{say('decidido', 'decided')} {say.age(verdict.age_seconds)}",
        f"\n{warning}" if old else None,
        "",
        bullets(score(say, verdict.action, verdict.score, verdict.threshold), outcome(say, verdict)),
        "",
        votes(say, verdict),
        "",
        say(
            "É o que o agente decidiu pelas próprias regras, não um conselho de investimento.",
            "This is what the agent decided by its own rules, not investment advice.",
        ),
    )


def score(say: Voice, action: Action, value: float, threshold: float) -> str:
    """How a score compares with what had to be exceeded."""
    needed, shown = say.number(threshold, 3), say.number(value, 3, signed=True)
    if action is not Action.HOLD:
        return say(f"Pontuação {shown}, além de ±{needed}", f"Score {shown}, beyond ±{needed}")
    if abs(value) > threshold:
        return say(
            f"Pontuação {shown}, mas estratégias demais se abstiveram",
            f"Score {shown}, but too many strategies abstained",
        )
    return say(
        f"Pontuação {shown}, dentro de ±{needed}: nada a fazer", f"Score {shown}, within ±{needed}: nothing to do"
    )


def outcome(say: Voice, verdict: Verdict) -> str | None:
    """What became of a decision; None for one that asked for nothing."""
    if verdict.outcome == "executed":
        return say("Resultado: executado", "Outcome: executed")
    if verdict.outcome == "refused" and verdict.outcome_code:
        return f"{say('Recusado', 'Refused')}: {reasons.refusal(say, verdict.outcome_code, verdict.outcome_detail)}"
    if verdict.outcome:
        why = f": {say.quoted(verdict.outcome_detail)}" if verdict.outcome_detail else ""
        return say("A ordem falhou", "The order failed") + why
    if verdict.action is Action.HOLD:
        return None
    return say("Nenhuma ordem saiu desta decisão até agora", "No order came of this decision so far")


def votes(say: Voice, verdict: Verdict) -> str:
    """A table of the four strategies."""
    head = say("| Estratégia | Voto | Peso | Motivo (registrado em inglês) |", "| Strategy | Vote | Weight | Reason |")
    rows = []
    for strategy in Strategy:
        vote, weight, why = verdict.votes.get(strategy, (None, None, None))
        shown = say.number(vote, 2, signed=True) if vote is not None else say("absteve-se", "abstained")
        share = say.percent(weight, 0) if weight is not None else "–"
        rows.append(f"| {say(*reasons.STRATEGIES[strategy])} | {shown} | {share} | {_cell(why)} |")
    return lines(head, "|---|---:|---:|---|", *rows)


def _cell(text: str | None) -> str:
    """A sentence inside a markdown table."""
    return text.replace("|", "/").replace("\n", " ") if text else "–"


def indicators(say: Voice, found: AnalysisAnswer, which: Indicator | None, extreme: Extreme | None) -> str:
    age = say(
        f"Do último candle final de 1 minuto, como o agente o viu {say.age(found.signal.age_seconds)}.",
        f"Of the last final 1-minute candle, as the agent saw it {say.age(found.signal.age_seconds)}.",
    )
    if extreme:
        return lines(_extreme(say, found.indicators.rsi, extreme), "", age)
    if which:
        return lines(*_named(say, found.indicators)[which], "", age)
    return lines(_indicator_lines(say, found.indicators), "", age)


def _extreme(say: Voice, rsi: float | None, extreme: Extreme) -> str:
    """Yes or no, or that it is not known."""
    over = extreme is Extreme.OVERBOUGHT
    word = say("sobrecomprado", "overbought") if over else say("sobrevendido", "oversold")
    rule = (
        say(f"sobrecomprado é acima de {OVERBOUGHT_RSI}", f"overbought is above {OVERBOUGHT_RSI}")
        if over
        else say(f"sobrevendido é abaixo de {OVERSOLD_RSI}", f"oversold is below {OVERSOLD_RSI}")
    )
    if rsi is None:
        return say(
            f"**Não se sabe** se o RSI está {word}: ainda não há candles suficientes.",
            f"It is **not known** whether the RSI is {word}: there are not enough candles yet.",
        )
    yes = rsi > OVERBOUGHT_RSI if over else rsi < OVERSOLD_RSI
    verdict = say("Sim", "Yes") if yes else say("Não", "No")
    is_so = say("está", "is") if yes else say("não está", "is not")
    return f"**{verdict}**, {say('o RSI', 'the RSI')} {is_so} {word}: **RSI(14) {say.number(rsi)}** ({rule})."


def _indicator_lines(say: Voice, found: Indicators) -> str:
    return bullets(*(line for shown in _named(say, found).values() for line in shown))


def _named(say: Voice, found: Indicators) -> dict[Indicator, tuple[str, ...]]:
    """Each indicator's lines; what is missing is said to be missing."""

    def line(name: str, value: str | None, meaning: str) -> str:
        missing = say("não se sabe: faltam dados", "not known: there are not enough data")
        return f"**{name}**: {value if value is not None else missing} ({meaning})"

    def percent(value: float | None, *, signed: bool = True) -> str | None:
        return None if value is None else say.percent(value / 100, 3, signed=signed)

    def amount(value: float | None) -> str | None:
        return None if value is None else say.price(value)

    def plain(value: float | None, *, signed: bool = False) -> str | None:
        return None if value is None else say.number(value, 2, signed=signed)

    return {
        Indicator.RSI: (
            line("RSI(14)", plain(found.rsi), say("0 a 100; acima de 70 sobrecomprado, abaixo de 30 sobrevendido",
                                                  "0 to 100; overbought above 70, oversold below 30")),
        ),
        Indicator.MOMENTUM: (
            line("Momentum(10)", percent(found.momentum), say("variação em 10 candles", "change over 10 candles")),
        ),
        Indicator.VOLATILITY: (
            line(say("Volatilidade(20)", "Volatility(20)"), percent(found.volatility, signed=False),
                 say("desvio dos últimos 20 retornos, no máximo 1%", "deviation of the last 20 returns, at most 1%")),
        ),
        Indicator.TREND: (
            line(say("Tendência", "Trend"), percent(found.trend),
                 say("média de 10 contra a de 30; positiva é de alta", "mean of 10 against 30; positive is up")),
        ),
        Indicator.EMA: (line("EMA(20)", amount(found.ema_20), say("média exponencial", "exponential mean")),),
        Indicator.SMA: (
            line("SMA(10)", amount(found.sma_10), say("média simples", "simple mean")),
            line("SMA(30)", amount(found.sma_30), say("média simples", "simple mean")),
        ),
        Indicator.VOLUME: (
            line(say("Volume relativo(20)", "Volume ratio(20)"), plain(found.volume_ratio),
                 say("último candle sobre a média de 20", "last candle over the mean of 20")),
        ),
        Indicator.FLOW: (
            line(say("Fluxo de negócios", "Trade flow"), plain(found.flow, signed=True),
                 say("compras menos vendas de 100 negócios, −1 a 1", "buys less sells of 100 trades, −1 to 1")),
        ),
    }  # fmt: skip
