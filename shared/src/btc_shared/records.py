"""Frozen records that more than one service uses: market data and what identifies a ledger.

Prices and sizes are `Decimal` (as the exchange sent them); times are milliseconds since the epoch, UTC,
on the exchange's clock unless the name says otherwise.
"""

from decimal import Decimal

import msgspec

from btc_shared.codes import DataSource, Mode, Side

MINUTE_MS = 60_000


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """One 1-minute bar.

    `filled` marks a bar made by us for a minute without trades: flat at the last close, volume 0.
    """

    symbol: str
    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal
    filled: bool = False

    @property
    def close_time_ms(self) -> int:
        """First millisecond after the bar."""
        return self.open_time_ms + MINUTE_MS


class Level(msgspec.Struct, frozen=True, array_like=True):
    """One price level of an order book side."""

    price: Decimal
    size: Decimal


class BookPicture(msgspec.Struct, frozen=True, kw_only=True):
    """The top of an order book at one moment: bids descending, asks ascending, neither empty.

    `received_at_ms` is our clock; `source` None: whoever made it did not say.
    """

    symbol: str
    event_time_ms: int
    received_at_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    source: DataSource | None = None

    @property
    def best_bid(self) -> Decimal:
        return self.bids[0].price

    @property
    def best_ask(self) -> Decimal:
        return self.asks[0].price

    @property
    def mid(self) -> Decimal:
        """The product's price: the mean of best bid and best ask."""
        return (self.bids[0].price + self.asks[0].price) / 2

    @property
    def spread_bp(self) -> float:
        """Spread in basis points (0.01 %) of the mid."""
        return float((self.asks[0].price - self.bids[0].price) / self.mid * 10_000)

    def volume(self, side: Side, levels: int = 10) -> Decimal:
        """Size that rests on the first `levels` levels of a side, in the base currency."""
        return sum((level.size for level in (self.bids if side is Side.BUY else self.asks)[:levels]), Decimal(0))

    def imbalance(self, levels: int = 10) -> float:
        """(Σ bid size − Σ ask size) / Σ both over the first `levels` levels, in [−1, 1]; 0 for an empty book."""
        bids, asks = self.volume(Side.BUY, levels), self.volume(Side.SELL, levels)
        return float((bids - asks) / (bids + asks)) if bids + asks else 0.0


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of the market; `side` is the taker's."""

    symbol: str
    trade_id: str
    event_time_ms: int
    price: Decimal
    size: Decimal
    side: Side


class SymbolRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange asks of an order's numbers (KuCoin's `GET /api/v2/symbols/{symbol}`)."""

    symbol: str
    base_currency: str
    quote_currency: str
    base_increment: Decimal
    quote_increment: Decimal
    price_increment: Decimal
    base_min_size: Decimal
    quote_min_size: Decimal
    min_funds: Decimal
    trading_enabled: bool = True


class LedgerKey(msgspec.Struct, frozen=True, kw_only=True):
    """Which ledger a row belongs to. Practice, paper and real ledgers never mix."""

    venue: str
    account: str
    mode: Mode
