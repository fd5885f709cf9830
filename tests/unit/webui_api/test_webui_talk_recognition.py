"""Questions are understood in both languages, with slips; what is not ours is never answered with a figure."""

import tomllib
import unicodedata
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui_api.performance import Period
from webui_api.talk.lexicon import LEXICA
from webui_api.talk.periods import named_period
from webui_api.talk.question import Hint, Intent, Language, PeriodGap, Question
from webui_api.talk.recognition import MAX_WORDS, language_of, recognise
from webui_api.talk.spelling import one_slip_apart, plain, tokens

DOCUMENT = Path(__file__).parents[3] / "docs" / "questions.md"
CORPUS = tomllib.loads((Path(__file__).parent / "questions.toml").read_text())
UNANSWERED = (Intent.UNKNOWN, Intent.HELP)
"""Intents whose answers hold no figure."""


def rows(*parts: str) -> list[Any]:
    return [pytest.param(row, id=row["q"]) for part in parts for row in CORPUS[part]]


def shown(question: Question) -> dict[str, Any]:
    """What a question says, without its language and what is None."""
    values = {field.name: getattr(question, field.name) for field in fields(question) if field.name != "language"}
    return {name: value for name, value in values.items() if value is not None}


def expected(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("q", "language")}


def check(row: dict[str, Any], text: str) -> None:
    found = recognise(text)
    assert shown(found) == expected(row)
    assert found.language == row.get("language", found.language)


@pytest.mark.parametrize("row", rows("named"))
def test_the_named_questions_land_right(row: dict[str, Any]) -> None:
    check(row, row["q"])


@pytest.mark.parametrize("row", rows("others"))
def test_many_ways_to_ask_are_understood(row: dict[str, Any]) -> None:
    check(row, row["q"])


@pytest.mark.parametrize("row", rows("refused"))
def test_what_is_not_ours_is_unknown(row: dict[str, Any]) -> None:
    found = recognise(row["q"])
    assert found.intent is Intent.UNKNOWN
    assert found.language == row.get("language", found.language)
    assert "hint" not in row or found.hint == row["hint"]


@pytest.mark.parametrize("row", rows("named", "others"))
def test_accents_and_case_do_not_matter(row: dict[str, Any]) -> None:
    wanted = shown(recognise(row["q"]))
    for form in (row["q"].upper(), row["q"].lower(), plain(row["q"]), unicodedata.normalize("NFD", row["q"])):
        assert shown(recognise(form)) == wanted, form


def slips(word: str) -> set[str]:
    """All words with one letter left out, doubled, or swapped with the next, after the first letter."""
    left_out = {word[:at] + word[at + 1 :] for at in range(1, len(word))}
    doubled = {word[:at] + word[at] + word[at:] for at in range(1, len(word))}
    swapped = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(1, len(word) - 1)}
    return (left_out | doubled | swapped) - {word}


def slipped(question: str, least: int) -> list[str]:
    """A question with one slip in one of its words of `least` letters or more."""
    words = question.split()
    return [
        " ".join([*words[:at], slip, *words[at + 1 :]])
        for at, word in enumerate(words)
        if word.isalpha() and len(word) >= least
        for slip in sorted(slips(word))
    ]


@pytest.mark.parametrize("row", rows("named"))
def test_a_slip_in_a_longer_word_of_a_named_question_is_forgiven(row: dict[str, Any]) -> None:
    wrong = [text for text in slipped(row["q"], 6) if recognise(text).intent is not recognise(row["q"]).intent]
    assert wrong == []


@pytest.mark.parametrize("row", rows("named"))
def test_a_slip_never_makes_a_named_question_another_one(row: dict[str, Any]) -> None:
    allowed = {recognise(row["q"]).intent, Intent.UNKNOWN}
    assert [text for text in slipped(row["q"], 3) if recognise(text).intent not in allowed] == []


def test_a_slip_hardly_ever_gets_a_figure_for_what_is_not_ours() -> None:
    """A slip may hide the one word that told a question apart ("where", "volume"), so this cannot be never."""
    texts = [text for row in CORPUS["refused"] for text in slipped(row["q"], 4)]
    answered = [text for text in texts if recognise(text).intent not in UNANSWERED]
    assert len(texts) > 3_000
    assert len(answered) < len(texts) / 200, answered


@pytest.mark.parametrize(
    "topic", ["preço do {}", "price of {}", "últimas 3 {}", "last 3 {}", "{} price", "devo comprar {}?"]
)
@pytest.mark.parametrize("thing", ["pão", "bread", "casa", "house", "gasolina", "pizza", "carros", "iphone", "shoes"])
def test_a_thing_that_we_do_not_know_is_never_taken_for_bitcoin(topic: str, thing: str) -> None:
    assert recognise(topic.format(thing)).intent is Intent.UNKNOWN


