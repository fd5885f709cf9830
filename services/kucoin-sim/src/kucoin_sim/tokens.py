"""WebSocket tokens as the bullet endpoints hand them out: valid for 24 hours, not to be guessed."""

import secrets
from dataclasses import dataclass
from typing import Literal

VALID_MS = 24 * 3_600_000
_SWEEP_ABOVE = 10_000


@dataclass(frozen=True, slots=True)
class Token:
    """Who may connect until when. `user_id` is None for a public token."""

    user_id: str | None
    expires_ms: int


class TokenBook:
    """Issued tokens."""

    def __init__(self, valid_ms: int = VALID_MS) -> None:
        self._valid_ms = valid_ms
        self._tokens: dict[str, Token] = {}

    def issue(self, now_ms: int, user_id: str | None = None) -> str:
        if len(self._tokens) > _SWEEP_ABOVE:
            self._tokens = {text: token for text, token in self._tokens.items() if token.expires_ms > now_ms}
        text = secrets.token_urlsafe(144)
        self._tokens[text] = Token(user_id, now_ms + self._valid_ms)
        return text

    def check(self, text: str, now_ms: int) -> Token | Literal["unknown", "expired"]:
        """The token, or why it is none."""
        token = self._tokens.get(text)
        if token is None:
            return "unknown"
        return token if now_ms < token.expires_ms else "expired"
