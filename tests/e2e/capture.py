"""What the recorded market was, reckoned from the raw capture's lines alone.

Nothing of the product is imported here: these are the figures that the product is held against. Times are
milliseconds on the recording exchange's clock; prices are in cents and sizes in 1e-8 BTC, so nothing is rounded.
"""

import gzip
import json
from bisect import bisect_right
from decimal import Decimal
from functools import cached_property
from heapq import nlargest, nsmallest
from math import exp
from pathlib import Path
from typing import Any, NamedTuple

MINUTE_MS = 60_000
FLOW_TRADES = 100
LEVELS = 10
TAU_MS = 60_000


class Top(NamedTuple):
    """The best ten levels of a book, summed up."""

    bid: int
    ask: int
    bid_volume: int
    ask_volume: int

    @property
    def mid(self) -> Decimal:
        return Decimal(self.bid + self.ask) / 200

    @property
    def imbalance(self) -> float:
        return (self.bid_volume - self.ask_volume) / (self.bid_volume + self.ask_volume)

    @property
    def spread_bp(self) -> float:
        return (self.ask - self.bid) / ((self.ask + self.bid) / 2) * 10_000


class Print(NamedTuple):
    """A trade; `bought` when the taker was the buyer."""

    time_ms: int
    number: int
    price: int
    size: int
    bought: bool


class Bar(NamedTuple):
    """A minute's trades: prices in USDT, volume in BTC, turnover in USDT."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal


class Capture:
    """The whole recording. It begins with the first difference that the snapshot can be continued with."""

    def __init__(self, path: Path) -> None:
        snapshot: dict[str, Any] = {}
        differences: list[dict[str, Any]] = []
        prints: list[Print] = []
        with gzip.open(path) as lines:
            for line in lines:
                message = json.loads(line.partition(b" ")[2])
                if "lastUpdateId" in message:
                    snapshot = message
                    continue
                data = message["data"]
                if data.get("e") == "depthUpdate":
                    differences.append(data)
                elif data.get("e") == "trade":
                    prints.append(
                        Print(data["T"], data["t"], _units(data["p"], 2), _units(data["q"], 8), bought=not data["m"])
                    )
        used = [data for data in differences if data["u"] > snapshot["lastUpdateId"]]
        self.begins_ms: int = used[0]["E"]
        self.tops = _played(snapshot, used)
        self.book_times = list(self.tops)
        self.prints = sorted(one for one in prints if one.time_ms >= self.begins_ms)

    @cached_property
    def print_times(self) -> list[int]:
        return [one.time_ms for one in self.prints]

    @cached_property
    def flows(self) -> list[float]:
        """After each trade: (bought − sold) / all over the last 100 trades, or as many as there are."""
        found, bought, total = [], 0, 0
        for place, one in enumerate(self.prints):
            bought += one.size * one.bought
            total += one.size
            if place >= FLOW_TRADES:
                gone = self.prints[place - FLOW_TRADES]
                bought -= gone.size * gone.bought
                total -= gone.size
            found.append((2 * bought - total) / total)
        return found

    def places_at(self, time_ms: int) -> range:
        """Places in `prints` of the trades of exactly this millisecond."""
        return range(bisect_right(self.print_times, time_ms - 1), bisect_right(self.print_times, time_ms))

    @cached_property
    def bars(self) -> dict[int, Bar]:
        """Opening time → the minute's bar; the first and the last minute are not complete in the recording."""
        minutes: dict[int, list[Print]] = {}
        for one in self.prints:
            minutes.setdefault(one.time_ms // MINUTE_MS * MINUTE_MS, []).append(one)
        return {minute: _bar(prints) for minute, prints in minutes.items()}

    def imbalance_means(self, first_ms: int, mean: float) -> dict[int, float]:
        """Time of each book from `first_ms` on → the exponentially weighted mean of the imbalance, which was `mean`."""
        times = [time_ms for time_ms in self.book_times if time_ms > first_ms]
        return _means([(first_ms, mean), *((time_ms, self.tops[time_ms].imbalance) for time_ms in times)])

    def flow_means(self, first: int) -> dict[int, float]:
        """The same for the flow after the trades from place `first` on; of one millisecond the last trade counts."""
        last_of_each = {one.time_ms: flow for one, flow in zip(self.prints[first:], self.flows[first:], strict=True)}
        return _means(list(last_of_each.items()))


def _units(text: str, decimals: int) -> int:
    units = Decimal(text).scaleb(decimals)
    assert units == int(units), f"{text} has more than {decimals} decimals"
    return int(units)


def _played(snapshot: dict[str, Any], differences: list[dict[str, Any]]) -> dict[int, Top]:
    """Time → the book after all differences up to and including it."""
    bids = {_units(price, 2): _units(size, 8) for price, size in snapshot["bids"]}
    asks = {_units(price, 2): _units(size, 8) for price, size in snapshot["asks"]}
    tops: dict[int, Top] = {}
    last_id = snapshot["lastUpdateId"]
    for data in differences:
        assert data["U"] <= last_id + 1, "the capture has a gap"
        last_id = data["u"]
        for side, changes in ((bids, data["b"]), (asks, data["a"])):
            for price, size in changes:
                level, left = _units(price, 2), _units(size, 8)
                if left:
                    side[level] = left
                else:
                    side.pop(level, None)
        best_bids, best_asks = nlargest(LEVELS, bids), nsmallest(LEVELS, asks)
        tops[data["E"]] = Top(
            bid=best_bids[0],
            ask=best_asks[0],
            bid_volume=sum(bids[price] for price in best_bids),
            ask_volume=sum(asks[price] for price in best_asks),
        )
    return tops


def _bar(prints: list[Print]) -> Bar:
    prices = [Decimal(one.price).scaleb(-2) for one in prints]
    sizes = [Decimal(one.size).scaleb(-8) for one in prints]
    return Bar(
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum(sizes, Decimal(0)),
        turnover=sum((price * size for price, size in zip(prices, sizes, strict=True)), Decimal(0)),
    )


def _means(samples: list[tuple[int, float]]) -> dict[int, float]:
    found: dict[int, float] = {}
    mean, last_ms = samples[0][1], samples[0][0]
    for time_ms, value in samples:
        kept = exp(-(time_ms - last_ms) / TAU_MS)
        mean, last_ms = mean * kept + value * (1 - kept), time_ms
        found[time_ms] = mean
    return found
