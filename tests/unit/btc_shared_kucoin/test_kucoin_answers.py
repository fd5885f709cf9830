"""REST answers become exact records."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from btc_shared.codes import Side
from btc_shared.kucoin import answers
from btc_shared.kucoin.errors import MalformedError

SYMBOL: dict[str, Any] = {
    "symbol": "BTC-USDT",
    "baseCurrency": "BTC",
    "quoteCurrency": "USDT",
    "baseIncrement": "0.00000001",
    "quoteIncrement": "0.000001",
    "priceIncrement": "0.1",
    "baseMinSize": "0.00001",
    "quoteMinSize": "0.1",
    "minFunds": "0.1",
    "enableTrading": True,
}
TICKER = {
    "time": 1_790_000_000_123,
    "price": "67000.2",
    "bestBid": "67000.1",
    "bestBidSize": "0.4",
    "bestAsk": "67000.2",
    "bestAskSize": "0.031",
}
SERVER = {"endpoint": "wss://example.test/", "pingInterval": 18_000, "pingTimeout": 10_000}


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_symbol_rules_are_exact_and_unknown_fields_are_ignored() -> None:
    rules = answers.symbol_rules(text(SYMBOL | {"assetClass": "crypto", "tradingStartTime": None}), "BTC-USDT")
    assert rules.base_increment == Decimal("0.00000001")
    assert (rules.min_funds, rules.price_increment) == (Decimal("0.1"), Decimal("0.1"))
    assert rules.trading_enabled


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"baseIncrement": "0"}, "baseIncrement"),
        ({"priceIncrement": None}, "priceIncrement"),
        ({"enableTrading": "true"}, "enableTrading"),
        ({"symbol": "ETH-USDT"}, "symbol"),
    ],
)
def test_wrong_symbol_rules_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        answers.symbol_rules(text(SYMBOL | change), "BTC-USDT")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"bestBid": "0"}, "bestBid"),
        ({"bestAsk": None}, "bestAsk"),
        ({"bestBid": "67000.2"}, "crossed"),
        ({"price": "NaN"}, "price"),
        ({"time": 1_790_000_000}, "time"),
    ],
)
def test_a_wrong_ticker_never_becomes_a_price(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        answers.ticker(text(TICKER | change), "BTC-USDT")


def test_an_answer_without_data_is_malformed() -> None:
    with pytest.raises(MalformedError):
        answers.ticker(b"null", "BTC-USDT")


def test_a_malformed_token_is_not_quoted() -> None:
    with pytest.raises(MalformedError) as caught:
        answers.socket_token(text({"token": "secret-token", "instanceServers": []}))
    assert "instanceServers" in str(caught.value)
    assert "secret-token" not in str(caught.value)
    assert "secret-token" not in repr(
        answers.socket_token(text({"token": "secret-token", "instanceServers": [SERVER]}))
    )


@pytest.mark.parametrize(
    "server", [{"endpoint": "https://example.test"}, {"pingInterval": 0}, {"pingInterval": 10**9}, {"pingTimeout": 0}]
)
def test_a_server_that_cannot_be_used_is_refused(server: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        answers.socket_token(text({"token": "t", "instanceServers": [SERVER | server]}))


def official(folder: Path, name: str) -> bytes:
    path = folder / "kucoin" / "rest_spec" / f"spot-market.{name}.json"
    return text(json.loads(path.read_text())["response_example"]["data"])


def test_the_official_examples_are_read(shared_data: Path) -> None:
    assert answers.server_time_ms(official(shared_data, "getServerTime")) == 1_729_100_692_873
    assert answers.symbol_rules(official(shared_data, "getSymbol"), "BTC-USDT").min_funds == Decimal("0.1")
    bars = answers.candles(official(shared_data, "getKlines"), "BTC-USDT")
    assert [bar.open_time_ms for bar in bars] == [1_566_789_720_000, 1_566_789_660_000, 1_566_789_600_000]
    assert (bars[0].close, bars[0].volume) == (Decimal("10401.9"), Decimal("29.11357276"))
    ticker = answers.ticker(official(shared_data, "getTicker"), "BTC-USDT")
    assert (ticker.bid, ticker.ask, ticker.mid) == (Decimal("67267.5"), Decimal("67267.6"), Decimal("67267.55"))
    book = answers.book(official(shared_data, "getPartOrderBook"), "BTC-USDT", 5)
    assert (book.best_bid, book.best_ask, book.received_at_ms) == (Decimal("66976.4"), Decimal("66976.5"), 5)
    trades = answers.recent_trades(official(shared_data, "getTradeHistory"), "BTC-USDT")
    assert [trade.trade_id for trade in trades] == ["10976028003549185", "10976028003549188", "10976028003549191"]
    assert trades[0].event_time_ms == 1_729_177_117_877
    token = answers.socket_token(official(shared_data, "getPublicToken"))
    assert token.servers[0].endpoint == "wss://ws-api-spot.kucoin.com/"


def test_the_examples_of_another_library_are_read_and_the_unsorted_book_is_refused(shared_data: Path) -> None:
    def data(name: str) -> bytes:
        path = shared_data / "kucoin" / "jkorf_fixtures" / f"Endpoints.Spot.ExchangeData.{name}.json"
        return text(json.loads(path.read_text())["response"]["data"])

    assert len(answers.candles(data("GetKlines"), "ETH-BTC")) == 2
    assert answers.ticker(data("GetTicker"), "ETH-BTC").ask == Decimal("0.03715004")
    assert [trade.side for trade in answers.recent_trades(data("GetTradeHistory"), "ETH-BTC")] == [Side.BUY, Side.BUY]
    for rules in json.loads(data("GetSymbols")):
        assert answers.symbol_rules(text(rules), rules["symbol"]).trading_enabled
    with pytest.raises(MalformedError, match="asks is not sorted"):
        answers.book(data("GetAggregatedPartialOrderBook"), "BTC-USDT", 0)


def test_recorded_answers_are_read(shared_data: Path) -> None:
    recorded = json.loads((shared_data / "kucoin" / "ccxt_recorded" / "spot_rest_responses.json").read_text())
    name = next(name for name in recorded if name.startswith("GET candles 1hour"))
    bars = answers.candles(text(recorded[name]["data"]), "BTC-USDT")
    assert bars[0].open_time_ms == 1_706_637_600_000
    read = 0
    with gzip.open(shared_data / "kucoin" / "cryptofeed_capture" / "KUCOIN.http.0.0.gz", "rt") as lines:
        for line in filter(str.strip, lines):
            book = answers.book(text(json.loads(line.partition(": ")[2])["data"]), "X-Y", 0)
            assert book.best_bid < book.best_ask
            read += 1
    assert read == 9
