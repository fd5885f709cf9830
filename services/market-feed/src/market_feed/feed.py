"""From the exchange's frames to the market's state and messages. Runs between two reads of the socket: no waiting."""

from collections.abc import Callable, Iterable, Sequence
from time import monotonic

import msgspec
import structlog

from btc_shared.codes import DataSource
from btc_shared.kucoin import frames
from btc_shared.kucoin.errors import MalformedError
from btc_shared.kucoin.frames import Frame
from btc_shared.kucoin.server_clock import ServerClock
from btc_shared.messages import TradeBatch
from btc_shared.records import BookPicture, PublicTrade
from market_feed import metrics
from market_feed.bar_keeper import BarKeeper
from market_feed.domain.flow import RecentTrades
from market_feed.domain.sources import Sources
from market_feed.outbox import Outbox
from market_feed.storage import MarketState

BOOK_LEVELS = 50
# An event from further ahead on the exchange's own clock is garbage; it would look fresh for ever.
MAX_AHEAD_MS = 5_000
# For this long an older picture than the newest is a straggler; after that, the exchange's clock was set back.
STRAGGLER_MS = 10_000
LOG_EVERY = 100

log = structlog.get_logger(__name__)


class Feed:
    """Knows the newest book and trades of one symbol and passes everything on to streams and bars.

    `at_secs` is a clock that nobody sets, for the socket's silence.
    """

    def __init__(
        self,
        symbol: str,
        server_clock: ServerClock,
        bars: BarKeeper,
        outbox: Outbox,
        sources: Sources,
        *,
        at_secs: Callable[[], float] = monotonic,
    ) -> None:
        self._symbol, self._clock, self._bars, self._outbox = symbol, server_clock, bars, outbox
        self._sources, self._at_secs = sources, at_secs
        self._trades = RecentTrades()
        self.trade_gaps = 0
        self._book: BookPicture | None = None
        self._handlers = {
            frames.depth_topic(symbol): self._on_depth,
            frames.trades_topic(symbol): self._on_match,
            frames.candles_topic(symbol): self._on_candle,
        }

    @property
    def state(self) -> MarketState | None:
        """The newest picture of the market; None before the first book."""
        if self._book is None:
            return None
        return MarketState(self._book, self._trades.flow(), self._trades.newest)

    def age_ms(self) -> dict[str, int | None]:
        """By kind, how old the newest book, trade and final bar are on the exchange's clock; None: there is none."""
        now_ms = self._clock.exchange_now_ms()
        trade, bar = self._trades.newest, self._bars.newest
        moments = {
            metrics.BOOK: self._book.event_time_ms if self._book else None,
            metrics.TRADES: trade.event_time_ms if trade else None,
            metrics.CANDLE: bar.close_time_ms if bar else None,
        }
        return {kind: None if moment is None else max(0, now_ms - moment) for kind, moment in moments.items()}

    def on_frame(self, frame: Frame) -> None:
        """Take one frame of the socket.

        Raises:
            MalformedError: the frame is not as documented; nothing of it was used.
        """
        handler = self._handlers.get(frame.topic)
        if handler is None:
            raise MalformedError(frame.topic[:80], "is a topic that was not subscribed", frame.data)
        handler(frame)

    def on_rest_book(self, book: BookPicture) -> None:
        """Take a book that was read over REST while the socket delivered none."""
        self._take_book(book, "REST book")

    def on_rest_trades(self, found: Iterable[PublicTrade], received_at_ms: int) -> None:
        """Take the recent trades, read over REST; those that the socket brought already change nothing.

        Raises:
            MalformedError: one of them is from the future; none was used.
        """
        trades = list(found)
        self._check_times(trades, "REST histories")
        if trades and not self._trades.meets(trades):
            metrics.trade_gaps.inc()
            self.trade_gaps += 1
            if self.trade_gaps % LOG_EVERY == 1:  # in a hurried market each poll of an outage may find one
                log.warning("trades_missed", until_ms=trades[0].event_time_ms, times=self.trade_gaps)
        self._take_trades(trades, received_at_ms, DataSource.REST)

    def _on_depth(self, frame: Frame) -> None:
        book = frames.book_picture(frame)
        self._take_book(book, frame.topic)
        self._sources.heard(metrics.BOOK, self._at_secs())
        self._bars.on_heard(book.event_time_ms)

    def _take_book(self, book: BookPicture, source: str) -> None:
        self._check_time(book.event_time_ms, source)
        newest = self._book
        if (
            newest is not None
            and book.event_time_ms < newest.event_time_ms
            and book.received_at_ms - newest.received_at_ms < STRAGGLER_MS
        ):
            metrics.books_late.inc()
            return
        if self._clock.exchange_now_ms() - book.event_time_ms > STRAGGLER_MS:
            self._clock.doubt()
        metrics.events_in.labels(metrics.BOOK).inc()
        self._book = msgspec.structs.replace(book, bids=book.bids[:BOOK_LEVELS], asks=book.asks[:BOOK_LEVELS])
        self._outbox.put(self._book)

    def _on_match(self, frame: Frame) -> None:
        trade = frames.public_trade(frame)
        self._check_times([trade], frame.topic)
        self._sources.heard(metrics.TRADES, self._at_secs())
        self._take_trades([trade], frame.received_at_ms, DataSource.SOCKET)
        self._bars.on_heard(trade.event_time_ms)

    def _take_trades(self, trades: Sequence[PublicTrade], received_at_ms: int, source: DataSource) -> None:
        news = self._trades.add(trades)
        if not news:
            return
        metrics.events_in.labels(metrics.TRADES).inc(len(news))
        self._outbox.put(
            TradeBatch(symbol=self._symbol, received_at_ms=received_at_ms, trades=tuple(news), source=source)
        )
        for trade in news:
            self._bars.on_trade(trade, source)

    def _on_candle(self, frame: Frame) -> None:
        candle = frames.candle(frame)
        self._check_time(candle.open_time_ms, frame.topic)
        metrics.events_in.labels(metrics.CANDLE).inc()
        self._bars.on_frame(candle)

    def _check_times(self, trades: Sequence[PublicTrade], source: str) -> None:
        for trade in trades:
            self._check_time(trade.event_time_ms, source)

    def _check_time(self, event_time_ms: int, source: str) -> None:
        ahead_ms = event_time_ms - self._clock.exchange_now_ms()
        if self._clock.ready.is_set() and ahead_ms > MAX_AHEAD_MS:
            self._clock.doubt()
            raise MalformedError(source, f"its time is {ahead_ms} ms in the future", b"")
