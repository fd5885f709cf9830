from decimal import Decimal

import pytest

from btc_shared.codes import Side
from btc_shared.records import MINUTE_MS, Candle
from decision_engine.domain import ClosedRoundTrip, TripFill, cell_of, latest_indicators, lesson

START_MS = 1_700_000_040_000  # a whole minute


def bars(count: int) -> list[Candle]:
    """Bars that wander, so that every indicator exists and cells differ."""
    made = []
    for number in range(count):
        close = Decimal(50_000 + (number * 37) % 101 - 2 * number)
        made.append(
            Candle(
                symbol="BTC-USDT",
                open_time_ms=START_MS + number * MINUTE_MS,
                open=close,
                high=close,
                low=close,
                close=close,
                volume=Decimal(1 + number % 3),
                turnover=close,
            )
        )
    return made


def fill(side: Side, size: str, funds: str, at_ms: int) -> TripFill:
    return TripFill(side=side, size=Decimal(size), funds=Decimal(funds), fee=Decimal(funds) / 1000, time_ms=at_ms)


def closing(number: int) -> int:
    """When bar `number` closes."""
    return START_MS + (number + 1) * MINUTE_MS


def trip(*fills: TripFill, entry_bar: int | None = None) -> ClosedRoundTrip:
    return ClosedRoundTrip(
        number=7,
        entry_bar_ms=None if entry_bar is None else START_MS + entry_bar * MINUTE_MS,
        opened_at_ms=fills[0].time_ms,
        closed_at_ms=fills[-1].time_ms,
        net_bp=12.5,
        fills=fills,
    )


def cell(known: list[Candle], number: int) -> int | None:
    upto = known[: number + 1]
    return cell_of(latest_indicators([float(bar.close) for bar in upto], [float(bar.volume) for bar in upto]))


def test_a_lesson_has_the_cells_of_the_bars_that_were_known_and_the_value_of_selling_at_each_long_bar() -> None:
    known = bars(110)
    bought = fill(Side.BUY, "2", "100", closing(100) + 20_000)
    half = fill(Side.SELL, "1", "60", closing(102) - 10_000)
    rest = fill(Side.SELL, "1", "55", closing(103) + 5_000)
    taught = lesson(trip(bought, half, rest, entry_bar=100), known)
    assert (taught.number, taught.net_result_bp) == (7, 12.5)
    assert taught.entry_cell == cell(known, 100)
    assert taught.close_cell == cell(known, 103)
    # Bars 101, 102 and 103 closed while the position was open.
    assert [bar.cell for bar in taught.long_bars] == [cell(known, number) for number in (101, 102, 103)]
    fee = Decimal("0.001")
    cost = Decimal(100) + Decimal("0.1")
    whole = 2 * known[101].close * (1 - fee) - cost
    part = Decimal(60) * (1 - fee) + known[102].close * (1 - fee) - cost
    assert taught.long_bars[0].sold_here_bp == pytest.approx(float(whole / 100 * 10_000))
    assert taught.long_bars[1].sold_here_bp == pytest.approx(float(part / 100 * 10_000))


def test_without_its_decision_the_entry_is_in_the_last_bar_that_had_closed() -> None:
    known = bars(110)
    taught = lesson(trip(fill(Side.BUY, "1", "50", closing(104)), fill(Side.SELL, "1", "51", closing(104) + 10)), known)
    assert taught.entry_cell == cell(known, 104)
    assert [bar.cell for bar in taught.long_bars] == [cell(known, 104)]


def test_indicators_do_not_reach_across_a_missing_minute() -> None:
    known = bars(210)
    with_gap = known[:100] + known[101:]
    traded = trip(fill(Side.BUY, "1", "50", closing(105)), fill(Side.SELL, "1", "51", closing(200)), entry_bar=105)
    taught = lesson(traded, with_gap)
    assert taught.entry_cell is None  # five bars after the gap are too few
    assert taught.close_cell == cell(known[101:], 200 - 101)


def test_bars_that_are_not_there_teach_nothing() -> None:
    taught = lesson(
        trip(fill(Side.BUY, "1", "50", closing(3)), fill(Side.SELL, "1", "51", closing(5)), entry_bar=3), bars(10)
    )
    assert (taught.entry_cell, taught.close_cell) == (None, None)
    assert [bar.cell for bar in taught.long_bars] == [None, None]
    assert lesson(trip(fill(Side.BUY, "1", "50", closing(3))), []).long_bars == ()


def test_a_round_trip_without_an_entry_is_refused() -> None:
    sold = fill(Side.SELL, "1", "51", closing(5))
    broken = ClosedRoundTrip(
        number=1, entry_bar_ms=None, opened_at_ms=closing(3), closed_at_ms=closing(5), net_bp=0, fills=(sold,)
    )
    with pytest.raises(ValueError, match="has no entry fill"):
        lesson(broken, bars(10))
