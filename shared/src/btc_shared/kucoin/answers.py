"""REST answers of the public endpoints, turned into records. Each takes the answer's `data`."""

from decimal import Decimal

import msgspec

from btc_shared.codes import DataSource
from btc_shared.kucoin import wire
from btc_shared.records import BookPicture, Candle, PublicTrade, SymbolRules

MIN_PING_MS, MAX_PING_MS = 1_000, 120_000


class Ticker(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid, best ask and last trade of a symbol."""

    symbol: str
    event_time_ms: int
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal
    last: Decimal

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2


class SocketServer(msgspec.Struct, frozen=True):
    """Where a socket may connect, and how often the server wants to hear from it."""

    endpoint: str
    ping_interval_ms: int
    ping_timeout_ms: int


class SocketToken(msgspec.Struct, frozen=True):
    """Leave to open a socket: at least one server. Good for one connection of at most 24 h."""

    token: str
    servers: tuple[SocketServer, ...]

    def __repr__(self) -> str:
        return f"SocketToken(servers={self.servers!r})"  # a private token is a secret


class _Symbol(msgspec.Struct, rename="camel"):
    symbol: str
    base_currency: str
    quote_currency: str
    base_increment: wire.Number
    quote_increment: wire.Number
    price_increment: wire.Number
    base_min_size: wire.Number
    quote_min_size: wire.Number
    min_funds: wire.Number
    enable_trading: bool


class _Ticker(msgspec.Struct, rename="camel"):
    time: wire.Moment
    price: wire.Number
    best_bid: wire.Number
    best_bid_size: wire.Number
    best_ask: wire.Number
    best_ask_size: wire.Number


class _Book(msgspec.Struct):
    time: wire.Moment
    bids: list[wire.LevelText]
    asks: list[wire.LevelText]


class _Server(msgspec.Struct, rename="camel"):
    endpoint: str
    ping_interval: int
    ping_timeout: int


class _Token(msgspec.Struct, rename="camel"):
    token: str
    instance_servers: list[_Server]


_time = msgspec.json.Decoder(int)
_symbol = msgspec.json.Decoder(_Symbol)
_candles = msgspec.json.Decoder(list[wire.CandleText])
_ticker = msgspec.json.Decoder(_Ticker)
_book = msgspec.json.Decoder(_Book)
_trades = msgspec.json.Decoder(list[wire.TradeText])
_token = msgspec.json.Decoder(_Token)


def server_time_ms(body: bytes) -> int:
    """`1790000000123`, the exchange's clock in milliseconds."""
    return wire.read("timestamp", _time, body, lambda value: wire.milliseconds(value, "data"))


def symbol_rules(body: bytes, symbol: str) -> SymbolRules:
    """One symbol's rules.

    ```
    {"symbol":"BTC-USDT","baseCurrency":"BTC","quoteCurrency":"USDT","baseIncrement":"0.00000001",
     "quoteIncrement":"0.000001","priceIncrement":"0.1","baseMinSize":"0.00001","quoteMinSize":"0.1",
     "minFunds":"0.1","enableTrading":true, …}
    ```
    """

    def build(data: _Symbol) -> SymbolRules:
        _is(data.symbol, symbol)
        return SymbolRules(
            symbol=data.symbol,
            base_currency=data.base_currency,
            quote_currency=data.quote_currency,
            base_increment=wire.positive(data.base_increment, "baseIncrement"),
            quote_increment=wire.positive(data.quote_increment, "quoteIncrement"),
            price_increment=wire.positive(data.price_increment, "priceIncrement"),
            base_min_size=wire.not_negative(data.base_min_size, "baseMinSize"),
            quote_min_size=wire.not_negative(data.quote_min_size, "quoteMinSize"),
            min_funds=wire.not_negative(data.min_funds, "minFunds"),
            trading_enabled=data.enable_trading,
        )

    return wire.read("symbol", _symbol, body, build)


def candles(body: bytes, symbol: str) -> list[Candle]:
    """1-minute bars in the answer's order (newest first); minutes without trades are absent, the last may be forming.

    `[["1789000080","67010.5","67008","67011","67001","0.7","46903.1"],["1789000020", …]]`, see `wire.CandleText`.
    """

    def build(rows: list[wire.CandleText]) -> list[Candle]:
        return [wire.candle(symbol, row) for row in rows]

    return wire.read("candles", _candles, body, build)


def ticker(body: bytes, symbol: str) -> Ticker:
    """Best bid and ask now.

    ```
    {"time":1790000000123,"sequence":"14000000001","price":"67000.2","size":"0.0001","bestBid":"67000.1",
     "bestBidSize":"0.4","bestAsk":"67000.2","bestAskSize":"0.031"}
    ```
    """

    def build(data: _Ticker) -> Ticker:
        found = Ticker(
            symbol=symbol,
            event_time_ms=wire.milliseconds(data.time, "time"),
            bid=wire.positive(data.best_bid, "bestBid"),
            bid_size=wire.positive(data.best_bid_size, "bestBidSize"),
            ask=wire.positive(data.best_ask, "bestAsk"),
            ask_size=wire.positive(data.best_ask_size, "bestAskSize"),
            last=wire.positive(data.price, "price"),
        )
        if found.bid >= found.ask:
            raise wire.InvalidError(f"the ticker is crossed: bestBid {found.bid}, bestAsk {found.ask}")
        return found

    return wire.read("ticker", _ticker, body, build)


def book(body: bytes, symbol: str, received_at_ms: int) -> BookPicture:
    """The top of the book.

    `{"time":1790000000123,"sequence":"14000000001","bids":[["67000.1","0.4"], …],"asks":[["67000.2","0.031"], …]}`
    """

    def build(data: _Book) -> BookPicture:
        event_time_ms = wire.milliseconds(data.time, "time")
        return wire.book(symbol, event_time_ms, received_at_ms, data.bids, data.asks, DataSource.REST)

    return wire.read("book", _book, body, build)


def recent_trades(body: bytes, symbol: str) -> list[PublicTrade]:
    """The last public trades, oldest first; `time` is in nanoseconds.

    `[{"sequence":"11000000000000001","price":"67000.1","size":"0.0021","side":"sell","time":1790000000123000000}, …]`
    """

    def build(rows: list[wire.TradeText]) -> list[PublicTrade]:
        found = [wire.trade(symbol, row) for row in rows]
        return sorted(found, key=lambda trade: (trade.event_time_ms, int(trade.trade_id)))

    return wire.read("histories", _trades, body, build)


def socket_token(body: bytes) -> SocketToken:
    """Where to open a socket, and with which token.

    ```
    {"token":"2neA…","instanceServers":[{"endpoint":"wss://ws-api-spot.kucoin.com/","encrypt":true,
     "protocol":"websocket","pingInterval":18000,"pingTimeout":10000}]}
    ```
    """

    def build(data: _Token) -> SocketToken:
        if not data.token:
            raise wire.InvalidError("token is empty")
        if not data.instance_servers:
            raise wire.InvalidError("instanceServers is empty")
        for server in data.instance_servers:
            if not server.endpoint.startswith(("ws://", "wss://")):
                raise wire.InvalidError(f"endpoint is {server.endpoint[:80]!r}: must begin with ws:// or wss://")
            if not (MIN_PING_MS <= server.ping_interval <= MAX_PING_MS and 0 < server.ping_timeout <= MAX_PING_MS):
                raise wire.InvalidError(
                    f"pingInterval is {server.ping_interval} and pingTimeout {server.ping_timeout}: must be"
                    f" {MIN_PING_MS} to {MAX_PING_MS} and up to {MAX_PING_MS} ms"
                )
        servers = tuple(SocketServer(s.endpoint, s.ping_interval, s.ping_timeout) for s in data.instance_servers)
        return SocketToken(data.token, servers)

    return wire.read("bullet", _token, body, build, secret=True)


def _is(found: str, symbol: str) -> None:
    if found != symbol:
        raise wire.InvalidError(f"symbol is {found[:40]!r}, asked for {symbol!r}")
