"""How to see that a process is well: ask it what only a working one can answer."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import psycopg

from btc_cli import disk
from btc_cli.health import failures_in
from btc_cli.processes import Condition, Finding, Probe
from btc_shared.kucoin.errors import KucoinError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.transport import open_http

_TIMEOUT_SECS = 3.0


def answers(is_ready: Callable[[int], bool]) -> Probe:
    """Healthy when a quick synchronous check says so (Valkey's PING)."""

    async def probe(pid: int) -> Finding:
        if is_ready(pid):
            return Finding(Condition.HEALTHY)
        return Finding(Condition.SILENT, "does not answer")

    return probe


def runs_queries(url: str, is_ready: Callable[[int], bool], data: Path) -> Probe:
    """Healthy when the PostgreSQL server of this process id lets us in, answers a query, and has room to write."""

    async def probe(pid: int) -> Finding:
        if not is_ready(pid):
            return Finding(Condition.SILENT, "does not take connections")
        try:
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=int(_TIMEOUT_SECS))
            async with connection:
                await connection.execute("SELECT 1")
        except psycopg.Error as error:
            return Finding(Condition.UNHEALTHY, str(error).strip().partition("\n")[0])
        full = disk.shortage(data, disk.FULL_BYTES)  # reading goes on without room
        return Finding(Condition.UNHEALTHY, full) if full else Finding(Condition.HEALTHY)

    return probe


def http_health(client: httpx.AsyncClient, url: str) -> Probe:
    """Healthy when `GET url` answers 200; otherwise the failed checks of its JSON body say why."""

    async def probe(_pid: int) -> Finding:
        try:
            response = await client.get(url, timeout=_TIMEOUT_SECS)
        except httpx.HTTPError as error:
            return Finding(Condition.SILENT, f"no answer from {url} ({type(error).__name__})")
        if response.status_code == httpx.codes.OK:
            return Finding(Condition.HEALTHY)
        return Finding(Condition.UNHEALTHY, failed_checks(response))

    return probe


def exchange(base_url: str) -> Callable[[], Awaitable[str]]:
    """Asks the exchange for its time, and says why it is not reached, in a sentence; nothing when it is."""
    name = "KuCoin" if base_url.startswith("https:") else "the exchange"

    async def ask() -> str:
        try:
            async with open_http(base_url) as http:
                await PublicClient(http).server_time_ms(attempts=1)
        except KucoinError as error:
            reason = str(error.__cause__ or error) or type(error.__cause__).__name__
            return f"{name} is not reached at {base_url} ({reason}): check the network; the agent keeps trying"
        return ""

    return ask


def failed_checks(response: httpx.Response) -> str:
    """What the answer says is wrong, or the status code when it says nothing."""
    return failures_in(response.content) or f"HTTP status {response.status_code}"