@given(st.text(max_size=300))
def test_any_text_is_understood_or_not_but_never_fails(text: str) -> None:
    assert recognise(text).language in Language


@given(st.lists(st.sampled_from(sorted({word for lexicon in LEXICA.values() for word in lexicon})), max_size=12))
def test_any_order_of_known_words_is_understood_or_not_but_never_fails(words: list[tuple[str, ...]]) -> None:
    found = recognise(" ".join(" ".join(phrase) for phrase in words))
    assert (found.period_gap is None) or (found.period is not None)
    assert found.limit is None or 1 <= found.limit <= 100


def test_a_text_that_is_no_question_but_a_book_is_not_read() -> None:
    assert recognise("qual o preço do bitcoin? " * MAX_WORDS).intent is Intent.UNKNOWN


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Qual é?", Language.PORTUGUESE),
        ("What is it?", Language.ENGLISH),
        ("coração", Language.PORTUGUESE),
        ("knowledge", Language.ENGLISH),
        ("BTC", None),
        ("status", None),
        ("", None),
        ("123", None),
    ],
)
def test_a_language_is_told_or_not(text: str, language: Language | None) -> None:
    assert language_of(text) is language


def test_a_text_that_tells_no_language_is_answered_in_the_one_given() -> None:
    assert recognise("status").language is Language.PORTUGUESE
    assert recognise("status", Language.ENGLISH).language is Language.ENGLISH
    assert recognise("qual o status?", Language.ENGLISH).language is Language.PORTUGUESE


@pytest.mark.parametrize(
    ("text", "period", "gap"),
    [
        ("hoje", Period.TODAY, None),
        ("24h", Period.DAY, None),
        ("últimos 7 dias", Period.WEEK, None),
        ("last two weeks", Period.MONTH, PeriodGap.LONGER),
        ("3 days ago", Period.WEEK, PeriodGap.LONGER),
        ("esta semana", Period.WEEK, PeriodGap.ROLLING),
        ("na última semana", Period.WEEK, None),
        ("the past month", Period.MONTH, None),
        ("mês passado", Period.MONTH, PeriodGap.ROLLING),
        ("last week", Period.WEEK, PeriodGap.ROLLING),
        ("este trimestre", Period.QUARTER, PeriodGap.ROLLING),
        ("6 meses", Period.YEAR, PeriodGap.LONGER),
        ("5 years", Period.ALL, PeriodGap.LONGER),
        ("30 minutos", Period.HOUR, PeriodGap.LONGER),
        ("ontem", Period.WEEK, PeriodGap.LONGER),
        ("since January", Period.YEAR, PeriodGap.LONGER),
        ("desde o início", Period.ALL, None),
        ("all time", Period.ALL, None),
        ("9999999999999 years", Period.ALL, PeriodGap.LONGER),
    ],
)
def test_periods_are_read(text: str, period: Period, gap: PeriodGap | None) -> None:
    found = named_period(tokens(text))
    assert found is not None
    assert (found.period, found.gap) == (period, gap)


def test_no_period_is_read_where_none_is_named() -> None:
    assert named_period(tokens("é hora de comprar 3 bitcoins")) is None


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("price", "prize", True),
        ("price", "rice", True),
        ("price", "prices", True),
        ("price", "pirce", True),
        ("price", "pierc", False),
        ("price", "prizes", False),
        ("ab", "ba", True),
        ("abc", "cab", False),
    ],
)
def test_one_slip_is_one_letter_or_one_swap(one: str, other: str, near: bool) -> None:
    assert one_slip_apart(one, other) is near
    assert one_slip_apart(other, one) is near


def test_every_hint_can_happen() -> None:
    assert {row["hint"] for row in CORPUS["refused"] if "hint" in row} == set(Hint)


def test_every_intent_is_in_the_corpus_in_both_languages() -> None:
    found = {(recognise(row["q"]).intent, recognise(row["q"]).language) for part in CORPUS for row in CORPUS[part]}
    assert found == {(intent, language) for intent in Intent for language in Language}


def test_the_documents_examples_are_understood_as_it_says() -> None:
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text().splitlines()
        if line.startswith("| `")
    ]
    assert {intent.strip("`") for intent, *_ in table} == set(Intent) - {Intent.UNKNOWN}
    for intent, *cells in table:
        for question in (question for cell in cells for question in cell.split(" · ")):
            assert recognise(question).intent == intent.strip("`"), question
