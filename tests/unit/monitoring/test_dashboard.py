"""The Grafana dashboard: what its users know stays, every number is explained, every query asks for what there is."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from btc_shared.codes import Action, ExitReason, Mode, ServiceName, Side
from btc_shared.db import create_engine
from btc_shared.health import Health
from btc_shared.settings import load
from exporter.app import create_app
from exporter.definitions import DEFINITIONS
from exporter.settings import ExporterSettings

from ...e2e.dashboard import AFTER_A_BUY, BEFORE_FIRST_CLOSED_TRADE, interpolated, queries

PATH = Path(__file__).parents[3] / "grafana" / "dashboards" / "btc-trading-monitor.json"
TEXT = PATH.read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads(TEXT)
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
BY_ID = {panel["id"]: panel for panel in PANELS}
DATA_SOURCE = {"type": "prometheus", "uid": "dfc0w4yioe4u8e"}
DEFINED = {definition.name: definition for definition in DEFINITIONS}
CHARTS = {"timeseries"}

# id, type, (x, y, width, height), title, metrics. Users know the dashboard by these: they stay.
KNOWN: list[tuple[int, str, tuple[int, int, int, int], str, str]] = [
    (1, "stat", (0, 0, 5, 4), "Preço BTC", "price"),
    (2, "stat", (5, 0, 3, 4), "PnL Total", "total_pnl"),
    (3, "stat", (8, 0, 3, 4), "Win Rate", "win_rate"),
    (4, "stat", (11, 0, 3, 4), "Total Trades", "total_trades"),
    (5, "stat", (14, 0, 3, 4), "Status", "agent_running"),
    (6, "stat", (17, 0, 3, 4), "Modo Trading", "live_mode"),
    (55, "text", (20, 0, 4, 4), "", ""),
    (10, "timeseries", (0, 4, 12, 8), "Preço BTC (Tempo Real)", "price"),
    (11, "timeseries", (12, 4, 12, 8), "PnL Acumulado", "cumulative_pnl cumulative_pnl_24h"),
    (20, "row", (0, 12, 24, 1), "Risk Management v2", ""),
    (21, "stat", (0, 13, 4, 3), "Stop Loss %", "stop_loss_pct"),
    (22, "stat", (4, 13, 4, 3), "Take Profit %", "take_profit_pct"),
    (23, "stat", (8, 13, 4, 3), "Trailing Stop", "trailing_stop_enabled"),
    (24, "stat", (12, 13, 4, 3), "Max Daily Trades", "max_daily_trades"),
    (25, "stat", (16, 13, 4, 3), "Max Daily Loss", "max_daily_loss"),
    (26, "stat", (20, 13, 4, 3), "Min Confidence", "min_confidence"),
    (27, "piechart", (0, 16, 8, 7), "Exit Reasons", " ".join(f"exit_{reason}" for reason in ExitReason)),
    (28, "table", (8, 16, 8, 7), "Trades & PnL Stats", "best_trade_pnl worst_trade_pnl avg_pnl"),
    (29, "stat", (16, 16, 8, 7), "Posição Aberta", "open_position_btc open_position_usdt"),
    (30, "row", (0, 23, 24, 1), "Indicadores Técnicos", ""),
    (31, "gauge", (0, 24, 6, 6), "RSI", "rsi"),
    (32, "timeseries", (6, 24, 10, 6), "Indicadores ao Longo do Tempo", "rsi momentum volatility"),
    (33, "timeseries", (16, 24, 8, 6), "Orderbook & Trend", "orderbook_imbalance trend"),
    (40, "row", (0, 30, 24, 1), "Decisões & Trades", ""),
    (41, "piechart", (0, 31, 8, 7), "Distribuição de Decisões", "decisions_total"),
    (42, "timeseries", (8, 31, 8, 7), "Trades por Hora", "mode_trades_total active_mode"),
    (43, "table", (16, 31, 8, 7), "Último Trade", "last_trade_info last_trade_price last_trade_size last_trade_pnl"),
    (50, "row", (0, 38, 24, 1), "Info do Agente", ""),
    (51, "stat", (0, 39, 6, 3), "Última Atividade", "last_activity_timestamp"),
    (52, "stat", (6, 39, 6, 3), "Trades 24h", "trades_24h"),
    (53, "stat", (12, 39, 6, 3), "Wins", "winning_trades"),
    (54, "stat", (18, 39, 6, 3), "Losses", "losing_trades"),
]

# A new metric goes on the dashboard or in here, with the reason.
_COMPARISON = "compares the modes; the dashboard shows the mode in effect"
NOT_SHOWN = {
    "btc_exporter_up": "while it is 0 the other panels show a dash",
    "btc_trading_trades_total": "its rate is wrong across a change of mode; the panel uses the one with a mode label",
    "btc_trading_trades_1h": "one number for both sides; the panel counts them apart",
    "btc_trading_decisions_1h": "the panel shows the totals",
    "btc_trading_trailing_stop_activation_pct": "the panel shows whether the trailing stop is on",
    "btc_trading_trailing_stop_trail_pct": "the panel shows whether the trailing stop is on",
    "btc_trading_mode_total_trades": _COMPARISON,
    "btc_trading_mode_winning": _COMPARISON,
    "btc_trading_mode_losing": _COMPARISON,
    "btc_trading_mode_pnl": _COMPARISON,
    "btc_trading_mode_win_rate": _COMPARISON,
    "btc_trading_mode_exits_total": _COMPARISON,
    "btc_trading_mode_open_position_btc": _COMPARISON,
}

LABEL_VALUES: Mapping[str, Collection[str]] = {
    "symbol": {"BTC-USDT"},
    "side": set(Side),
    "mode": set(Mode),
    "action": set(Action),
    "reason": set(ExitReason),
}

# The words of PromQL that the queries use. Any other word must be a metric or one of its labels.
PROMQL_WORDS = {"and", "by", "increase", "max", "on", "round", "sum", "time", "topk"}


class Shown(NamedTuple):
    """One target of a panel: what it asks for and how its number is shown, overrides applied."""

    panel: dict[str, Any]
    target: dict[str, Any]
    name: str
    properties: dict[str, Any]

    @property
    def expression(self) -> str:
        return str(self.target["expr"])

    @property
    def metrics(self) -> set[str]:
        return set(re.findall(r"\bbtc_\w+", self.expression))


def shown() -> Iterator[Shown]:
    for panel in PANELS:
        renamed: dict[str, str] = {}
        for transformation in panel.get("transformations", ()):
            renamed |= transformation["options"].get("renameByName", {})
        for target in panel.get("targets", ()):
            column = f"Value #{target['refId']}"
            name = renamed[column] if panel["type"] == "table" else target["legendFormat"]
            properties = dict(panel["fieldConfig"]["defaults"])
            for override in panel["fieldConfig"]["overrides"]:
                assert override["matcher"]["id"] == "byName"
                if override["matcher"]["options"] == name:
                    properties |= {item["id"]: item["value"] for item in override["properties"]}
            yield Shown(panel, target, name, properties)


SHOWN = list(shown())
EACH = pytest.mark.parametrize("item", SHOWN, ids=lambda item: f"{item.panel['id']}{item.target['refId']}")


def test_the_dashboard_is_the_one_that_users_know() -> None:
    assert {
        key: DASHBOARD[key] for key in ("uid", "title", "schemaVersion", "refresh", "time", "timezone", "tags")
    } == {
        "uid": "btc-trading-monitor",
        "title": "🤖 BTC Trading Agent Monitor",
        "schemaVersion": 39,
        "refresh": "15s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "tags": ["btc", "trading", "autocoinbot", "agent"],
    }


def test_nobody_edits_it_in_the_browser_and_it_has_neither_variables_nor_annotations() -> None:
    assert DASHBOARD["editable"] is False
    assert DASHBOARD["templating"] == DASHBOARD["annotations"] == {"list": []}
    assert DASHBOARD["id"] is None  # an id belongs to one installation


def test_the_panels_and_their_metrics_are_those_that_users_know() -> None:
    found = []
    for panel in PANELS:
        place = panel["gridPos"]
        found.append(
            (
                panel["id"],
                panel["type"],
                (place["x"], place["y"], place["w"], place["h"]),
                panel["title"],
                {metric for item in SHOWN if item.panel is panel for metric in item.metrics},
            )
        )
    assert found == [
        (*known, {"btc_price" if name == "price" else f"btc_trading_{name}" for name in metrics.split()})
        for *known, metrics in KNOWN
    ]
    assert len(BY_ID) == len(PANELS) == 32


def test_the_panels_fill_the_24_columns_without_overlap() -> None:
    taken: dict[tuple[int, int], int] = {}
    for panel in PANELS:
        place = panel["gridPos"]
        for cell in (
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ):
            assert cell not in taken, f"panels {taken[cell]} and {panel['id']} overlap at {cell}"
            assert 0 <= cell[0] < 24
            taken[cell] = panel["id"]
    height = 1 + max(y for _, y in taken)
    assert len(taken) == 24 * height, "there is a hole"


def test_every_panel_and_every_target_names_the_data_source() -> None:
    assert all(panel["datasource"] == DATA_SOURCE for panel in PANELS)
    assert all(item.target["datasource"] == DATA_SOURCE for item in SHOWN)


def test_every_panel_says_what_it_shows_and_shows_a_dash_for_what_is_missing() -> None:
    for panel in PANELS:
        if panel["type"] == "row":
            continue
        assert 30 < len(panel["description"]) < 300
        assert panel["description"].endswith(".")
        if panel["type"] != "text":
            assert panel["fieldConfig"]["defaults"]["noValue"] == "—"


def test_nothing_of_another_installation_is_left_in_it() -> None:
    assert not re.search(r"__inputs|__requires|\$\{|\b\d{1,3}(\.\d{1,3}){3}\b", TEXT)


@EACH
def test_every_number_has_the_unit_that_its_metric_has(item: Shown) -> None:
    numbers = [DEFINED[name] for name in item.metrics - {"btc_trading_active_mode"}]
    if len(numbers) > 1:  # the last trade's figures are joined to its time
        numbers = [definition for definition in numbers if definition.name != "btc_trading_last_trade_info"]
    (definition,) = numbers
    unit, words = item.properties["unit"], definition.help
    if "fraction" in words or "0 to 1," in f"{words},":
        expected = {"percentunit"}
    elif definition.name in {"btc_price", "btc_trading_last_trade_price"}:
        expected = {"currency:financial:$"}  # in full: the other one makes $62.20K of a price
    elif "USDT" in words or definition.name == "btc_trading_cumulative_pnl":
        expected = {"currencyUSD"}
    elif "BTC" in words:
        expected = {"currencyBTC"}
    elif "epoch seconds" in words:
        expected = {"s"} if "time() -" in item.expression else {"dateTimeAsIso"}
    else:
        expected = {"none", "short"}
    assert unit in expected
    # Grafana's dates are in milliseconds.
    assert unit != "dateTimeAsIso" or item.expression.endswith(" * 1000")


@EACH
def test_a_factor_is_said_in_the_name_of_the_line(item: Shown) -> None:
    in_name, in_query = re.search(r" × (\d+)$", item.name), re.search(r" \* (\d+)$", item.expression)
    if item.properties["unit"] != "dateTimeAsIso":
        assert (in_name and in_name[1]) == (in_query and in_query[1])


@EACH
def test_a_number_of_now_is_never_an_old_one(item: Shown) -> None:
    # The last value of a range would be shown for hours after the exporter is gone.
    chart = item.panel["type"] in CHARTS
    assert (item.target["instant"], item.target["range"]) == (not chart, chart)
    assert item.target["format"] == ("table" if item.panel["type"] == "table" else "time_series")


@EACH
def test_every_word_of_a_query_is_a_metric_a_label_of_it_or_promql(item: Shown) -> None:
    assert item.metrics <= DEFINED.keys()
    labels = {label for metric in item.metrics for label in DEFINED[metric].labels}
    without_texts_and_durations = re.sub(r'"[^"]*"|\[\d+[smhd]\]', " ", item.expression)
    words = set(re.findall(r"[A-Za-z_]\w*", without_texts_and_durations)) - item.metrics
    assert words <= PROMQL_WORDS | labels


@EACH
def test_every_matcher_asks_for_a_label_and_a_value_that_the_metric_has(item: Shown) -> None:
    for metric, inside in re.findall(r"\b(btc_\w+)\{([^}]*)\}", item.expression):
        matchers = re.findall(r'(\w+)="([^"]*)"', inside)
        assert ",".join(f'{label}="{value}"' for label, value in matchers) == inside
        for label, value in matchers:
            assert label in DEFINED[metric].labels
            assert value in LABEL_VALUES[label]


@EACH
def test_an_increase_is_taken_of_counters_that_do_not_jump_when_the_mode_changes(item: Shown) -> None:
    for metric in re.findall(r"\b(btc_\w+)(?:\{[^}]*\})?\[", item.expression):
        assert DEFINED[metric].kind == "counter"
        assert "mode in effect" not in DEFINED[metric].help


def test_every_metric_is_on_the_dashboard_or_left_out_for_a_reason() -> None:
    on_it = {metric for item in SHOWN for metric in item.metrics}
    assert DEFINED.keys() - on_it == NOT_SHOWN.keys()


def test_each_reason_and_each_action_has_its_slice() -> None:
    assert {f"btc_trading_exit_{reason}" for reason in ExitReason} == {
        metric for item in SHOWN if item.panel["id"] == 27 for metric in item.metrics
    }
    actions = [re.findall(r'action="(\w+)"', item.expression) for item in SHOWN if item.panel["id"] == 41]
    assert actions == [[action] for action in Action]


def test_the_switches_are_shown_in_words() -> None:
    words = {
        number: {key: (word["text"], word["color"]) for key, word in mapping["options"].items()}
        for number in (5, 6, 23)
        for mapping in BY_ID[number]["fieldConfig"]["defaults"]["mappings"]
    }
    assert words == {
        5: {"0": ("INATIVO", "red"), "1": ("ATIVO", "green")},
        6: {"0": ("DRY RUN", "blue"), "1": ("REAL", "red")},
        23: {"0": ("OFF", "red"), "1": ("ON", "green")},
    }


@pytest.mark.parametrize(
    ("number", "steps"),
    [
        (2, [(None, "red"), (0, "yellow"), (1, "green")]),
        (3, [(None, "red"), (0.5, "yellow"), (0.6, "green")]),
        (51, [(None, "green"), (60, "yellow"), (300, "red")]),
    ],
)
def test_the_colours_change_where_users_expect_it(number: int, steps: list[tuple[float | None, str]]) -> None:
    thresholds = BY_ID[number]["fieldConfig"]["defaults"]["thresholds"]
    assert [(step["value"], step["color"]) for step in thresholds["steps"]] == steps


class Buttons(HTMLParser):
    """Collects the elements of the text panel."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))


