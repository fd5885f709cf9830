"""Why the agent did, or did not do, something: from its last trade, decision, refusals and status. Pure."""

from datetime import datetime

from btc_shared.codes import Action, Side
from btc_shared.figures import age_seconds
from webui_api.schemas import StatusAnswer
from webui_api.talk import reasons
from webui_api.talk.market_answers import OLD_DECISION_SECS, Verdict, outcome, score, signal, votes
from webui_api.talk.money_answers import executed_at
from webui_api.talk.question import Event
from webui_api.talk.sources import Motive, Refused, Story
from webui_api.talk.wording import Voice, bullets, lines

SIDES: dict[Event, Side] = {Event.BOUGHT: Side.BUY, Event.SOLD: Side.SELL}
"""Whose newest trade is wanted."""
WANTED: dict[Event, Action] = {Event.NOT_BOUGHT: Action.BUY, Event.NOT_SOLD: Action.SELL}
"""Whose newest refusal is wanted."""


def why(say: Voice, event: Event, status: StatusAnswer, decision: Verdict | None, story: Story, now: datetime) -> str:
    """`decision` is the newest one."""
    if event in SIDES:
        return _why_traded(say, SIDES[event], story, now)
    if event is Event.LAST_DECISION:
        if decision is None:
            return say("Ainda não houve nenhuma decisão.", "No decision has been made yet.")
        return signal(say, decision)
    return _why_not(say, event, status, decision, story, now)


def _why_traded(say: Voice, side: Side, story: Story, now: datetime) -> str:
    trade = story.trade
    money = reasons.money_of(say, story.mode)
    if trade is None:
        return (
            say(f"Ainda não comprei nada em {money}.", f"I have not bought anything yet with {money}.")
            if side is Side.BUY
            else say(f"Ainda não vendi nada em {money}.", f"I have not sold anything yet with {money}.")
        )
    at = executed_at(trade)
    done = say("Última compra", "Last buy") if side is Side.BUY else say("Última venda", "Last sell")
    result = (
        f"{say('Resultado líquido', 'Net result')}: {say.money(trade.pnl, signed=True)}"
        if trade.pnl is not None
        else None
    )
    return lines(
        f"**{done}**: {say.coins(trade.size)} {say('a', 'at')} {say.price(trade.price)}, "
        f"{say.age(age_seconds(at, now))} ({say.time(at)}), {money}.",
        "",
        bullets(
            f"{say('Motivo da venda', 'Reason of the sale')}: **{say(*reasons.EXITS[trade.exit_reason])}**"
            if trade.exit_reason
            else None,
            *_motive(say, story.motive, protective=bool(trade.exit_reason and trade.exit_reason.is_protective)),
            result,
        ),
    )


def _motive(say: Voice, motive: Motive | None, *, protective: bool) -> list[str]:
    if motive is None:
        if protective:
            return [
                say(
                    "Saídas de proteção não esperam por sinal: valem assim que o preço chega lá",
                    "Protective exits do not wait for a signal: they act as soon as the price is there",
                )
            ]
        return [say("A decisão por trás dela não está registrada", "The decision behind it is not recorded")]
    said = [
        f"{say(*reasons.STRATEGIES[strategy])}: {say.quoted(str(motive.reasons[strategy]))}"
        for strategy in reasons.STRATEGIES
        if motive.reasons.get(strategy)
    ]
    decided = f"{reasons.action(say, motive.action)} ({say.time(motive.decided_at)})"
    return [
        say(
            f"Decisão {decided}, confiança {say.percent(motive.confidence, 1)}",
            f"Decision {decided}, confidence {say.percent(motive.confidence, 1)}",
        ),
        score(say, motive.action, motive.score, motive.threshold),
        *said,
    ]


def _why_not(
    say: Voice, event: Event, status: StatusAnswer, decision: Verdict | None, story: Story, now: datetime
) -> str:
    """Everything that stood against it now, the hardest first; and the last refusal, with its age."""
    against: list[str] = []
    if status.status != "online":
        against += [reasons.sentence(say, text) for text in status.why]
    buying = event in (Event.NOT_BOUGHT, Event.NOT_TRADED)
    if buying and status.halted:
        against.append(say("as entradas estão paradas pelo operador", "entries are halted by the operator"))
    if event is Event.NOT_BOUGHT and status.position:
        size = say.coins(status.position.size)
        against.append(
            say(
                f"já há uma posição aberta ({size}), e só há uma por vez",
                f"a position is open ({size}), and there is one at a time",
            )
        )
    if event is Event.NOT_SOLD and not status.position:
        against.append(say("não há posição aberta: nada para vender", "no position is open: there is nothing to sell"))
    titles = {
        Event.NOT_BOUGHT: ("**Por que não comprei**", "**Why I have not bought**"),
        Event.NOT_SOLD: ("**Por que não vendi**", "**Why I have not sold**"),
        Event.NOT_TRADED: ("**Por que não operei**", "**Why I have not traded**"),
    }
    return lines(
        f"{say(*titles[event])}, {reasons.money_of(say, status.mode.effective)}:",
        "",
        bullets(
            *against,
            _last_decision(say, decision),
            _last_refusal(say, event, story.refused, now),
            _last_trade(say, story, now),
        ),
        "\n" + votes(say, decision) if decision else None,
    )


def _last_decision(say: Voice, decision: Verdict | None) -> str:
    if decision is None:
        return say("ainda não houve nenhuma decisão", "no decision has been made yet")
    old = say(" (não é recente)", " (not recent)") if decision.age_seconds > OLD_DECISION_SECS else ""
    waits = say(
        "Um sinal só sai depois que a decisão se mantém por algum tempo (`CONFIRM_SECS`)",
        "A signal is only sent after its decision has held for a while (`CONFIRM_SECS`)",
    )
    when = f"{say('última decisão', 'last decision')} {say.age(decision.age_seconds)}{old}"
    parts = [
        f"{when}: **{reasons.action(say, decision.action)}**",
        score(say, decision.action, decision.score, decision.threshold),
        outcome(say, decision),
        waits if decision.action is not Action.HOLD and decision.outcome is None else None,
    ]
    return ". ".join(part for part in parts if part)


def _last_refusal(say: Voice, event: Event, refused: Refused | None, now: datetime) -> str:
    wanted = WANTED.get(event)
    what = say(f"sinal {wanted}", f"{wanted} signal") if wanted else say("sinal", "signal")
    if refused is None:
        return say(f"nenhum {what} foi recusado nas últimas 24 horas", f"no {what} was refused in the last 24 hours")
    return (
        f"{say(f'último sinal {refused.action} recusado', f'last {refused.action} signal refused')} "
        f"{say.age(age_seconds(refused.at, now))}: {reasons.refusal(say, refused.code, refused.detail)}"
    )


def _last_trade(say: Voice, story: Story, now: datetime) -> str:
    if story.trade is None:
        return say("ainda não houve nenhuma operação", "there has been no trade yet")
    at = executed_at(story.trade)
    side = say("compra", "buy") if story.trade.side is Side.BUY else say("venda", "sell")
    return f"{say('última operação', 'last trade')}: {side}, {say.age(age_seconds(at, now))}"
