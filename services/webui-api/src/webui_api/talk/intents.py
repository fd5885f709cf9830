"""From a clause's words to what it asks for: pure. Rules are asked in order, and what fits none is unknown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from btc_shared.codes import Mode, Side
from webui_api.performance import Period
from webui_api.talk.lexicon import Sense
from webui_api.talk.periods import NamedPeriod, number
from webui_api.talk.question import Event, Extreme, Hint, Indicator, Intent, Language, Question

MAX_TRADES = 100
"""More trades than this nobody reads in a chat."""

_Found = dict[str, Any]
"""Fields of a `Question`."""

_INDICATORS = {
    Sense.RSI: Indicator.RSI,
    Sense.MOMENTUM: Indicator.MOMENTUM,
    Sense.VOLATILITY: Indicator.VOLATILITY,
    Sense.TREND: Indicator.TREND,
    Sense.EMA: Indicator.EMA,
    Sense.SMA: Indicator.SMA,
    Sense.VOLUME: Indicator.VOLUME,
    Sense.FLOW: Indicator.FLOW,
}
_LENGTHS = {  # the bars of each indicator, the only ones that may be named with it
    Indicator.RSI: {14},
    Indicator.MOMENTUM: {10},
    Indicator.VOLATILITY: {20},
    Indicator.TREND: {10, 30},
    Indicator.EMA: {20},
    Indicator.SMA: {10, 30},
    Indicator.VOLUME: {20},
    Indicator.FLOW: {100},
}
_NOTHING = frozenset(
    {
        Sense.FILLER, Sense.CUE, Sense.GREETING, Sense.CAN_YOU, Sense.AGENT, Sense.TIME, Sense.NUMBER, Sense.WAS,
        Sense.CURRENCY, Sense.STATED, Sense.DISMISSED, Sense.LAST, Sense.NOT, Sense.WHEN,
    }
)  # fmt: skip
_TOPICS = frozenset(
    {
        Sense.PRICE, Sense.ANALYSIS, Sense.INDICATORS, *_INDICATORS, Sense.BOOK, Sense.SIGNAL, Sense.STATUS,
        Sense.POSITION, Sense.TRADE, Sense.PERFORMANCE, Sense.RISK, Sense.SETTINGS, Sense.MODE,
    }
)  # fmt: skip
_TRADING = frozenset({Sense.BUY, Sense.SELL, Sense.BOUGHT, Sense.SOLD, Sense.TRADE, Sense.TRADING})
_ORDERS = frozenset({"buy", "sell", "compra", "venda", "purchase", "long", "short", "exit", "enter"})
"""What tells the agent to trade when a sentence begins with it and does not ask."""
_WHO_OR_WHERE = frozenset({"who", "quem", "where", "onde"})
_HOW = frozenset({"how", "como"})
_OURS = frozenset(
    {
        "i", "we", "my", "our", "eu", "meu", "minha", "nosso", "nossa", "gente", "lucrei", "lucramos", "perdi",
        "perdemos", "ganhei", "ganhamos", "faturei", "com", "with",
    }
)  # fmt: skip
"""Tells that a result is the agent's or its owner's, and not Bitcoin's."""
_OF_HISTORY = frozenset({Intent.TRADES, Intent.PERFORMANCE, Intent.WHY})
_NUMBERLESS = frozenset(Intent) - {Intent.TRADES, Intent.INDICATORS, Intent.RISK_SETTINGS, Intent.UNKNOWN}


@dataclass(frozen=True)
class Words:
    """A clause: texts with their senses (None: an unknown word), the period that it names, its other numbers."""

    texts: tuple[str, ...]
    senses: tuple[Sense | None, ...]
    period: NamedPeriod | None
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, read: Sequence[tuple[str, Sense | None]], period: NamedPeriod | None, words: Sequence[str]) -> "Words":
        used = period.used if period else frozenset()
        numbers = (number(word) for at, word in enumerate(words) if at not in used)
        return cls(
            texts=tuple(text for text, _ in read),
            senses=tuple(sense for _, sense in read),
            period=period,
            numbers=tuple(found for found in numbers if found is not None),
        )

    def part(self, start: int, end: int | None) -> "Words":
        """Some of the words; the period and the numbers stay."""
        return replace(self, texts=self.texts[start:end], senses=self.senses[start:end])

    def wanted(self) -> "Words":
        """Without the topic behind each "not", "instead of", "forget": that one is not asked for."""
        senses = list(self.senses)
        dropping = False
        for at, sense in enumerate(self.senses):
            if sense in (Sense.DISMISSED, Sense.NOT):
                dropping = True
            elif sense in _TOPICS:
                if dropping:
                    senses[at] = Sense.FILLER
                dropping = False
            elif sense not in (Sense.FILLER, Sense.CUE, Sense.AGENT) or self.texts[at] == "e":
                dropping = False
        if not any(sense in _TOPICS for sense in senses):
            return self
        return replace(self, senses=tuple(senses))


