"""From a text to words without accents and case, and from a slip of the finger to the word that was meant."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache

MIN_LENGTH = 4
"""Shorter words have too many neighbours to be taken for a slip."""
ANY_FIRST_LETTER_LENGTH = 6
"""Shorter words must begin with the right letter ("rice" is not "price"), unless letters are only swapped."""

_SIGNS = {"€": " euro ", "£": " gbp ", "r$": " brl ", "us$": " usd ", "p&l": " pnl ", "&": " and "}
_SIGN = re.compile(r"us\$|\br\$|[€£]|p&l|&")
_APOSTROPHES = re.compile("['’‘`´ʼ]")
_LONG_RUN = re.compile(r"([^\W\d_])\1{2,}")
_WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|[.,;:!?\n]")


def plain(text: str) -> str:
    """`text` in lower case without accents and apostrophes; signs that mean a word are that word."""
    text = _SIGN.sub(lambda match: _SIGNS[match[0]], _APOSTROPHES.sub("", text).casefold())
    decomposed = unicodedata.normalize("NFKD", text)
    return _LONG_RUN.sub(r"\1", "".join(char for char in decomposed if not unicodedata.combining(char)))


def tokens(text: str) -> list[str]:
    """Words, numbers and the marks that end a clause, of a text in any case and with any accents."""
    return _WORD.findall(plain(text))


def one_slip_apart(one: str, other: str) -> bool:
    """True if two different words differ by one letter more, less or other, or by two neighbours swapped."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return max(len(one), len(other)) == 1 or (len(one) == 2 and one == other[::-1])


class Vocabulary:
    """Known words, the ones among them that a slip may stand for, and words that are never slips."""

    def __init__(self, known: Collection[str], correctable: Collection[str], real_words: Collection[str]) -> None:
        self._known, self._real = frozenset(known), frozenset(real_words)
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for word in sorted(correctable):
            if len(word) >= MIN_LENGTH:
                self._by_length[len(word)].append(word)
        self.meant = lru_cache(maxsize=4096)(self._meant)

    def _meant(self, word: str) -> str | None:
        """The known word that `word` is, or is a slip of; None if there is none."""
        if word in self._known:
            return word
        if len(word) < MIN_LENGTH or word in self._real:
            return None
        lengths = (len(word) + 1, len(word) - 1, len(word))
        near = [known for length in lengths for known in self._by_length[length] if one_slip_apart(word, known)]
        swapped = [known for known in near if sorted(known) == sorted(word)]
        if len(word) < ANY_FIRST_LETTER_LENGTH:
            near = [known for known in near if known[0] == word[0]]
        doubled = [known for known in near if len(known) < len(word) and set(known) == set(word)]
        # The likeliest slips first: letters swapped, one typed twice, one left out.
        return next(iter(swapped or doubled or near), None)
