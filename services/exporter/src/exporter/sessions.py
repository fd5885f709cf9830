"""Signed cookies of the mode page. Nothing is stored: a session is its cookie, and ends with the process or its time.

A cookie belongs to a host, not to a port: every service on this machine gets it, and `SameSite` does not tell ports
apart. So a cookie alone authorises nothing: a form must also carry the value that only our own page could read.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

_TIME = re.compile(r"[0-9]{1,12}")
COOKIE = "btc_exporter_session"
LIFETIME = timedelta(minutes=15)


@dataclass(frozen=True)
class Session:
    """A visitor of the page; `authorised` after giving the control token."""

    session_id: str
    expires_at: int
    authorised: bool

    @property
    def text(self) -> str:
        return f"{self.session_id}.{self.expires_at}.{int(self.authorised)}"


class Sessions:
    """Makes and reads cookies, signed with a key that never leaves the process."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def new(self, session_id: str, now: datetime, *, authorised: bool) -> Session:
        """A session with an id that nobody can guess (given by the caller)."""
        return Session(session_id, int((now + LIFETIME).timestamp()), authorised)

    def cookie(self, session: Session) -> str:
        return f"{session.text}.{self._signature('cookie', session)}"

    def form_value(self, session: Session) -> str:
        """What the page's forms carry to prove that they are from this session's page."""
        return self._signature("form", session)

    def read(self, cookie: str | None, now: datetime) -> Session | None:
        """The session of a cookie; None when it is not ours, changed or expired."""
        parts = (cookie or "").split(".")
        if len(parts) != 4 or not _TIME.fullmatch(parts[1]) or parts[2] not in ("0", "1"):
            return None
        session = Session(parts[0], int(parts[1]), parts[2] == "1")
        if not _same(parts[3], self._signature("cookie", session)) or now.timestamp() >= session.expires_at:
            return None
        return session

    def owns(self, session: Session, form_value: str) -> bool:
        """True when a form with this value came from the session's own page."""
        return _same(form_value, self.form_value(session))

    def _signature(self, purpose: str, session: Session) -> str:
        return hmac.new(self._key, f"{purpose}|{session.text}".encode(), hashlib.sha256).hexdigest()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
