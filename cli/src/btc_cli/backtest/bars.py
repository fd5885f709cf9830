"""One-minute bars alone: the whole agent without book and trades, fast enough for years.

Two of the four strategies abstain, so their weight is shared and the threshold is 0.50. What bars do not tell is
assumed, against the agent where there is a choice:

- A decision is made when a bar closes, and confirmed when the next bar's says the same (`ONE_BAR`). Its order fills
  at the next bar's open.
- The book is one level, deeper than any order, `spread` wide and around the bar's price. Beyond half the spread
  nothing is lost to slippage.
- Within a bar the price runs from the open to the low, to the high, to the close, tick by tick. So a stop comes
  before a profit when a bar holds both, and a protective exit fills at the first tick that causes it, or at the open
  when that is beyond it already. Low and high are dated 20 and 40 s after the open.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from btc_cli.backtest.loop import Agent
from btc_cli.backtest.mind import Patience
from btc_cli.backtest.report import Report
from btc_shared.codes import Strategy
from btc_shared.records import MINUTE_MS, BookPicture, Candle, Level
from decision_engine.domain import (
    LIVE_BARS,
    Decision,
    IndicatorArrays,
    QTable,
    cells_of,
    combine,
    compute_indicators,
    q_scores,
    technical_scores,
)
from executor.domain.arithmetic import floor_to

if TYPE_CHECKING:
    from btc_shared.settings import EngineSettings

FloatArray = NDArray[np.float64]

ONE_BAR = Patience(confirm_secs=60.0, max_gap_secs=90.0)
"""A condition must hold from one bar's close to the next one's."""
SPREAD = Decimal("0.0001")
"""1 bp of the price: several times what BTC-USDT shows, to stand for slippage as well."""
WARM_UP_BARS = 300
"""First bars that no decision is made on; the indicators are then exact to 1e-6."""

_DEPTH = Decimal(1_000_000)
_LOW_MS, _HIGH_MS = 20_000, 40_000
_HOUR_MS = 60 * MINUTE_MS
_CHUNK = 1_440


@dataclass(frozen=True, slots=True, eq=False)
class BarArrays:
    """Consecutive final bars, oldest first: arrays of shape (bars,); opening times in milliseconds.

    Raises:
        ValueError: the arrays differ in length, or the times are not whole minutes in ascending order.
    """

    symbol: str
    open_ms: NDArray[np.int64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __post_init__(self) -> None:
        columns = (self.open_ms, self.open, self.high, self.low, self.close, self.volume)
        if len({column.shape for column in columns}) != 1 or self.open_ms.ndim != 1:
            raise ValueError(f"the columns have shapes {[column.shape for column in columns]}: all must be (bars,)")
        if (np.diff(self.open_ms) < MINUTE_MS).any() or (self.open_ms % MINUTE_MS).any():
            raise ValueError("opening times must be whole minutes in ascending order")

    def __len__(self) -> int:
        return len(self.open_ms)

    def close_ms(self, bar: int) -> int:
        """First millisecond after a bar."""
        return int(self.open_ms[bar]) + MINUTE_MS

    def __getitem__(self, bars: slice) -> "BarArrays":
        return BarArrays(
            symbol=self.symbol,
            open_ms=self.open_ms[bars],
            open=self.open[bars],
            high=self.high[bars],
            low=self.low[bars],
            close=self.close[bars],
            volume=self.volume[bars],
        )

    def candle(self, bar: int) -> Candle:
        """One bar as the feed would tell it. Its turnover is estimated from the close."""
        volume, close = _decimal(self.volume[bar]), _decimal(self.close[bar])
        return Candle(
            symbol=self.symbol,
            open_time_ms=int(self.open_ms[bar]),
            open=_decimal(self.open[bar]),
            high=_decimal(self.high[bar]),
            low=_decimal(self.low[bar]),
            close=close,
            volume=volume,
            turnover=volume * close,
            filled=not volume,
        )

    def between(self, first_ms: int, last_ms: int) -> list[Candle]:
        """Bars that opened in [first_ms, last_ms]."""
        first, last = np.searchsorted(self.open_ms, [first_ms, last_ms + 1])
        return [self.candle(bar) for bar in range(int(first), int(last))]

    def indicators(self) -> IndicatorArrays:
        """The indicators of every bar. As in `MarketView.with_bars`, nothing is reckoned across a gap."""
        starts = np.flatnonzero(np.diff(self.open_ms) != MINUTE_MS) + 1
        runs = [
            compute_indicators(closes, volumes)
            for closes, volumes in zip(np.split(self.close, starts), np.split(self.volume, starts), strict=True)
        ]
        names = IndicatorArrays.__dataclass_fields__
        return IndicatorArrays(**{name: np.concatenate([getattr(run, name) for run in runs]) for name in names})


def run_bars(
    agent: Agent,
    bars: BarArrays,
    settings: "EngineSettings",
    *,
    spread: Decimal = SPREAD,
    warm_up: int = WARM_UP_BARS,
    draws: Sequence[float] | None = None,
    every_bar: bool = False,
    watch: Callable[[Decision], None] = lambda decision: None,
) -> Report:
    """Let the agent trade on bars.

    Args:
        agent: made with `patience=ONE_BAR` and `bars_between=bars.between`.
        settings: the agent's.
        draws: a random number from [0, 1) for each bar, to explore with; None: do not explore.
        every_bar: walk through all bars and let the agent compute its indicators as it does live. Without it only
            bars on which something can happen are walked through, found on arrays; the report is the same.
        watch: gets every decision that is made; without `every_bar` those that could only be HOLD are not.
    """
    walk = _Walk(agent, bars, spread)
    scout = None if every_bar else _Scout(bars, settings, draws)
    bar = warm_up
    if scout is None:
        agent.on_bars([bars.candle(number) for number in range(max(0, bar - LIVE_BARS), bar)])
    while bar < len(bars):
        if scout is not None and not agent.desk.is_busy:
            bar = scout.next_stop(bar, agent.mind.table)
            if bar == len(bars):
                break
        walk.through(bar)
        close_ms = bars.close_ms(bar)
        draw = None if draws is None else draws[bar]
        decides = True
        if scout is None:
            agent.on_bars([bars.candle(bar)], draw)
        elif scout.may_act(bar, agent.mind.table, is_long=agent.desk.position is not None):
            agent.on_indicators(close_ms, scout.indicators.at(bar), draw)
        else:
            decides = False
        if decides:
            watch(agent.decide(close_ms))
        if close_ms % _HOUR_MS == 0:
            agent.note_equity(close_ms)
        bar += 1
    return agent.report(bars.close_ms(-1))


class _Scout:
    """Knows the bars on which a decision could be other than HOLD, for the newest table, a day ahead at a time.

    A bar that is passed over interrupts a condition as its decision would have: the pause is longer than `ONE_BAR`
    allows.
    """

    def __init__(self, bars: BarArrays, settings: "EngineSettings", draws: Sequence[float] | None) -> None:
        self.indicators = arrays = bars.indicators()
        self._settings = settings
        self._technical = technical_scores(
            **{name: getattr(arrays, name) for name in ("close", "ema_20", "rsi", "momentum", "trend", "volatility")}
        )
        self._cells = cells_of(**{name: getattr(arrays, name) for name in ("rsi", "momentum", "volatility", "trend")})
        self._marks = (bars.open_ms + MINUTE_MS) % _HOUR_MS == 0
        self._explores = np.zeros(len(bars), np.bool_)
        if draws is not None:
            self._explores = np.asarray(draws) < settings.q_exploration
        self._table: QTable | None = None
        self._first = self._end = 0
        self._long: NDArray[np.bool_] = self._explores
        self._stops: list[int] = []

    def next_stop(self, bar: int, table: QTable) -> int:
        """The first bar from `bar` on at which a flat agent may buy or notes its equity; the number of bars if none."""
        while bar < len(self._technical):
            self._look_ahead(bar, table)
            place = bisect_left(self._stops, bar)
            if place < len(self._stops):
                return self._stops[place]
            bar = self._end
        return bar

    def may_act(self, bar: int, table: QTable, *, is_long: bool) -> bool:
        """False if the decision at this bar's close is HOLD, or says what the position does not allow."""
        self._look_ahead(bar, table)
        return bool((self._long if is_long else self._flat)[bar - self._first])

    def _look_ahead(self, bar: int, table: QTable) -> None:
        if table is self._table and self._first <= bar < self._end:
            return
        self._table, self._first, self._end = table, bar, min(bar + _CHUNK, len(self._technical))
        span = slice(self._first, self._end)
        explores = self._explores[span]
        buying, selling = q_scores(table, self._settings)
        self._flat = (self._directions(span, buying) > 0) | explores
        self._long = (self._directions(span, selling) < 0) | explores
        self._stops = (np.flatnonzero(self._flat | self._marks[span]) + self._first).tolist()

    def _directions(self, span: slice, q_of_cells: FloatArray) -> NDArray[np.int8]:
        cells = self._cells[span]
        votes = {
            Strategy.TECHNICAL: self._technical[span],
            Strategy.QLEARNING: np.where(cells < 0, np.nan, q_of_cells[cells]),
        }
        absent = np.full(len(cells), np.nan)
        return combine(
            np.stack([votes.get(strategy, absent) for strategy in Strategy], axis=-1), self._settings
        ).direction


