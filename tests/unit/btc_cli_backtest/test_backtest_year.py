"""A year of real bars, through calm and crashes: the ledger is right and no rule is broken once."""

from decimal import Decimal
from itertools import groupby, pairwise

import pytest

from btc_cli.backtest.bars import SPREAD, BarArrays, run_bars
from btc_cli.backtest.report import Report
from btc_shared.codes import ExitReason, Refusal, Side
from btc_shared.records import SymbolRules
from btc_shared.settings import EngineSettings, RiskSettings
from executor.domain.arithmetic import floor_to
from executor.domain.ledger import Trade
from executor.domain.limits import utc_day
from executor.domain.position import Fill, unrealised

from .conftest import MakeAgent

RISK = RiskSettings()
MINUTES_A_DAY = 1_440


@pytest.fixture(scope="module")
def year(bars_2022: BarArrays, make_agent: MakeAgent) -> Report:
    return run_bars(make_agent(bars_2022), bars_2022, EngineSettings())


def test_the_year_has_every_kind_of_exit_and_refusal_that_bars_can_cause(year: Report) -> None:
    assert len(year.round_trips) > 300
    assert {reason for reason, number in year.totals.exits.items() if number} == set(ExitReason) - {ExitReason.MANUAL}
    assert set(year.refusals) == {Refusal.COOLDOWN, Refusal.DAILY_TRADE_LIMIT}
    assert not year.rejections


def test_the_running_totals_equal_those_recomputed_from_all_fills(year: Report) -> None:
    recomputed = year.recomputed()
    assert year.totals == recomputed.totals
    assert year.cash == year.initial_cash + recomputed.cash_change
    assert (year.holding.size, year.holding.dust) == (recomputed.sizes["BTC-USDT"], recomputed.dust["BTC-USDT"])
    bought = sum(fill.size for fill in year.fills if fill.side is Side.BUY)
    assert year.holding.size + year.holding.dust == bought - sum(
        fill.size for fill in year.fills if fill.side is Side.SELL
    )
    assert year.totals.round_trips == len(year.round_trips)
    assert year.totals.round_trip_net == sum(trip.net for trip in year.round_trips)


def test_equity_is_the_starting_cash_with_the_total_and_the_open_result(
    year: Report, bars_2022: BarArrays, rules: SymbolRules
) -> None:
    last = year.equity[-1]
    assert last.time_ms == year.ended_at_ms == bars_2022.close_ms(-1)
    bid = floor_to(Decimal(repr(float(bars_2022.close[-1]))) * (1 - SPREAD / 2), rules.price_increment)
    position = year.holding.position
    open_result = Decimal(0) if position is None else unrealised(position, bid, RISK.taker_fee)
    assert last.equity == year.initial_cash + year.totals.realised + open_result
    assert all(before.time_ms <= after.time_ms for before, after in pairwise(year.equity))
    hours = sum(point.time_ms % 3_600_000 == 0 for point in year.equity)
    assert hours >= 8_750


def test_cash_and_coins_never_fall_below_zero_and_there_is_one_position_at_a_time(year: Report) -> None:
    cash, size = year.initial_cash, Decimal(0)
    for _, fills in groupby(year.fills, key=lambda fill: fill.intent_id):
        order = list(fills)
        if order[0].side is Side.BUY:
            assert size == 0, "an entry while a position is open"
            assert sum(fill.funds for fill in order) <= RISK.max_position_pct * cash
        for fill in order:
            cash += _cash_change(fill)
            size += fill.size if fill.side is Side.BUY else -fill.size
            assert cash >= 0
            assert size >= 0
    assert cash == year.cash


def _cash_change(fill: Fill) -> Decimal:
    assert fill.funds == fill.price * fill.size
    assert fill.fee_quote == fill.funds * RISK.taker_fee
    return (fill.funds if fill.side is Side.SELL else -fill.funds) - fill.fee_quote


def test_entries_keep_the_days_limits_and_the_cooldown(year: Report) -> None:
    trades_of_day: dict[object, int] = {}
    realised_of_day: dict[object, Decimal] = {}
    before: Trade | None = None
    for trade in year.trades:
        day = utc_day(trade.first_fill_at_ms)
        if trade.side is Side.BUY:
            assert trades_of_day.get(day, 0) < RISK.max_daily_trades
            assert realised_of_day.get(day, Decimal(0)) > -RISK.max_daily_loss
            assert before is None or _secs(before.last_fill_at_ms, trade.first_fill_at_ms) >= RISK.min_trade_interval
        trades_of_day[day] = trades_of_day.get(day, 0) + 1
        realised_of_day[day] = realised_of_day.get(day, Decimal(0)) + (trade.pnl or 0)
        before = trade
    assert max(trades_of_day.values()) >= RISK.max_daily_trades, "a year in which the limit was never reached"


def _secs(first_ms: int, last_ms: int) -> Decimal:
    return Decimal(last_ms - first_ms) / 1_000


def test_exits_happen_for_their_reasons_and_within_their_limits(year: Report) -> None:
    opened = {trip.round_trip_id: trip for trip in year.round_trips}
    partials: list[str] = []
    for trade in year.trades:
        trip = opened.get(trade.round_trip_id)
        if trip is None or trade.exit_reason is None:
            continue
        gain = trade.funds / trade.size / (trip.entry_cost / trip.entry_size) - 1
        match trade.exit_reason:
            case ExitReason.STOP_LOSS:
                assert gain <= -RISK.stop_loss_pct
            case ExitReason.TAKE_PROFIT:
                assert gain >= RISK.take_profit_pct
            case ExitReason.PARTIAL_EXIT:
                assert gain >= RISK.partial_exit_pct
                partials.append(trade.round_trip_id)
            case ExitReason.TRAILING_STOP:
                assert gain > -RISK.stop_loss_pct
            case _:
                assert _secs(trip.opened_at_ms, trade.first_fill_at_ms) >= RISK.min_trade_interval
                assert -RISK.stop_loss_pct < gain < RISK.take_profit_pct
    assert len(partials) == len(set(partials)), "a second partial exit of one round trip"


def test_every_order_obeys_the_exchanges_increments_and_minimums(year: Report, rules: SymbolRules) -> None:
    for fill in year.fills:
        assert fill.size % rules.base_increment == 0
        assert fill.price % rules.price_increment == 0
        assert fill.size >= rules.base_min_size
        assert fill.funds >= rules.min_funds


def test_the_same_bars_give_the_same_report_and_other_bars_another(bars_2022: BarArrays, make_agent: MakeAgent) -> None:
    may = bars_2022[130 * MINUTES_A_DAY : 134 * MINUTES_A_DAY]
    digests = [run_bars(make_agent(may), may, EngineSettings()).digest() for _ in range(2)]
    assert digests[0] == digests[1]
    later = bars_2022[131 * MINUTES_A_DAY : 135 * MINUTES_A_DAY]
    assert run_bars(make_agent(later), later, EngineSettings()).digest() != digests[0]
