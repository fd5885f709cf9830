"""What the agent says about itself over HTTP, for a person to see. What is missing stays None and is shown as such."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

STRATEGIES = ("technical", "orderbook", "flow", "qlearning")
_TIMEOUT_SECS = 3.0


@dataclass(frozen=True)
class Position:
    """An open position: `size` in BTC, prices and `unrealised` in USDT."""

    size: float | None
    entry_price: float | None
    unrealised: float | None


@dataclass(frozen=True)
class Decision:
    """The newest decision with the scores that led to it, each from -1 (sell) to 1 (buy)."""

    id: str | None
    action: str | None
    confidence: float | None
    score: float | None
    scores: Mapping[str, float | None]
    reason: str | None
    outcome: str | None
    refusal: str | None


@dataclass(frozen=True)
class Readings:
    """One look at the agent. Money in USDT, shares as fractions. `in_position` is None when unknown."""

    status: str | None = None
    why: tuple[str, ...] = ()
    halted: bool | None = None
    symbol: str | None = None
    price: float | None = None
    bid: float | None = None
    ask: float | None = None
    change_24h_pct: float | None = None
    price_problem: str | None = None
    requested_mode: str | None = None
    effective_mode: str | None = None
    decision: Decision | None = None
    in_position: bool | None = None
    position: Position | None = None
    realised: float | None = None
    trades: int | None = None
    win_rate: float | None = None
    fees: float | None = None
    equity: float | None = None


def api_headers(environ: Mapping[str, str]) -> dict[str, str]:
    """What the web API asks of its readers when it was given an API_TOKEN, in either form that settings have.

    A file that cannot be read is left out: the check of the settings names it, and without it the API refuses.
    """
    token, path = environ.get("API_TOKEN", ""), environ.get("API_TOKEN_FILE", "")
    if path:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            token = Path(path).read_text(encoding="utf-8").strip()
    return {"Authorization": f"Bearer {token}"} if token else {}


async def read_agent(client: httpx.AsyncClient, base_url: str) -> Readings:
    """Ask the agent's web service once; what does not answer is missing in the result."""
    status, price, decisions, performance = await asyncio.gather(
        _get(client, f"{base_url}/api/status"),
        _get(client, f"{base_url}/api/price"),
        _get(client, f"{base_url}/api/decisions?limit=1"),
        _get(client, f"{base_url}/api/performance"),
    )
    return readings(status, price, decisions, performance)


async def _get(client: httpx.AsyncClient, url: str) -> Any:
    """The JSON body, of an error answer too (it says why); None without an answer."""
    try:
        return (await client.get(url, timeout=_TIMEOUT_SECS)).json()
    except (httpx.HTTPError, ValueError):
        return None


def readings(status: Any, price: Any, decisions: Any, performance: Any) -> Readings:
    """Pick what is shown out of the four answers; any of them may be None, an error, or lack fields."""
    status, price, performance = _mapping(status), _mapping(price), _mapping(performance)
    performance = performance or _mapping(status.get("performance"))
    mode = _mapping(status.get("mode"))
    has_position = "position" in status
    position = _mapping(status.get("position"))
    return Readings(
        status=_text(status.get("status")),
        why=_texts(status.get("why")),
        halted=status["halted"] if isinstance(status.get("halted"), bool) else None,
        symbol=_text(status.get("symbol")) or _text(price.get("symbol")),
        price=_first_number(price.get("price"), status.get("current_price")),
        bid=_number(price.get("bid")),
        ask=_number(price.get("ask")),
        change_24h_pct=_number(price.get("change_24h_pct")),
        price_problem=_text(price.get("error")),
        requested_mode=_text(mode.get("requested")),
        effective_mode=_text(mode.get("effective")),
        decision=_decision(decisions),
        in_position=bool(position) if has_position else None,
        position=_position(position) if position else None,
        realised=_number(performance.get("total_pnl")),
        trades=_count(performance.get("total_trades")),
        win_rate=_number(performance.get("win_rate")),
        fees=_number(performance.get("fees")),
        equity=_number(performance.get("equity")),
    )


def _position(data: Mapping[str, Any]) -> Position:
    return Position(
        size=_number(data.get("size")),
        entry_price=_number(data.get("entry_price")),
        unrealised=_number(data.get("unrealized_pnl")),
    )


def _decision(answer: Any) -> Decision | None:
    newest = answer[0] if isinstance(answer, list) and answer else None
    if not isinstance(newest, Mapping):
        return None
    scores, reasons = _mapping(newest.get("scores")), _mapping(newest.get("reasons"))
    return Decision(
        id=_text(newest.get("id")),
        action=_text(newest.get("action")),
        confidence=_number(newest.get("confidence")),
        score=_number(newest.get("score")),
        scores={name: _number(scores.get(name)) for name in STRATEGIES},
        reason=_text(reasons.get("decision")),
        outcome=_text(newest.get("outcome")),
        refusal=_text(newest.get("outcome_code")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    """A number, also one that was sent as text to keep its digits."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _first_number(*values: Any) -> float | None:
    return next((number for value in values if (number := _number(value)) is not None), None)


def _count(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for item in value if (text := _text(item))) if isinstance(value, list) else ()


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and str(value) else None
