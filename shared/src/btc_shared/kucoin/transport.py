"""One HTTP exchange with KuCoin: envelope, errors by reaction, measures; and the repeating of reads.

Business errors come with HTTP 200, so the envelope's `code` decides, not the status.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from btc_shared.kucoin import wire
from btc_shared.kucoin.errors import (
    MalformedError,
    RateLimit,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)

SUCCESS = "200000"
RATE_LIMITED = "429000"
# The exchange's "busy, try again" codes, whatever HTTP status they come with.
BUSY_CODES = frozenset({"230005", "408000", "500000", "110188"})
REQUEST_SECS = 10.0
OVERLOAD_WAIT_MS = 500
BLOCKED_WAIT_MS = 30_000
MAX_RATE_LIMIT_WAIT_MS = 60_000
FIRST_RETRY_SECS, MAX_RETRY_SECS = 0.25, 4.0
READ_ATTEMPTS = 5

T = TypeVar("T")
log = structlog.get_logger(__name__)
request_seconds = Histogram(
    "kucoin_request_seconds",
    "Time of one HTTP exchange with KuCoin",
    ["endpoint"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
request_errors = Counter(
    "kucoin_request_errors", "HTTP exchanges with KuCoin without a usable answer", ["endpoint", "kind"]
)
quota_remaining = Gauge(
    "kucoin_quota_remaining",
    "Weight that is left of the rate limit's pool in its 30 s window, as the last answer told",
    ["endpoint"],
)
malformed = Counter("kucoin_malformed", "Answers and frames that were not as documented", ["source"])


class _Envelope(msgspec.Struct):
    code: str | int
    msg: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_envelope = msgspec.json.Decoder(_Envelope)


def open_http(base_url: str) -> httpx.AsyncClient:
    """An HTTP client for one of the exchange's addresses; close it (`async with`)."""
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(REQUEST_SECS, connect=5.0),
        limits=httpx.Limits(max_connections=20, keepalive_expiry=60.0),
    )


async def send(http: httpx.AsyncClient, endpoint: str, request: httpx.Request, *, secret: bool = False) -> bytes:
    """Send one request, once, and return the JSON text of its answer's `data`.

    `endpoint` is the metric's label; the body of a `secret` answer is never quoted.

    Raises:
        RejectedError, RateLimitedError, UnavailableError, MalformedError: see `errors`.
    """
    try:
        with request_seconds.labels(endpoint).time():
            async with asyncio.timeout(REQUEST_SECS):
                response = await http.send(request)
        if (remaining := _number(response, "gw-ratelimit-remaining")) is not None:
            quota_remaining.labels(endpoint).set(remaining)
        return _data(endpoint, response, secret=secret)
    except (httpx.HTTPError, TimeoutError) as error:
        request_errors.labels(endpoint, "unavailable").inc()
        reason = str(error) or type(error).__name__
        raise UnavailableError(f"no answer from KuCoin's {endpoint}: {reason}") from error
    except RateLimitedError as error:
        request_errors.labels(endpoint, f"rate_limit_{error.kind}").inc()
        raise
    except UnavailableError:
        request_errors.labels(endpoint, "unavailable").inc()
        raise
    except RejectedError:
        request_errors.labels(endpoint, "rejected").inc()
        raise
    except MalformedError:
        request_errors.labels(endpoint, "malformed").inc()
        raise


def _data(endpoint: str, response: httpx.Response, *, secret: bool) -> bytes:
    status, body = response.status_code, response.content
    try:
        envelope = wire.read(endpoint, _envelope, body, lambda decoded: decoded, secret=secret)
    except MalformedError:
        # A page of the network in front of the exchange: an HTML 429, or error 1015 as 403.
        if status in (403, 429):
            raise RateLimitedError(RateLimit.BLOCKED, BLOCKED_WAIT_MS) from None
        if status >= 500:
            raise UnavailableError(f"KuCoin's {endpoint} answered HTTP {status} without a readable body") from None
        raise
    code = str(envelope.code)
    if status == 429 or code == RATE_LIMITED:
        raise _rate_limited(response)
    if status >= 500 or code in BUSY_CODES:
        raise UnavailableError(f"KuCoin's {endpoint} answered HTTP {status}, code {code}: {envelope.msg}")
    if code != SUCCESS:
        raise RejectedError(code, envelope.msg or "", status)
    return bytes(envelope.data)


def _rate_limited(response: httpx.Response) -> RateLimitedError:
    """The exchange's own 429: only a used-up quota says when it ends."""
    reset_ms = _number(response, "gw-ratelimit-reset")
    if reset_ms is not None:
        return RateLimitedError(RateLimit.QUOTA, min(reset_ms, MAX_RATE_LIMIT_WAIT_MS))
    return RateLimitedError(RateLimit.OVERLOAD, OVERLOAD_WAIT_MS)


def _number(response: httpx.Response, header: str) -> int | None:
    text = response.headers.get(header, "")
    return int(text[:9]) if text.isascii() and text.isdigit() else None


async def repeat_read(
    read: Callable[[], Awaitable[T]],
    *,
    attempts: int = READ_ATTEMPTS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Await `read` until it succeeds, at most `attempts` times, with growing, jittered waits.

    For reads only: a write whose answer is missing must be looked up, not repeated.

    Raises:
        RejectedError: at once.
        UnavailableError, MalformedError: the last one, when all attempts failed.
    """
    for attempt in range(1, attempts + 1):
        try:
            return await read()
        except (UnavailableError, MalformedError) as error:
            if attempt == attempts:
                raise
            wait = min(FIRST_RETRY_SECS * 2 ** (attempt - 1), MAX_RETRY_SECS) * random.uniform(0.5, 1.0)  # noqa: S311
            if isinstance(error, RateLimitedError):
                wait += error.retry_after_ms / 1_000
            # The one who asked says so if it stays like this: in an outage these would be several a second.
            log.debug("kucoin_read_repeated", attempt=attempt, wait_secs=round(wait, 3), error=str(error))
            await sleep(wait)
    raise AssertionError("attempts must be at least 1")
