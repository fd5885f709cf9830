"""The executor's work: judge signals and prices, send orders, book what became of them.

Signals and exits run side by side; the ledger lets their transactions through one by one. An order's wait at the
venue holds nothing up: further exits sell what is still free.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from time import monotonic

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import SQLAlchemyError

from btc_shared.codes import ExitReason, IntentState, Refusal
from btc_shared.db.engine import is_connection_lost
from btc_shared.messages import Execution, Signal
from btc_shared.records import BookPicture, SymbolRules
from btc_shared.settings import RiskSettings
from btc_shared.streams import Retry
from executor.domain.denied import Denied
from executor.domain.exits import ExitDecision, judge, needs_confirmation, retry_alerts, retry_delay_ms
from executor.domain.ledger import Booked
from executor.domain.position import LedgerError
from executor.ledger import Circumstances, Ledger
from executor.market import Market
from executor.repository import StoredOrder
from executor.venue import MarketOrder, OrderReport, UnknownOutcomeError, Venue

CONFIRMATION_SECS = 1.0
# Not a setting: how long exits may go without a price must not depend on when entries are allowed.
EXIT_MARKET_AGE_SECS = 10.0
LOOK_UP_SECS = 5.0

log = structlog.get_logger(__name__)
signals_judged = Counter("executor_signals", "Signals by what became of them", ["outcome"])
orders_ended = Counter("executor_orders", "Orders by side and final state", ["side", "state"])
exits_blocked = Counter("executor_exits_blocked", "Exits that could not be stored, so were not sent", ["reason"])
signal_seconds = Histogram(
    "executor_signal_to_intent_seconds",
    "From reading a signal to its stored intent or refusal",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2),
)
exit_seconds = Histogram(
    "executor_exit_to_intent_seconds",
    "From judging a price to the exit's stored intent",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2),
)
exits_blocked.labels("exit_blocked_database")
for _outcome in ("intent", "repeated", *Refusal):
    signals_judged.labels(_outcome)


class _Retry:
    """When an exit that was refused may be tried again."""

    def __init__(self) -> None:
        self.refusals = 0
        self.next_at = 0.0

    @property
    def is_due(self) -> bool:
        return monotonic() >= self.next_at


class Trader:
    """Trades one ledger.

    Args:
        rules, settings: the exchange's rules and the risk settings, as they are at the moment of asking.
        read_book: a read of the order book over REST; None when it fails.
        announce: tells others that an order was booked; may fail without consequence.
        is_leader: whether this process may act for the ledger.
        problems: what else makes entries unsafe now (run-time settings that cannot be used).
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        market: Market,
        venue: Venue,
        rules: Callable[[], SymbolRules | None],
        settings: Callable[[], RiskSettings],
        read_book: Callable[[], Awaitable[BookPicture | None]],
        announce: Callable[[Execution], Awaitable[None]],
        is_leader: Callable[[], bool],
        problems: Callable[[], tuple[str, ...]],
    ) -> None:
        self._ledger, self._market, self._venue = ledger, market, venue
        self._rules, self._settings = rules, settings
        self._read_book, self._announce, self._is_leader = read_book, announce, is_leader
        self._problems = problems
        self._orders: set[asyncio.Task[None]] = set()
        self._last_bid: Decimal | None = None
        self._marks_changed = asyncio.Event()
        self._judging = asyncio.Lock()
        # The last confirmed picture, and the round trip that it was judged for: no position is judged by a price
        # from before it was opened.
        self._trusted: tuple[str, BookPicture] | None = None
        # Of partial exits and of the others: one that fails must not delay the other kind.
        self._retries = {True: _Retry(), False: _Retry()}
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # Start and end

    async def recover(self) -> None:
        """Find out what became of every order that was open when the last process ended, then allow trading."""
        for stored in await self._ledger.recover(self._settings().dry_initial_balance):
            await self._book(stored, await self._found_out(stored.intent.client_oid))
        self._ledger.converged = True
        position = self._ledger.position
        log.info(
            "recovered",
            cash=str(self._ledger.account.cash),
            position=str(position.size) if position else "0",
            trades=self._ledger.account.totals.trades,
        )

    @property
    def orders_under_way(self) -> frozenset[asyncio.Task[None]]:
        """Orders that have not ended yet."""
        return frozenset(self._orders)

    async def finish(self, grace_secs: float) -> None:
        """Wait for orders that are under way; what does not end in time is found by the next start."""
        if self._orders:
            await asyncio.wait(self._orders, timeout=grace_secs)
        for task in self._orders:
            task.cancel()

    # Signals

    async def on_signal(self, signal: Signal) -> None:
        """Judge one signal and send its order, if it passes."""
        started = monotonic()
        circumstances = Circumstances(
            picture=self._market.newest,
            rules=self._rules(),
            settings=self._settings(),
            is_leader=self._is_leader(),
            problems=self._problems(),
        )
        answer = await self._ledger.consume(signal, circumstances)
        signal_seconds.observe(monotonic() - started)
        if answer is None:
            signals_judged.labels("repeated").inc()
        elif isinstance(answer, Denied):
            signals_judged.labels(answer.code).inc()
            log.info("signal_refused", action=signal.action, code=answer.code, detail=answer.detail)
        else:
            signals_judged.labels("intent").inc()
            log.info("signal_accepted", action=signal.action, intent_id=answer.intent.intent_id)
            self._send(answer)

    # Prices

    async def on_picture(self, picture: BookPicture) -> None:
        """Take a picture of the book and judge the open position by it."""
        if not self._market.offer(picture):
            return
        if self._ledger.position is None:
            self._last_bid = picture.best_bid
            return
        await self._judge(await self._confirmed(picture))

    async def review(self) -> None:
        """Judge the open position by the newest picture once more, read over REST when the stream is silent."""
        if self._ledger.uncertain:
            await self._resolve_unaccounted()
        position = self._ledger.position
        if position is None:
            return
        age_secs = self._market.age_secs()
        if age_secs is None or age_secs > EXIT_MARKET_AGE_SECS:
            picture = await self._read_book()
            if picture is None:
                log.warning(
                    "price_unknown", reason="stream silent, REST failed: exits cannot be judged", age_secs=age_secs
                )
                return
            self._market.offer(picture)
            await self._judge(picture)
        elif self._trusted is not None and self._trusted[0] == position.round_trip_id:
            await self._judge(self._trusted[1])

    async def _resolve_unaccounted(self) -> None:
        """An order whose intent may have been stored while the connection broke was never sent: end it."""
        for stored in await self._ledger.unaccounted():
            log.warning("order_unaccounted", client_oid=stored.intent.client_oid)
            await self._book(stored, await self._found_out(stored.intent.client_oid))

    async def _confirmed(self, picture: BookPicture) -> BookPicture:
        """The picture, or a newer one over REST when its bid jumped; without an answer in time the jump counts."""
        last, self._last_bid = self._last_bid, picture.best_bid
        if not needs_confirmation(last, picture.best_bid, self._settings().max_price_jump):
            return picture
        try:
            async with asyncio.timeout(CONFIRMATION_SECS):
                read = await self._read_book()
        except TimeoutError:
            read = None
        log.info(
            "price_jump",
            last_bid=str(last),
            bid=str(picture.best_bid),
            read_bid=None if read is None else str(read.best_bid),
        )
        if read is None:
            return picture
        self._last_bid = read.best_bid
        self._market.offer(read)
        return read

    async def _judge(self, picture: BookPicture) -> None:
        async with self._judging:
            position, rules = self._ledger.position, self._rules()
            if position is None or rules is None or not (self._ledger.converged and self._is_leader()):
                return
            self._trusted = (position.round_trip_id, picture)
            judgement = judge(
                position, picture.best_bid, rules, self._settings(), partial_blocked=self._partial_blocked()
            )
            if self._ledger.mark(judgement.position):
                self._marks_changed.set()
            due = judgement.exit
            if due is not None and self._retry_of(due.reason).is_due:
                await self._exit(due, picture)
        await self._ledger.latch_loss(picture, self._settings())

    def _retry_of(self, reason: ExitReason | None) -> _Retry:
        return self._retries[reason is ExitReason.PARTIAL_EXIT]

    def _partial_blocked(self) -> bool:
        """A partial exit that is under way, or was refused and must wait, does not hide the trailing stop."""
        under_way = any(
            stored.intent.exit_reason is ExitReason.PARTIAL_EXIT for stored in self._ledger.open_orders.values()
        )
        return under_way or not self._retry_of(ExitReason.PARTIAL_EXIT).is_due

    async def _exit(self, decision: ExitDecision, picture: BookPicture) -> None:
        started = monotonic()
        try:
            stored = await self._ledger.store_exit(decision, picture)
        except (SQLAlchemyError, OSError) as error:
            if not is_connection_lost(error):
                raise
            # Intent before action: without the database nothing is sent. The next price tries again.
            exits_blocked.labels("exit_blocked_database").inc()
            log.error("exit_blocked_database", reason=decision.reason, detail=decision.detail, error=repr(error))
            self._retry_of(decision.reason).next_at = monotonic() + 1
            return
        if stored is None:
            return
        exit_seconds.observe(monotonic() - started)
        log.info("exit", reason=decision.reason, size=str(stored.intent.size), detail=decision.detail)
        self._send(stored)

    async def keep_marks_stored(self) -> None:
        """Store high, armed and partial-done as soon as they change; several changes in a row cost one write."""
        retry = Retry()
        while True:
            await self._marks_changed.wait()
            self._marks_changed.clear()
            try:
                await self._ledger.store_marks()
                retry.reset()
            except (SQLAlchemyError, OSError) as error:
                if not is_connection_lost(error):
                    raise
                log.warning("marks_not_stored", error=repr(error))
                self._marks_changed.set()
                await retry.wait()

    # Orders

    def _send(self, stored: StoredOrder) -> None:
        task = asyncio.create_task(self._run_order(stored))
        self._orders.add(task)
        task.add_done_callback(self._order_done)

    def _order_done(self, task: asyncio.Task[None]) -> None:
        self._orders.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failure.done():
            self.failure.set_exception(error)

    async def _run_order(self, stored: StoredOrder) -> None:
        intent = stored.intent
        order = MarketOrder(
            intent_id=intent.intent_id,
            client_oid=intent.client_oid,
            symbol=intent.symbol,
            side=intent.side,
            funds=intent.funds,
            size=intent.size,
        )
        try:
            report = await self._venue.place(order)
        except UnknownOutcomeError as error:
            log.error("order_unknown", client_oid=intent.client_oid, error=str(error))
            report = await self._found_out(intent.client_oid)
        await self._book(stored, report)

    async def _found_out(self, client_oid: str) -> OrderReport:
        """What became of an order that is not known to have ended; it takes as long as it takes."""
        while True:
            try:
                report = await self._venue.look_up(client_oid)
            except UnknownOutcomeError as error:
                log.error("order_unknown", client_oid=client_oid, error=str(error))
                await asyncio.sleep(LOOK_UP_SECS)
                continue
            return report or OrderReport(
                client_oid=client_oid,
                state=IntentState.ABSENT,
                exchange_order_id=None,
                error_code="absent",
                error_message="the venue never had this order",
            )

    async def _book(self, stored: StoredOrder, report: OrderReport) -> None:
        """Book an order's end; the database being away only delays it."""
        intent, retry, waiting = stored.intent, Retry(), False
        while True:
            try:
                booked = await self._ledger.book(stored, report)
                break
            except LedgerError as error:
                # The fill is real all the same; the order stays open, so that nothing is sold twice.
                self._ledger.degrade(str(error))
                return
            except (SQLAlchemyError, OSError) as error:
                if not is_connection_lost(error):
                    raise
                if not waiting:
                    log.error("booking_waits_for_database", client_oid=intent.client_oid, error=repr(error))
                waiting = True
                await retry.wait()
        orders_ended.labels(intent.side, report.state).inc()
        self._count_refusals(stored, report)
        if booked is not None and report.fills:
            self._log_trade(booked)
            await self._announce(_execution(stored, booked, report))
            newest = self._market.newest
            if newest is not None:
                await self._ledger.latch_loss(newest, self._settings())

    def _count_refusals(self, stored: StoredOrder, report: OrderReport) -> None:
        """A protective exit that sold nothing is tried again after 0, 1, 2, 4 … 30 s; others wait for their signal."""
        reason = stored.intent.exit_reason
        if reason is None:
            self._retries = {True: _Retry(), False: _Retry()}
        if reason is None or not reason.is_protective:
            if not report.fills:
                log.warning("order_failed", side=stored.intent.side, code=report.error_code, why=report.error_message)
            return
        retry = self._retry_of(reason)
        if report.fills:
            retry.refusals, retry.next_at = 0, 0.0
            return
        retry.refusals += 1
        delay_ms = retry_delay_ms(retry.refusals)
        retry.next_at = monotonic() + delay_ms / 1_000
        tell = log.error if retry_alerts(retry.refusals) else log.warning
        tell(
            "exit_refused",
            reason=reason,
            refusals=retry.refusals,
            retry_in_ms=delay_ms,
            code=report.error_code,
            message=report.error_message,
        )

    def _log_trade(self, booked: Booked) -> None:
        trade = booked.books.trade
        assert trade is not None, "an order with fills has a trade"
        log.info(
            "trade",
            side=trade.side,
            size=str(trade.size),
            price=f"{trade.price:.2f}",
            fee=str(trade.fee),
            pnl=None if trade.pnl is None else f"{trade.pnl:.4f}",
            reason=trade.exit_reason,
            closed=booked.round_trip is not None,
        )


def _execution(stored: StoredOrder, booked: Booked, report: OrderReport) -> Execution:
    trade = booked.books.trade
    assert trade is not None, "an order with fills has a trade"
    return Execution(
        intent_id=stored.intent.intent_id,
        ledger=stored.intent.key,
        symbol=stored.intent.symbol,
        side=stored.intent.side,
        reason=stored.intent.exit_reason,
        size=str(trade.size),
        price=str(trade.price),
        round_trip_id=stored.round_trip_id,
        round_trip_closed=booked.round_trip is not None,
        executed_at_ms=report.fills[-1].time_ms,
    )
