"""The ledger: cash, trade rows, round trips and running totals, against a second derivation from all fills."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.codes import ExitReason, Mode, Side
from btc_shared.records import LedgerKey, SymbolRules
from executor.domain.audit import recompute
from executor.domain.ledger import (
    Account,
    Booked,
    Booking,
    Books,
    Totals,
    Trade,
    apply_fill,
    equity,
    quote_fee,
    settle,
)
from executor.domain.orders import Intent
from executor.domain.position import Fill, Holding, LedgerError, OversoldError, RoundTrip, unrealised

D = Decimal
FEE = D("0.001")
T0 = 1_700_000_000_000
START = D(100_000_000)
DRY = LedgerKey(venue="kucoin", account="main", mode=Mode.DRY)
RULES = SymbolRules(
    symbol="BTC-USDT",
    base_currency="BTC",
    quote_currency="USDT",
    base_increment=D("0.00000001"),
    quote_increment=D("0.000001"),
    price_increment=D("0.1"),
    base_min_size=D("0.00001"),
    quote_min_size=D("0.1"),
    min_funds=D("0.1"),
)


def intent(intent_id: str, side: Side, reason: ExitReason | None = None, **changes: Any) -> Intent:
    values: dict[str, Any] = {
        "intent_id": intent_id,
        "client_oid": f"btca-{intent_id}",
        "key": DRY,
        "symbol": "BTC-USDT",
        "side": side,
        "created_at_ms": T0,
        "exit_reason": reason,
        "funds" if side is Side.BUY else "size": D(1),
    }
    return Intent(**(values | changes))


def fill(order: Intent, price: str | Decimal, size: str | Decimal, number: int = 0, **changes: Any) -> Fill:
    funds = D(price) * D(size)
    values: dict[str, Any] = {
        "fill_id": f"fill-{number}",
        "intent_id": order.intent_id,
        "symbol": order.symbol,
        "side": order.side,
        "price": D(price),
        "size": D(size),
        "funds": funds,
        "fee_quote": funds * FEE,
        "fee": funds * FEE,
        "fee_currency": "USDT",
        "time_ms": T0 + number,
    }
    return Fill(**(values | changes))


class Ledger:
    """Plays the shell: keeps the rows, hands each order its own trade row, and records all that happened."""

    def __init__(self, cash: Decimal = START, key: LedgerKey = DRY) -> None:
        self.account = Account(key=key, cash=cash)
        self.holding = Holding(key=key, symbol="BTC-USDT")
        self.trades: dict[str, Trade] = {}
        self.events: list[Fill | Booking] = []
        self.bookings: list[Booking] = []
        self.round_trips: list[RoundTrip] = []
        self.reasons: dict[str, ExitReason] = {}
        self.numbers = 0

    def books(self, order: Intent) -> Books:
        return Books(account=self.account, holding=self.holding, trade=self.trades.get(order.intent_id))

    def fill(self, order: Intent, price: str | Decimal, size: str | Decimal) -> Booked:
        self.numbers += 1
        execution = fill(order, price, size, self.numbers)
        booked = apply_fill(self.books(order), execution, order, f"trip-{self.numbers}")
        self.events.append(execution)
        if order.exit_reason:
            self.reasons[order.intent_id] = order.exit_reason
        return self._store(order, booked)

    def settle(self, order: Intent) -> Booked:
        self.numbers += 1
        booked = settle(self.books(order), order, RULES, T0 + self.numbers)
        if booked.booking:
            self.events.append(booked.booking)
        return self._store(order, booked)

    def _store(self, order: Intent, booked: Booked) -> Booked:
        self.account, self.holding = booked.books.account, booked.books.holding
        if booked.books.trade:
            self.trades[order.intent_id] = booked.books.trade
        self.bookings += [booked.booking] if booked.booking else []
        self.round_trips += [booked.round_trip] if booked.round_trip else []
        return booked


prices = st.decimals(min_value="20000", max_value="200000", places=1)
steps = st.tuples(
    st.sampled_from(["buy", "buy", "sell", "sell", "sell all", "late buy", "late sell", "settle"]),
    prices,
    st.integers(1, 100_000_000),  # a size in increments, or a share of the position in 1e-8
    st.sampled_from(list(ExitReason)),
    st.booleans(),  # the same order fills again
)


def play(history: list[tuple[str, Decimal, int, ExitReason, bool]]) -> Ledger:
    """A random but possible history: a sell never exceeds the position, or the dust its own order left."""
    ledger = Ledger()
    orders: list[Intent] = []
    for number, (kind, price, amount, reason, again) in enumerate(history):
        last = orders[-1] if orders else None
        size = D(amount).scaleb(-8)
        held = ledger.holding.size
        if kind == "settle":
            if last is not None:
                ledger.settle(last)
            continue
        side = Side.BUY if "buy" in kind else Side.SELL
        if kind == "late buy":
            order = next((order for order in orders if order.side is Side.BUY), None)
        elif kind == "late sell":
            order = next((order for order in orders if order.side is Side.SELL), None)
        elif again and last is not None and last.side is side:
            order = last
        else:
            order = intent(f"order-{number}", side, reason if side is Side.SELL else None)
        if order is None:
            continue
        if side is Side.SELL:
            trade = ledger.trades.get(order.intent_id)
            position = ledger.holding.position
            own = position is not None and (trade is None or trade.round_trip_id == position.round_trip_id)
            if not own and trade is None:
                continue
            limit = held if own else ledger.holding.dust
            size = limit if kind == "sell all" else (limit * size).quantize(D("1e-8"))
            if not 0 < size <= limit:
                continue
        ledger.fill(order, price, size)
        if order not in orders:
            orders.append(order)
    return ledger


histories = st.lists(steps, min_size=1, max_size=30)


@given(histories)
def test_the_running_totals_equal_the_figures_from_all_fills(history: Any) -> None:
    ledger = play(history)
    again = recompute(ledger.events, ledger.reasons)
    # Only a partly sold, open position has shares from a division in it; all else is equal to the last digit.
    tolerance = D("1e-12") * (2 * len(ledger.events))
    totals = ledger.account.totals
    assert abs(totals.realised - again.totals.realised) <= (tolerance if ledger.holding.position else 0)
    assert msgspec.structs.replace(totals, realised=D(0)) == msgspec.structs.replace(again.totals, realised=D(0))
    assert ledger.account.cash == START + again.cash_change
    assert ledger.holding.size == again.sizes.get("BTC-USDT", 0)
    assert ledger.holding.dust == again.dust.get("BTC-USDT", 0)


@given(histories)
def test_position_and_dust_are_the_sum_of_the_fills_at_every_moment(history: Any) -> None:
    ledger = play(history)
    moved = D(0)
    for event in ledger.events:
        if isinstance(event, Fill):
            moved += event.size if event.side is Side.BUY else -event.size
    assert ledger.holding.size + ledger.holding.dust == moved
    for trip in ledger.round_trips:
        assert trip.entry_size == trip.exit_size + trip.dust
        assert trip.net == trip.exit_funds - trip.exit_fee - trip.entry_cost - trip.entry_fee


@given(histories)
def test_bookings_and_trade_rows_add_up_to_the_total_result(history: Any) -> None:
    ledger = play(history)
    realised = ledger.account.totals.realised
    assert sum((booking.realised for booking in ledger.bookings), D(0)) == realised
    entries_lost = sum(
        booking.realised
        for booking in ledger.bookings
        if booking.fill_id is None and ledger.trades[booking.intent_id].side is Side.BUY
    )
    sells = [trade for trade in ledger.trades.values() if trade.side is Side.SELL]
    assert sum((trade.pnl or D(0) for trade in sells), D(0)) + entries_lost == realised
    assert all(trade.pnl is None for trade in ledger.trades.values() if trade.side is Side.BUY)
    assert sum(trade.fee for trade in ledger.trades.values()) == ledger.account.totals.fees
    assert len(ledger.trades) == ledger.account.totals.trades
    assert sum(ledger.account.totals.exits.values()) == len(sells) == ledger.account.totals.sells


@given(histories, prices)
def test_equity_is_the_start_plus_realised_plus_unrealised(history: Any, bid: Decimal) -> None:
    ledger = play(history)
    position = ledger.holding.position
    open_result = unrealised(position, bid, FEE) if position else D(0)
    worth = equity(ledger.account.cash, position, bid, FEE)
    assert worth == START + ledger.account.totals.realised + open_result


def test_the_histories_reach_the_rare_cases() -> None:
    """Late fills after a write-off, late buys and dust do occur in what the properties above are run on."""
    price = D(50_000)
    ledger = play(
        [
            ("buy", price, 100_000, ExitReason.SIGNAL, False),
            ("sell", price, 99_500_000, ExitReason.STOP_LOSS, False),
            ("settle", price, 1, ExitReason.SIGNAL, False),
            ("late sell", price, 50_000_000, ExitReason.SIGNAL, False),
            ("late buy", price, 1_000, ExitReason.SIGNAL, False),
        ]
    )
    assert [trip.dust for trip in ledger.round_trips] == [D("0.000005")]
    assert ledger.holding.dust == D("0.0000025")
    assert ledger.holding.size == D("0.00001")
    assert ledger.account.totals.trades == 2


def test_a_day_in_numbers() -> None:
    ledger = Ledger(cash=D(1000))
    entry = intent("a", Side.BUY)
    ledger.fill(entry, "100000", "0.001")
    ledger.fill(entry, "100010", "0.001")
    assert ledger.account.cash == D(1000) - D("200.01") - D("0.20001")
    assert ledger.trades["a"].price == D(100005)
    partial = intent("b", Side.SELL, ExitReason.PARTIAL_EXIT)
    booked = ledger.fill(partial, "101600", "0.001")
    assert booked.booking is not None
    assert booked.booking.realised == D("101.6") - D("0.1016") - D("100.005") - D("0.100005")
    assert ledger.holding.position is not None
    assert ledger.holding.position.partial_done
    stop = intent("c", Side.SELL, ExitReason.TRAILING_STOP)
    ledger.fill(stop, "100900", "0.0004")
    closed = ledger.fill(stop, "100800", "0.0006")
    assert closed.round_trip is not None
    assert closed.books.holding.position is None
    totals = ledger.account.totals
    assert (totals.buys, totals.sells, totals.trades) == (1, 2, 3)
    assert (totals.winning, totals.losing, totals.win_rate) == (1, 0, 1.0)
    assert totals.best == totals.worst == totals.average == totals.realised == closed.round_trip.net
    assert ledger.account.cash == D(1000) + totals.realised
    assert totals.exits[ExitReason.PARTIAL_EXIT] == totals.exits[ExitReason.TRAILING_STOP] == 1
    assert totals.exits[ExitReason.STOP_LOSS] == 0
    assert ledger.trades["c"].pnl == totals.realised - (ledger.trades["b"].pnl or 0)
    assert ledger.trades["c"].first_fill_at_ms == T0 + 4
    assert ledger.trades["c"].last_fill_at_ms == T0 + 5


def test_figures_that_are_not_there_yet_are_none() -> None:
    totals = Totals()
    assert (totals.average, totals.win_rate, totals.best, totals.worst) == (None, None, None, None)
    assert set(totals.exits) == set(ExitReason)


def test_rates_are_over_closed_round_trips_won_and_lost() -> None:
    totals = Totals(winning=1, losing=3, round_trip_net=D(-2), realised=D(50))
    assert (totals.round_trips, totals.win_rate, totals.average) == (4, 0.25, D("-0.5"))


def test_the_simulated_account_may_spend_its_last_cent() -> None:
    ledger = Ledger(cash=D("100.1"))
    ledger.fill(intent("a", Side.BUY), "100000", "0.001")
    assert ledger.account.cash == 0


def test_a_break_even_round_trip_counts_as_losing() -> None:
    ledger = Ledger()
    ledger.fill(intent("a", Side.BUY), "100", "1")
    order = intent("b", Side.SELL, ExitReason.SIGNAL)
    even = fill(order, "100.2", "1", 9, fee_quote=D("0.1"))
    totals = apply_fill(ledger.books(order), even, order, "unused").books.account.totals
    assert totals.realised == 0
    assert (totals.winning, totals.losing) == (0, 1)


# --- dust ---


def test_what_a_sell_leaves_below_the_minimum_is_written_off_in_its_round_trip() -> None:
    ledger = Ledger()
    ledger.fill(intent("a", Side.BUY), "100000", "0.003")
    order = intent("b", Side.SELL, ExitReason.TAKE_PROFIT)
    ledger.fill(order, "103000", "0.00299001")
    booked = ledger.settle(order)
    assert booked.round_trip is not None
    assert booked.round_trip.dust == D("0.00000999")
    assert booked.booking is not None
    assert booked.booking.dust == D("0.00000999")
    assert booked.booking.realised == D("-0.999999")  # 0.00000999 at 100000 and its share of the entry fee
    assert ledger.holding == Holding(key=DRY, symbol="BTC-USDT", dust=D("0.00000999"))
    assert ledger.trades["b"].pnl == booked.round_trip.net == ledger.account.totals.realised


def test_a_rest_that_can_be_sold_is_kept() -> None:
    ledger = Ledger()
    ledger.fill(intent("a", Side.BUY), "100000", "0.003")
    order = intent("b", Side.SELL, ExitReason.TAKE_PROFIT)
    ledger.fill(order, "103000", "0.00299")
    assert ledger.settle(order).booking is None
    assert ledger.holding.size == D("0.00001")


def test_an_entry_that_ends_too_small_to_be_sold_is_closed_at_a_loss() -> None:
    ledger = Ledger()
    order = intent("a", Side.BUY)
    ledger.fill(order, "100000", "0.000009")
    booked = ledger.settle(order)
    assert booked.round_trip is not None
    assert booked.round_trip.net == D("-0.9009")
    assert booked.round_trip.exit_reasons == ()
    assert ledger.trades["a"].pnl is None
    assert ledger.account.totals.losing == 1


def test_an_order_without_a_fill_writes_nothing_off_that_has_the_smallest_size() -> None:
    ledger = Ledger()
    ledger.fill(intent("a", Side.BUY), "100000", "0.00001")
    before = ledger.holding
    ledger.settle(intent("refused", Side.SELL, ExitReason.SIGNAL))
    assert ledger.holding == before


def test_settling_twice_changes_nothing_more() -> None:
    ledger = Ledger()
    order = intent("a", Side.BUY)
    ledger.fill(order, "100000", "0.000009")
    ledger.settle(order)
    before = (ledger.account, ledger.holding)
    assert ledger.settle(order).booking is None
    assert (ledger.account, ledger.holding) == before


def test_a_fill_after_a_cancel_is_booked_from_the_dust_and_not_from_the_next_position() -> None:
    ledger = Ledger()
    ledger.fill(intent("a", Side.BUY), "100000", "0.003")
    order = intent("b", Side.SELL, ExitReason.STOP_LOSS)
    ledger.fill(order, "98000", "0.002995")
    ledger.settle(order)
    ledger.fill(intent("c", Side.BUY), "97000", "0.002")
    realised = ledger.account.totals.realised
    booked = ledger.fill(order, "98000", "0.000005")
    assert ledger.holding.size == D("0.002")
    assert ledger.holding.dust == 0
    assert booked.round_trip is None
    assert ledger.account.totals.realised == realised + D("0.49") - D("0.00049")
    assert ledger.account.totals.losing == 1


# --- what may not happen ---


def test_selling_what_the_ledger_does_not_have_is_refused() -> None:
    ledger = Ledger()
    stray = intent("x", Side.SELL, ExitReason.SIGNAL)
    with pytest.raises(OversoldError, match="position of 0 and 0 written off"):
        ledger.fill(stray, "100000", "0.001")
    ledger.fill(intent("a", Side.BUY), "100000", "0.001")
    with pytest.raises(OversoldError, match=r"the position has 0\.001"):
        ledger.fill(stray, "100000", "0.0011")
    ledger.fill(stray, "100000", "0.001")
    with pytest.raises(OversoldError):
        ledger.fill(stray, "100000", "0.00000001")


def test_simulated_cash_never_becomes_negative_and_real_cash_is_not_guarded() -> None:
    order = intent("a", Side.BUY)
    with pytest.raises(LedgerError, match=r"would leave -0\.1 USDT"):
        Ledger(cash=D(100)).fill(order, "100000", "0.001")
    live = LedgerKey(venue="kucoin", account="main", mode=Mode.LIVE)
    ledger = Ledger(cash=D(0), key=live)
    ledger.fill(intent("a", Side.BUY, key=live), "100000", "0.001")
    assert ledger.account.cash == D("-100.1")


@pytest.mark.parametrize("changes", [{"intent_id": "other"}, {"symbol": "ETH-USDT"}, {"side": Side.SELL}])
def test_a_fill_of_another_order_is_refused(changes: dict[str, Any]) -> None:
    ledger, order = Ledger(), intent("a", Side.BUY)
    with pytest.raises(LedgerError, match="give the order's own intent and books"):
        apply_fill(ledger.books(order), fill(order, "100", "1", **changes), order, "trip")


def test_practice_and_real_books_never_mix() -> None:
    live = LedgerKey(venue="kucoin", account="main", mode=Mode.LIVE)
    order = intent("a", Side.BUY, key=live)
    with pytest.raises(LedgerError):
        Ledger().fill(order, "100", "1")


@pytest.mark.parametrize("field", ["size", "funds", "price"])
@pytest.mark.parametrize("value", [D(0), D(-1)])
def test_a_fill_of_nothing_is_refused(field: str, value: Decimal) -> None:
    order = intent("a", Side.BUY)
    nothing = msgspec.structs.replace(fill(order, "100", "1"), **{field: value})
    with pytest.raises(LedgerError, match="all must be above 0"):
        apply_fill(Ledger().books(order), nothing, order, "trip")


def test_the_audit_refuses_histories_that_cannot_be() -> None:
    buy, sell = intent("a", Side.BUY), intent("b", Side.SELL, ExitReason.SIGNAL)
    with pytest.raises(OversoldError):
        recompute([fill(buy, "100", "1"), fill(sell, "100", "2", 1)], {"b": ExitReason.SIGNAL})
    wrong = Booking(
        symbol="BTC-USDT", intent_id="a", fill_id=None, round_trip_id="t", time_ms=T0, realised=D(-1), dust=D(2)
    )
    with pytest.raises(LedgerError, match="something else was left"):
        recompute([fill(buy, "100", "1"), wrong], {})


# --- fees, equity, storage ---


@pytest.mark.parametrize(("currency", "booked"), [("USDT", "0.25"), ("BTC", "25000"), ("KCS", "0.3")])
def test_a_fee_is_booked_in_the_quote_currency(currency: str, booked: str) -> None:
    fee = quote_fee(D("0.25"), currency, price=D(100_000), funds=D(300), rules=RULES, taker_fee=FEE)
    assert fee == D(booked)


def test_equity_is_unknown_without_a_bid_for_an_open_position() -> None:
    ledger = Ledger()
    assert equity(ledger.account.cash, None, None, FEE) == START
    ledger.fill(intent("a", Side.BUY), "100", "1")
    assert equity(ledger.account.cash, ledger.holding.position, None, FEE) is None


@given(histories)
def test_rows_survive_storage(history: Any) -> None:
    ledger = play(history)
    assert msgspec.json.decode(msgspec.json.encode(ledger.account), type=Account) == ledger.account
    assert msgspec.json.decode(msgspec.json.encode(ledger.holding), type=Holding) == ledger.holding
    trades = list(ledger.trades.values())
    assert msgspec.json.decode(msgspec.json.encode(trades), type=list[Trade]) == trades


def test_what_a_trade_gained_in_percent_is_net_over_cost() -> None:
    ledger = Ledger()
    ledger.fill(intent("a", Side.BUY), "100", "1")
    assert ledger.trades["a"].pnl_pct is None
    ledger.fill(intent("b", Side.SELL, ExitReason.SIGNAL), "110", "1")
    assert ledger.trades["b"].pnl_pct == pytest.approx((110 - 0.11 - 100.1) / 100.1)
