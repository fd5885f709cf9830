"""The text format: exact names, the types of the contract, and nothing that Prometheus would refuse."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from exporter.definitions import Definition
from exporter.exposition import Sample, render

COUNTER = Definition("trades", "counter", "Executed orders")
GAUGE = Definition("price", "gauge", "A price", ("symbol", "venue"))


def test_a_counter_keeps_its_name_and_its_type() -> None:
    assert render([COUNTER], {"trades": [Sample((), 12)]}) == (
        "# HELP trades Executed orders\n# TYPE trades counter\ntrades 12\n"
    )


def test_a_metric_without_samples_is_left_out() -> None:
    assert render([COUNTER, GAUGE], {"trades": []}) == ""


def test_families_come_in_the_definitions_order() -> None:
    text = render([GAUGE, COUNTER], {"trades": [Sample((), 1)], "price": [Sample(("A", "b"), 2)]})
    assert text.index("# TYPE price") < text.index("# TYPE trades")


def test_labels_that_do_not_fit_the_definition_are_a_bug() -> None:
    with pytest.raises(ValueError, match="zip"):
        render([GAUGE], {"price": [Sample(("BTC-USDT",), 1)]})


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (True, "1"),
        (Decimal("0.1"), "0.1"),
        (Decimal("-1E-7"), "-1e-07"),
        (2.5, "2.5"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(value: int | float | Decimal, written: str) -> None:
    assert render([COUNTER], {"trades": [Sample((), value)]}).splitlines()[-1] == f"trades {written}"


@given(st.text(), st.text(), st.floats(allow_nan=False), st.text(min_size=1))
def test_any_label_value_and_number_survives(symbol: str, venue: str, value: float, help_text: str) -> None:
    definition = GAUGE._replace(help=help_text)
    text = render([definition], {"price": [Sample((symbol, venue), value)]})
    assert text.count("\n") == 3
    body = text.split("\n", 1)[1]  # the parser strips the help text's spaces
    (family,) = text_string_to_metric_families(body)
    (sample,) = family.samples
    assert (sample.name, sample.labels, sample.value) == ("price", {"symbol": symbol, "venue": venue}, value)
