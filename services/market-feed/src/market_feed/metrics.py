"""The feed's own process metrics, for Prometheus. Every label value exists from the start."""

from prometheus_client import Counter, Gauge, Histogram

from btc_shared.codes import DataSource

BOOK, TRADES, CANDLE = "book", "trades", "candle"
KINDS = (BOOK, TRADES, CANDLE)

events_in = Counter("market_feed_events_in", "Market events received and understood, by kind", ["kind"])
events_out = Counter("market_feed_events_out", "Messages published to Redis, by kind", ["kind"])
events_dropped = Counter("market_feed_events_dropped", "Messages that Redis did not take in time, by kind", ["kind"])
publish_seconds = Histogram(
    "market_feed_publish_seconds",
    "Time from receiving a market event to having it in Redis",
    ["kind"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
books_late = Counter("market_feed_books_late", "Order books that came after a newer one, so were not used")
bars_final = Counter("market_feed_bars_final", "Bars that became final, by how", ["how"])
bar_corrections = Counter("market_feed_bar_corrections", "Final bars whose figures changed later")
source_in_use = Gauge(
    "market_feed_source", "1 for the source in use, 0 for the other, by kind of market data", ["kind", "source"]
)
source_since = Gauge(
    "market_feed_source_since_timestamp_seconds", "When the source in use became that, epoch seconds", ["kind"]
)
data_age = Gauge("market_feed_data_age_seconds", "Age of the newest data on the exchange's clock; NaN: none", ["kind"])
trade_gaps = Counter(
    "market_feed_trade_gaps", "Times that more trades happened unseen than the exchange's answer of 100 reaches back"
)
bars_repaired = Counter("market_feed_bars_repaired", "Bars that were missing in the database and were read later")
bars_missing = Gauge("market_feed_bars_missing", "Bars of the last week that are missing and REST does not have either")
bars_given_up = Counter("market_feed_bars_given_up", "Bars of an outage too long to be read completely afterwards")
bars_dropped = Counter("market_feed_bars_dropped", "Bars that left the database's backlog unstored")

for _kind in KINDS:
    for _family in (events_in, events_out, events_dropped, publish_seconds):
        _family.labels(_kind)
    data_age.labels(_kind).set(float("nan"))
    for _source in DataSource:
        source_in_use.labels(_kind, _source)
for _how in ("traded", "filled"):
    bars_final.labels(_how)
