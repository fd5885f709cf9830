"""The agent in one process: events in, a report out."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from btc_cli.backtest.desk import Desk
from btc_cli.backtest.mind import Mind, Patience, live_patience
from btc_cli.backtest.report import Report
from btc_shared.records import MINUTE_MS, BookPicture, Candle, LedgerKey, PublicTrade, SymbolRules
from decision_engine.domain import LIVE_BARS, Decision, Indicators, QTable, empty_table

if TYPE_CHECKING:
    from btc_shared.settings import EngineSettings, RiskSettings

BarsBetween = Callable[[int, int], Sequence[Candle]]
"""Final bars that opened in [first, last], both in milliseconds, oldest first."""


def counted_ids() -> Callable[[], str]:
    """Ids in the form of a UUID's 32 hexadecimal digits, counted from 1."""
    numbers = count(1)
    return lambda: f"{next(numbers):032x}"


class Agent:
    """Decision engine and executor of one symbol with simulated money.

    Every `on_…` takes the time at which the agent learns of an event; times never go back. Between a decision and
    its effect lies what lies there in the services: a signal is judged at once, an order meets the book `dry_latency`
    later.

    Args:
        patience: when a signal is confirmed; None: as in the decision engine.
        bars_between: where the bars of a closed round trip come from; None: from those that `on_bars` was given.
    """

    def __init__(
        self,
        key: LedgerKey,
        rules: SymbolRules,
        risk: "RiskSettings",
        engine: "EngineSettings",
        *,
        cash: Decimal,
        ids: Callable[[], str],
        table: QTable | None = None,
        patience: Patience | None = None,
        bars_between: BarsBetween | None = None,
    ) -> None:
        self.desk = Desk(key, rules, risk, cash, ids)
        self.mind = Mind(key, rules.symbol, engine, table or empty_table(), patience or live_patience(engine), ids)
        self._initial_cash = cash
        self._bars: list[Candle] = []
        self._bars_between = bars_between or self._own_bars

    def on_book(self, picture: BookPicture) -> None:
        """A picture of the order book, at its `received_at_ms`."""
        self.advance(picture.received_at_ms)
        self.mind.take_book(picture)
        self.desk.take_picture(picture, picture.received_at_ms)

    def on_price(self, picture: BookPicture) -> None:
        """A price for the executor only: a book that was made up tells the decision engine nothing."""
        self.advance(picture.received_at_ms)
        self.desk.take_picture(picture, picture.received_at_ms)

    def on_trades(self, trades: Sequence[PublicTrade]) -> None:
        self.mind.take_trades(trades)

    def on_bars(self, bars: Sequence[Candle], draw: float | None = None) -> None:
        """Bars that became final, oldest first. `draw`: see `vote_qlearning`; holds until the next bar."""
        if self.desk.position is None:
            del self._bars[:-LIVE_BARS]  # a lesson needs the bars from that many before its entry
        self._bars.extend(bars)
        self.mind.take_bars(self._bars[-LIVE_BARS:])
        self.mind.draw = draw

    def on_indicators(self, last_bar_close_ms: int, indicators: Indicators, draw: float | None = None) -> None:
        """In place of `on_bars`, when the indicators of all bars are known."""
        self.mind.take_indicators(last_bar_close_ms, indicators)
        self.mind.draw = draw

    def decide(self, at_ms: int) -> Decision:
        """Make a decision; its signal, if there is one, goes to the gates."""
        self.advance(at_ms)
        decision, signal = self.mind.decide(at_ms, is_long=self.desk.position is not None)
        if signal is not None:
            self.desk.take_signal(signal, at_ms)
        return decision

    def note_equity(self, at_ms: int) -> None:
        """Add a point to the report's equity."""
        self.advance(at_ms)
        self.desk.note_equity(at_ms)

    def report(self, at_ms: int) -> Report:
        """What it came to by `at_ms`."""
        self.advance(at_ms)
        desk = self.desk
        return Report(
            ended_at_ms=at_ms,
            initial_cash=self._initial_cash,
            cash=desk.account.cash,
            holding=desk.holding,
            totals=desk.account.totals,
            round_trips=tuple(desk.round_trips),
            trades=tuple(desk.trades),
            history=tuple(desk.history),
            exit_reasons=dict(desk.exit_reasons),
            refusals=dict(desk.refusals),
            rejections=dict(desk.rejections),
            equity=(*desk.equity, *desk.equity_at(at_ms)),
        )

    def advance(self, at_ms: int) -> None:
        """Let time pass: orders that are due meet the newest book, and round trips that closed are learned from."""
        for closed in self.desk.advance(at_ms):
            first_ms = closed.trip.opened_at_ms - LIVE_BARS * MINUTE_MS
            bars = self._bars_between(first_ms, closed.trip.closed_at_ms)
            self.mind.learn(closed.trip, closed.fills, bars)

    def _own_bars(self, first_ms: int, last_ms: int) -> list[Candle]:
        return [bar for bar in self._bars if first_ms <= bar.open_time_ms <= last_ms]
