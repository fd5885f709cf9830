"""What is assumed about a bar: when orders fill, in which order prices come, at which price exits happen."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest

from btc_cli.backtest.bars import ONE_BAR, BarArrays, run_bars
from btc_cli.backtest.report import Report
from btc_shared.codes import Action, ExitReason, Side
from btc_shared.settings import EngineSettings, RiskSettings
from decision_engine.domain import Decision

from .conftest import MakeAgent

D = Decimal
# The technical strategy alone decides: the rise below is a BUY from the first bar with all indicators on.
TECHNICAL = EngineSettings(weight_technical=1, weight_orderbook=0, weight_flow=0, weight_qlearning=0)
RISK = RiskSettings()
START_MS = 1_650_000_000_000
RISE = 40
"""Bars of the rise; the first decision is made at the close of its last but one."""

Prices = tuple[float, float, float, float]


def rise() -> list[Prices]:
    """Two steps up, one down: a strong trend whose RSI is not yet at its extreme. It ends at 20,490."""
    closes = [20_100.0 - 40 + 50 * ((bar + 1) // 2) - 30 * (bar // 2) for bar in range(RISE)]
    prices, before = [], closes[0]
    for close in closes:
        prices.append((before, max(before, close), min(before, close), close))
        before = close
    return prices


def bars_of(prices: Sequence[Prices]) -> BarArrays:
    columns = np.array(prices)
    return BarArrays(
        symbol="BTC-USDT",
        open_ms=START_MS + 60_000 * np.arange(len(prices)),
        open=columns[:, 0],
        high=columns[:, 1],
        low=columns[:, 2],
        close=columns[:, 3],
        volume=np.ones(len(prices)),
    )


def flat(price: float, count: int = 1) -> list[Prices]:
    return [(price, price, price, price)] * count


class Run:
    """A run over the rise and what comes after it. Bar 0 of `after` is the first one behind the rise."""

    def __init__(self, make_agent: MakeAgent, after: list[Prices], risk: RiskSettings = RISK) -> None:
        self.decisions: list[Decision] = []
        bars = bars_of([*rise(), *after])
        agent = make_agent(bars, TECHNICAL, risk)
        self.report: Report = run_bars(agent, bars, TECHNICAL, warm_up=RISE - 2, watch=self.decisions.append)

    def trades(self) -> list[tuple[int, float, Side, Decimal, ExitReason | None]]:
        """(bar after the rise, second of the bar, side, price, reason) of every trade."""
        found = []
        for trade in self.report.trades:
            bar, ms = divmod(trade.first_fill_at_ms - START_MS - RISE * 60_000, 60_000)
            found.append((bar, ms / 1_000, trade.side, trade.price, trade.exit_reason))
        return found


def test_a_condition_holds_from_one_close_to_the_next_and_its_order_fills_at_the_open_after_it(
    make_agent: MakeAgent,
) -> None:
    run = Run(make_agent, [(20_550.0, 20_560.0, 20_540.0, 20_555.0), *flat(20_555.0, 3)])
    assert [decision.action for decision in run.decisions[:2]] == [Action.BUY, Action.BUY]
    assert ONE_BAR.confirm_secs == 60
    # Half of 1 bp is 1.03: the bid is 20,548.9, and 2.1 above it the ask.
    assert run.trades() == [(0, 0.25, Side.BUY, D("20551"), None)]
    assert run.report.fills[0].size == D("0.01459782")  # 300 USDT


def test_a_bar_that_says_otherwise_begins_the_wait_anew(make_agent: MakeAgent) -> None:
    dip = [*rise()[:-1], *flat(20_250.0), *flat(20_600.0), *flat(20_650.0), *flat(20_700.0)]
    decisions: list[Decision] = []
    bars = bars_of(dip)
    report = run_bars(
        make_agent(bars, TECHNICAL), bars, TECHNICAL, warm_up=RISE - 2, every_bar=True, watch=decisions.append
    )
    assert [decision.action for decision in decisions[:4]] == [Action.BUY, Action.SELL, Action.BUY, Action.BUY]
    assert [trade.first_fill_at_ms for trade in report.trades] == [bars.open_ms[RISE + 2] + 250]
    assert not report.refusals


ENTRY = D("20551")
AT_ENTRY = flat(20_550.0)


def first_bid_at_or_below(price: Decimal) -> Decimal:
    return (price / D("0.1")).to_integral_value(rounding="ROUND_FLOOR") * D("0.1")


def first_bid_at_or_above(price: Decimal) -> Decimal:
    return (price / D("0.1")).to_integral_value(rounding="ROUND_CEILING") * D("0.1")


def test_a_bar_with_stop_and_profit_in_it_stops(make_agent: MakeAgent) -> None:
    run = Run(make_agent, [*AT_ENTRY, (20_550.0, 22_000.0, 19_000.0, 20_550.0), *flat(20_550.0)])
    stop = first_bid_at_or_below(ENTRY * D("0.98"))
    assert run.trades()[1:] == [(1, 20.25, Side.SELL, stop, ExitReason.STOP_LOSS)]


def test_the_stop_of_the_entry_bar_counts_too(make_agent: MakeAgent) -> None:
    run = Run(make_agent, [(20_550.0, 20_550.0, 19_000.0, 20_500.0), *flat(20_500.0)])
    assert [trade[0] for trade in run.trades()] == [0, 0]
    assert run.trades()[1][3:] == (first_bid_at_or_below(ENTRY * D("0.98")), ExitReason.STOP_LOSS)


def test_an_open_beyond_the_stop_sells_at_the_open(make_agent: MakeAgent) -> None:
    run = Run(make_agent, [*AT_ENTRY, (19_000.0, 19_500.0, 18_900.0, 19_400.0), *flat(19_400.0)])
    assert run.trades()[1:] == [(1, 0.25, Side.SELL, D("18999"), ExitReason.STOP_LOSS)]  # 0.95 below, floored


def test_a_bar_that_rises_sells_the_part_and_then_the_rest_each_at_its_first_bid(make_agent: MakeAgent) -> None:
    run = Run(make_agent, [*AT_ENTRY, (20_550.0, 22_000.0, 20_550.0, 22_000.0), *flat(22_000.0)])
    partial, rest = run.trades()[1:3]
    assert partial[3:] == (first_bid_at_or_above(ENTRY * D("1.015")), ExitReason.PARTIAL_EXIT)
    assert rest[3:] == (first_bid_at_or_above(ENTRY * D("1.03")), ExitReason.TAKE_PROFIT)
    assert partial[:2] < rest[:2]
    assert run.report.fills[1].size == D("0.00729891")  # half of 0.01459782
    assert run.report.round_trips[0].dust == 0


def test_the_trailing_stop_follows_the_high_of_the_bars(make_agent: MakeAgent) -> None:
    up, down = (20_550.0, 21_000.0, 20_550.0, 21_000.0), (21_000.0, 21_000.0, 20_500.0, 20_600.0)
    run = Run(make_agent, [*AT_ENTRY, up, down, *flat(20_600.0)])
    high = D("20998.9")  # half the spread below 21,000, floored
    trailing = run.trades()[2]
    assert trailing[0] == 2
    assert trailing[3:] == (first_bid_at_or_below(high * D("0.992")), ExitReason.TRAILING_STOP)


def test_a_signal_to_sell_fills_at_the_next_open_once_the_cooldown_is_over(make_agent: MakeAgent) -> None:
    fall = [(price, price, price - 40, price - 40) for price in np.arange(20_550.0, 20_250.0, -40.0).tolist()]
    run = Run(make_agent, [*AT_ENTRY, *fall, *flat(20_230.0, 2)])
    bar, second, side, price, reason = run.trades()[1]
    assert (second, side, reason) == (0.25, Side.SELL, ExitReason.SIGNAL)
    assert bar >= 3
    opened = [*AT_ENTRY, *fall][bar][0]
    assert price == first_bid_at_or_below(D(repr(opened)) * D("0.99995"))


def test_a_wider_spread_costs_half_of_it_at_each_fill(make_agent: MakeAgent) -> None:
    bars = bars_of([*rise(), *AT_ENTRY, *flat(19_000.0, 2)])
    fills = {}
    for spread in (D("0.0001"), D("0.01")):
        report = run_bars(make_agent(bars, TECHNICAL, RISK), bars, TECHNICAL, warm_up=RISE - 2, spread=spread)
        fills[spread] = [float(fill.price) for fill in report.fills]
    assert fills[D("0.0001")] == pytest.approx([20_550 * 1.00005, 19_000 * 0.99995], abs=0.2)
    assert fills[D("0.01")] == pytest.approx([20_550 * 1.005, 19_000 * 0.995], rel=1e-4)


def test_bars_that_cannot_be_are_refused() -> None:
    good = bars_of(flat(20_000.0, 3))
    with pytest.raises(ValueError, match="whole minutes"):
        BarArrays("BTC-USDT", good.open_ms[::-1], good.open, good.high, good.low, good.close, good.volume)
    with pytest.raises(ValueError, match="all must be"):
        BarArrays("BTC-USDT", good.open_ms, good.open[:2], good.high, good.low, good.close, good.volume)
