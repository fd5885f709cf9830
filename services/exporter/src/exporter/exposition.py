"""Prometheus' text format 0.0.4, written by ourselves.

The client library adds `_total` to a counter's name, and some names here are a contract without it. Prometheus also
prefers OpenMetrics, where a counter must end in `_total`: so 0.0.4 is sent whatever the `Accept` header asks for.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from exporter.definitions import Definition

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Number = int | float | Decimal


class Sample(NamedTuple):
    """One value; `labels` are in the order of the definition's."""

    labels: tuple[str, ...]
    value: Number


Samples = Mapping[str, Sequence[Sample]]


def render(definitions: Iterable[Definition], samples: Samples) -> str:
    """The definitions that have samples, in their order.

    Raises:
        ValueError: a sample's labels do not fit its definition.
    """
    return "".join(_family(definition, samples.get(definition.name, ())) for definition in definitions)


def _family(definition: Definition, samples: Sequence[Sample]) -> str:
    if not samples:
        return ""
    lines = [
        f"# HELP {definition.name} {_escaped(definition.help)}",
        f"# TYPE {definition.name} {definition.kind}",
    ]
    for labels, value in samples:
        pairs = ",".join(
            f'{name}="{_escaped(text, quote=True)}"' for name, text in zip(definition.labels, labels, strict=True)
        )
        lines.append(
            f"{definition.name}{{{pairs}}} {_number(value)}" if pairs else f"{definition.name} {_number(value)}"
        )
    return "\n".join(lines) + "\n"


def _escaped(text: str, *, quote: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quote else escaped


def _number(value: Number) -> str:
    if isinstance(value, int):
        return str(int(value))
    number = float(value)
    special = {float("inf"): "+Inf", float("-inf"): "-Inf"}
    return "NaN" if number != number else special.get(number, repr(number))
