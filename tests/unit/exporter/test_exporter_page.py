"""The mode page: what it shows and offers, and that nothing foreign gets into it."""

from typing import Any

import pytest

from btc_shared.codes import Mode
from exporter.page import View, render
from exporter.words import ENGLISH, PORTUGUESE, age_text, words_for


def view(**changes: Any) -> View:
    values: dict[str, Any] = {
        "in_effect": Mode.DRY,
        "in_effect_age": "2 s",
        "requested": Mode.DRY,
        "requested_age": None,
        "halted": False,
        "winding_down": False,
        "obstacles": (),
        "logged_in": False,
        "token_configured": True,
        "form_value": "the-form",
    }
    return View(**(values | changes))


def test_both_languages_have_all_words() -> None:
    assert ENGLISH.keys() == PORTUGUESE.keys()
    assert all(ENGLISH.values())
    assert all(PORTUGUESE.values())


@pytest.mark.parametrize(
    ("asked", "language"), [("pt-BR,pt;q=0.9", "pt-BR"), ("en", "en"), ("", "en"), ("de,pt", "en")]
)
def test_the_browsers_first_language_decides(asked: str, language: str) -> None:
    assert words_for(asked)["language"] == language


def test_requested_and_in_effect_are_shown_apart() -> None:
    page = render(view(in_effect=Mode.LIVE, requested=Mode.DRY), ENGLISH)
    assert page.index("In effect") < page.index("LIVE (real money)") < page.index("Requested") < page.index("DRY RUN (")


def test_nobody_is_offered_what_they_may_not_do() -> None:
    anonymous = render(view(halted=True), ENGLISH)
    assert 'action="/set-live"' not in anonymous
    assert 'action="/resume"' not in anonymous
    assert 'action="/login"' in anonymous
    operator = render(view(halted=True, logged_in=True), ENGLISH)
    assert 'action="/set-live"' in operator
    assert 'action="/resume"' in operator
    unset = render(view(token_configured=False), ENGLISH)
    assert 'action="/login"' not in unset
    assert "CONTROL_TOKEN is not set" in unset


def test_every_form_posts_and_proves_where_it_is_from() -> None:
    page = render(view(halted=True, logged_in=True), ENGLISH)
    assert page.count("<form ") == page.count('method="post"') == page.count('name="form" value="the-form"') == 4


def test_live_cannot_be_pressed_while_something_stands_in_its_way() -> None:
    free = render(view(logged_in=True), ENGLISH)
    blocked = render(view(logged_in=True, obstacles=("no preflight",)), ENGLISH)
    assert '<button class="live">' in free
    assert '<button class="live" disabled>' in blocked
    assert "no preflight" in blocked


def test_nothing_from_outside_becomes_markup() -> None:
    page = render(view(obstacles=("<script>x</script>",), message='"><img src=x>', form_value='"><b>'), ENGLISH)
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>" not in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_ages_are_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert age_text(seconds) == text
