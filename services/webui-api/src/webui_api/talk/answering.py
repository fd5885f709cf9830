"""From a question to its answer: reads what is needed, and words it."""

from dataclasses import dataclass
from datetime import datetime

from btc_shared.api import ApiError
from webui_api.performance import Period, period_start
from webui_api.talk import agent_answers, market_answers, money_answers, why_answer
from webui_api.talk.question import Event, Intent, Language, PeriodGap, Question
from webui_api.talk.reasons import unavailable
from webui_api.talk.recognition import recognise
from webui_api.talk.sources import Sources
from webui_api.talk.wording import Voice

DEFAULT_TRADES = 10
_OF_MARKET = frozenset(Intent) - {Intent.RISK_SETTINGS, Intent.HELP, Intent.UNKNOWN, Intent.MODE}


@dataclass(frozen=True)
class Answer:
    """A question's answer in markdown."""

    question: Question
    text: str


async def answer(sources: Sources, text: str, now: datetime, otherwise: Language = Language.PORTUGUESE) -> Answer:
    """Understand and answer `text`. Figures that are not there become a sentence that says why.

    Raises:
        SQLAlchemyError, OSError: the database cannot be read.
    """
    question = recognise(text, otherwise)
    say = Voice(question.language)
    try:
        said = await _worded(sources, say, question, now)
    except ApiError as error:
        if error.status != 503:
            raise
        said = unavailable(say, error)
    notes = [
        _period_note(say, question),
        agent_answers.not_answered(say, question.also) if question.also else None,
        say(
            "Bolsa de treino: os preços são inventados.",
            "Practice exchange: the prices are made up.",
        )
        if sources.venue == "practice" and question.intent in _OF_MARKET
        else None,
    ]
    return Answer(question, "\n\n".join([said, *(f"*{note}*" for note in notes if note)]))


async def _worded(sources: Sources, say: Voice, question: Question, now: datetime) -> str:
    queries = sources.queries
    match question.intent:
        case Intent.PRICE:
            return market_answers.price(say, await queries.price(now))
        case Intent.ANALYSIS:
            return market_answers.analysis(say, await queries.analysis(now), now)
        case Intent.SIGNAL:
            return await _signal(sources, say, now)
        case Intent.INDICATORS:
            seen = await queries.analysis(now)
            return market_answers.indicators(say, seen, question.indicator, question.extreme)
        case Intent.ORDER_BOOK:
            return market_answers.order_book(say, sources.symbol, await sources.market(now), now)
        case Intent.STATUS:
            return agent_answers.status(say, await queries.status(now))
        case Intent.POSITION:
            return money_answers.position(say, await queries.status(now))
        case Intent.TRADES:
            return await _trades(sources, say, question, now)
        case Intent.PERFORMANCE:
            result = await queries.performance(question.mode, question.period or Period.ALL, now)
            return money_answers.performance(say, result)
        case Intent.RISK_SETTINGS:
            return agent_answers.risk_settings(say, await sources.rules())
        case Intent.MODE:
            return agent_answers.mode(say, await queries.status(now))
        case Intent.WHY:
            return await _why(sources, say, question.event or Event.LAST_DECISION, now)
        case Intent.HELP:
            return agent_answers.help_text(say)
        case Intent.UNKNOWN:
            return agent_answers.not_understood(say, question.hint)


async def _signal(sources: Sources, say: Voice, now: datetime) -> str:
    newest = await sources.queries.decisions(1, now)
    if not newest:
        raise ApiError(503, "there is no analysis", "the decision engine has not made a decision yet")
    return market_answers.signal(say, market_answers.Verdict.of_decision(newest[0]))


async def _trades(sources: Sources, say: Voice, question: Question, now: datetime) -> str:
    since = period_start(question.period, now) if question.period else None
    found = await sources.trades(question.mode, question.side, since, question.limit or DEFAULT_TRADES)
    return money_answers.trades(say, found, question)


async def _why(sources: Sources, say: Voice, event: Event, now: datetime) -> str:
    status = await sources.queries.status(now)
    newest = await sources.queries.decisions(1, now)
    story = await sources.story(why_answer.SIDES.get(event), why_answer.WANTED.get(event), now)
    verdict = market_answers.Verdict.of_decision(newest[0]) if newest else None
    return why_answer.why(say, event, status, verdict, story, now)


def _period_note(say: Voice, question: Question) -> str | None:
    """Says which period was answered when it is not the one that was asked for."""
    if question.period is None or question.period_gap is None:
        return None
    answered = say.period(question.period)
    if question.period_gap is PeriodGap.LONGER:
        return say(
            f"O período pedido não existe sozinho; a resposta vale para o menor que o contém: {answered}.",
            f"There is no such period by itself; the answer is for the shortest one that holds it: {answered}.",
        )
    return say(
        f"Não é o período do calendário: a resposta vale {answered}, contados de agora.",
        f"This is not the calendar's period: the answer is {answered}, counted from now.",
    )
