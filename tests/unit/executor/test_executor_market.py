"""The executor's view of the market: how old it is, whatever happens to the clock."""

import asyncio
from decimal import Decimal

import pytest

from btc_shared import clock
from btc_shared.records import BookPicture, Level
from executor.market import Market


def picture(event_time_ms: int, received_at_ms: int) -> BookPicture:
    level = (Level(Decimal(1), Decimal(1)),)
    return BookPicture(
        symbol="BTC-USDT", event_time_ms=event_time_ms, received_at_ms=received_at_ms, bids=level, asks=level
    )


def test_without_a_picture_there_is_no_age() -> None:
    assert Market().age_secs() is None


def test_the_age_counts_from_the_reception() -> None:
    market = Market()
    now_ms = clock.now_ms()
    assert market.offer(picture(now_ms, now_ms - 7_000))
    age_secs = market.age_secs()
    assert age_secs is not None
    assert 7 <= age_secs < 17


def test_a_clock_that_is_set_back_makes_no_picture_young(monkeypatch: pytest.MonkeyPatch) -> None:
    market, now_ms = Market(), clock.now_ms()
    seconds = iter([100.0, 130.0])
    monkeypatch.setattr("executor.market.monotonic", lambda: next(seconds))
    market.offer(picture(now_ms, now_ms))
    monkeypatch.setattr(clock, "now_ms", lambda: now_ms - 3_600_000)
    age_secs = market.age_secs()
    assert age_secs is not None
    assert age_secs >= 30


def test_an_older_picture_is_not_taken() -> None:
    market, now_ms = Market(), clock.now_ms()
    market.offer(picture(now_ms, now_ms))
    assert not market.offer(picture(now_ms - 1, now_ms + 1))
    assert market.newest is not None
    assert market.newest.event_time_ms == now_ms


async def test_the_next_picture_is_one_that_was_not_there_yet() -> None:
    market, now_ms = Market(), clock.now_ms()
    market.offer(picture(now_ms, now_ms))
    waiting = asyncio.ensure_future(market.next_picture())
    await asyncio.sleep(0)
    assert not waiting.done()
    market.offer(picture(now_ms + 1, now_ms + 1))
    async with asyncio.timeout(5):
        assert (await waiting).event_time_ms == now_ms + 1
