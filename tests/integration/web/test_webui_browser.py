"""The page in a real browser against the real service: what a person sees, and what they see when something fails."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from btc_shared.db.models import CandleRow, ControlRow

from .chromium import browser_tab, executable

pytestmark = pytest.mark.skipif(executable() is None, reason="no chromium on this machine")

TOKEN = "an-api-token-of-the-tests"
CANARY = "<img src=x onerror=\"document.title='canary'\"><script>document.title='canary'</script>"


def shown(identifier: str) -> str:
    return f"document.getElementById('{identifier}').innerText"


def says(identifier: str, text: str) -> str:
    return f"{shown(identifier)}.toLowerCase().includes({text.lower()!r})"


def candles(seed: Any, count: int) -> None:
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    for back in range(count, 0, -1):
        if back in (10, 11, 12):
            continue
        close = Decimal(50_000 + back % 7 * 10)
        seed.connection.execute(
            insert(CandleRow).values(
                venue="practice", symbol="BTC-USDT", open_time=end - timedelta(minutes=back), open=close,
                high=close + 20, low=close - 20, close=close, volume=Decimal(1), turnover=close,
            )
        )  # fmt: skip


@pytest.fixture
def service(seed: Any, postgres_url: str, service_process: Callable[..., Any]) -> Callable[..., Any]:
    """Start the API on the seeded database with these environment variables."""

    def start(**environ: str) -> Any:
        process = service_process("webui_api", {"DATABASE_URL": postgres_url, "VENUE": "practice", **environ})
        return process.start()

    return start


def trading(seed: Any) -> None:
    seed.running()
    seed.account("1000")
    at = datetime.now(UTC)
    seed.buy("50000", "0.004", at - timedelta(minutes=30))
    seed.sell("50900", "0.004", at - timedelta(minutes=20), "take_profit")
    seed.buy("49900", "0.003", at - timedelta(minutes=5))
    candles(seed, 60)


async def test_a_person_sees_price_trades_position_decisions_and_whose_money_it_is(seed: Any, service: Any) -> None:
    trading(seed)
    seed.decision(age=60, action="BUY", signal_id=uuid.uuid4(), outcome="refused", outcome_code="cooldown")
    async with browser_tab() as tab:
        await tab.open(f"{service().address}/")
        await tab.until("document.querySelector('#chart svg') && document.querySelector('#curve svg')")
        for identifier, text in (
            ("money-kind", "simulated money"), ("price", "50,000.50"), ("state", "online"), ("freshness", "updated"),
            ("position", "0.003 BTC"), ("position", "49,900.00"), ("result", "1 of 1"), ("mode", "dry (simulated)"),
            ("trades", "take profit"), ("decisions", "technical"), ("decisions", "abstained: no book"),
            ("decisions", "refused: too soon after the last trade"), ("services", "executor"),
        ):  # fmt: skip
            await tab.until(says(identifier, text))
        counts = await tab.says(
            "['.buy', '.sell', '.gap'].map((kind) => document.querySelectorAll('#chart ' + kind).length)"
        )
        assert counts == [2, 1, 1]
        assert await tab.says("document.querySelectorAll('#chart rect.up, #chart rect.down').length") == 57
        await tab.says("document.querySelector('#spans button:last-child').click()")
        await tab.until("document.querySelector('#spans button:last-child').ariaPressed === 'true'")
        assert tab.problems == []


async def test_the_page_follows_the_agent_by_itself(seed: Any, service: Any) -> None:
    trading(seed)
    async with browser_tab() as tab:
        await tab.open(f"{service().address}/")
        await tab.until(says("price", "50,000.50"))
        seed.market("61000", "61001")
        await tab.until(says("price", "61,000.50"))
        seed.row(
            ControlRow, venue="practice", requested_mode="live", halted=True, changed_at=datetime.now(UTC), version=1
        )
        await tab.until(says("mode", "halted"))
        assert await tab.says(says("notes", "LIVE is requested, DRY is in effect"))


async def test_real_money_is_said_in_portuguese_too(seed: Any, service: Any) -> None:
    seed.running(mode="live")
    async with browser_tab("pt-BR") as tab:
        await tab.open(f"{service().address}/")
        await tab.until(says("money-kind", "dinheiro real"))
        await tab.until(says("price", "50.000,50"))
        assert await tab.says("document.documentElement.lang") == "pt-BR"


async def test_text_of_the_agent_never_becomes_markup(seed: Any, service: Any) -> None:
    trading(seed)
    reasons = {"decision": CANARY, "technical": CANARY, "flow": CANARY, "orderbook": CANARY, "qlearning": CANARY}
    seed.decision(action="BUY", reasons=reasons, signal_id=uuid.uuid4(), outcome="refused", outcome_code="cooldown",
                  outcome_detail=CANARY)  # fmt: skip
    async with browser_tab() as tab:
        await tab.open(f"{service().address}/")
        await tab.until(says("decisions", "onerror="))
        assert await tab.says("document.querySelectorAll('main script, main img').length") == 0
        assert await tab.says("document.title") == "BTC trading agent"
        # Not even a mistake in a script could: the policy refuses text as markup.
        refused = "(() => { try { document.body.innerHTML = 'x'; return false } catch { return true } })()"
        assert await tab.says(refused) is True


async def test_the_token_is_asked_for_checked_and_kept_in_the_tab_alone(seed: Any, service: Any) -> None:
    trading(seed)
    async with browser_tab() as tab:
        await tab.open(f"{service(API_TOKEN=TOKEN).address}/")
        await tab.until("!document.getElementById('login').hidden")
        assert await tab.says("document.getElementById('content').hidden")

        async def enter(token: str) -> None:
            await tab.says(f"document.getElementById('token').value = {token!r}")
            await tab.says("document.querySelector('#login button').click()")

        for wrong in ("not the token", "not-the-token-of-the-tests", "tökén"):
            await enter(wrong)
            await tab.until(says("login-problem", "that is not the api token"))
            assert await tab.says("sessionStorage.length") == 0
        await enter(TOKEN)
        await tab.until(says("price", "50,000.50"))
        kept = "[sessionStorage.length, localStorage.length, document.cookie, location.href.includes('token')]"
        assert await tab.says(kept) == [1, 0, "", False]
        await tab.says("document.getElementById('forget').click()")
        await tab.until("document.getElementById('login') && !document.getElementById('login').hidden")
        assert await tab.says("sessionStorage.length") == 0


async def test_what_fails_is_said_and_heals(seed: Any, service: Any, service_process: Callable[..., Any]) -> None:
    trading(seed)
    seed.market(age=90)
    process = service()
    async with browser_tab() as tab:
        await tab.open(f"{process.address}/")
        await tab.until(says("price", "no current price"))
        assert await tab.says(says("notes", "order book is"))
        process.kill(9)
        await tab.until(says("trouble", "the api does not answer"))
        await tab.until("document.getElementById('content').className === 'old'")
        assert await tab.says(says("state", "unknown"))
        assert tab.problems == []


async def test_an_empty_database_is_told_plainly(seed: Any, service: Any) -> None:
    async with browser_tab() as tab:
        await tab.open(f"{service().address}/")
        await tab.until(says("chart", "no candles yet"))
        for identifier, text in (("curve", "no trade yet"), ("decisions", "no decision yet"), ("state", "offline")):
            await tab.until(says(identifier, text))
        assert tab.problems == []
