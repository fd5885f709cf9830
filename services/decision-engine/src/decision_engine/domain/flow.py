"""Trade flow: who was in a hurry over the last public trades."""

from decimal import Decimal

import msgspec

from btc_shared.codes import Side
from btc_shared.records import PublicTrade

FLOW_TRADES = 100
"""Trades that the flow looks back; what the exchange's REST history holds, too."""


class TradeWindow(msgspec.Struct, frozen=True):
    """The newest public trades of one symbol, oldest first, at most `FLOW_TRADES`."""

    trades: tuple[PublicTrade, ...] = ()

    def add(self, trade: PublicTrade) -> "TradeWindow":
        """The window with one more trade, in its place by time.

        A trade that is known already (history and stream overlap after a reconnect), or that is older than all of
        a full window, changes nothing.
        """
        known = self.trades
        full = len(known) >= FLOW_TRADES
        if (full and trade.event_time_ms < known[0].event_time_ms) or any(
            other.trade_id == trade.trade_id for other in known
        ):
            return self
        place = len(known)
        while place and known[place - 1].event_time_ms > trade.event_time_ms:
            place -= 1
        return TradeWindow((*known[:place], trade, *known[place:])[-FLOW_TRADES:])

    @property
    def newest_ms(self) -> int | None:
        """Time of the newest trade, exchange clock; None without trades."""
        return self.trades[-1].event_time_ms if self.trades else None

    @property
    def flow(self) -> float | None:
        """(buy volume − sell volume) / total by the takers' sides, in [−1, 1]; None until there are `FLOW_TRADES`."""
        if len(self.trades) < FLOW_TRADES:
            return None
        bought = sum((trade.size for trade in self.trades if trade.side is Side.BUY), Decimal(0))
        total = sum((trade.size for trade in self.trades), Decimal(0))
        return float((2 * bought - total) / total) if total else None