def understood(words: Words, *, asked: bool, language: Language) -> Question:
    """What one clause asks for; `asked`: it ends with a question mark or begins like a question or a request."""
    nothing = Question(intent=Intent.UNKNOWN, language=language)
    has = frozenset(sense for sense in words.senses if sense)
    hint = _hint(words, has, asked=asked)
    if hint or None in words.senses or Sense.DEFINITION in has:
        return replace(nothing, hint=hint)
    if Sense.WHY in has:
        return replace(nothing, **_why(words, has))
    words = words.wanted()
    has = frozenset(sense for sense in words.senses if sense)
    found = _about(words, has, asked=asked)
    question = replace(nothing, **found) if found else nothing
    return _within_reach(question, words)


def _hint(words: Words, has: frozenset[Sense], *, asked: bool) -> Hint | None:
    """Why a clause that is not for us is refused, when that can be told."""
    heads = (
        (text, sense)
        for text, sense in zip(words.texts, words.senses, strict=True)
        if sense not in (Sense.FILLER, Sense.GREETING, Sense.AGENT)
    )
    text, first = next(heads, ("", None))
    if Sense.OTHER_MARKET in has:
        return Hint.OTHER_MARKET
    if Sense.OTHER_INDICATOR in has:
        return Hint.OTHER_INDICATOR
    if Sense.WHY not in has and (Sense.COMMAND in has or first is Sense.STOP):
        return Hint.READ_ONLY
    if text in _ORDERS and not asked and not {Sense.BUY, Sense.SELL} <= has and not has & _TOPICS:
        return Hint.READ_ONLY
    if first is Sense.CAN_YOU and has & {Sense.BUY, Sense.SELL} and not has & _TOPICS:
        return Hint.READ_ONLY
    if Sense.FORECAST in has:
        return Hint.NO_FORECAST
    return None


def _why(words: Words, has: frozenset[Sense]) -> _Found:
    negated = Sense.NOT in has
    if has & {Sense.BUY, Sense.BOUGHT}:
        event = Event.NOT_BOUGHT if negated else Event.BOUGHT
    elif has & {Sense.SELL, Sense.SOLD}:
        event = Event.NOT_SOLD if negated else Event.SOLD
    elif has & {Sense.TRADE, Sense.TRADING}:
        event = Event.NOT_TRADED if negated or has & {Sense.COMMAND, Sense.STOP, Sense.STATUS} else Event.LAST_DECISION
    elif has & {Sense.POSITION, Sense.HAVE} and not has & {Sense.MONEY, Sense.PERFORMANCE, Sense.PRICE}:
        event = Event.NOT_SOLD
    elif has & {Sense.SIGNAL, Sense.HOLD}:
        event = Event.LAST_DECISION
    elif Sense.STATUS in has and not has & {Sense.PRICE, Sense.PERFORMANCE, Sense.MARKET, Sense.ASSET}:
        return {"intent": Intent.STATUS}
    elif len(words.texts) <= 2 and has <= {Sense.WHY, Sense.NOT}:
        event = Event.NOT_TRADED if negated else Event.LAST_DECISION
    else:
        return {}
    return {"intent": Intent.WHY, "event": event}


def _about(words: Words, has: frozenset[Sense], *, asked: bool) -> _Found | None:
    """The rules, the most telling words first."""
    mode = Mode.LIVE if Sense.LIVE in has else Mode.DRY if Sense.DRY in has else None
    if _WHO_OR_WHERE & set(words.texts) and Sense.HELP not in has:
        return None
    for extreme, sense in ((Extreme.OVERBOUGHT, Sense.OVERBOUGHT), (Extreme.OVERSOLD, Sense.OVERSOLD)):
        if sense in has:
            return {"intent": Intent.INDICATORS, "indicator": Indicator.RSI, "extreme": extreme}
    if Sense.SHOULD in has:
        return _should(has)
    if has & {Sense.RISK, Sense.SETTINGS, Sense.STOP} and not has & {Sense.BOUGHT, Sense.SOLD}:
        return {"intent": Intent.RISK_SETTINGS}
    if Sense.MODE in has and not has & (_TOPICS - {Sense.MODE, Sense.STATUS, Sense.TRADE, Sense.POSITION}):
        return {"intent": Intent.MODE}
    if has & {Sense.POSITION} or (Sense.HAVE in has and not has & (_TOPICS | _TRADING | {Sense.MONEY, Sense.MAKE})):
        return _position(has)
    if Sense.HOLD in has and Sense.ASSET in has and not has & _TOPICS:
        return {"intent": Intent.POSITION}
    if _is_about_trades(words, has):
        return {"intent": Intent.TRADES, "mode": mode, "side": _side(has), "limit": _limit(words)}
    if has & {Sense.PERFORMANCE} or _is_about_money(words, has):
        return _performance(words, has, mode)
    return _about_market(words, has, asked=asked) or _about_agent(words, has, asked=asked)


