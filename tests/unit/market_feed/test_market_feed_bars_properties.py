"""Whatever arrives, in whatever order: bars follow each other without a hole and end as the exchange has them."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from btc_shared.codes import DataSource, Side
from btc_shared.records import MINUTE_MS, Candle, PublicTrade
from market_feed.domain.bars import CLOSE_AFTER_MS, CONFIRM_AFTER_MS, BarChange, Bars, Coverage

T0 = 1_790_000_040_000 // MINUTE_MS * MINUTE_MS
MINUTES = 6
SEED_MINUTE = T0 - MINUTE_MS

trades = st.lists(
    st.tuples(st.integers(0, MINUTES * MINUTE_MS - 1), st.integers(90, 110), st.integers(1, 20)), max_size=25
).map(
    lambda found: [
        PublicTrade(
            symbol="X-Y",
            trade_id=str(number),
            event_time_ms=T0 + moment,
            price=Decimal(price),
            size=Decimal(size) / 10,
            side=Side.BUY,
        )
        for number, (moment, price, size) in enumerate(sorted(found))
    ]
)


def bar_of(found: Sequence[PublicTrade]) -> Candle:
    """A minute's bar as the exchange makes it: from its trades, in their order."""
    prices = [trade.price for trade in found]
    return Candle(
        symbol="X-Y",
        open_time_ms=found[0].event_time_ms // MINUTE_MS * MINUTE_MS,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum((trade.size for trade in found), Decimal(0)),
        turnover=sum((trade.size * trade.price for trade in found), Decimal(0)),
    )


