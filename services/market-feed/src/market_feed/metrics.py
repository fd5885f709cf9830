"""The feed's own process metrics, for Prometheus. Every label value exists from the start."""

from prometheus_client import Counter, Histogram

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
bars_dropped = Counter("market_feed_bars_dropped", "Bars that left the database's backlog unstored")

for _kind in KINDS:
    for _family in (events_in, events_out, events_dropped, publish_seconds):
        _family.labels(_kind)
for _how in ("traded", "filled"):
    bars_final.labels(_how)
