"""How to see that a process is well: ask it what only a working one can answer."""

from collections.abc import Callable

import httpx
import psycopg

from btc_cli.health import failures_in
from btc_cli.processes import Condition, Finding, Probe

_TIMEOUT_SECS = 3.0


def answers(is_ready: Callable[[int], bool]) -> Probe:
    """Healthy when a quick synchronous check says so (Valkey's PING)."""

    async def probe(pid: int) -> Finding:
        if is_ready(pid):
            return Finding(Condition.HEALTHY)
        return Finding(Condition.SILENT, "does not answer")

    return probe


def runs_queries(url: str, is_ready: Callable[[int], bool]) -> Probe:
    """Healthy when the PostgreSQL server of this process id lets us in and answers a query."""

    async def probe(pid: int) -> Finding:
        if not is_ready(pid):
            return Finding(Condition.SILENT, "does not take connections")
        try:
            connection = await psycopg.AsyncConnection.connect(url, connect_timeout=int(_TIMEOUT_SECS))
            async with connection:
                await connection.execute("SELECT 1")
        except psycopg.Error as error:
            return Finding(Condition.UNHEALTHY, str(error).strip().partition("\n")[0])
        return Finding(Condition.HEALTHY)

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


def failed_checks(response: httpx.Response) -> str:
    """What the answer says is wrong, or the status code when it says nothing."""
    return failures_in(response.content) or f"HTTP status {response.status_code}"
