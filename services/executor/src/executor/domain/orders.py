"""An order's life: what an intent is, which moves between its states are legal, and when it is proven absent."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from btc_shared.codes import ExitReason, IntentState, Side
from btc_shared.records import LedgerKey, SymbolRules
from executor.domain.arithmetic import exact

# Tells our orders on the exchange from a person's.
CLIENT_OID_PREFIX = "btca-"
CLIENT_OID_MAX_LENGTH = 40
_CLIENT_OID = re.compile(r"[A-Za-z0-9_-]+")

# `allowMaxTimeWindow`: how long after `clientTimestamp` the exchange may still accept the order.
ENTRY_WINDOW_MS = 5_000
EXIT_WINDOW_MS = 2_000

ENTRY_ABSENT_AFTER_MS = 60_000
ENTRY_ABSENT_LOOKUPS = 3
ENTRY_LOOKUP_SPACING_MS = 5_000
EXIT_ABSENT_AFTER_MS = 3_000
EXIT_ABSENT_LOOKUPS = 2


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One order that the agent decided on, stored before it is sent.

    A buy is a market order by `funds` (USDT, without the fee), a sell one by `size` (BTC) with its reason.

    Raises:
        ValueError: for any other combination.
    """

    intent_id: str
    client_oid: str
    key: LedgerKey
    symbol: str
    side: Side
    created_at_ms: int
    funds: Decimal | None = None
    size: Decimal | None = None
    exit_reason: ExitReason | None = None
    decision_id: str | None = None
    signal_id: str | None = None
    state: IntentState = IntentState.INTENT

    def __post_init__(self) -> None:
        given = (self.funds is not None, self.size is not None, self.exit_reason is not None)
        wanted = (True, False, False) if self.side is Side.BUY else (False, True, True)
        amount = self.funds if self.side is Side.BUY else self.size
        if given != wanted or amount is None or amount <= 0:
            raise ValueError(
                f"intent {self.intent_id}: {self.side} with funds {self.funds}, size {self.size}, exit reason "
                f"{self.exit_reason}; a buy has funds above 0 only, a sell a size above 0 and a reason"
            )

    @property
    def window_ms(self) -> int:
        """`allowMaxTimeWindow` of its POST."""
        return ENTRY_WINDOW_MS if self.side is Side.BUY else EXIT_WINDOW_MS


def client_oid(intent_id: str, prefix: str = CLIENT_OID_PREFIX) -> str:
    """The exchange's idea of the intent's id: always the same for the same intent.

    Raises:
        ValueError: if the result is not 1 to 40 of KuCoin's characters; a UUID's 32 hex digits fit.
    """
    oid = f"{prefix}{intent_id}"
    if not intent_id or len(oid) > CLIENT_OID_MAX_LENGTH or not _CLIENT_OID.fullmatch(oid):
        raise ValueError(
            f"intent id {intent_id!r}: with the prefix {prefix!r} it must be at most {CLIENT_OID_MAX_LENGTH} letters, "
            "digits, '_' and '-'; a UUID's 32 hex digits fit"
        )
    return oid


class MoveKind(StrEnum):
    """How a report about an order relates to what is known."""

    ORDINARY = "ordinary"
    ODD = "odd"  # happens on a real exchange, and a person should hear of it
    NO_NEWS = "no_news"  # repeated or overtaken: the state stays


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """The state after a report, and why the move is legal."""

    state: IntentState
    kind: MoveKind
    why: str


class IllegalMoveError(Exception):
    """A report contradicts what is known in a way that no exchange explains: a bug, not a state to go on with."""


_I = IntentState
_STREAM_FIRST = "the order stream told it before the answer to the POST did"
_LATE_FILL = "a fill arrived after the cancellation"
_OVERTAKEN = "older news than what is known"

_ORDINARY: Mapping[tuple[IntentState, IntentState], str] = {
    (_I.INTENT, _I.SENT): "handed to the venue",
    (_I.INTENT, _I.ACKNOWLEDGED): "the venue answered before the sending was stored",
    (_I.INTENT, _I.UNKNOWN): "the process ended between storing and sending: it may have been sent",
    (_I.INTENT, _I.REJECTED): "refused before the sending was stored",
    (_I.INTENT, _I.CANCELLED): "given up before it was sent",
    (_I.INTENT, _I.PARTLY_FILLED): _STREAM_FIRST,
    (_I.INTENT, _I.FILLED): _STREAM_FIRST,
    (_I.SENT, _I.ACKNOWLEDGED): "the venue took it",
    (_I.SENT, _I.UNKNOWN): "timeout, lost connection, server error or unreadable answer",
    (_I.SENT, _I.REJECTED): "the venue refused it",
    (_I.SENT, _I.CANCELLED): _STREAM_FIRST,
    (_I.SENT, _I.PARTLY_FILLED): _STREAM_FIRST,
    (_I.SENT, _I.FILLED): _STREAM_FIRST,
    (_I.ACKNOWLEDGED, _I.CANCELLED): "ended without a fill",
    (_I.ACKNOWLEDGED, _I.PARTLY_FILLED): "ended, a part was filled",
    (_I.ACKNOWLEDGED, _I.FILLED): "ended, filled",
    (_I.UNKNOWN, _I.ACKNOWLEDGED): "found among the open orders",
    (_I.UNKNOWN, _I.REJECTED): "found refused",
    (_I.UNKNOWN, _I.CANCELLED): "found ended without a fill",
    (_I.UNKNOWN, _I.PARTLY_FILLED): "found ended, a part was filled",
    (_I.UNKNOWN, _I.FILLED): "found ended, filled",
    (_I.UNKNOWN, _I.ABSENT): "proven absent",
}