class _Walk:
    """Leads the agent's prices through a bar."""

    def __init__(self, agent: Agent, bars: BarArrays, spread: Decimal) -> None:
        self._agent, self._bars, self._spread = agent, bars, spread
        self._tick = agent.desk.rules.price_increment
        self._now_ms = 0
        self._bid = Decimal(0)

    def through(self, bar: int) -> None:
        """From the open to the close; straight to the close while nothing in between can matter."""
        bars, desk = self._bars, self._agent.desk
        open_ms = int(bars.open_ms[bar])
        low, high = self._bid_of(bars.low[bar]), self._bid_of(bars.high[bar])
        if desk.is_busy and not desk.is_quiet(low, high, open_ms):
            self._show(self._bid_of(bars.open[bar]), open_ms)
            self._glide(low, open_ms + _LOW_MS)
            self._glide(high, open_ms + _HIGH_MS)
        self._glide(self._bid_of(bars.close[bar]), open_ms + MINUTE_MS - 1)

    def _glide(self, to_bid: Decimal, at_ms: int) -> None:
        """Move tick by tick, as far as it matters: to each bid that causes an exit, and to the end."""
        desk = self._agent.desk
        self._wait_until(at_ms)
        while (position := desk.position) is not None and desk.exit_due(to_bid, self._now_ms) is not None:
            self._show(self._first_exit(to_bid), self._now_ms)
            self._wait_until(self._now_ms + desk.latency_ms)
            if desk.position is not None and desk.position.size == position.size:
                break  # refused, or too small to be sold: nothing gets better on the way
        self._show(to_bid, self._now_ms)

    def _first_exit(self, to_bid: Decimal) -> Decimal:
        """The first bid on the way that causes an exit, given that the last one does: once it does, all after it do."""
        desk, tick = self._agent.desk, self._tick
        steps = int(abs(to_bid - self._bid) / tick)
        direction = tick if to_bid > self._bid else -tick
        place = bisect_left(
            range(1, steps),
            True,
            key=lambda step: desk.exit_due(self._bid + step * direction, self._now_ms) is not None,
        )
        return self._bid + (place + 1) * direction if steps else to_bid

    def _wait_until(self, at_ms: int) -> None:
        self._now_ms = max(at_ms, self._now_ms)
        self._agent.advance(self._now_ms)

    def _show(self, bid: Decimal, at_ms: int) -> None:
        self._now_ms = max(at_ms, self._now_ms)
        self._bid = bid
        ask = bid + max(self._tick, (bid * self._spread).quantize(self._tick, ROUND_CEILING))
        self._agent.on_price(
            BookPicture(
                symbol=self._bars.symbol,
                event_time_ms=self._now_ms,
                received_at_ms=self._now_ms,
                bids=(Level(bid, _DEPTH),),
                asks=(Level(ask, _DEPTH),),
            )
        )

    def _bid_of(self, price: float) -> Decimal:
        """The bid at a traded price, half the spread below it."""
        return floor_to(_decimal(price) * (1 - self._spread / 2), self._tick)


def _decimal(value: float) -> Decimal:
    """As the file's text had it: the shortest decimal number that is this float."""
    return Decimal(repr(float(value)))
