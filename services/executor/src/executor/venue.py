"""The venue: where orders go. A port; `paper_venue` is its adapter for simulated money."""

from decimal import Decimal
from typing import Protocol

import msgspec

from btc_shared.codes import IntentState, Side
from executor.domain.position import Fill


class MarketOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A market order: a buy names `funds` (USDT, without the fee), a sell `size` (BTC)."""

    intent_id: str
    client_oid: str
    symbol: str
    side: Side
    funds: Decimal | None = None
    size: Decimal | None = None


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says became of an order. What it did is its fills, not its state's word.

    `state` is final: filled, partly filled (the rest cancelled), cancelled (no fill) or rejected.
    """

    client_oid: str
    state: IntentState
    exchange_order_id: str | None
    fills: tuple[Fill, ...] = ()
    error_code: str | None = None
    error_message: str | None = None


class UnknownOutcomeError(Exception):
    """The order may or may not have reached the venue: look it up, never send it again."""


class Venue(Protocol):
    """Places an order at most once and can say later what became of it."""

    async def place(self, order: MarketOrder) -> OrderReport:
        """Send the order and wait for its end.

        Raises:
            UnknownOutcomeError: what became of it must be found out with `look_up`.
        """
        ...

    async def look_up(self, client_oid: str) -> OrderReport | None:
        """The order's end, or None when the venue surely never had it.

        Raises:
            UnknownOutcomeError: it cannot be said yet; ask again later.
        """
        ...