_ODD: Mapping[tuple[IntentState, IntentState], str] = {
    (_I.ACKNOWLEDGED, _I.REJECTED): "taken, then refused by the matching engine",
    (_I.ACKNOWLEDGED, _I.UNKNOWN): "taken, but found nowhere any more",
    (_I.CANCELLED, _I.PARTLY_FILLED): _LATE_FILL,
    (_I.CANCELLED, _I.FILLED): _LATE_FILL,
    (_I.PARTLY_FILLED, _I.FILLED): _LATE_FILL,
    (_I.REJECTED, _I.ACKNOWLEDGED): "open although the venue had refused it",
    (_I.REJECTED, _I.CANCELLED): "cancelled although the venue had refused it",
    (_I.REJECTED, _I.PARTLY_FILLED): "filled although the venue had refused it",
    (_I.REJECTED, _I.FILLED): "filled although the venue had refused it",
    (_I.ABSENT, _I.ACKNOWLEDGED): "turned up after it was proven absent",
    (_I.ABSENT, _I.CANCELLED): "turned up after it was proven absent",
    (_I.ABSENT, _I.PARTLY_FILLED): "turned up after it was proven absent",
    (_I.ABSENT, _I.FILLED): "turned up after it was proven absent",
}

_NO_NEWS: Mapping[tuple[IntentState, IntentState], str] = {
    **{(state, state): "known already" for state in IntentState},
    **{
        (known, reported): _OVERTAKEN
        for known in (_I.CANCELLED, _I.PARTLY_FILLED, _I.FILLED)
        for reported in (_I.SENT, _I.ACKNOWLEDGED, _I.UNKNOWN)
    },
    (_I.ACKNOWLEDGED, _I.SENT): _OVERTAKEN,
    (_I.UNKNOWN, _I.SENT): _OVERTAKEN,
    (_I.REJECTED, _I.SENT): _OVERTAKEN,
    (_I.REJECTED, _I.UNKNOWN): _OVERTAKEN,
    (_I.ABSENT, _I.SENT): _OVERTAKEN,
    (_I.ABSENT, _I.UNKNOWN): _OVERTAKEN,
    (_I.ABSENT, _I.REJECTED): "a refusal confirms that nothing was placed",
}


def move(known: IntentState, reported: IntentState) -> Move:
    """The state of an order after a report about it.

    Raises:
        IllegalMoveError: if the report cannot be true after what is known.
    """
    step = (known, reported)
    if step in _ORDINARY:
        return Move(state=reported, kind=MoveKind.ORDINARY, why=_ORDINARY[step])
    if step in _ODD:
        return Move(state=reported, kind=MoveKind.ODD, why=_ODD[step])
    if step in _NO_NEWS:
        return Move(state=known, kind=MoveKind.NO_NEWS, why=_NO_NEWS[step])
    legal = sorted({to for origin, to in (*_ORDINARY, *_ODD) if origin is known})
    raise IllegalMoveError(f"{known} → {reported} is no legal move; legal are: {', '.join(legal) or 'none'}")


@exact
def ended_state(intent: Intent, deal_size: Decimal, deal_funds: Decimal, rules: SymbolRules) -> IntentState:
    """What an order that has ended did, from its fills and not from the exchange's word for it.

    KuCoin calls a market buy by funds cancelled, because the rest that buys no further increment is. So a buy is
    filled when what it left could not have been an order, and a sell when it left less than an increment.

    Args:
        deal_size: Σ size of its fills. deal_funds: Σ price × size.
    """
    if deal_size == 0:
        return IntentState.CANCELLED
    if intent.side is Side.BUY:
        assert intent.funds is not None, "a buy intent has funds"
        smallest = max(rules.quote_min_size, rules.min_funds, rules.base_increment * deal_funds / deal_size)
        complete = intent.funds - deal_funds < smallest
    else:
        assert intent.size is not None, "a sell intent has a size"
        complete = intent.size - deal_size < rules.base_increment
    return IntentState.FILLED if complete else IntentState.PARTLY_FILLED


def proven_absent(
    intent: Intent,
    *,
    sent_at_ms: int,
    now_ms: int,
    empty_lookups_ms: Sequence[int],
    available_base_before: Decimal | None,
    available_base_now: Decimal | None,
) -> bool:
    """True if an unknown order certainly never reached the exchange; else it stays unknown.

    Only look-ups after the order's window prove anything: until then the exchange may still accept it.

    Args:
        sent_at_ms: the POST's `clientTimestamp`. now_ms: the exchange's clock, as all times here.
        empty_lookups_ms: when the order was looked for in open orders, done orders, fills and the stream, and was in
            none of them; a look-up that failed anywhere does not count.
        available_base_before, available_base_now: free coins before the POST and now; None is no proof.
    """
    window_end_ms = sent_at_ms + intent.window_ms
    lookups = sorted({time_ms for time_ms in empty_lookups_ms if time_ms > window_end_ms})
    if intent.side is Side.BUY:
        return (
            now_ms - window_end_ms >= ENTRY_ABSENT_AFTER_MS
            and _spaced(lookups, ENTRY_LOOKUP_SPACING_MS) >= ENTRY_ABSENT_LOOKUPS
        )
    return (
        now_ms - window_end_ms >= EXIT_ABSENT_AFTER_MS
        and len(lookups) >= EXIT_ABSENT_LOOKUPS
        and available_base_before is not None
        and available_base_before == available_base_now
    )


def _spaced(times_ms: Sequence[int], spacing_ms: int) -> int:
    """How many of the ascending times can be taken with at least `spacing_ms` between neighbours."""
    count, last_ms = 0, None
    for time_ms in times_ms:
        if last_ms is None or time_ms - last_ms >= spacing_ms:
            count, last_ms = count + 1, time_ms
    return count
