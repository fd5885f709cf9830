"""Simulated fills against a picture of the book."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.records import BookPicture, Level, SymbolRules
from btc_shared.settings import RiskSettings
from executor.domain.denied import Denied
from executor.domain.paper import PaperExecution, PaperRejection, market_buy, market_sell
from executor.domain.sizing import entry_funds

D = Decimal
FEE = D("0.001")
RULES = SymbolRules(
    symbol="BTC-USDT",
    base_currency="BTC",
    quote_currency="USDT",
    base_increment=D("0.00000001"),
    quote_increment=D("0.000001"),
    price_increment=D("0.1"),
    base_min_size=D("0.00001"),
    quote_min_size=D("0.1"),
    min_funds=D("0.1"),
)


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> BookPicture:
    def levels(rows: list[tuple[str, str]]) -> tuple[Level, ...]:
        return tuple(Level(D(price), D(size)) for price, size in rows)

    return BookPicture(symbol="BTC-USDT", event_time_ms=0, received_at_ms=0, bids=levels(bids), asks=levels(asks))


BOOK = book(
    [("99999.9", "0.001"), ("99990", "0.5"), ("80000", "9")],
    [("100000", "0.001"), ("100010", "0.5"), ("111000", "9")],
)


def executed(result: PaperExecution | PaperRejection) -> PaperExecution:
    assert isinstance(result, PaperExecution), result
    return result


def rejected(result: PaperExecution | PaperRejection) -> tuple[str, str]:
    assert isinstance(result, PaperRejection), result
    return result.code, result.message


@st.composite
def pictures(draw: st.DrawFn) -> BookPicture:
    mid = draw(st.integers(10_000, 2_000_000))
    size = st.decimals(min_value=0, max_value=2, places=9)  # finer than the increment, and empty levels too
    steps = st.lists(st.integers(1, 60_000), min_size=1, max_size=12, unique=True).map(sorted)
    asks = tuple(Level(D(mid + step) / 10, draw(size)) for step in draw(steps))
    bids = tuple(Level(D(mid - step) / 10, draw(size)) for step in draw(steps) if step < mid)
    return BookPicture(
        symbol="BTC-USDT", event_time_ms=0, received_at_ms=0, asks=asks, bids=bids or (Level(D("0.1"), D(1)),)
    )


amounts = st.decimals(min_value="0.1", max_value=500_000, places=6)
sizes = st.decimals(min_value="0.00001", max_value=20, places=8)
fees = st.decimals(min_value=0, max_value="0.05", places=5)


@given(pictures(), st.decimals(min_value=0, max_value=2_000_000, places=12), fees, st.sampled_from([D(1), D("0.3")]))
def test_an_entry_that_sizing_allows_is_accepted_and_never_makes_cash_negative(
    picture: BookPicture, cash: Decimal, fee: Decimal, cap: Decimal
) -> None:
    settings = RiskSettings(taker_fee=fee, max_position_pct=cap)
    funds = entry_funds(cash, picture.best_ask, RULES, settings)
    if isinstance(funds, Denied):
        return
    done = executed(market_buy(funds, picture, RULES, fee, cash))
    assert cash - sum(fill.funds + fill.fee for fill in done.fills) >= 0


@given(pictures(), amounts, fees)
def test_a_buy_follows_the_book(picture: BookPicture, funds: Decimal, fee: Decimal) -> None:
    done = executed(market_buy(funds, picture, RULES, fee, funds * 2))
    offered = {level.price: level.size for level in picture.asks}
    spent = D(0)
    for fill in done.fills:
        assert 0 < fill.size <= offered[fill.price]
        assert fill.size % RULES.base_increment == 0
        assert fill.funds == fill.price * fill.size
        assert fill.fee == fill.funds * fee
        assert fill.price <= picture.best_ask * D("1.1")
        spent += fill.funds
    assert spent + done.leftover == funds
    assert done.leftover >= 0
    assert [fill.price for fill in done.fills] == sorted({fill.price for fill in done.fills})
    # The rest buys nothing more: no increment of any reachable level that still has one to sell.
    bought = {fill.price: fill.size for fill in done.fills}
    for level in picture.asks:
        if level.price <= picture.best_ask * D("1.1"):
            remains = level.size - bought.get(level.price, D(0))
            assert remains < RULES.base_increment or done.leftover < RULES.base_increment * level.price


@given(pictures(), sizes, fees)
def test_a_sell_follows_the_book(picture: BookPicture, size: Decimal, fee: Decimal) -> None:
    result = market_sell(size, picture, RULES, fee, size)
    if size * picture.best_bid < RULES.min_funds:
        assert rejected(result)[0] == "400760"
        return
    done = executed(result)
    offered = {level.price: level.size for level in picture.bids}
    for fill in done.fills:
        assert 0 < fill.size <= offered[fill.price]
        assert fill.size % RULES.base_increment == 0
        assert fill.fee == fill.price * fill.size * fee
        assert fill.price >= picture.best_bid * D("0.9")
    assert sum((fill.size for fill in done.fills), D(0)) + done.leftover == size
    assert done.leftover >= 0


def test_a_buy_walks_the_levels_and_floors_the_last_size() -> None:
    done = executed(market_buy(D(300), BOOK, RULES, FEE, D(1000)))
    assert [(fill.price, fill.size) for fill in done.fills] == [
        (D(100000), D("0.001")),
        (D(100010), D("0.00199980")),  # 200 / 100010 = 0.0019998000…
    ]
    assert done.fills[0].fee == D("0.1")
    assert done.fills[1].funds == D("199.999998")
    assert done.leftover == D("0.000002")


def test_a_sell_walks_the_bids() -> None:
    done = executed(market_sell(D("0.003"), BOOK, RULES, FEE, D(1)))
    assert [(fill.price, fill.size) for fill in done.fills] == [
        (D("99999.9"), D("0.001")),
        (D("99990"), D("0.002")),
    ]
    assert done.fills[1].fee == D("0.19998")
    assert done.leftover == 0


def test_a_thin_book_fills_in_part_and_stops_ten_percent_away() -> None:
    bought = executed(market_buy(D(90_000), BOOK, RULES, FEE, D(100_000)))
    assert [fill.price for fill in bought.fills] == [D(100000), D(100010)]
    assert bought.leftover == D(90_000) - D(100) - D(50_005)
    sold = executed(market_sell(D(1), BOOK, RULES, FEE, D(1)))
    assert [fill.price for fill in sold.fills] == [D("99999.9"), D("99990")]
    assert sold.leftover == D("0.499")


def test_the_price_limit_is_inclusive() -> None:
    edge = book([("100", "1"), ("90", "1"), ("89.9", "1")], [("100.1", "1"), ("110.11", "1"), ("110.2", "1")])
    assert len(executed(market_buy(D(1000), edge, RULES, FEE, D(2000))).fills) == 2
    assert len(executed(market_sell(D(3), edge, RULES, FEE, D(3))).fills) == 2


def test_the_documented_kucoin_example_is_reproduced() -> None:
    """A recorded market buy of 12 USDT: size cut to the increment 0.0001 at 80.34, the rest cancelled."""
    rules = msgspec.structs.replace(RULES, symbol="DASH-USDT", base_increment=D("0.0001"), base_min_size=D("0.001"))
    dash = book([("80.3", "5")], [("80.34", "5")])
    done = executed(market_buy(D(12), dash, rules, FEE, D(20)))
    assert [(fill.size, fill.price) for fill in done.fills] == [(D("0.1493"), D("80.34"))]
    assert done.leftover == D("0.005238")


@pytest.mark.parametrize(
    ("funds", "cash", "changes", "code", "message"),
    [
        ("300.0000001", "1000", {}, "600100", "Funds increment invalid."),
        ("0", "1000", {}, "600100", "Funds increment invalid."),
        ("-1", "1000", {}, "600100", "Funds increment invalid."),
        ("0.05", "1000", {}, "400760", "The order funds should more then 0.1 USDT."),
        ("0.5", "1000", {"quote_min_size": D(1)}, "600100", "Funds below the minimum requirement."),
        ("1000", "1000", {}, "200004", "Balance insufficient!"),  # the fee is frozen on top
        ("999.000999", "1000", {}, None, None),
        ("999.001", "1000", {}, "200004", "Balance insufficient!"),
        ("10", "1000", {"trading_enabled": False}, "600203", "Symbol BTC-USDT cant be traded"),
    ],
)
def test_a_buy_that_kucoin_would_refuse_is_refused(
    funds: str, cash: str, changes: dict[str, Any], code: str | None, message: str | None
) -> None:
    result = market_buy(D(funds), BOOK, msgspec.structs.replace(RULES, **changes), FEE, D(cash))
    if code is None:
        executed(result)
    else:
        assert rejected(result) == (code, message)


@pytest.mark.parametrize(
    ("size", "free", "changes", "code", "message"),
    [
        ("0.000000001", "1", {}, "600100", "Order size increment invalid."),
        ("0", "1", {}, "600100", "Order size increment invalid."),
        ("0.00000999", "1", {}, "400100", "Order size below the minimum requirement."),
        ("0.00001", "1", {}, None, None),
        ("0.00001", "1", {"min_funds": D(2)}, "400760", "The order funds should more then 2 USDT."),
        ("0.01", "0.00999999", {}, "200004", "Balance insufficient!"),
        ("0.01", "0.01", {}, None, None),
        ("0.01", "1", {"trading_enabled": False}, "600203", "Symbol BTC-USDT cant be traded"),
    ],
)
def test_a_sell_that_kucoin_would_refuse_is_refused(
    size: str, free: str, changes: dict[str, Any], code: str | None, message: str | None
) -> None:
    result = market_sell(D(size), BOOK, msgspec.structs.replace(RULES, **changes), FEE, D(free))
    if code is None:
        executed(result)
    else:
        assert rejected(result) == (code, message)
