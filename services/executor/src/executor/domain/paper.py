"""Simulated fills (DRY): a market order walks a picture of the real book, under KuCoin's rules.

Codes and messages of refusals are KuCoin's, so that the executor treats both venues alike.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from btc_shared.records import BookPicture, Level, SymbolRules
from executor.domain.arithmetic import exact, floor_to, plain

# KuCoin's `priceLimitRate` of BTC-USDT: a market order executes within this distance of the best price only.
PRICE_LIMIT_RATE = Decimal("0.1")


class PaperFill(msgspec.Struct, frozen=True, kw_only=True):
    """One level's execution; the fee is in the quote currency and unrounded, on top of the funds."""

    price: Decimal
    size: Decimal
    funds: Decimal
    fee: Decimal


class PaperExecution(msgspec.Struct, frozen=True, kw_only=True):
    """What a market order did. What it left over (funds of a buy, size of a sell) was cancelled at once."""

    fills: tuple[PaperFill, ...]
    leftover: Decimal


class PaperRejection(msgspec.Struct, frozen=True, kw_only=True):
    """The order was not accepted."""

    code: str
    message: str


@exact
def market_buy(
    funds: Decimal,
    book: BookPicture,
    rules: SymbolRules,
    taker_fee: Decimal,
    available_quote: Decimal,
    price_limit_rate: Decimal = PRICE_LIMIT_RATE,
) -> PaperExecution | PaperRejection:
    """Spend up to `funds` (without the fee) on the asks, in steps of the base increment."""
    rejection = (
        _untradable(rules) or _bad_step("Funds", funds, rules.quote_increment) or _below_minimum_funds(funds, rules)
    )
    if rejection is None and funds < rules.quote_min_size:
        rejection = PaperRejection(code="600100", message="Funds below the minimum requirement.")
    if rejection is None and funds * (1 + taker_fee) > available_quote:
        rejection = _insufficient_balance()  # the fee is frozen with the funds
    if rejection is not None:
        return rejection
    fills: list[PaperFill] = []
    for level in _within(book.asks, book.best_ask * (1 + price_limit_rate), above=False):
        affordable = floor_to(funds / level.price, rules.base_increment)
        if affordable == 0:
            break
        size = min(affordable, floor_to(level.size, rules.base_increment))
        if size > 0:
            fills.append(_fill(level.price, size, taker_fee))
            funds -= fills[-1].funds
    return PaperExecution(fills=tuple(fills), leftover=funds)


@exact
def market_sell(
    size: Decimal,
    book: BookPicture,
    rules: SymbolRules,
    taker_fee: Decimal,
    available_base: Decimal,
    price_limit_rate: Decimal = PRICE_LIMIT_RATE,
) -> PaperExecution | PaperRejection:
    """Sell up to `size` to the bids; the fee comes off the proceeds."""
    rejection = _untradable(rules) or _bad_step("Order size", size, rules.base_increment)
    if rejection is None and size < rules.base_min_size:
        rejection = PaperRejection(code="400100", message="Order size below the minimum requirement.")
    rejection = rejection or _below_minimum_funds(size * book.best_bid, rules)
    if rejection is None and size > available_base:
        rejection = _insufficient_balance()
    if rejection is not None:
        return rejection
    fills: list[PaperFill] = []
    for level in _within(book.bids, book.best_bid * (1 - price_limit_rate), above=True):
        sold = min(size, floor_to(level.size, rules.base_increment))
        if sold > 0:
            fills.append(_fill(level.price, sold, taker_fee))
            size -= sold
        if size == 0:
            break
    return PaperExecution(fills=tuple(fills), leftover=size)


def _within(levels: Iterable[Level], limit: Decimal, *, above: bool) -> Iterable[Level]:
    return (level for level in levels if (level.price >= limit if above else level.price <= limit))


def _fill(price: Decimal, size: Decimal, taker_fee: Decimal) -> PaperFill:
    funds = price * size
    return PaperFill(price=price, size=size, funds=funds, fee=funds * taker_fee)


def _untradable(rules: SymbolRules) -> PaperRejection | None:
    if rules.trading_enabled:
        return None
    return PaperRejection(code="600203", message=f"Symbol {rules.symbol} cant be traded")


def _bad_step(what: str, value: Decimal, increment: Decimal) -> PaperRejection | None:
    if value > 0 and value % increment == 0:
        return None
    message = f"{what} increment invalid."
    return PaperRejection(code="600100", message=message)


def _below_minimum_funds(funds: Decimal, rules: SymbolRules) -> PaperRejection | None:
    if funds >= rules.min_funds:
        return None
    message = f"The order funds should more then {plain(rules.min_funds)} {rules.quote_currency}."
    return PaperRejection(code="400760", message=message)


def _insufficient_balance() -> PaperRejection:
    return PaperRejection(code="200004", message="Balance insufficient!")
