"""From a text to the question in it: pure, and strict.

A sentence is answered only when all its words are known, so that a question that looks like one of ours is not
answered with Bitcoin's figures. What a sentence tells beside the question is ignored.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from webui_api.talk.intents import Words, understood
from webui_api.talk.lexicon import LEXICA, Sense
from webui_api.talk.periods import named_period
from webui_api.talk.question import Hint, Intent, Language, Question
from webui_api.talk.real_words import REAL_WORDS
from webui_api.talk.spelling import Vocabulary, tokens

MAX_WORDS = 120
"""A longer text is not a question to an agent; reading it would only cost time."""
MIN_LITTLE_LENGTH = 6
"""Words that say little are not seen in a slip of fewer letters: "house" is not "houve"."""

_TOKENS = {language: {word for phrase in lexicon for word in phrase} for language, lexicon in LEXICA.items()}
_SAYING_LITTLE = frozenset({Sense.FILLER, Sense.STATED, Sense.AGENT, Sense.GREETING, Sense.WAS})
_VOCABULARY = Vocabulary(
    known=set().union(*_TOKENS.values()),
    correctable={
        word
        for lexicon in LEXICA.values()
        for phrase, sense in lexicon.items()
        for word in phrase
        if sense not in _SAYING_LITTLE or len(word) >= MIN_LITTLE_LENGTH
    },
    real_words=REAL_WORDS,
)
_ONLY = {
    Language.PORTUGUESE: _TOKENS[Language.PORTUGUESE] - _TOKENS[Language.ENGLISH],
    Language.ENGLISH: _TOKENS[Language.ENGLISH] - _TOKENS[Language.PORTUGUESE],
}
_LOOKS_ENGLISH = re.compile(r"[kwy]|th|sh|ee|oo|ck|gh|ing$|ed$|tion")
_LOOKS_PORTUGUESE = re.compile(r"[ãõáéíóúâêôàç]|nh|lh|ao$|oes$|cao$|que")
_ENDS = frozenset(".;!?\n")
_TURNS = frozenset({"mas", "porem", "contudo", "entretanto", "but", "however", "though"})

_SILENT = frozenset({Sense.FILLER, Sense.CUE, Sense.GREETING, Sense.AGENT, Sense.CAN_YOU, Sense.TIME})
_ASKING = frozenset(
    {
        Sense.CUE, Sense.HOW_MUCH, Sense.HOW_IS, Sense.WHY, Sense.WHEN, Sense.SHOULD, Sense.CAN_YOU, Sense.HELP,
    }
)  # fmt: skip
_TELLING = frozenset({Sense.STATED, Sense.CHANGE, Sense.BOUGHT, Sense.SOLD})
_MARKET_VIEW = frozenset({Intent.PRICE, Intent.SIGNAL, Intent.INDICATORS, Intent.ORDER_BOOK, Intent.ANALYSIS})


@dataclass(frozen=True)
class _Clause:
    """A part of a text: its words, and whether it is asked."""

    words: Words
    asked: bool

    @property
    def says_nothing(self) -> bool:
        return all(sense in _SILENT for sense in self.words.senses)


def language_of(text: str) -> Language | None:
    """The language that a text is written in; None when its words do not tell."""
    words = [_VOCABULARY.meant(word) or word for word in tokens(text) if word.isalpha()]
    score = 0
    for word in words:
        score += (word in _ONLY[Language.PORTUGUESE]) - (word in _ONLY[Language.ENGLISH])
    if not score:
        known = {word for word in words if _VOCABULARY.meant(word)}
        score = sum(
            bool(_LOOKS_PORTUGUESE.search(word)) - bool(_LOOKS_ENGLISH.search(word))
            for word in re.findall(r"[^\W\d_]+", text.casefold())
            if word not in known
        )
    if not score:
        return None
    return Language.PORTUGUESE if score > 0 else Language.ENGLISH


def recognise(text: str, otherwise: Language = Language.PORTUGUESE) -> Question:
    """What a text asks for. `otherwise` is the language of the answer when the text does not tell.

    A text may hold several sentences; the one that is asked counts, the first of several.
    """
    words = tokens(text)
    if len(words) > MAX_WORDS:
        return Question(intent=Intent.UNKNOWN, language=language_of(" ".join(words[:MAX_WORDS])) or otherwise)
    language = language_of(text) or otherwise
    nothing = Question(intent=Intent.UNKNOWN, language=language)
    if not words:
        return nothing
    clauses = [clause for part in _parts(words) for clause in _clauses(part, language)]
    questions = [(clause, _question(clause, language)) for clause in clauses]
    hints = [question.hint for _, question in questions if question.hint]
    if Hint.OTHER_MARKET in hints:
        return replace(nothing, hint=Hint.OTHER_MARKET)
    said = [(clause, question) for clause, question in questions if not clause.says_nothing]
    if not said:  # greetings, or nothing but "please"
        return _of_silence(clauses, nothing)
    asked = [(clause, question) for clause, question in said if clause.asked]
    known = [question for _, question in asked or said if question.intent is not Intent.UNKNOWN]
    if not known or (not asked and len(known) < len(said)):
        return replace(nothing, hint=hints[0] if hints else None)
    others = [question.intent for _, question in asked or said if question is not known[0]]
    return _together(known, others)


def _of_silence(clauses: Sequence[_Clause], nothing: Question) -> Question:
    senses = {sense for clause in clauses for sense in clause.words.senses}
    if Sense.GREETING in senses and senses <= {Sense.GREETING, Sense.FILLER, Sense.AGENT, Sense.CUE}:
        return replace(nothing, intent=Intent.HELP)
    return nothing


def _together(known: Sequence[Question], others: Sequence[Intent]) -> Question:
    """The first question, with what else was asked; several views of the market at once are the analysis."""
    first = known[0]
    different = [intent for intent in others if intent is not first.intent]
    if not different:
        return first
    if {first.intent, *different} <= _MARKET_VIEW:
        return Question(intent=Intent.ANALYSIS, language=first.language)
    return replace(first, also=first.also or different[0])


def _parts(words: Sequence[str]) -> list[tuple[list[str], bool]]:
    """Sentences, and the sides of a "but": their words with commas, and whether a question mark ends them."""
    parts: list[tuple[list[str], bool]] = []
    current: list[str] = []
    for word in words:
        if word in _ENDS or word in _TURNS:
            if current:
                parts.append((current, word == "?"))
            elif word == "?" and parts:  # "!?"
                parts[-1] = (parts[-1][0], True)
            current = []
        else:
            current.append(word)
    if current:
        parts.append((current, False))
    return parts


def _clauses(part: tuple[list[str], bool], language: Language) -> list[_Clause]:
    """A sentence as one clause, without the clauses before a comma that only tell something."""
    words, marked = part
    pieces: list[list[str]] = [[]]
    for word in words:
        if word in (",", ":"):
            pieces.append([])
        else:
            pieces[-1].append(word)
    pieces = [piece for piece in pieces if piece]
    read = [_read(piece, language) for piece in pieces]
    last_asking = max((at for at, piece in enumerate(read) if _ASKING & set(piece.senses)), default=len(pieces) - 1)
    kept = [
        piece
        for at, piece in enumerate(pieces)
        if at >= last_asking or _ASKING & set(read[at].senses) or not _TELLING & set(read[at].senses)
    ]
    whole = _read([word for piece in kept for word in piece], language)
    return [_Clause(whole, marked or bool(_ASKING & set(whole.senses)))] if whole.texts else []


def _question(clause: _Clause, language: Language) -> Question:
    """What a clause asks for; the sides of an "and" may ask for two things."""
    whole = understood(clause.words, asked=clause.asked, language=language)
    if whole.intent is Intent.WHY:
        return whole
    for at, text in enumerate(clause.words.texts):
        if text not in ("e", "and"):
            continue
        sides = [clause.words.part(0, at), clause.words.part(at + 1, None)]
        asked = [understood(side, asked=True, language=language) for side in sides]
        one, other = (side.intent for side in asked)
        named = all(set(side.senses) - _SILENT - {Sense.ASSET} for side in sides)
        if named and one is not other and not {one, other} & {Intent.UNKNOWN, Intent.HELP}:
            return _together(asked, [other])
    return whole


def _read(raw: Sequence[str], language: Language) -> Words:
    """Words with what each stands for: the longest phrase counts, and the text's language before the other."""
    texts = [_VOCABULARY.meant(word) or word if word.isalpha() else word for word in raw]
    other = Language.ENGLISH if language is Language.PORTUGUESE else Language.PORTUGUESE
    found: list[tuple[str, Sense | None]] = []
    at = 0
    while at < len(texts):
        taken, sense = 1, _number(texts[at])
        for length in range(min(6, len(texts) - at), 0, -1):
            phrase = tuple(texts[at : at + length])
            match = LEXICA[language].get(phrase) or LEXICA[other].get(phrase)
            if match:
                taken, sense = length, match
                break
        found.append((" ".join(texts[at : at + taken]), sense))
        at += taken
    return Words.of(found, named_period(texts), texts)


def _number(text: str) -> Sense | None:
    return Sense.NUMBER if text.isdecimal() else None
