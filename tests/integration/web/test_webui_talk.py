"""Questions over a real database: what is answered is what the API says, in the question's language."""

import re
import tomllib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from btc_shared.codes import ServiceName
from btc_shared.db.models import SignalOutcomeRow, TradeRow

API_TOKEN = "an-api-token-of-the-tests"
CONTROL = {"Authorization": "Bearer a-token-of-the-tests-0123456789"}
QUESTIONS = tomllib.loads((Path(__file__).parents[2] / "unit" / "webui_api" / "questions.toml").read_text())

ASKED = {
    "price": ("Qual o preço do Bitcoin?", "What is the price of Bitcoin?"),
    "analysis": ("Mostre a análise técnica do BTC", "Show the technical analysis of BTC"),
    "signal": ("Devo comprar agora?", "Should I buy now?"),
    "indicators": ("Quais são os indicadores?", "Show all indicators"),
    "order_book": ("Como está o livro de ofertas?", "How is the order book?"),
    "status": ("Como está o agente?", "How is the agent?"),
    "position": ("Você tem uma posição aberta?", "Do you have an open position?"),
    "trades": ("últimas 3 operações", "last 3 trades"),
    "performance": ("Como está a performance do agente?", "How is the agent's performance?"),
    "risk_settings": ("configurações de risco", "risk settings"),
    "mode": ("é dinheiro real?", "is it real money?"),
    "why": ("por que você não comprou?", "why didn't you buy?"),
    "help": ("ajuda", "help"),
}
LANGUAGES = {"pt": 0, "en": 1}


def hours_ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def written(language: str, value: float, decimals: int = 2, sign: str = "") -> str:
    """A number as it has to be written; `sign` "+" shows the sign of a positive one."""
    text = f"{value:{sign},.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "pt" else text


def price(language: str, value: float) -> str:
    return ("US$ " if language == "pt" else "$") + written(language, value)


