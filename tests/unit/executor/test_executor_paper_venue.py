"""The paper venue: which book an order meets."""

import asyncio
from decimal import Decimal

import msgspec

from btc_shared import clock
from btc_shared.codes import IntentState, Side
from btc_shared.records import BookPicture, Level, SymbolRules
from btc_shared.settings import RiskSettings
from executor.market import Market
from executor.paper_venue import NO_MARKET, PaperVenue
from executor.venue import MarketOrder

RULES = SymbolRules(
    symbol="BTC-USDT",
    base_currency="BTC",
    quote_currency="USDT",
    base_increment=Decimal("0.00000001"),
    quote_increment=Decimal("0.000001"),
    price_increment=Decimal("0.1"),
    base_min_size=Decimal("0.00001"),
    quote_min_size=Decimal("0.1"),
    min_funds=Decimal("0.1"),
)
BUY = MarketOrder(intent_id="i", client_oid="btca-i", symbol="BTC-USDT", side=Side.BUY, funds=Decimal(100))


def book(price: str, *, age_ms: int = 0) -> BookPicture:
    now_ms = clock.now_ms() - age_ms
    level = (Level(Decimal(price), Decimal(10)),)
    return BookPicture(symbol="BTC-USDT", event_time_ms=now_ms, received_at_ms=now_ms, bids=level, asks=level)


def venue(market: Market, read: BookPicture | None = None, cash: str = "1000") -> PaperVenue:
    async def read_book() -> BookPicture | None:
        return read

    settings = RiskSettings(dry_latency=Decimal("0.01"))
    return PaperVenue(market, lambda: RULES, lambda: settings, lambda: (Decimal(cash), Decimal(0)), read_book)


async def test_an_order_meets_the_first_book_that_came_after_it_was_sent() -> None:
    market = Market()
    market.offer(book("50000", age_ms=9_000))
    placing = asyncio.ensure_future(venue(market, read=book("1")).place(BUY))
    while not placing.done():
        await asyncio.sleep(0.001)
        market.offer(book("48000"))
    report = placing.result()
    assert report.state is IntentState.FILLED
    assert {fill.price for fill in report.fills} == {Decimal(48_000)}
    assert sum(fill.fee for fill in report.fills) == sum(fill.funds for fill in report.fills) / 1_000
    assert report.fills[0].fill_id == "i-1"


async def test_when_the_stream_is_silent_it_meets_the_book_that_is_read() -> None:
    market = Market()
    market.offer(book("50000", age_ms=9_000))
    report = await venue(market, read=book("47000")).place(BUY)
    assert {fill.price for fill in report.fills} == {Decimal(47_000)}


async def test_without_any_book_it_is_refused() -> None:
    report = await venue(Market()).place(BUY)
    assert (report.state, report.error_code, report.fills) == (IntentState.REJECTED, NO_MARKET, ())


async def test_kucoin_s_refusals_are_passed_on() -> None:
    report = await venue(Market(), read=book("50000"), cash="100").place(BUY)  # the fee is not covered
    assert (report.state, report.error_code) == (IntentState.REJECTED, "200004")


async def test_it_never_had_an_order_that_a_former_process_sent() -> None:
    assert await venue(Market()).look_up("btca-i") is None


async def test_an_order_that_no_level_can_fill_is_cancelled() -> None:
    empty = msgspec.structs.replace(book("50000"), asks=(Level(Decimal(50_000), Decimal(0)),))
    report = await venue(Market(), read=empty).place(BUY)
    assert (report.state, report.fills) == (IntentState.CANCELLED, ())
