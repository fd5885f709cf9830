"""Runs every query of a Grafana dashboard against a Prometheus, as Grafana would for a moment in time.

A range query is run as an instant one too: it is the same expression, and its last point is what is asked for.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx

BEFORE_FIRST_CLOSED_TRADE: Mapping[tuple[int, str], str] = {
    (3, "A"): "no round trip is closed, so nothing was won or lost",
    (28, "A"): "no round trip is closed, so there is no best one",
    (28, "B"): "no round trip is closed, so there is no worst one",
    (28, "C"): "no round trip is closed, so there is no mean",
    (43, "A"): "nothing was traded, so there is no newest trade",
    (43, "B"): "nothing was traded, so there is no newest trade",
    (43, "C"): "nothing was traded, so there is no newest trade",
    (43, "D"): "no sell was made, so nothing was realised",
}
"""Queries that are rightly empty until a round trip is closed, by panel and reference, with the reason."""

AFTER_A_BUY: Mapping[tuple[int, str], str] = {(43, "D"): "the newest trade is a buy, which realises nothing"}
"""The one query that is rightly empty later too: while the newest trade is a buy."""

# What Grafana puts in for a day's half on a screen of usual width. `$__range` is the dashboard's own six hours.
_VARIABLES = {"$__rate_interval": "60s", "$__interval": "15s", "$__range": "6h"}


class Query(NamedTuple):
    """One target of a panel. `expression` is PromQL without Grafana's variables."""

    panel_id: int
    reference: str
    title: str
    expression: str

    @property
    def key(self) -> tuple[int, str]:
        """What the lists of rightly empty queries go by."""
        return self.panel_id, self.reference


class Sample(NamedTuple):
    """One series' value at one moment."""

    labels: Mapping[str, str]
    value: float


def queries(dashboard_path: Path) -> list[Query]:
    """All queries of the dashboard, hidden ones too, in the order of its panels.

    Raises:
        ValueError: a query uses a variable that this module cannot put in.
    """
    dashboard = json.loads(dashboard_path.read_text(encoding="utf-8"))
    return [
        Query(panel["id"], target["refId"], panel["title"], interpolated(target["expr"]))
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]


def interpolated(expression: str) -> str:
    """The expression with Grafana's own variables put in.

    Raises:
        ValueError: it uses another one.
    """

    def value(match: re.Match[str]) -> str:
        name = "$" + match[1]
        if name not in _VARIABLES:
            raise ValueError(f"{expression!r} uses {name}; known are {', '.join(_VARIABLES)}")
        return _VARIABLES[name]

    return re.sub(r"\$\{?(\w+)\}?", value, expression)


def run(prometheus_url: str, query: Query, at: datetime | None = None) -> list[Sample]:
    """The query's samples now, or `at` a moment.

    Raises:
        ValueError: Prometheus refuses the query or has an objection to it.
        httpx.HTTPError: Prometheus does not answer.
    """
    parameters = {"query": query.expression} | ({"time": str(at.timestamp())} if at else {})
    answer = httpx.get(f"{prometheus_url}/api/v1/query", params=parameters, timeout=10)
    body: dict[str, Any] = answer.json()
    objections = [body.get("error"), *body.get("warnings", ()), *body.get("infos", ())]
    if body["status"] != "success" or any(objections):
        raise ValueError(f"panel {query.panel_id} {query.title!r}, {query.expression!r}: {objections}")
    data = body["data"]
    if data["resultType"] != "vector":
        raise ValueError(f"panel {query.panel_id} {query.title!r} gives a {data['resultType']}, not series")
    return [Sample(series["metric"], float(series["value"][1])) for series in data["result"]]


def without_data(prometheus_url: str, dashboard_path: Path, at: datetime | None = None) -> list[Query]:
    """The dashboard's queries that give nothing now, or `at` a moment.

    Raises:
        ValueError: Prometheus refuses one of them.
        httpx.HTTPError: Prometheus does not answer.
    """
    return [query for query in queries(dashboard_path) if not run(prometheus_url, query, at)]
