"""The paper venue (DRY): real market data, simulated money.

A market order meets the newest order book `dry_latency` after it was sent and walks it under KuCoin's rules
(`domain.paper`). It remembers nothing: an order that was not booked before a crash never existed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from btc_shared import clock
from btc_shared.codes import IntentState, Side
from btc_shared.records import BookPicture, SymbolRules
from btc_shared.settings import RiskSettings
from executor.domain.paper import PaperExecution, market_buy, market_sell
from executor.domain.position import Fill
from executor.market import Market
from executor.venue import MarketOrder, OrderReport

NO_MARKET = "paper_no_market"
NEXT_PICTURE_SECS = 0.5


class PaperVenue:
    """Implements `venue.Venue`.

    Args:
        balances: `(available USDT, available BTC)` of the simulated account at this moment.
        read_book: a read of the book over REST, for when the stream is silent; None when that fails too.
    """

    def __init__(
        self,
        market: Market,
        rules: Callable[[], SymbolRules],
        settings: Callable[[], RiskSettings],
        balances: Callable[[], tuple[Decimal, Decimal]],
        read_book: Callable[[], Awaitable[BookPicture | None]],
    ) -> None:
        self._market, self._rules, self._settings = market, rules, settings
        self._balances, self._read_book = balances, read_book

    async def place(self, order: MarketOrder) -> OrderReport:
        sent_at_ms = clock.now_ms()
        await asyncio.sleep(float(self._settings().dry_latency))
        book = await self._book(sent_at_ms)
        if book is None:
            return self._rejected(order, NO_MARKET, "there is no fresh order book to fill against")
        quote, base = self._balances()
        fee, rules = self._settings().taker_fee, self._rules()
        if order.side is Side.BUY:
            assert order.funds is not None, "a market buy names its funds"
            result = market_buy(order.funds, book, rules, fee, quote)
        else:
            assert order.size is not None, "a market sell names its size"
            result = market_sell(order.size, book, rules, fee, base)
        if not isinstance(result, PaperExecution):
            return self._rejected(order, result.code, result.message)
        now_ms = clock.now_ms()
        fills = tuple(
            Fill(
                fill_id=f"{order.intent_id}-{number}",
                intent_id=order.intent_id,
                symbol=order.symbol,
                side=order.side,
                price=fill.price,
                size=fill.size,
                funds=fill.funds,
                fee_quote=fill.fee,
                fee=fill.fee,
                fee_currency=rules.quote_currency,
                time_ms=now_ms,
            )
            for number, fill in enumerate(result.fills, start=1)
        )
        return OrderReport(
            client_oid=order.client_oid,
            state=IntentState.FILLED if fills else IntentState.CANCELLED,
            exchange_order_id=f"paper-{order.intent_id}",
            fills=fills,
        )

    async def look_up(self, client_oid: str) -> OrderReport | None:
        return None

    async def _book(self, sent_at_ms: int) -> BookPicture | None:
        """The newest book, if it came after the order was sent; else the next one, else a read over REST."""
        newest = self._market.newest
        if newest is not None and newest.received_at_ms >= sent_at_ms:
            return newest
        try:
            async with asyncio.timeout(NEXT_PICTURE_SECS):
                return await self._market.next_picture()
        except TimeoutError:
            return await self._read_book()

    @staticmethod
    def _rejected(order: MarketOrder, code: str, message: str) -> OrderReport:
        return OrderReport(
            client_oid=order.client_oid,
            state=IntentState.REJECTED,
            exchange_order_id=None,
            error_code=code,
            error_message=message,
        )
