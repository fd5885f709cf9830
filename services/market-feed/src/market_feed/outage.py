"""Remembers whether something is away, so that an outage is logged once, not at every try."""

import structlog

from btc_shared import clock
from btc_shared.health import Check

log = structlog.get_logger(__name__)


class Outage:
    """The state of one dependency as one user of it sees it; good until the first failure."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since_ms: int | None = None
        self._error = ""

    def failed(self, error: BaseException) -> None:
        """The dependency did not answer."""
        self._error = (str(error).splitlines() or [repr(error)])[0]
        if self._since_ms is None:
            self._since_ms = clock.now_ms()
            log.warning("outage_began", dependency=self._name, error=self._error)

    def over(self) -> None:
        """The dependency answered."""
        if self._since_ms is not None:
            log.info("outage_over", dependency=self._name, lasted_ms=clock.now_ms() - self._since_ms)
            self._since_ms = None

    @property
    def error(self) -> str | None:
        """What went wrong, while it does."""
        return self._error if self._since_ms is not None else None

    def check(self) -> Check:
        """For `/health`."""
        if self._since_ms is None:
            return Check(True, "answers")
        return Check(False, f"away for {(clock.now_ms() - self._since_ms) / 1000:.0f} s: {self._error}")