class Asker:
    """Asks one API."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def __call__(self, question: str) -> dict[str, Any]:
        answer = await self.client.post("/api/ask", json={"question": question})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def intent(self, intent: str, language: str) -> str:
        """The answer to the intent's question, which must be understood as such."""
        body = await self(ASKED[intent][LANGUAGES[language]])
        assert (body["intent"], body["language"]) == (intent, language)
        return str(body["answer"])

    async def api(self, path: str) -> Any:
        answer = await self.client.get(f"/api/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def ask(webui: Callable[..., Any]) -> Callable[..., Any]:
    async def make(**environ: str) -> Asker:
        return Asker(await webui(**environ))

    return make


def trade_history(seed: Any) -> None:
    """A won round trip of yesterday, and a position that is open for an hour."""
    seed.account("1000")
    seed.buy("50000", "0.006", hours_ago(30))
    seed.sell("51000", "0.006", hours_ago(29), "take_profit")
    seed.buy("49000", "0.004", hours_ago(1))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_figures_of_the_market_equal_the_apis(seed: Any, ask: Any, language: str) -> None:
    seed.running()
    asker = await ask()
    found, analysis = await asker.api("price"), await asker.api("analysis")
    said = await asker.intent("price", language)
    assert f"BTC-USDT: {price(language, found['price'])}" in said
    assert price(language, found["bid"]) in said
    assert price(language, found["ask"]) in said
    book = await asker.intent("order_book", language)
    assert written(language, analysis["orderbook"]["imbalance"], sign="+") in book
    assert f"{written(language, analysis['orderbook']['spread'])} USDT" in book
    indicators = await asker.intent("indicators", language)
    assert f"**RSI(14)**: {written(language, analysis['indicators']['rsi'])}" in indicators
    assert f"{written(language, analysis['indicators']['momentum'], 3, '+')}%" in indicators
    signal = await asker.intent("signal", language)
    assert analysis["signal"]["action"] in signal
    assert f"{written(language, analysis['signal']['confidence'] * 100, 1)}%" in signal
    assert written(language, analysis["signal"]["score"], 3, "+") in signal
    assert "momentum up" in signal
    assert ("não um conselho" if language == "pt" else "not investment advice") in signal
    whole = await asker.intent("analysis", language)
    for figure in (price(language, found["price"]), written(language, 55.5), analysis["signal"]["action"]):
        assert figure in whole


@pytest.mark.parametrize("language", LANGUAGES)
async def test_figures_of_the_money_equal_the_apis(seed: Any, ask: Any, language: str) -> None:
    seed.running()
    trade_history(seed)
    asker = await ask()
    status, result, trades = [await asker.api(path) for path in ("status", "performance", "trades")]
    held = status["position"]
    position = await asker.intent("position", language)
    for figure in (
        f"{written(language, held['size'], 3)} BTC",
        price(language, held["entry_price"]),
        f"{written(language, held['value'])} USDT",
        f"{written(language, held['unrealized_pnl'], sign='+')} USDT",
        f"{written(language, held['gain'] * 100, sign='+')}%",
    ):
        assert figure in position
    performance = await asker.intent("performance", language)
    for name in ("total_pnl", "unrealized_pnl", "avg_pnl", "best_trade_pnl", "buy_and_hold_pnl"):
        assert f"{written(language, result[name], sign='+')} USDT" in performance, name
    for name in ("equity", "fees"):
        assert f"{written(language, result[name])} USDT" in performance, name
    listed = await asker.intent("trades", language)
    for trade in trades:
        assert price(language, trade["price"]) in listed
    assert f"{written(language, trades[1]['pnl'], sign='+')} USDT" in listed
    assert "take profit" in listed
    whole = await asker.intent("status", language)
    assert f"{written(language, result['total_pnl'], sign='+')} USDT" in whole
    assert f"{written(language, held['size'], 3)} BTC" in whole
    simulated = "simulado" if language == "pt" else "simulated"
    for said in (position, performance, listed, whole, await asker.intent("mode", language)):
        assert simulated in said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", ASKED)
async def test_an_empty_database_is_answered_with_what_is_missing(
    seed: Any, ask: Any, intent: str, language: str
) -> None:
    said = await (await ask()).intent(intent, language)
    missing = {
        "price": ("Não há preço", "There is no price"),
        "analysis": ("Não há preço", "There is no price"),
        "order_book": ("Não há preço", "There is no price"),
        "indicators": ("Não há preço", "There is no price"),
        "signal": ("não decidiu nada", "has not made a decision yet"),
        "status": ("offline", "offline"),
        "position": ("Nenhuma posição aberta", "No open position"),
        "trades": ("Nenhuma operação", "No trades"),
        "performance": ("não há conta ainda", "there is no account yet"),
        "mode": ("simulado", "simulated"),
        "why": ("ainda não houve nenhuma decisão", "no decision has been made yet"),
        "risk_settings": ("2,00%", "2.00%"),
        "help": ("Qual o preço", "What is the price"),
    }
    assert missing[intent][LANGUAGES[language]] in said
    assert "None" not in said
    assert "nan" not in said.lower().split()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("intent", ["price", "analysis", "indicators", "order_book"])
async def test_an_old_price_is_not_told_but_its_age(seed: Any, ask: Any, intent: str, language: str) -> None:
    seed.running()
    seed.market(age=65)
    said = await (await ask()).intent(intent, language)
    assert ("Não há preço atual" if language == "pt" else "There is no current price") in said
    assert re.search(r"6[5-9] s", said)
    assert not re.search(r"50[.,]0", said)


async def test_without_a_price_an_open_position_has_no_value(seed: Any, ask: Any) -> None:
    trade_history(seed)
    seed.market(age=100)
    asker = await ask()
    position = await asker.intent("position", "pt")
    assert "0,004 BTC" in position
    assert position.count("não se sabe: não há preço atual") == 2
    performance = await asker.intent("performance", "en")
    assert performance.count("not known: there is no current price") == 2


async def test_the_last_signal_is_told_with_its_age_when_the_engine_stopped(seed: Any, ask: Any) -> None:
    seed.market()
    seed.decision(age=600, action="BUY", score=0.4, confidence=0.7)
    said = await (await ask()).intent("signal", "pt")
    assert "Último sinal: BUY" in said
    assert "há 10 min" in said
    assert "não é recente" in said


@pytest.mark.parametrize(
    ("rsi", "question", "start"),
    [
        (75.2, "O RSI está sobrecomprado?", "**Sim**"),
        (70.0, "O RSI está sobrecomprado?", "**Não**"),
        (25.0, "Is the RSI oversold?", "**Yes**"),
        (25.0, "Is the RSI overbought?", "**No**"),
        (None, "Is the RSI overbought?", "It is **not known**"),
    ],
)
async def test_the_rsi_is_judged_with_yes_or_no(
    seed: Any, ask: Any, rsi: float | None, question: str, start: str
) -> None:
    seed.market()
    seed.decision(inputs={"rsi": rsi})
    body = await (await ask())(question)
    assert body["intent"] == "indicators"
    assert body["answer"].startswith(start)


async def test_a_halt_is_told_wherever_it_matters(seed: Any, ask: Any, exporter: Any) -> None:
    seed.running()
    assert (await (await exporter()).post("/halt")).status_code == 200
    asker = await ask()
    assert "as entradas estão paradas pelo operador" in await asker.intent("why", "pt")
    assert "entries are halted by the operator" in await asker.intent("status", "en")
    assert "Entradas: paradas pelo operador" in await asker.intent("mode", "pt")


async def test_why_not_tells_what_stands_against_it_and_the_last_refusal(seed: Any, ask: Any) -> None:
    seed.running()
    trade_history(seed)
    seed.row(
        SignalOutcomeRow,
        signal_id=uuid.uuid4(), decision_id=None, **seed.key, action="BUY", outcome="refused", code="cooldown",
        detail="12 s since the last trade; 180 s are required", consumed_at=hours_ago(0.1),
    )  # fmt: skip
    asker = await ask()
    portuguese = await asker.intent("why", "pt")
    assert "já há uma posição aberta (0,004 BTC)" in portuguese
    assert "último sinal BUY recusado há 6 min" in portuguese
    assert "`cooldown`: a última operação era recente demais" in portuguese
    assert "“12 s since the last trade; 180 s are required” (registrado em inglês)" in portuguese
    assert "dentro de ±0,300" in portuguese
    english = (await asker("why have you not sold?"))["answer"]
    assert "no SELL signal was refused" in english
    assert "position is open" not in english


async def test_why_it_bought_is_the_decision_behind_the_trade(seed: Any, ask: Any) -> None:
    seed.running()
    trade_history(seed)
    decision_id = uuid.uuid4()
    seed.decision(age=3600, decision_id=decision_id, action="BUY", score=0.41, confidence=0.7)
    newest = TradeRow.executed_at > hours_ago(2)
    seed.connection.execute(update(TradeRow).where(newest).values(decision_id=decision_id))
    said = (await (await ask())("por que você comprou?"))["answer"]
    assert "0,004 BTC a US$ 49.000,00" in said
    assert "há 1 h" in said
    assert "Pontuação +0,410, além de ±0,300" in said
    assert "“momentum up” (registrado em inglês)" in said


async def test_why_it_sold_is_the_reason_of_the_exit(seed: Any, ask: Any) -> None:
    seed.running()
    trade_history(seed)
    said = (await (await ask())("why did you sell?"))["answer"]
    assert "**take profit**" in said
    assert "Protective exits do not wait for a signal" in said
    nothing = (await (await ask(VENUE="kucoin"))("por que você vendeu?"))["answer"]
    assert "Ainda não vendi nada" in nothing


async def test_money_of_the_mode_in_effect_is_called_real(seed: Any, ask: Any) -> None:
    seed.running(mode="live")
    live = seed.other("live", "main")
    live.account("500")
    live.buy("50000", "0.002", hours_ago(1))
    asker = await ask()
    position = await asker.intent("position", "en")
    assert "**real** money" in position
    assert "simulated" not in position
    assert "simulado" in (await asker("operações simuladas"))["answer"]


async def test_a_live_position_is_told_while_dry_is_in_effect(seed: Any, ask: Any) -> None:
    seed.running()
    live = seed.other("live", "main")
    live.account("500")
    live.buy("50000", "0.002", hours_ago(1))
    said = await (await ask()).intent("position", "pt")
    assert "Nenhuma posição aberta** em dinheiro **simulado**" in said
    assert "Posição aberta: 0,002 BTC**, dinheiro **real**" in said


async def test_periods_sides_and_counts_of_trades(seed: Any, ask: Any) -> None:
    seed.running()
    trade_history(seed)
    asker = await ask()
    assert "As 2 mais novas de 3 operações" in (await asker("últimas duas operações"))["answer"]
    assert "A mais nova de 2 compras" in (await asker("quando foi a última compra?"))["answer"]
    day = (await asker("trades in the last 24 hours"))["answer"]
    assert day.startswith("**The only trade** in the last 24 hours")
    yesterday = (await asker("what did you sell yesterday?"))["answer"]
    assert "the shortest one that holds it: in the last 7 days" in yesterday
    week = (await asker("quanto lucrei esta semana?"))["answer"]
    assert "Não é o período do calendário: a resposta vale nos últimos 7 dias" in week


async def test_a_period_without_trades_has_no_profit_and_not_another_periods(seed: Any, ask: Any) -> None:
    seed.running()
    seed.account()
    seed.buy("50000", "0.006", hours_ago(60))
    seed.sell("51000", "0.006", hours_ago(59), "take_profit")
    today = (await (await ask())("quanto lucrei hoje?"))["answer"]
    assert "hoje (dia UTC): 0,00 USDT" in today
    assert "Taxa de acerto (ciclos fechados): ainda não definido" in today


async def test_risk_settings_are_those_in_effect(seed: Any, ask: Any, exporter: Any) -> None:
    changed = await (await exporter()).patch("/config", json={"stop_loss_pct": 0.025}, headers=CONTROL)
    assert changed.status_code == 200
    said = await (await ask(TAKE_PROFIT_PCT="0.04")).intent("risk_settings", "pt")
    assert "Stop loss: **2,50%** (mudado em execução)" in said
    assert "**4,00%** (`TAKE_PROFIT_PCT`)" in said


async def test_a_stalled_agent_says_in_portuguese_what_is_wrong(seed: Any, ask: Any) -> None:
    seed.running()
    seed.beat(ServiceName.DECISION_ENGINE, age=40)
    said = await (await ask()).intent("status", "pt")
    assert "travado" in said
    assert re.search(r"o último sinal de vida do serviço decision-engine foi há 4\d s", said)


async def test_what_is_not_ours_gets_no_figure_but_what_can_be_asked(seed: Any, ask: Any) -> None:
    seed.running()
    trade_history(seed)
    asker = await ask()
    figures = ("50.000", "50,000", "49.000", "49,000", "5,39", "5.39", "55,5", "55.5")
    for row in QUESTIONS["refused"][:60]:
        body = await asker(row["q"])
        assert body["intent"] == "unknown"
        assert not any(figure in body["answer"] for figure in figures)
        assert ASKED["performance"][0] not in body["question"]
        assert ("Você pode perguntar" if body["language"] == "pt" else "You can ask") in body["answer"]


async def test_the_rest_of_a_question_is_not_passed_over_in_silence(seed: Any, ask: Any) -> None:
    seed.running()
    asker = await ask()
    assert "pergunte uma de cada vez" in (await asker("Qual o preço? E como está a performance?"))["answer"]
    unknown = (await asker("What's the price? And what is the capital of France?"))["answer"]
    assert "I did not understand the rest" in unknown


async def test_prices_of_the_practice_exchange_are_called_made_up(seed: Any, ask: Any) -> None:
    seed.running()
    assert "os preços são inventados" in await (await ask()).intent("price", "pt")
    assert "inventados" not in await (await ask(VENUE="kucoin")).intent("price", "pt")
