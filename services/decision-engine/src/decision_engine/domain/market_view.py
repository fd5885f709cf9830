"""What the agent sees of one symbol's market, and the frozen inputs of one decision.

All times are milliseconds on the exchange's clock; ages are seconds.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import numpy as np

from btc_shared.codes import Mode
from btc_shared.records import MINUTE_MS, BookPicture, Candle, PublicTrade
from decision_engine.domain.flow import TradeWindow
from decision_engine.domain.indicators import Indicators, latest_indicators
from decision_engine.domain.smoothing import SmoothedMean, smooth

MAX_BOOK_AGE_SECS = 10.0
MAX_TRADE_AGE_SECS = 60.0
MAX_BAR_AGE_SECS = 120.0
CLOCK_TOLERANCE_SECS = 2.0
"""How far in the future a book or a trade may lie. Beyond it our clock is wrong, and every age with it."""

BOOK_LEVELS = 10


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one decision reads. None means that there is none yet, or that it is undefined."""

    symbol: str
    mode: Mode
    at_ms: int
    """When the decision is made."""
    is_long: bool
    """True while the agent holds a position."""
    bid: Decimal | None = None
    """Best bid, USDT."""
    ask: Decimal | None = None
    """Best ask, USDT."""
    price: Decimal | None = None
    """Mid of best bid and best ask, USDT."""
    spread_bp: float | None = None
    """Spread in basis points of the mid; negative if the book is crossed."""
    imbalance: float | None = None
    """Book imbalance of the top 10 levels in the newest picture, in [−1, 1]."""
    imbalance_mean: float | None = None
    """Its exponentially weighted mean."""
    flow: float | None = None
    """Trade flow over the last 100 public trades, in [−1, 1]."""
    flow_mean: float | None = None
    """Its exponentially weighted mean."""
    book_age_secs: float | None = None
    trade_age_secs: float | None = None
    """Age of the newest public trade."""
    bar_age_secs: float | None = None
    """Age of the last final bar, counted from its close."""
    indicators: Indicators = Indicators()
    """Of the last final bar."""

    @property
    def book_problem(self) -> str | None:
        """Why the order book cannot be used; None if it is fresh."""
        return _age_problem("order book", self.book_age_secs, MAX_BOOK_AGE_SECS, -CLOCK_TOLERANCE_SECS)

    @property
    def trade_problem(self) -> str | None:
        """Why the public trades cannot be used; None if they are fresh."""
        return _age_problem("public trade", self.trade_age_secs, MAX_TRADE_AGE_SECS, -CLOCK_TOLERANCE_SECS)

    @property
    def bar_problem(self) -> str | None:
        """Why the last bar cannot be used; None if it is fresh. A bar that has not closed yet is never used."""
        return _age_problem("final bar", self.bar_age_secs, MAX_BAR_AGE_SECS, 0.0)


class MarketView(msgspec.Struct, frozen=True, kw_only=True):
    """The running state that inputs are taken from. Every method returns a new view."""

    symbol: str
    tau_secs: float
    """Time constant of both means."""
    book: BookPicture | None = None
    imbalance: float | None = None
    imbalance_mean: SmoothedMean | None = None
    trades: TradeWindow = TradeWindow()
    flow: float | None = None
    flow_mean: SmoothedMean | None = None
    last_bar_close_ms: int | None = None
    indicators: Indicators = Indicators()

    def with_book(self, book: BookPicture) -> "MarketView":
        """Take a picture of the order book; one older than the newest is ignored.

        Raises:
            ValueError: if it is of another symbol.
        """
        self._refuse_other_symbol(book.symbol)
        if self.book is not None and book.event_time_ms < self.book.event_time_ms:
            return self
        imbalance = book.imbalance(BOOK_LEVELS)
        return msgspec.structs.replace(
            self,
            book=book,
            imbalance=imbalance,
            imbalance_mean=smooth(self.imbalance_mean, imbalance, book.event_time_ms, self.tau_secs),
        )

    def with_trade(self, trade: PublicTrade) -> "MarketView":
        """Take a public trade; known ones are ignored, late ones are put in their place.

        Raises:
            ValueError: if it is of another symbol.
        """
        self._refuse_other_symbol(trade.symbol)
        trades = self.trades.add(trade)
        if trades is self.trades:
            return self
        flow = trades.flow
        mean = self.flow_mean
        if flow is not None:
            mean = smooth(mean, flow, trade.event_time_ms, self.tau_secs)
        return msgspec.structs.replace(self, trades=trades, flow=flow, flow_mean=mean)

    def with_bars(self, bars: Sequence[Candle]) -> "MarketView":
        """Take the last final bars, oldest first, better `LIVE_BARS` of them; they replace those before.

        Only the bars after the last gap count: indicators over a missing minute would be wrong, whereas with too
        few bars they are missing and say so. Call it when a bar becomes final: a correction of an older bar
        counts from the next bar on.

        Raises:
            ValueError: if a bar is of another symbol, or its numbers are impossible.
        """
        for symbol in {bar.symbol for bar in bars}:
            self._refuse_other_symbol(symbol)
        if not bars:
            return msgspec.structs.replace(self, last_bar_close_ms=None, indicators=Indicators())
        gaps = np.flatnonzero(np.diff([bar.open_time_ms for bar in bars]) != MINUTE_MS)
        run = bars[int(gaps[-1]) + 1 :] if len(gaps) else bars
        return msgspec.structs.replace(
            self,
            last_bar_close_ms=run[-1].close_time_ms,
            indicators=latest_indicators([float(bar.close) for bar in run], [float(bar.volume) for bar in run]),
        )

    def inputs(self, *, mode: Mode, at_ms: int, is_long: bool) -> Inputs:
        """What a decision at `at_ms` reads."""
        book = self.book
        return Inputs(
            symbol=self.symbol,
            mode=mode,
            at_ms=at_ms,
            is_long=is_long,
            bid=book.best_bid if book else None,
            ask=book.best_ask if book else None,
            price=book.mid if book else None,
            spread_bp=book.spread_bp if book else None,
            imbalance=self.imbalance,
            imbalance_mean=self.imbalance_mean.value if self.imbalance_mean else None,
            flow=self.flow,
            flow_mean=self.flow_mean.value if self.flow_mean else None,
            book_age_secs=_age(at_ms, book.event_time_ms if book else None),
            trade_age_secs=_age(at_ms, self.trades.newest_ms),
            bar_age_secs=_age(at_ms, self.last_bar_close_ms),
            indicators=self.indicators,
        )

    def _refuse_other_symbol(self, symbol: str) -> None:
        if symbol != self.symbol:
            raise ValueError(f"this view is of {self.symbol}: it takes no data of {symbol}")


def _age(at_ms: int, event_ms: int | None) -> float | None:
    return None if event_ms is None else (at_ms - event_ms) / 1000


def _age_problem(name: str, age_secs: float | None, limit_secs: float, floor_secs: float) -> str | None:
    if age_secs is None:
        return f"no {name} yet"
    if age_secs > limit_secs:
        return f"newest {name} is {age_secs:.1f} s old (limit {limit_secs:.0f} s)"
    if age_secs < floor_secs:
        return f"newest {name} lies {-age_secs:.1f} s in the future: clock or data are wrong"
    return None
