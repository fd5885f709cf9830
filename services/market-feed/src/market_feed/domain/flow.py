"""The trade flow: who has been more in a hurry over the last 100 public trades, buyers or sellers."""

from bisect import insort
from collections.abc import Iterable, Sequence
from decimal import Decimal

from btc_shared.codes import Side
from btc_shared.records import PublicTrade
from market_feed.domain.bars import order_of

FLOW_TRADES = 100
KEPT_TRADES = 1_000
# Two trades of one id this far apart are two trades: the exchange began its numbers anew.
SAME_TRADE_MS = 60_000


def trade_flow(trades: Sequence[PublicTrade]) -> float | None:
    """(buy volume - sell volume) / total over the newest 100 of `trades` (oldest first), in [-1, 1]; None if empty.

    Sides are the taker's, volumes in the base currency.
    """
    newest = trades[-FLOW_TRADES:]
    total = sum((trade.size for trade in newest), Decimal(0))
    if not total:
        return None
    bought = sum((trade.size for trade in newest if trade.side is Side.BUY), Decimal(0))
    return float((2 * bought - total) / total)


class RecentTrades:
    """The newest public trades in the exchange's order, each once, whether it came by socket, by REST or by both."""

    def __init__(self) -> None:
        self._trades: list[PublicTrade] = []
        self._times: dict[str, int] = {}

    @property
    def newest(self) -> PublicTrade | None:
        return self._trades[-1] if self._trades else None

    def meets(self, trades: Sequence[PublicTrade]) -> bool:
        """True when `trades` go on from what is known: one of them is known, or nothing is known yet.

        The exchange's answer holds its last 100 trades. If none of them is known, others came in between.
        """
        return not self._trades or any(self._is_known(trade) for trade in trades)

    def add(self, trades: Iterable[PublicTrade]) -> list[PublicTrade]:
        """Take `trades` in and return those that are news, in the order given."""
        news = [trade for trade in trades if self._take(trade)]
        for trade in self._trades[:-KEPT_TRADES]:
            if self._times.get(trade.trade_id) == trade.event_time_ms:
                del self._times[trade.trade_id]
        del self._trades[:-KEPT_TRADES]
        return news

    def flow(self) -> float | None:
        """See `trade_flow`."""
        return trade_flow(self._trades)

    def _is_known(self, trade: PublicTrade) -> bool:
        seen_at = self._times.get(trade.trade_id)
        return seen_at is not None and abs(trade.event_time_ms - seen_at) < SAME_TRADE_MS

    def _take(self, trade: PublicTrade) -> bool:
        if self._is_known(trade):
            return False
        if len(self._trades) >= KEPT_TRADES and order_of(trade) < order_of(self._trades[0]):
            return False  # older than all that we remember: it cannot be told whether it was seen
        self._times[trade.trade_id] = trade.event_time_ms
        insort(self._trades, trade, key=order_of)
        return True
