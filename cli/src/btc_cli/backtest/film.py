"""A market of the practice exchange, followed in virtual time as the services follow it in real time.

The agent begins some seconds after the exchange, as the services do: with the history's bars and the last 100 trades
over REST, then a picture of the book every 100 ms, every public trade, each minute's bar when it is final, and a
decision every `poll_interval` and at each bar. What is left out is the milliseconds on the way.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from btc_cli.backtest.loop import Agent
from btc_cli.backtest.report import Report
from btc_shared.codes import Side
from btc_shared.kucoin.answers import symbol_rules
from btc_shared.records import MINUTE_MS, BookPicture, Candle, Level, PublicTrade, SymbolRules
from decision_engine.domain import FLOW_TRADES, LIVE_BARS, Decision
from kucoin_sim.candles import BarStore
from kucoin_sim.instruments import Instrument
from kucoin_sim.market import Bar, Market, Trade

if TYPE_CHECKING:
    from btc_shared.settings import EngineSettings

HOUR_MS = 60 * MINUTE_MS
BAR_FINAL_MS = 2_200
"""After its minute, a bar whose whole minute the feed followed: 2 s, and a beat of the feed's clock."""
BAR_READ_MS = 10_600
"""After its minute, a bar that the feed has to read over REST, which speaks with authority after 10 s."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How a market is followed."""

    picture_ms: int = 100
    """Between pictures of the book; a multiple of the market's tick of 100 ms."""
    levels: int = 50
    """Of each side in a picture."""


def rules_of(instrument: Instrument) -> SymbolRules:
    """The exchange's rules, read as the agent reads them."""
    body = msgspec.json.encode(instrument.symbol_object())
    return symbol_rules(body, instrument.symbol)


def play_film(
    agent: Agent,
    market: Market,
    settings: "EngineSettings",
    *,
    follow_ms: int,
    until_ms: int,
    pace: Pace = Pace(),  # noqa: B008 - frozen
    draw: Callable[[], float] | None = None,
    watch: Callable[[Decision], None] = lambda decision: None,
) -> Report:
    """Let the agent trade on a market from `follow_ms` to `until_ms`, whole multiples of 100 ms.

    Args:
        market: fresh from its maker; it is played to the end of the film.
        draw: random numbers from [0, 1), one for each bar, to explore with; None: do not explore.
        watch: gets every decision.
    """
    film = _Film(agent, market, pace, draw)
    film.begin(follow_ms)
    poll_ms = int(settings.poll_interval * 1_000)
    next_poll_ms = follow_ms + poll_ms
    for now_ms in range(follow_ms, until_ms + 1, pace.picture_ms):
        is_new_bar = film.step(now_ms)
        if is_new_bar or now_ms >= next_poll_ms:
            watch(agent.decide(now_ms))
            next_poll_ms = now_ms + poll_ms
        if now_ms % HOUR_MS == 0:
            agent.note_equity(now_ms)
    return agent.report(until_ms)


class _Film:
    """Turns a market's integers into the records that the feed would have made of them."""

    def __init__(self, agent: Agent, market: Market, pace: Pace, draw: Callable[[], float] | None) -> None:
        self._agent, self._market, self._pace = agent, market, pace
        self._draw: Callable[[], float | None] = draw or (lambda: None)
        instrument = market.instrument
        self._symbol = instrument.symbol
        self._price_scale, self._size_scale = -instrument.price_decimals, -instrument.size_decimals
        self._bars = BarStore(market.history[-LIVE_BARS - 5 :])
        self._trade_number = 0
        self._next_bar_ms = 0
        self._next_final_ms = 0
        self._follow_ms = 0

    def begin(self, follow_ms: int) -> None:
        """What REST tells at the start."""
        self._follow_ms = follow_ms
        trades = self._trades(follow_ms)
        self._next_bar_ms = (follow_ms - BAR_READ_MS) // MINUTE_MS * MINUTE_MS
        self._plan_bar()
        first_ms = self._next_bar_ms - LIVE_BARS * MINUTE_MS
        known = self._bars.minutes_since(first_ms)
        self._agent.on_bars([self._candle(bar) for bar in known if bar.open_ms < self._next_bar_ms], self._draw())
        self._agent.on_trades(trades[-FLOW_TRADES:])

    def step(self, now_ms: int) -> bool:
        """Trades and book of the time up to `now_ms`; True if a bar became final."""
        trades = self._trades(now_ms)
        if trades:
            self._agent.on_trades(trades)
        self._agent.on_book(self._picture(now_ms))
        if now_ms < self._next_final_ms:
            return False
        bar = self._final_bar()
        self._plan_bar()
        self._agent.on_bars([bar], self._draw())
        return True

    def _trades(self, now_ms: int) -> list[PublicTrade]:
        played = self._market.advance_to(now_ms)
        for trade in played:
            self._bars.add(trade)
        return [self._public(trade) for trade in played]

    def _public(self, trade: Trade) -> PublicTrade:
        self._trade_number += 1
        return PublicTrade(
            symbol=self._symbol,
            trade_id=str(self._trade_number),
            event_time_ms=trade.time_ms,
            price=Decimal(trade.price).scaleb(self._price_scale),
            size=Decimal(trade.size).scaleb(self._size_scale),
            side=Side(trade.side),
        )

    def _picture(self, now_ms: int) -> BookPicture:
        book = self._market.book(self._pace.levels)
        return BookPicture(
            symbol=self._symbol,
            event_time_ms=self._market.book_ms,
            received_at_ms=now_ms,
            bids=self._levels(book.bids),
            asks=self._levels(book.asks),
        )

    def _levels(self, rows: Sequence[tuple[int, int]]) -> tuple[Level, ...]:
        price_scale, size_scale = self._price_scale, self._size_scale
        return tuple(
            Level(Decimal(price).scaleb(price_scale), Decimal(size).scaleb(size_scale)) for price, size in rows
        )

    def _plan_bar(self) -> None:
        followed = self._next_bar_ms >= self._follow_ms
        self._next_final_ms = self._next_bar_ms + MINUTE_MS + (BAR_FINAL_MS if followed else BAR_READ_MS)

    def _final_bar(self) -> Candle:
        """The minute that is due; flat at the last close if nobody traded in it."""
        open_ms = self._next_bar_ms
        self._next_bar_ms += MINUTE_MS
        known = self._bars.minutes_since(open_ms - LIVE_BARS * MINUTE_MS)
        bar = next((bar for bar in known if bar.open_ms == open_ms), None)
        if bar is None:
            close = next(bar.close for bar in reversed(known) if bar.open_ms < open_ms)
            bar = Bar(open_ms, close, close, close, close, 0, 0)
        return self._candle(bar)

    def _candle(self, bar: Bar) -> Candle:
        price, size = self._price_scale, self._size_scale
        return Candle(
            symbol=self._symbol,
            open_time_ms=bar.open_ms,
            open=Decimal(bar.open).scaleb(price),
            high=Decimal(bar.high).scaleb(price),
            low=Decimal(bar.low).scaleb(price),
            close=Decimal(bar.close).scaleb(price),
            volume=Decimal(bar.volume).scaleb(size),
            turnover=Decimal(bar.turnover).scaleb(price + size),
            filled=not bar.volume,
        )
