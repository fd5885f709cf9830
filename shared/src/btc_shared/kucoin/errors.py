"""What can go wrong with the exchange, by the reaction that it asks for.

KucoinError
├── RejectedError         it understood and said no: the same request gets the same answer; read `code`
├── UnavailableError      no usable answer (timeout, lost connection, 5xx, busy): ask again later;
│   │                     whether a write was executed is unknown
│   └── RateLimitedError  asked too often: wait `retry_after_ms` first; `kind` says which limit
└── MalformedError        an answer or frame that is not as documented: never use any part of it
"""

from enum import StrEnum

BODY_BEGINNING = 160


class KucoinError(Exception):
    """Base of everything that this package raises about the exchange."""


class RejectedError(KucoinError):
    """The exchange refused the request. `code` and `message` are its own words, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int) -> None:
        self.code, self.message, self.status = code, message, status
        super().__init__(f"KuCoin refused with code {code} (HTTP {status}): {message}")


class UnavailableError(KucoinError):
    """No usable answer came: a read is asked again later, a write's outcome is unknown."""


class RateLimit(StrEnum):
    """The three things that HTTP 429 means at KuCoin; also the metric's label."""

    QUOTA = "quota"
    """The pool's weights are used up until `gw-ratelimit-reset`; the request was not executed."""
    OVERLOAD = "overload"
    """The exchange itself is overloaded; it counts against no quota and may be repeated soon."""
    BLOCKED = "blocked"
    """The network in front of the exchange blocks this address for about half a minute (an HTML page)."""


class RateLimitedError(UnavailableError):
    """Too many requests; do not ask again before `retry_after_ms` milliseconds have passed."""

    def __init__(self, kind: RateLimit, retry_after_ms: int) -> None:
        self.kind, self.retry_after_ms = kind, retry_after_ms
        super().__init__(f"KuCoin limits the rate ({kind}): wait {retry_after_ms} ms")


class MalformedError(KucoinError):
    """An answer or a frame is not what the exchange documents. `what` names it, `problem` the field;
    the text quotes the body's beginning.
    """

    def __init__(self, what: str, problem: str, body: bytes) -> None:
        self.what, self.problem = what, problem
        super().__init__(f"{what}: {problem}; the body begins {body[:BODY_BEGINNING]!r}")
