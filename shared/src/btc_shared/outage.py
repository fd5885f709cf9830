"""Remembers whether something is away: the log has a line for an outage's beginning and one for its end."""

from collections.abc import Callable
from time import monotonic

import structlog

from btc_shared import clock

log = structlog.get_logger(__name__)


class Outage:
    """The state of one dependency as its user sees it; good until the first failure.

    Args:
        name: what is away, in the log.
        settle_secs: for users whose successes prove little, because not each of them needs the dependency: the outage
            is over when one comes this long after the last failure. Its length ends with that failure.
    """

    def __init__(self, name: str, *, settle_secs: float = 0.0, at_secs: Callable[[], float] = monotonic) -> None:
        self._name, self._settle_secs, self._at_secs = name, settle_secs, at_secs
        self._error = ""
        self._failures = 0
        self._began = self._failed_last = 0.0
        self.since_ms: int | None = None
        """When it began, our clock; None while there is none."""

    def failed(self, error: BaseException) -> None:
        """The dependency did not answer."""
        self._error = (str(error).splitlines() or [repr(error)])[0] or repr(error)
        self._failures += 1
        self._failed_last = self._at_secs()
        if self.since_ms is None:
            self.since_ms, self._began = clock.now_ms(), self._failed_last
            log.warning("outage_began", dependency=self._name, error=self._error)
        else:
            log.debug("outage_goes_on", dependency=self._name, error=self._error)

    def over(self) -> None:
        """The dependency answered, or nobody needs it any more."""
        if self.since_ms is None:
            return
        now = self._at_secs()
        if now - self._failed_last < self._settle_secs:
            return
        ended = self._failed_last if self._settle_secs else now
        log.info(
            "outage_over",
            dependency=self._name,
            lasted_secs=round(ended - self._began, 1),
            failures=self._failures,
            last_error=self._error,
        )
        self.since_ms, self._failures = None, 0

    @property
    def error(self) -> str | None:
        """What went wrong last, while it does."""
        return self._error if self.since_ms is not None else None

    def detail(self) -> str:
        """One sentence for `/health`."""
        if self.since_ms is None:
            return "answers"
        return f"away for {self._at_secs() - self._began:.0f} s: {self._error}"
