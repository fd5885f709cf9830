"""Which period a text names: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from webui_api.performance import Period
from webui_api.talk.question import PeriodGap

_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
_MONTH, _QUARTER, _HALF, _YEAR = (timedelta(days=days) for days in (30, 90, 180, 365))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LENGTHS = {
    Period.HOUR: _HOUR,
    Period.DAY: _DAY,
    Period.WEEK: _WEEK,
    Period.MONTH: _MONTH,
    Period.QUARTER: _QUARTER,
    Period.YEAR: _YEAR,
}

_UNITS = {
    word: length
    for length, words in {
        timedelta(minutes=1): "minuto minutos min minute minutes",
        _HOUR: "h hora horas hour hours",
        _DAY: "d dia dias day days",
        _WEEK: "semana semanas week weeks",
        timedelta(days=15): "quinzena",
        _MONTH: "mes meses month months",
        _QUARTER: "trimestre quarter",
        _HALF: "semestre",
        _YEAR: "ano anos year years",
    }.items()
    for word in words.split()
}
_ADJECTIVES = {
    word: period
    for period, words in {
        Period.TODAY: "diario diaria diarios daily",
        Period.WEEK: "semanal semanais weekly",
        Period.MONTH: "mensal mensais monthly",
        Period.QUARTER: "trimestral quarterly",
        Period.YEAR: "anual anuais yearly annual",
        Period.HOUR: "hourly",
    }.items()
    for word in words.split()
}
_DAYS_BACK = {
    **dict.fromkeys(("ontem", "yesterday"), 2),
    "anteontem": 3,
    **dict.fromkeys(_words("segunda terca quarta quinta sexta sabado domingo"), 7),
    **dict.fromkeys(_words("monday tuesday wednesday thursday friday saturday sunday"), 7),
    **dict.fromkeys(_words("janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro"), 365),
    **dict.fromkeys(_words("january february march april june july august september october november december"), 365),
    "dezembro": 365,
}
_TODAY = _words("hoje hj today")
_PART_OF_TODAY = _words("manha tarde noite morning afternoon night evening")
_ALWAYS = _words("sempre inicio comeco total beginning start inception ever always")
_ROLLING = _words("past ultima ultimo ultimas ultimos")
_THIS = _words("esta este essa esse nesta neste nessa nesse desta deste dessa desse this")
_PREVIOUS = _words("passada passado passadas passados previous last")
_OF = _words("do da no na the of")
_AGO = _words("ago atras")

NUMBERS = {
    word: number
    for number, words in {
        2: "dois duas two couple",
        3: "tres three",
        4: "quatro four",
        5: "cinco five",
        6: "seis six",
        7: "sete seven",
        8: "oito eight",
        9: "nove nine",
        10: "dez ten",
        15: "quinze fifteen",
        20: "vinte twenty",
        30: "trinta thirty",
        50: "cinquenta fifty",
        100: "cem hundred",
    }.items()
    for word in words.split()
}


@dataclass(frozen=True)
class NamedPeriod:
    """A period that was named. `used` are the indices of the numbers that belong to it."""

    period: Period
    gap: PeriodGap | None = None
    used: frozenset[int] = frozenset()


def number(word: str) -> int | None:
    """A whole number in digits or letters; None for anything else."""
    return int(word) if word.isascii() and word.isdecimal() else NUMBERS.get(word)


def named_period(words: Sequence[str]) -> NamedPeriod | None:
    """The first period that the words name; None if they name none."""
    for at, word in enumerate(words):
        found = _counted(words, at) or _single(words, at, word)
        if found:
            return found
    return None


def _counted(words: Sequence[str], at: int) -> NamedPeriod | None:
    """`24 h`, `two weeks`, `3 dias atrás`."""
    count = number(words[at])
    if count is None or at + 1 >= len(words) or words[at + 1] not in _UNITS:
        return None
    length = min(count, 10_000) * _UNITS[words[at + 1]]
    days_ago = at + 2 < len(words) and words[at + 2] in _AGO
    found = containing(length + _DAY if days_ago else length)
    return NamedPeriod(found.period, PeriodGap.LONGER if days_ago else found.gap, frozenset((at,)))


def _single(words: Sequence[str], at: int, word: str) -> NamedPeriod | None:
    if word in _TODAY:
        return NamedPeriod(Period.TODAY)
    if word in _PART_OF_TODAY:
        return NamedPeriod(Period.TODAY, PeriodGap.LONGER)
    if word in _ALWAYS or (word == "all" and words[at + 1 : at + 2] == ["time"]):
        return NamedPeriod(Period.ALL)
    if word in _ADJECTIVES:
        return NamedPeriod(_ADJECTIVES[word])
    if word in _DAYS_BACK:
        return NamedPeriod(containing(timedelta(days=_DAYS_BACK[word])).period, PeriodGap.LONGER)
    year = number(word)
    if year is not None and 1990 <= year <= 2100:
        return NamedPeriod(Period.ALL, PeriodGap.LONGER, frozenset((at,)))
    return _of_unit(words, at, _UNITS[word]) if word in _UNITS and len(word) > 1 else None


def _of_unit(words: Sequence[str], at: int, length: timedelta) -> NamedPeriod | None:
    """`esta semana`, `mês passado`, `the past hour`, `do dia`."""
    beside = {*words[max(0, at - 2) : at], *words[at + 1 : at + 2]}
    named = containing(length)
    if length < _DAY:  # "the hour" alone is no period
        return named if beside & (_ROLLING | _PREVIOUS | _THIS) else None
    if beside & _ROLLING:
        return named
    if length == _DAY:
        return named if "last" in beside else NamedPeriod(Period.TODAY)
    if named.gap is None and beside & (_THIS | _PREVIOUS | _OF):
        return NamedPeriod(named.period, PeriodGap.ROLLING)
    return named


def containing(length: timedelta) -> NamedPeriod:
    """The shortest period that holds what happened in `length` until now."""
    for period, period_length in _LENGTHS.items():
        if period_length >= length:
            return NamedPeriod(period, None if period_length == length else PeriodGap.LONGER)
    return NamedPeriod(Period.ALL, PeriodGap.LONGER)
