"""The page's files: every word in both languages, nothing from elsewhere, no way from text to markup."""

import re
from importlib import resources
from string import Template

import pytest

from btc_shared.codes import Action, ExitReason, Mode, Refusal, Side, Strategy
from webui_api.words import ENGLISH, PORTUGUESE, words_for

STATIC = resources.files("webui_api") / "static"
SCRIPTS = [file for file in STATIC.iterdir() if file.name.endswith(".js")]
SHELL = (STATIC / "page.html").read_text(encoding="utf-8")
# Words whose names the scripts put together: a prefix and a code of the API, or the code itself.
CODED = {
    *(f"refusal_{code}" for code in Refusal),
    *(f"exit_{code}" for code in ExitReason),
    *(f"outcome_{code}" for code in ("executed", "failed")),
    *(f"status_{code}" for code in ("online", "stalled", "offline", "unknown")),
    *(f"venue_{code}" for code in ("kucoin", "practice")),
    *(f"span_{minutes}" for minutes in (60, 240, 1440)),
    *(f"period_{period}" for period in ("24h", "7d", "30d", "all")),
    *Action,
    *Side,
    *Mode,
    *Strategy,
    *("healthy", "degraded", "starting", "silent", "never seen"),
}


def test_both_languages_say_the_same_things() -> None:
    assert ENGLISH.keys() == PORTUGUESE.keys()
    for name, text in ENGLISH.items():
        assert text.strip()
        assert PORTUGUESE[name].strip()
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", PORTUGUESE[name])), name


def test_every_code_that_the_api_gives_has_its_word() -> None:
    assert CODED - ENGLISH.keys() == set()


def test_the_files_use_every_word_and_no_other() -> None:
    text = "".join(script.read_text(encoding="utf-8") for script in SCRIPTS)
    named = {
        name for name in Template(SHELL).get_identifiers() if name not in ("words", "exporter_port", "grafana_port")
    }
    for found in re.finditer(r'\bwords\.(\w+)|said\("(\w+)"', text):
        named.add(found[1] or found[2])
    assert named - ENGLISH.keys() == set()
    quoted = set(re.findall(r'"(\w+)"', text))
    assert ENGLISH.keys() - CODED - named - quoted == set()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", PORTUGUESE),
        ("PT", PORTUGUESE),
        ("en-GB,pt;q=0.5", ENGLISH),
        ("de", ENGLISH),
        ("", ENGLISH),
    ],
)
def test_the_browsers_first_language_counts(header: str, words: object) -> None:
    assert words_for(header) is words


def test_no_script_makes_markup_of_text() -> None:
    assert len(SCRIPTS) == 3
    for script in SCRIPTS:
        found = re.findall(
            r"\.(?:inner|outer)HTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|srcdoc"
            r"|javascript:",
            script.read_text(encoding="utf-8"),
        )
        assert found == [], script.name


def test_nothing_comes_from_elsewhere_and_nothing_is_inline() -> None:
    for file in STATIC.iterdir():
        addresses = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"')]*", file.read_text(encoding="utf-8")))
        assert addresses <= {"http://www.w3.org/2000/svg"}, file.name
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", SHELL) == []
