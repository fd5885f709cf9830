"""The real market feed against the real practice exchange, Postgres and Valkey."""

import contextlib
import signal
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from btc_cli.embedded import running_postgres, running_valkey
from btc_shared.codes import DataSource
from btc_shared.db.__main__ import migrate
from btc_shared.kucoin.errors import RejectedError
from btc_shared.kucoin.rest import PublicClient
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.kucoin.transport import open_http
from btc_shared.messages import CandleUpdate, TradeBatch, decode
from btc_shared.records import BookPicture
from btc_shared.streams import BOOK_MAXLEN

from .feed_process import (
    BARS,
    BOOK,
    SYMBOL,
    TRADES,
    checks,
    exchange,
    exchange_bars,
    feed,
    healthy,
    metric,
    stored_bars,
    until,
)


async def test_the_client_reads_every_public_endpoint_and_the_clock_of_the_practice_exchange() -> None:
    with exchange() as (_, base_url):
        async with open_http(base_url) as http:
            client = PublicClient(http)
            server_clock = ServerClock(client)
            assert abs(await server_clock.measure()) < 1_000  # the same machine
            now_ms = server_clock.exchange_now_ms()
            assert (await client.symbol_rules(SYMBOL)).min_funds > 0
            ticker, book = await client.ticker(SYMBOL), await client.book(SYMBOL, 100)
            assert abs(ticker.mid / book.mid - 1) < Decimal("0.01")
            assert len(book.bids) > 20
            bars = await client.candles(SYMBOL, now_ms - 2_000 * 60_000, now_ms)
            assert [bar.open_time_ms for bar in bars] == sorted({bar.open_time_ms for bar in bars})
            assert bars[-1].open_time_ms > now_ms - 2 * 60_000
            trades = await client.recent_trades(SYMBOL)
            assert [trade.event_time_ms for trade in trades] == sorted(trade.event_time_ms for trade in trades)
            assert (await client.public_token()).servers[0].endpoint.startswith("ws://127.0.0.1:")
            with pytest.raises(RejectedError):
                await client.symbol_rules("NO-SUCH")


def test_bars_equal_the_exchanges_and_a_restarted_exchange_is_found_again(postgres_url: str, redis_url: str) -> None:
    with exchange() as (venue, base_url):
        port = int(base_url.rpartition(":")[2])
        with feed(postgres_url, redis_url, base_url) as (service, address):
            until("everything is fresh", lambda: healthy(address))
            until("a day of bars is stored", lambda: len(stored_bars(postgres_url)) >= 1_440 or None)
            history = len(stored_bars(postgres_url))

            # The running minute is REST's; the next one ends while the feed listens, and REST confirms it later.
            until("a bar is closed live", lambda: len(stored_bars(postgres_url)) > history + 1 or None, seconds=150)
            read = metric(address, 'kucoin_request_seconds_count{endpoint="candles"}')
            until(
                "REST confirms it",
                lambda: metric(address, 'kucoin_request_seconds_count{endpoint="candles"}') > read or None,
                seconds=90,
            )
            until("corrections are stored", lambda: checks(address)["database"] or None)
            bars = stored_bars(postgres_url)
            assert bars == exchange_bars(base_url, min(bars), max(bars))
            assert sorted(bars) == list(range(min(bars), max(bars) + 60, 60))

            with redis.Redis.from_url(redis_url) as client:
                assert BOOK_MAXLEN / 2 < client.xlen(BOOK) <= BOOK_MAXLEN + 200
                newest: dict[str, Any] = {
                    name: decode(client.xrevrange(name, count=1)[0][1]) for name in (BOOK, TRADES, BARS)
                }
            assert isinstance(newest[BOOK], BookPicture)
            assert len(newest[BOOK].bids) == 50
            assert isinstance(newest[TRADES], TradeBatch)
            assert isinstance(newest[BARS], CandleUpdate)
            assert newest[BARS].candle.open_time_ms == max(bars) * 1_000
            assert {message.source for message in newest.values()} == {DataSource.SOCKET}
            with psycopg.connect(postgres_url) as connection:
                state = connection.execute("SELECT bid, ask, imbalance, flow, book_time FROM market_state").fetchone()
                rules = connection.execute("SELECT rules ->> 'min_funds' FROM symbols").fetchone()
                beat = connection.execute("SELECT status, details FROM heartbeats").fetchone()
            assert state is not None
            assert state[0] < state[1]
            assert -1 <= state[2] <= 1
            assert -1 <= state[3] <= 1
            assert rules == ("0.1",)
            assert beat is not None
            assert beat[0] == "healthy"
            assert {market["source"] for market in beat[1]["market"].values()} == {"socket"}
            assert set(beat[1]) >= {"feed_age_ms", "reconnects", "last_error", "clock_offset_ms"}

            venue.end(signal.SIGKILL)
            until("the socket is known to be lost", lambda: not checks(address)["socket"] or None)
            lost_at = datetime.now(UTC)
            with exchange(port):
                until("the feed is fresh again", lambda: healthy(address), seconds=60)
                until("its state moves on", lambda: newer_state(postgres_url, lost_at), seconds=30)
            assert service.running
            assert service.end() == 0
            assert service.event("crashed") is None


def newer_state(database: str, than: datetime) -> bool | None:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT book_time FROM market_state").fetchone()
    return True if row is not None and row[0] > than else None


def test_restarts_of_valkey_and_postgres_are_survived_and_bars_are_made_up_for(agent_home: Path) -> None:
    with contextlib.ExitStack() as processes:
        _, base_url = processes.enter_context(exchange())
        with running_postgres(agent_home, durable=False) as database:
            migrate(database)
            with running_valkey(agent_home) as redis_url:
                service, address = processes.enter_context(feed(database, redis_url, base_url))
                until("everything is fresh", lambda: healthy(address))
                until("a day of bars is stored", lambda: len(stored_bars(database)) >= 1_440 or None)
            until("Valkey's absence is seen", lambda: not checks(address)["redis"] or None)
            books = 'market_feed_events_in_total{kind="book"}'
            seen = metric(address, books)
            until("the socket is still read", lambda: metric(address, books) > seen + 10 or None)
        until("the database's absence is seen", lambda: not checks(address)["database"] or None)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(database, connect_timeout=2)
        lost_at = datetime.now(UTC)
        with running_postgres(agent_home, durable=False) as again, running_valkey(agent_home) as redis_again:
            if (again, redis_again) != (database, redis_url):
                pytest.skip("another process took a port of the stopped servers")
            until("everything is fresh", lambda: healthy(address))
            until("the state moves on", lambda: newer_state(database, lost_at))
            with redis.Redis.from_url(redis_url) as client:
                until("books are published again", lambda: client.xlen(BOOK) > 5 or None)
            bars = stored_bars(database)
            assert sorted(bars) == list(range(min(bars), max(bars) + 60, 60))
            assert service.running
            outages = [event["dependency"] for event in service.events if event.get("event") == "outage_began"]
            assert len(outages) == len(set(outages))  # said once per outage
            assert service.end() == 0