def buttons() -> list[tuple[str, dict[str, str]]]:
    parser = Buttons()
    parser.feed(BY_ID[55]["options"]["content"])
    parser.close()
    return parser.elements


def test_the_buttons_survive_grafanas_sanitizer() -> None:
    # What its sanitizer lets through, of which this is the part in use. `line-height`, `rel` and all scripts are cut.
    properties = {"display", "flex-direction", "flex-grow", "gap", "padding", "border-radius", "color"}
    properties |= {"background-color", "text-align", "text-decoration", "font-weight", "font-size"}
    for tag, attributes in buttons():
        assert attributes.keys() <= ({"href", "target", "title", "style"} if tag == "a" else {"style"})
        assert tag in {"a", "div"}
        assert set(re.findall(r"([\w-]+):", attributes["style"])) <= properties


async def test_the_buttons_open_a_page_that_the_exporter_serves() -> None:
    settings = load(ExporterSettings, {"DATABASE_URL": "postgresql://agent@127.0.0.1:1/agent"})
    engine = create_engine(settings.database_url, application_name="test")
    app = create_app(settings, engine, Health(ServiceName.EXPORTER), b"key")
    links = [attributes for tag, attributes in buttons() if tag == "a"]
    assert len(links) == 3
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        for link in links:
            address = urlsplit(link["href"])
            assert (address.scheme, address.hostname, address.port) == ("http", "localhost", settings.port)
            assert link["target"] == "_blank"
            # Only ever shown: a link that changed the mode would work for a page from anywhere.
            refused = await client.post(link["href"])
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    await engine.dispose()


def test_the_queries_for_a_prometheus_are_all_of_them() -> None:
    listed = queries(PATH)
    assert [query.key for query in listed] == [(item.panel["id"], item.target["refId"]) for item in SHOWN]
    assert len({query.key for query in listed}) == len(listed)
    assert BEFORE_FIRST_CLOSED_TRADE.keys() | AFTER_A_BUY.keys() <= {query.key for query in listed}


def test_grafanas_variables_are_put_in_and_unknown_ones_refused() -> None:
    assert interpolated("rate(a[$__rate_interval]) + b[${__range}]") == "rate(a[60s]) + b[6h]"
    with pytest.raises(ValueError, match=r"\$mode"):
        interpolated('a{mode="$mode"}')