def _performance(words: Words, has: frozenset[Sense], mode: Mode | None) -> _Found | None:
    """The agent's result; what Bitcoin or the market gained is something else."""
    if has & {Sense.PRICE, Sense.BOOK, Sense.MARKET}:
        return None
    if Sense.ASSET in has and Sense.AGENT not in has and not _OURS & set(words.texts):
        return None
    return {"intent": Intent.PERFORMANCE, "mode": mode}


def _should(has: frozenset[Sense]) -> _Found | None:
    if has & {Sense.BOUGHT, Sense.SOLD, Sense.PERFORMANCE, Sense.RISK, Sense.SETTINGS, Sense.MODE, Sense.STOP}:
        return None  # hindsight, or advice about something else
    if has & {Sense.BUY, Sense.SELL, Sense.HOLD, Sense.TRADE, Sense.TRADING, Sense.SIGNAL}:
        return {"intent": Intent.SIGNAL}
    return None


def _position(has: frozenset[Sense]) -> _Found | None:
    if has & {Sense.BOOK, Sense.SIGNAL} or (
        Sense.HAVE in has and not has & {Sense.POSITION, Sense.ASSET, Sense.HOW_MUCH}
    ):
        return None
    if Sense.HAVE in has and Sense.HOW_MUCH in has and not has & {Sense.POSITION, Sense.ASSET}:
        return {"intent": Intent.PERFORMANCE}  # "how much do I have?"
    return {"intent": Intent.POSITION}


def _is_about_trades(words: Words, has: frozenset[Sense]) -> bool:
    if has & {Sense.SIGNAL, Sense.BOOK, Sense.ANALYSIS, Sense.MODE}:
        return False
    counted = bool(words.numbers) or Sense.LAST in has
    if Sense.TRADE in has:
        return Sense.PERFORMANCE not in has or counted
    if has & {Sense.BOUGHT, Sense.SOLD}:
        return not has & _TOPICS
    if has & {Sense.BUY, Sense.SELL} and not has & (_TOPICS - {Sense.TRADE}):
        return counted or bool(words.period) or Sense.HOW_MUCH in has or "did" in words.texts
    return False


def _is_about_money(words: Words, has: frozenset[Sense]) -> bool:
    if has & (_TOPICS | {Sense.MODE}):
        return False
    if Sense.MAKE in has:
        return bool(has & {Sense.HOW_MUCH, Sense.MONEY})
    if Sense.MONEY in has:
        return bool(has & {Sense.HOW_MUCH, Sense.HAVE, Sense.HOW_IS})
    return bool({Sense.HOW_IS, Sense.AGENT} <= has and words.period)


