"""How much an order may buy or sell."""

from decimal import Decimal
from typing import TYPE_CHECKING

from btc_shared.codes import Refusal
from btc_shared.records import SymbolRules
from executor.domain.arithmetic import ZERO, exact, floor_to, plain
from executor.domain.denied import Denied

if TYPE_CHECKING:
    from btc_shared.settings import RiskSettings


@exact
def entry_funds(
    available_quote: Decimal, best_ask: Decimal, rules: SymbolRules, settings: "RiskSettings"
) -> Decimal | Denied:
    """What an entry spends, without its fee, in USDT: a multiple of the quote increment.

    KuCoin freezes the fee on top of `funds`, so funds × (1 + taker fee) never exceeds what is available.
    `insufficient_funds` means that the account cannot pay for the smallest order at all, `amount_too_small` that
    it could, but that `max_position_pct` does not allow as much or that the coins could not be sold again.
    A minimum never lifts the amount.
    """
    minimum = max(settings.min_trade_amount, rules.quote_min_size, rules.min_funds)
    affordable = floor_to(max(available_quote, ZERO) / (1 + settings.taker_fee), rules.quote_increment)
    if affordable < minimum:
        return Denied(
            code=Refusal.INSUFFICIENT_FUNDS,
            detail=f"{plain(available_quote)} {rules.quote_currency} available pays for {plain(affordable)} "
            f"after the fee; the smallest entry is {plain(minimum)}",
        )
    funds = min(affordable, floor_to(available_quote * settings.max_position_pct, rules.quote_increment))
    if funds < minimum:
        return Denied(
            code=Refusal.AMOUNT_TOO_SMALL,
            detail=f"{plain(settings.max_position_pct * 100)} % of {plain(available_quote)} "
            f"{rules.quote_currency} is {plain(funds)}; the smallest entry is {plain(minimum)}",
        )
    # A position that could not be sold at its own stop loss would be a trap.
    size = floor_to(funds / best_ask, rules.base_increment)
    if not is_sellable(size, best_ask * (1 - settings.stop_loss_pct), rules):
        return Denied(
            code=Refusal.AMOUNT_TOO_SMALL,
            detail=f"{plain(funds)} {rules.quote_currency} buys {plain(size)} {rules.base_currency} at "
            f"{plain(best_ask)}, which could not be sold again at the stop loss: the exchange asks for "
            f"{plain(rules.base_min_size)} {rules.base_currency} and {plain(rules.min_funds)} "
            f"{rules.quote_currency}",
        )
    return funds


@exact
def is_sellable(size: Decimal, price: Decimal | None, rules: SymbolRules) -> bool:
    """True if the exchange takes a sell of `size` at about `price`; without a price only the size is tested."""
    size = floor_to(size, rules.base_increment)
    if size <= 0 or size < rules.base_min_size:
        return False
    return price is None or size * price >= rules.min_funds


@exact
def sell_size(
    wanted: Decimal,
    *,
    position_size: Decimal,
    committed: Decimal,
    available_base: Decimal | None,
    best_bid: Decimal | None,
    rules: SymbolRules,
) -> Decimal:
    """What a sell may sell now, floored to the base increment; 0 when that is below the exchange's minimums.

    Args:
        wanted: the exit's size in BTC (the whole position, or the partial exit's part).
        position_size: the agent's open position; coins beyond it are never sold.
        committed: what open and unknown sells may still take of the position (their sizes less their fills).
        available_base: free coins in the account; None when it cannot be read, which must not stop an exit
            (the exchange refuses what is not there).
    """
    size = min(wanted, position_size - committed)
    if available_base is not None:
        size = min(size, available_base)
    size = floor_to(max(size, ZERO), rules.base_increment)
    return size if is_sellable(size, best_bid, rules) else ZERO


@exact
def partial_exit_size(
    position_size: Decimal, best_bid: Decimal, rules: SymbolRules, settings: "RiskSettings"
) -> Decimal:
    """The partial exit's size, floored; 0 when either part would be below the exchange's minimums."""
    part = floor_to(position_size * settings.partial_exit_fraction, rules.base_increment)
    if is_sellable(part, best_bid, rules) and is_sellable(position_size - part, best_bid, rules):
        return part
    return ZERO