def rows(found: Sequence[PublicTrade], until_ms: int) -> list[Candle]:
    """What REST would answer at `until_ms`: no rows for minutes without trades."""
    minutes = dict[int, list[PublicTrade]]()
    for trade in found:
        if trade.event_time_ms <= until_ms:
            minutes.setdefault(trade.event_time_ms // MINUTE_MS, []).append(trade)
    return [SEED, *(bar_of(group) for group in minutes.values())]


SEED = Candle(
    symbol="X-Y",
    open_time_ms=SEED_MINUTE,
    open=Decimal(100),
    high=Decimal(100),
    low=Decimal(100),
    close=Decimal(100),
    volume=Decimal(1),
    turnover=Decimal(100),
)


def expected(found: Sequence[PublicTrade]) -> list[Candle]:
    """Every minute's bar, flat ones included."""
    by_minute = {row.open_time_ms: row for row in rows(found, T0 + 10**9)}
    bars = [SEED]
    for minute in range(T0, T0 + MINUTES * MINUTE_MS, MINUTE_MS):
        close = bars[-1].close
        flat = Candle(
            symbol="X-Y",
            open_time_ms=minute,
            open=close,
            high=close,
            low=close,
            close=close,
            volume=Decimal(0),
            turnover=Decimal(0),
            filled=True,
        )
        bars.append(by_minute.get(minute, flat))
    return bars


class Ledger:
    """Holds every change against the promises and keeps the resulting bars."""

    def __init__(self) -> None:
        self.bars: dict[int, Candle] = {}

    def take(self, changes: Sequence[BarChange], now_ms: int) -> None:
        for candle, correction, _ in changes:
            assert candle.low <= min(candle.open, candle.close)
            assert candle.high >= max(candle.open, candle.close)
            assert candle.filled == (candle.volume == 0)
            if correction:
                assert self.bars[candle.open_time_ms] != candle
            else:
                assert candle.open_time_ms not in self.bars
                assert not self.bars or candle.open_time_ms == max(self.bars) + MINUTE_MS
                assert now_ms >= candle.close_time_ms + CLOSE_AFTER_MS
                if candle.filled:
                    assert candle.open == self.bars[max(self.bars)].close
            self.bars[candle.open_time_ms] = candle


def seeded() -> tuple[Bars, Ledger]:
    bars, ledger = Bars(), Ledger()
    asked_at = T0 + CONFIRM_AFTER_MS
    ledger.take(bars.on_rest([SEED], SEED_MINUTE, asked_at), asked_at)
    return bars, ledger


# Milliseconds since the last event, what happens, and numbers that choose among the possibilities.
events = st.lists(
    st.tuples(
        st.integers(0, 50_000),
        st.sampled_from(["trade", "frame", "flat frame", "close", "close", "rest", "poll"]),
        st.integers(0, 99),
        st.integers(0, 99),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(trades, events)
def test_any_order_of_events_keeps_the_promises_and_rest_has_the_last_word(
    found: list[PublicTrade], happening: list[tuple[int, str, int, int]]
) -> None:
    bars, ledger = seeded()
    now = T0 + CONFIRM_AFTER_MS
    end = T0 + MINUTES * MINUTE_MS + CONFIRM_AFTER_MS
    undelivered = list(found)
    for passed_ms, what, choice, other in happening:
        now = min(end, now + passed_ms)
        past = [trade for trade in found if trade.event_time_ms <= now]
        waiting = [trade for trade in undelivered if trade.event_time_ms <= now]
        if what == "trade" and waiting:
            trade = waiting[choice % len(waiting)]
            undelivered.remove(trade)
            ledger.take(bars.on_trade(trade, now), now)
        elif what == "frame" and past:
            upto = past[: choice % len(past) + 1]
            minute = upto[-1].event_time_ms // MINUTE_MS
            frame = bar_of([trade for trade in upto if trade.event_time_ms // MINUTE_MS == minute])
            ledger.take(bars.on_frame(frame, now), now)
        elif what == "flat frame":
            # With the first trade after it the exchange also sends a bar of volume 0 for a minute without trades.
            minute = choice % MINUTES
            flat = expected(found)[minute + 1]
            if flat.filled and flat.close_time_ms <= now:
                ledger.take(bars.on_frame(msgspec.structs.replace(flat, filled=False), now), now)
        elif what == "close":
            since = T0 + (now - T0) * choice // 99
            coverage = None if other == 0 else Coverage(T0 if other % 2 else since, now if other % 3 else since)
            ledger.take(bars.close_due(now, coverage), now)
        elif what == "rest":
            ledger.take(bars.on_rest(rows(found, now), SEED_MINUTE, now), now)
        elif what == "poll":
            # Asked from the middle, and the answer may lag behind by less than what gives it authority.
            lagging = rows(found, now - CONFIRM_AFTER_MS * other // 100)
            start = min(bars.next_open_ms or T0, T0 + choice % MINUTES * MINUTE_MS)
            ledger.take(bars.on_rest(lagging, start, now), now)
    ledger.take(bars.on_rest(rows(found, end), SEED_MINUTE, end), end)
    assert [ledger.bars[minute] for minute in sorted(ledger.bars)] == expected(found)


@settings(max_examples=150, deadline=None)
@given(trades, st.booleans(), st.booleans())
def test_a_socket_that_misses_nothing_needs_no_correction(
    found: list[PublicTrade], with_trades: bool, with_frames: bool
) -> None:
    bars, ledger = seeded()
    events: list[tuple[int, int, PublicTrade]] = []
    for number, trade in enumerate(found):
        if with_trades or not with_frames:
            events.append((trade.event_time_ms + 50, number, trade))
        if with_frames:
            events.append((trade.event_time_ms + 1_600, number, trade))  # as late as frames are
    ticks = list(range(T0, T0 + (MINUTES + 1) * MINUTE_MS, 500))
    for now in sorted({*ticks, *(moment for moment, _, _ in events)}):
        for moment, number, trade in events:
            if moment != now:
                continue
            if moment - trade.event_time_ms == 50:
                ledger.take(bars.on_trade(trade, now), now)
            else:
                minute = trade.event_time_ms // MINUTE_MS
                same = [other for other in found[: number + 1] if other.event_time_ms // MINUTE_MS == minute]
                ledger.take(bars.on_frame(bar_of(same), now), now)
        changes = bars.close_due(now, Coverage(T0, now))
        assert not any(change.correction for change in changes)
        ledger.take(changes, now)
    assert list(ledger.bars.values()) == expected(found)
    assert bars.on_rest(rows(found, now), SEED_MINUTE, now) == []


@settings(max_examples=100, deadline=None)
@given(trades, st.integers(0, 9_000), st.integers(2_000, 5_000), st.booleans())
def test_on_rest_alone_every_minute_is_closed_within_seconds_and_ends_as_the_exchange_has_it(
    found: list[PublicTrade], lag_ms: int, poll_ms: int, with_trades: bool
) -> None:
    bars, ledger = seeded()
    known = set[str]()
    for now in range(T0 + CONFIRM_AFTER_MS, T0 + MINUTES * MINUTE_MS + 3 * CONFIRM_AFTER_MS, poll_ms):
        if with_trades:
            for trade in found:
                if trade.event_time_ms <= now and trade.trade_id not in known:
                    known.add(trade.trade_id)
                    ledger.take(bars.on_trade(trade, now, DataSource.REST), now)
        ledger.take(bars.on_rest(rows(found, now - lag_ms), SEED_MINUTE, now), now)
        newest = bars.newest
        assert newest is not None
        assert now < newest.close_time_ms + MINUTE_MS + CONFIRM_AFTER_MS
        assert bars.waits_for_rest(now, None) == (now >= newest.close_time_ms + MINUTE_MS + CLOSE_AFTER_MS)
    assert list(ledger.bars.values()) == expected(found)
