"""The executor's part in one process: orders that take time, exits, retries, limits, and a ledger that adds up."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from btc_cli.backtest.desk import CANCELLED, NO_MARKET, Desk
from btc_cli.backtest.loop import counted_ids
from btc_shared.codes import Action, ExitReason, Refusal
from btc_shared.messages import Signal
from btc_shared.records import BookPicture, LedgerKey, Level, SymbolRules
from btc_shared.settings import RiskSettings
from executor.domain.audit import recompute

D = Decimal
T0 = 1_650_000_000_000  # 05:20 UTC
MIDNIGHT = 1_650_067_200_000
PRICE = D(20_000)


def picture(at_ms: int, bid: Decimal | str | int, size: Decimal | int = 10) -> BookPicture:
    """One level on each side, 0.1 apart."""
    best = D(bid)
    return BookPicture(
        symbol="BTC-USDT",
        event_time_ms=at_ms,
        received_at_ms=at_ms,
        bids=(Level(best, D(size)),),
        asks=(Level(best + D("0.1"), D(size)),),
    )


class Rig:
    """A desk with a clock: prices and signals at seconds after the start."""

    def __init__(self, key: LedgerKey, rules: SymbolRules, start_ms: int = T0, **risk: Any) -> None:
        self.desk = Desk(key, rules, RiskSettings(**risk), D(1_000), counted_ids())
        self._key, self._start_ms, self._ids = key, start_ms, counted_ids()

    def price(self, secs: float, bid: Decimal | str | int, size: Decimal | int = 10) -> None:
        at_ms = self._start_ms + round(secs * 1_000)
        self.desk.advance(at_ms)
        self.desk.take_picture(picture(at_ms, bid, size), at_ms)

    def signal(self, secs: float, action: Action, confidence: float = 0.9) -> Refusal | None:
        at_ms = self._start_ms + round(secs * 1_000)
        self.desk.advance(at_ms)
        signal = Signal(
            signal_id=self._ids(),
            decision_id=self._ids(),
            venue=self._key.venue,
            symbol="BTC-USDT",
            mode=self._key.mode,
            action=action,
            confidence=confidence,
            price=float(PRICE),
            created_at_ms=at_ms,
        )
        denied = self.desk.take_signal(signal, at_ms)
        return None if denied is None else denied.code

    def enter(self, secs: float = 0.0) -> None:
        """Buy at 20,000.1 and be filled half a second later."""
        self.price(secs, PRICE)
        assert self.signal(secs, Action.BUY) is None
        self.price(secs + 0.5, PRICE)
        assert self.desk.position is not None

    def reasons(self) -> list[ExitReason | None]:
        return [trade.exit_reason for trade in self.desk.trades]


MakeRig = Callable[..., Rig]


@pytest.fixture
def make_rig(key: LedgerKey, rules: SymbolRules) -> MakeRig:
    def make(start_ms: int = T0, **risk: Any) -> Rig:
        return Rig(key, rules, start_ms, **risk)

    return make


def test_an_order_meets_the_newest_book_of_the_moment_at_which_it_arrives(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.price(0, 20_000)
    assert rig.signal(0, Action.BUY) is None
    rig.price(0.2, 20_010)
    rig.price(0.3, 20_020)
    (trade,) = rig.desk.trades
    assert trade.price == D("20010.1")
    assert trade.first_fill_at_ms == T0 + 250
    assert rig.desk.account.cash == 1_000 - trade.funds - trade.fee


def test_an_order_walks_the_levels_and_leaves_what_the_book_does_not_have(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.price(0, 20_000, D("0.001"))
    rig.signal(0, Action.BUY)
    rig.price(0.5, 20_000)
    (trade,) = rig.desk.trades
    assert trade.size == D("0.001")


def test_an_order_waits_for_a_book_from_after_it_was_sent(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.price(0, 20_000)
    assert rig.signal(0.1, Action.BUY) is None
    rig.price(0.7, 20_010)
    assert not rig.desk.trades
    rig.price(0.8, 20_020)
    (trade,) = rig.desk.trades
    assert trade.price == D("20010.1")
    assert trade.first_fill_at_ms == T0 + 700


def test_an_order_that_no_book_comes_for_ends(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.price(0, 20_000)
    assert rig.signal(0.1, Action.BUY) is None
    rig.price(0.9, 20_000)
    assert rig.desk.rejections == {NO_MARKET: 1}
    assert not rig.desk.is_busy
    assert rig.desk.account.cash == 1_000


def test_refused_signals_are_counted_by_their_code(make_rig: MakeRig) -> None:
    rig = make_rig()
    assert rig.signal(0, Action.BUY) is Refusal.STALE_MARKET
    rig.price(1, 20_000)
    assert rig.signal(1, Action.SELL) is Refusal.NO_POSITION
    assert rig.signal(1, Action.BUY, confidence=0.59) is Refusal.LOW_CONFIDENCE
    assert rig.signal(1, Action.BUY) is None
    assert rig.signal(1.1, Action.BUY) is Refusal.ORDER_IN_FLIGHT
    rig.price(2, 20_000)
    assert rig.signal(2, Action.BUY) is Refusal.IN_POSITION
    assert rig.signal(3, Action.SELL) is Refusal.COOLDOWN
    rig.price(182, 20_000)
    assert rig.signal(182, Action.SELL) is None
    rig.price(183, 20_000)
    assert rig.signal(184, Action.BUY) is Refusal.COOLDOWN
    assert rig.desk.refusals == {
        Refusal.STALE_MARKET: 1,
        Refusal.NO_POSITION: 1,
        Refusal.LOW_CONFIDENCE: 1,
        Refusal.ORDER_IN_FLIGHT: 1,
        Refusal.IN_POSITION: 1,
        Refusal.COOLDOWN: 2,
    }
    assert rig.reasons() == [None, ExitReason.SIGNAL]


def test_a_rise_sells_half_then_the_rest_at_the_trailing_stop(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.enter()
    rig.price(1, 20_299)
    rig.price(2, 20_301)  # more than 1.5 %
    rig.price(3, 20_400)
    rig.price(4, 20_237)  # 0.799 % below the high
    assert rig.reasons() == [None, ExitReason.PARTIAL_EXIT]
    rig.price(5, "20236.8")
    rig.price(6, 20_200)
    assert rig.reasons() == [None, ExitReason.PARTIAL_EXIT, ExitReason.TRAILING_STOP]
    (trip,) = rig.desk.round_trips
    assert trip.exit_reasons == (ExitReason.PARTIAL_EXIT, ExitReason.TRAILING_STOP)
    assert not rig.desk.is_busy


def test_a_refused_exit_is_tried_again_after_0_1_and_2_seconds(make_rig: MakeRig, rules: SymbolRules) -> None:
    rig = make_rig()
    rig.enter()
    rig.desk.rules = msgspec.structs.replace(rules, trading_enabled=False)
    tried: list[float] = []
    for tenth in range(10, 60):
        before = sum(rig.desk.rejections.values())
        rig.price(tenth / 10, 19_000)
        if sum(rig.desk.rejections.values()) > before:
            tried.append(tenth / 10)
    # Sent at the first price, at once after the refusal, then 1 and 2 s after the next ones; each takes 0.25 s.
    assert tried == [1.3, 1.6, 2.9, 5.2]
    rig.desk.rules = rules
    rig.price(20, 19_000)
    rig.price(20.5, 19_000)
    assert rig.reasons() == [None, ExitReason.STOP_LOSS]


def test_a_signals_sell_that_came_to_nothing_does_not_delay_the_exits(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.enter()
    rig.price(200, PRICE)
    assert rig.signal(200, Action.SELL) is None
    rig.price(200.2, PRICE, 0)
    rig.price(200.3, 19_000)
    assert rig.desk.rejections == {CANCELLED: 1}
    rig.price(200.6, 19_000)
    assert rig.reasons() == [None, ExitReason.STOP_LOSS]


def test_an_empty_side_of_the_book_cancels_an_exit_which_is_then_tried_again(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.enter()
    rig.price(1, 19_000, 0)
    rig.price(1.5, 19_000, 10)
    assert rig.desk.rejections == {CANCELLED: 1}
    rig.price(2, 19_000, 10)
    assert rig.reasons() == [None, ExitReason.STOP_LOSS]


def test_a_loss_beyond_the_days_limit_stops_entries_until_midnight(make_rig: MakeRig) -> None:
    rig = make_rig(start_ms=MIDNIGHT - 600_000, max_daily_loss=D(3))
    rig.enter()
    rig.price(10, 19_820)  # −2.7 and the fees
    rig.price(20, 19_990)
    assert rig.signal(200, Action.SELL) is Refusal.STALE_MARKET
    rig.price(201, 20_000)
    assert rig.signal(201, Action.SELL) is None
    rig.price(202, 20_000)
    assert rig.desk.account.totals.realised > -1
    rig.price(390, 20_000)
    assert rig.signal(390, Action.BUY) is Refusal.DAILY_LOSS_LIMIT
    rig.price(601, 20_000)
    assert rig.signal(601, Action.BUY) is None


def test_entries_stop_after_the_days_trades_and_go_on_the_next_day(make_rig: MakeRig) -> None:
    rig = make_rig(start_ms=MIDNIGHT - 600_000, max_daily_trades=3, min_trade_interval=D(0))
    for secs in (0, 20):
        rig.enter(secs)
        rig.price(secs + 5, PRICE)
        assert rig.signal(secs + 5, Action.SELL) is None
        rig.price(secs + 6, PRICE)
    assert len(rig.desk.trades) == 4
    rig.price(41, PRICE)
    assert rig.signal(41, Action.BUY) is Refusal.DAILY_TRADE_LIMIT
    rig.price(600, PRICE)
    assert rig.signal(600, Action.BUY) is None


steps = st.lists(
    st.tuples(
        st.sampled_from([0.1, 0.3, 1.0, 60.0, 200.0]),
        st.integers(-60, 60),
        st.sampled_from([None, None, None, Action.BUY, Action.SELL]),
    ),
    min_size=1,
    max_size=120,
)


def _played(rig: Rig, script: list[tuple[float, int, Action | None]]) -> Desk:
    secs, bid = 0.0, PRICE
    for pause, move, action in script:
        secs += pause
        bid = max(D(100), bid + 5 * move)
        rig.price(secs, bid, D("0.004"))
        if action is not None:
            rig.signal(secs, action)
    rig.price(secs + 1, bid)
    return rig.desk


@hypothesis_settings(max_examples=200, deadline=None)
@given(script=steps, increment=st.sampled_from(["0.00000001", "0.0003"]))
def test_whatever_happens_the_ledger_adds_up_and_skipping_quiet_prices_changes_nothing(
    key: LedgerKey, rules: SymbolRules, script: list[tuple[float, int, Action | None]], increment: str
) -> None:
    coarse = msgspec.structs.replace(rules, base_increment=D(increment), base_min_size=D(increment))
    risk: dict[str, Any] = {"min_trade_interval": D(30), "max_daily_loss": D(4)}
    desk = _played(Rig(key, coarse, **risk), script)
    recomputed = recompute(desk.history, desk.exit_reasons)
    assert desk.account.totals == recomputed.totals
    assert desk.account.cash == 1_000 + recomputed.cash_change
    assert desk.holding.size == recomputed.sizes.get("BTC-USDT", 0)
    assert desk.holding.dust == recomputed.dust.get("BTC-USDT", 0)
    assert desk.account.cash >= 0

    watchful = Rig(key, coarse, **risk)
    watchful.desk.is_quiet = lambda *_: False  # type: ignore[method-assign]
    judged = _played(watchful, script)
    for name in ("account", "holding", "history", "trades", "round_trips", "refusals", "rejections", "equity"):
        assert getattr(desk, name) == getattr(judged, name)
