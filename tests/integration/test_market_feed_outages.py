"""The socket is cut or silent, the feed was stopped: nothing is missing afterwards, and nothing is there twice."""

import contextlib
import itertools
from typing import Any

import httpx
import psycopg
import redis

from btc_shared.codes import DataSource
from btc_shared.messages import CandleUpdate, TradeBatch, decode

from .feed_process import (
    BARS,
    BOOK,
    SYMBOL,
    TRADES,
    Process,
    checks,
    exchange,
    exchange_bars,
    feed,
    healthy,
    metric,
    stored_bars,
    until,
)
from .feed_relay import relay_in_thread


def market(address: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/health").json()["symbols"][SYMBOL]
    return found


def source_is(address: str, source: str, *kinds: str) -> bool | None:
    return all(market(address)[kind]["source"] == source for kind in kinds) or None


def sent(redis_url: str, stream: str) -> list[Any]:
    with redis.Redis.from_url(redis_url) as client:
        entries: Any = client.xrange(stream)
    return [decode(fields) for _, fields in entries]


def trade_ids(redis_url: str) -> list[str]:
    batches = [message for message in sent(redis_url, TRADES) if isinstance(message, TradeBatch)]
    return [trade.trade_id for batch in batches for trade in batch.trades]


def by_rest(redis_url: str, stream: str) -> list[Any]:
    return [message for message in sent(redis_url, stream) if message.source is DataSource.REST]


def closed_by_rest(redis_url: str, from_ms: int) -> CandleUpdate | None:
    """The first bar from then on, if REST closed it."""
    bars = [message for message in by_rest(redis_url, BARS) if not message.correction]
    return next((bar for bar in bars if bar.candle.open_time_ms >= from_ms), None)


def told(process: Process, *events: str) -> list[str]:
    return [event["event"] for event in list(process.events) if event.get("event") in events]


def test_without_the_socket_everything_goes_on_over_rest_and_comes_back(postgres_url: str, redis_url: str) -> None:
    with contextlib.ExitStack() as processes:
        _, direct = processes.enter_context(exchange())
        relay = processes.enter_context(relay_in_thread(int(direct.rpartition(":")[2])))
        relayed = f"http://127.0.0.1:{relay.port}"
        with feed(postgres_url, redis_url, relayed) as (service, address):
            until("everything is fresh", lambda: healthy(address))
            until("a day of bars is stored", lambda: len(stored_bars(postgres_url)) >= 1_440 or None)
            until("the socket is the source", lambda: source_is(address, "socket", "book", "trades"))
            newest_ms = max(stored_bars(postgres_url)) * 1_000

            relay.from_another_thread("cut")
            until("REST is the source", lambda: source_is(address, "rest", "book", "trades"), seconds=10)
            since = market(address)["book"]["since"]
            books = len(by_rest(redis_url, BOOK))
            until("books come by REST", lambda: len(by_rest(redis_url, BOOK)) > books + 1 or None)
            until("trades come by REST", lambda: by_rest(redis_url, TRADES) or None)
            minute_ms = newest_ms + 60_000
            bar = until("REST closes a minute", lambda: closed_by_rest(redis_url, minute_ms), seconds=80)
            assert bar.received_at_ms is not None
            assert 2_000 <= bar.received_at_ms - bar.candle.close_time_ms < 12_000
            now = market(address)
            assert (now["book"]["since"], now["bars"]["source"]) == (since, "rest")
            assert {name: checks(address)[name] for name in ("book", "trades", "bars")} == {
                "book": True,
                "trades": True,
                "bars": True,
            }
            assert metric(address, 'market_feed_source{kind="book",source="rest"}') == 1
            assert metric(address, 'kucoin_quota_remaining{endpoint="book"}') > 1_700

            relay.from_another_thread("mend")
            until("the socket is back", lambda: source_is(address, "socket", "book", "trades"), seconds=60)
            assert metric(address, 'market_feed_source{kind="book",source="rest"}') == 0

            relay.from_another_thread("silence")
            until("silence is found out", lambda: source_is(address, "rest", "book"), seconds=10)
            assert checks(address)["socket"]  # it is open, and says nothing
            relay.from_another_thread("mend")
            until("the socket is heard again", lambda: source_is(address, "socket", "book", "trades"), seconds=60)

            bars = until("REST has confirmed the bars", lambda: as_the_exchange_has_them(postgres_url, direct))
            assert sorted(bars) == list(range(min(bars), max(bars) + 60, 60))
            ids = trade_ids(redis_url)
            assert len(ids) == len(set(ids))
            final = [message.candle for message in sent(redis_url, BARS) if not message.correction]
            opens = [candle.open_time_ms for candle in final]
            assert opens == list(range(opens[0], opens[0] + len(opens) * 60_000, 60_000))
            assert service.end() == 0
            assert told(service, "crashed", "kucoin_read_repeated") == []
            changes = told(service, "socket_lost", "socket_connected")
            assert len(changes) <= 5
            assert all(one != other for one, other in itertools.pairwise(changes))


def as_the_exchange_has_them(database: str, base_url: str) -> dict[int, Any] | None:
    bars = stored_bars(database)
    return bars if bars == exchange_bars(base_url, min(bars), max(bars)) else None


def test_after_hours_without_the_feed_missing_and_guessed_bars_are_read_stored_and_announced(
    postgres_url: str, redis_url: str
) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("TRUNCATE candles")
    with redis.Redis.from_url(redis_url) as client:
        client.delete(BARS)
    with exchange() as (_, base_url):
        with feed(postgres_url, redis_url, base_url):
            until("a day of bars is stored", lambda: len(stored_bars(postgres_url)) >= 1_440 or None)
        with psycopg.connect(postgres_url) as connection:
            newest = max(stored_bars(postgres_url))

            def back(minutes: int) -> str:
                return f"to_timestamp({newest - minutes * 60})"

            # As if the feed had stood still, and earlier its database too; and once nobody had heard of trades.
            for first, last in ((59, 0), (420, 400), (1_000, 1_000)):
                connection.execute(f"DELETE FROM candles WHERE open_time BETWEEN {back(first)} AND {back(last)}")
            connection.execute(
                "UPDATE candles SET open = low, high = low, close = low, volume = 0, turnover = 0, filled = true"
                f" WHERE open_time BETWEEN {back(102)} AND {back(100)}"
            )
        with redis.Redis.from_url(redis_url) as client:
            client.delete(BARS)
        with feed(postgres_url, redis_url, base_url, HISTORY_BARS="300") as (service, address):
            bars = until("nothing is missing", lambda: repaired(postgres_url, base_url, newest))
            assert sorted(bars) == list(range(min(bars), max(bars) + 60, 60))
            assert market(address)["bars"]["missing"] == 0
            assert metric(address, "market_feed_bars_repaired_total") == 22
            assert len(told(service, "gaps_repaired")) == 1
        corrected = [m.candle.open_time_ms // 1_000 for m in sent(redis_url, BARS) if m.correction]
        assert set(corrected) >= {newest - minutes * 60 for minutes in (102, 101, 100)}
        opens = [m.candle.open_time_ms // 1_000 for m in sent(redis_url, BARS) if not m.correction]
        recent = [moment for moment in opens if moment > newest - 300 * 60]
        assert recent == list(range(newest - 59 * 60, recent[-1] + 60, 60))
        past = [moment for moment in opens if moment not in recent]
        assert past == [newest - minutes * 60 for minutes in (1_000, *range(420, 399, -1))]


def repaired(database: str, base_url: str, newest: int) -> dict[int, Any] | None:
    bars = as_the_exchange_has_them(database, base_url)
    return bars if bars and max(bars) >= newest and len(bars) == (max(bars) - min(bars)) // 60 + 1 else None
