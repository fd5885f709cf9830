"""The page's cookies: only ours count, only for their time, and a form's value belongs to one session."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.sessions import LIFETIME, Sessions

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SESSIONS = Sessions(b"key")


def test_a_cookie_is_read_back_until_it_expires() -> None:
    session = SESSIONS.new("id", NOW, authorised=True)
    cookie = SESSIONS.cookie(session)
    assert SESSIONS.read(cookie, NOW) == session
    assert SESSIONS.read(cookie, NOW + LIFETIME - timedelta(seconds=1)) == session
    assert SESSIONS.read(cookie, NOW + LIFETIME) is None


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_a_changed_cookie_is_worth_nothing(position: int, replacement: str) -> None:
    cookie = SESSIONS.cookie(SESSIONS.new("id", NOW, authorised=False))
    changed = cookie[:position] + replacement + cookie[position + 1 :]
    if changed != cookie:
        assert SESSIONS.read(changed, NOW) is None


@pytest.mark.parametrize("cookie", [None, "", "...", "a.b.c.d", "id.9999999999.1.", "id." + "9" * 5000 + ".1.x"])
def test_anything_else_is_no_session(cookie: str | None) -> None:
    assert SESSIONS.read(cookie, NOW) is None


def test_another_process_does_not_know_our_cookies() -> None:
    assert Sessions(b"other").read(SESSIONS.cookie(SESSIONS.new("id", NOW, authorised=True)), NOW) is None


def test_a_form_belongs_to_its_session_and_is_not_its_cookie() -> None:
    first, second = SESSIONS.new("one", NOW, authorised=False), SESSIONS.new("two", NOW, authorised=True)
    assert SESSIONS.owns(first, SESSIONS.form_value(first))
    assert not SESSIONS.owns(second, SESSIONS.form_value(first))
    assert not SESSIONS.owns(first, "")
    assert SESSIONS.form_value(first) not in SESSIONS.cookie(first)