def _about_market(words: Words, has: frozenset[Sense], *, asked: bool) -> _Found | None:
    named = {indicator for sense, indicator in _INDICATORS.items() if sense in has}
    if Sense.BOOK in has:
        return {"intent": Intent.ORDER_BOOK} if not has & {Sense.SIGNAL, Sense.STATUS} else None
    if named:
        return {"intent": Intent.INDICATORS, "indicator": named.pop() if len(named) == 1 else None}
    if has & {Sense.SIGNAL, Sense.BUY, Sense.SELL} and _HOW & set(words.texts):
        return None  # "how do you decide?", "how do I buy?"
    if Sense.SIGNAL in has:
        return {"intent": Intent.ANALYSIS if has & {Sense.ANALYSIS, Sense.PRICE} else Intent.SIGNAL}
    if Sense.ANALYSIS in has:
        return {"intent": Intent.ANALYSIS} if not has & {Sense.STATUS, Sense.TRADING} else None
    if Sense.INDICATORS in has:
        return {"intent": Intent.INDICATORS}
    if has & {Sense.BUY, Sense.SELL} and not has & {Sense.PRICE, Sense.WHEN}:
        both = {Sense.BUY, Sense.SELL} <= has
        wish = any(text in ("comprar", "vender") for text in words.texts)
        return {"intent": Intent.SIGNAL} if asked or both or wish else None
    if Sense.CURRENCY in has and Sense.ASSET not in has:
        return None  # "the price of the dollar"
    if Sense.PRICE in has:
        return {"intent": Intent.PRICE} if not has & (_TRADING | {Sense.MONEY, Sense.STATUS}) else None
    if Sense.MARKET in has:
        return (
            {"intent": Intent.ANALYSIS}
            if has & {Sense.HOW_IS, Sense.STATUS} or not has - _NOTHING - {Sense.MARKET}
            else None
        )
    if Sense.CHANGE in has:
        return {"intent": Intent.PRICE} if has & {Sense.ASSET, Sense.HOW_MUCH} else None
    if Sense.ASSET in has and (has & {Sense.HOW_IS, Sense.HOW_MUCH} or has <= {Sense.ASSET, Sense.TIME}):
        return {"intent": Intent.PRICE} if not has & (_TRADING | {Sense.STATUS, Sense.MAKE}) else None
    return None


def _about_agent(words: Words, has: frozenset[Sense], *, asked: bool) -> _Found | None:
    if Sense.STATUS in has or ({Sense.HOW_IS, Sense.AGENT} <= has):
        return {"intent": Intent.STATUS} if not has & {Sense.ASSET, Sense.MARKET, Sense.PRICE} else None
    if Sense.TRADING in has and asked and not has & {Sense.DRY, Sense.LIVE}:
        return {"intent": Intent.STATUS} if not has - _NOTHING - {Sense.TRADING, Sense.ASSET} else None
    if has & {Sense.MODE, Sense.DRY, Sense.LIVE}:
        return (
            {"intent": Intent.MODE}
            if not has - _NOTHING - {Sense.MODE, Sense.DRY, Sense.LIVE, Sense.MONEY, Sense.TRADING}
            else None
        )
    if Sense.HELP in has:
        return {"intent": Intent.HELP} if not has - _NOTHING - {Sense.HELP} else None
    return None


def _side(has: frozenset[Sense]) -> Side | None:
    buys, sells = bool(has & {Sense.BUY, Sense.BOUGHT}), bool(has & {Sense.SELL, Sense.SOLD})
    if buys == sells:
        return None
    return Side.BUY if buys else Side.SELL


_SINGULAR = frozenset(
    {
        "operacao", "negociacao", "transacao", "negocio", "ordem", "compra", "venda",
        "operation", "trade", "transaction", "deal", "order", "purchase", "sale",
    }
)  # fmt: skip


def _limit(words: Words) -> int | None:
    """How many trades: the number that was named, or 1 for "the last trade"."""
    if words.numbers:
        return max(1, min(words.numbers[0], MAX_TRADES))
    single = any(
        text in ("ultima", "ultimo", "pela ultima vez", "last", "latest", "most recent") for text in words.texts
    )
    plural_or_other = not _SINGULAR & set(words.texts) and not {"compra", "venda", "purchase", "sale"} & set(
        words.texts
    )
    last_time = Sense.WHEN in words.senses or "pela ultima vez" in words.texts
    return 1 if (single and not plural_or_other) or last_time else None


def _within_reach(question: Question, words: Words) -> Question:
    """The question with its period; unknown if it asks for a time or a number that there is no answer for."""
    nothing = Question(intent=Intent.UNKNOWN, language=question.language)
    if question.intent in _NUMBERLESS and words.numbers:
        return nothing
    if question.intent is Intent.INDICATORS and words.numbers:
        known = _LENGTHS[question.indicator] if question.indicator else set().union(*_LENGTHS.values())
        if not set(words.numbers) <= known:
            return replace(nothing, hint=Hint.OTHER_INDICATOR)
    named = words.period
    if question.intent in (Intent.UNKNOWN, Intent.HELP, Intent.RISK_SETTINGS) or (
        named is None and Sense.WAS not in words.senses
    ):
        return question
    if question.intent in _OF_HISTORY:
        if named is None:
            return question
        return replace(question, period=named.period, period_gap=named.gap)
    past = Sense.WAS in words.senses and Sense.LAST not in words.senses
    day = named is not None and named.period is Period.DAY and named.gap is None and question.intent is Intent.PRICE
    now = named is None or (named.period is Period.TODAY and named.gap is None)
    if past or not (day or now):
        return replace(nothing, hint=Hint.ONLY_NOW)
    return question
