"""Numbers, money, times and ages as a language writes them: pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from webui_api.performance import Period
from webui_api.talk.question import Language

_PERIODS = {
    Period.ALL: ("desde o início", "since the beginning"),
    Period.TODAY: ("hoje (dia UTC)", "today (UTC day)"),
    Period.HOUR: ("na última hora", "in the last hour"),
    Period.DAY: ("nas últimas 24 horas", "in the last 24 hours"),
    Period.WEEK: ("nos últimos 7 dias", "in the last 7 days"),
    Period.MONTH: ("nos últimos 30 dias", "in the last 30 days"),
    Period.QUARTER: ("nos últimos 90 dias", "in the last 90 days"),
    Period.YEAR: ("nos últimos 365 dias", "in the last 365 days"),
}
_SWAP = str.maketrans(",.", ".,")


class Voice:
    """Speaks one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._portuguese = language is Language.PORTUGUESE

    def __call__(self, portuguese: str, english: str) -> str:
        """The one of two texts that is in this language."""
        return portuguese if self._portuguese else english

    def number(self, value: float, decimals: int = 2, *, signed: bool = False) -> str:
        """`1.234,50` or `1,234.50`, rounded half up; a zero has no sign."""
        exact = Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        text = f"{exact:+,f}" if signed and exact else f"{exact or abs(exact):,f}"
        return text.translate(_SWAP) if self._portuguese else text

    def price(self, value: float) -> str:
        """A price of Bitcoin: `US$ 65.123,40` or `$65,123.40`."""
        return self("US$ ", "$") + self.number(value)

    def money(self, value: float, *, signed: bool = False) -> str:
        """USDT with two decimals; with four when less would show nothing of it."""
        decimals = 4 if 0 < abs(value) < 0.01 else 2
        return f"{self.number(value, decimals, signed=signed)} USDT"

    def coins(self, value: float) -> str:
        """BTC with as many decimals as are needed, at most 8."""
        text = self.number(value, 8)
        mark = self(",", ".")
        return f"{text.rstrip('0').rstrip(mark)} BTC"

    def percent(self, fraction: float, decimals: int = 2, *, signed: bool = False) -> str:
        """A fraction as percent: 0.0123 is `1.23%`."""
        return f"{self.number(fraction * 100, decimals, signed=signed)}%"

    def time(self, moment: datetime) -> str:
        """`01/03/2026 12:00:05 UTC` or `2026-03-01 12:00:05 UTC`."""
        return moment.astimezone(UTC).strftime(self("%d/%m/%Y %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S UTC"))

    def age(self, seconds: float) -> str:
        """`há 4 s` or `4 s ago`."""
        return self(f"há {self.duration(seconds)}", f"{self.duration(seconds)} ago")

    def duration(self, seconds: float) -> str:
        """The two largest units: `4 s`, `3 min 10 s`, `2 h 5 min`, `3 d 4 h`."""
        rest = max(0, round(seconds))
        parts: list[str] = []
        for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
            amount, rest = divmod(rest, length)
            if amount or (unit == "s" and not parts):
                parts.append(f"{amount} {unit}")
            elif parts:
                break
        return " ".join(parts[:2])

    def period(self, period: Period) -> str:
        """`nos últimos 7 dias` or `in the last 7 days`."""
        return self(*_PERIODS[period])

    def all_of(self, parts: Sequence[str]) -> str:
        """`a, b e c` or `a, b and c`."""
        if len(parts) < 2:
            return "".join(parts)
        return f"{', '.join(parts[:-1])} {self('e', 'and')} {parts[-1]}"

    def unknown(self, value: str | None) -> str:
        """`value`, or that it is not known."""
        return value if value is not None else self("não se sabe", "not known")

    def quoted(self, english: str) -> str:
        """A free sentence of a service: they are written in English."""
        return self(f"“{english}” (registrado em inglês)", f"“{english}”")


def lines(*parts: str | None) -> str:
    """Markdown lines, one a part; None is left out."""
    return "\n".join(part for part in parts if part is not None)


def bullets(*parts: str | None) -> str:
    """A markdown list; None is left out."""
    return "\n".join(f"- {part}" for part in parts if part is not None)
