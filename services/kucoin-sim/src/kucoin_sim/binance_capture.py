"""Reads a raw Binance spot capture and writes it as a recording.

Lines are `<receive time in ns> <JSON>`: one REST depth snapshot without a time of its own, `depthUpdate` differences
with event time E and update ids U…u, `trade` messages with trade time T, and `bookTicker` messages.

The book follows Binance's rules: differences that end at or before the snapshot's `lastUpdateId` are dropped, the first
one used must reach over it, and each next one must begin where the last ended. The snapshot gets the time of the first
difference that is used, which makes the first book complete at that moment. Trades are placed at their trade time.
`bookTicker` messages have no exchange time and the differences repeat what they say every 100 ms, so they are dropped:
a place between two differences would be a guess from the receiving machine's clock.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from kucoin_sim.fixed import decimals_of, to_units
from kucoin_sim.recording import BookChanges, BookSnapshot, Event, Level, RecordedTrade, RecordingWriter


class CaptureError(Exception):
    """A capture that cannot be converted; the message names the line and what is wrong."""


class _Reader:
    """Collects events from the capture's messages."""

    def __init__(self, price_decimals: int, size_decimals: int) -> None:
        self._price_decimals = price_decimals
        self._size_decimals = size_decimals
        self._waiting: list[dict[str, Any]] = []
        self._last_update_id: int | None = None
        self._snapshot: dict[str, Any] | None = None
        self.events: list[Event] = []
        self.quotes_dropped = 0

    def take(self, message: dict[str, Any]) -> None:
        if "lastUpdateId" in message:
            self._take_snapshot(message)
            return
        data = message["data"]
        kind = data.get("e", "bookTicker")
        if kind == "depthUpdate":
            self._take_difference(data)
        elif kind == "trade":
            price = to_units(data["p"], self._price_decimals)
            size = to_units(data["q"], self._size_decimals)
            self.events.append(RecordedTrade(data["T"], price, size, "sell" if data["m"] else "buy"))
        elif kind == "bookTicker":
            self.quotes_dropped += 1
        else:
            raise CaptureError(f"unknown message {kind!r}")

    def _take_snapshot(self, message: dict[str, Any]) -> None:
        self._snapshot = message
        self._last_update_id = message["lastUpdateId"]
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self._take_difference(data)

    def _take_difference(self, data: dict[str, Any]) -> None:
        last = self._last_update_id
        if last is None:
            self._waiting.append(data)
            return
        if data["u"] <= last:
            return
        reaches = data["U"] <= last + 1 if self._snapshot is not None else data["U"] == last + 1
        if not reaches:
            raise CaptureError(f"differences are missing: update {last + 1} is expected, {data['U']} follows")
        if self._snapshot is not None:
            bids, asks = self._levels(self._snapshot["bids"]), self._levels(self._snapshot["asks"])
            self.events.append(BookSnapshot(data["E"], bids, asks))
            self._snapshot = None
        self.events.append(BookChanges(data["E"], self._levels(data["b"]), self._levels(data["a"])))
        self._last_update_id = data["u"]

    def _levels(self, rows: list[list[str]]) -> list[Level]:
        return [(to_units(price, self._price_decimals), to_units(size, self._size_decimals)) for price, size in rows]


def _order(event: Event) -> tuple[int, int]:
    """By time; at the same time a whole book first, and trades before the changes that contain them."""
    return event.time_ms, 0 if isinstance(event, BookSnapshot) else 1 if isinstance(event, RecordedTrade) else 2


def convert(
    capture: Path, recording: Path, symbol: str, price_increment: str, size_increment: str
) -> dict[str, object]:
    """Write `recording` from `capture`; returns what was written and what was left out.

    Raises:
        CaptureError: the capture is broken or misses differences.
        RecordingError: the recording cannot be written.
    """
    reader = _Reader(decimals_of(price_increment), decimals_of(size_increment))
    for number, line in enumerate(_lines(capture), 1):
        try:
            reader.take(msgspec.json.decode(line.partition(b" ")[2]))
        except CaptureError as error:
            raise CaptureError(f"line {number} of {capture}: {error}") from error
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise CaptureError(f"line {number} of {capture} is no message of a capture: {error!r}") from error
    begin_ms = next((event.time_ms for event in reader.events if isinstance(event, BookSnapshot)), None)
    if begin_ms is None:
        raise CaptureError(f"{capture} has no snapshot with differences after it")
    events = sorted((event for event in reader.events if event.time_ms >= begin_ms), key=_order)
    with RecordingWriter(
        recording,
        symbol=symbol,
        source=f"Binance spot capture {capture.name}",
        price_increment=price_increment,
        size_increment=size_increment,
    ) as writer:
        for event in events:
            writer.add(event)
    return {
        "recording": str(recording),
        "first_ms": events[0].time_ms,
        "last_ms": events[-1].time_ms,
        "books": sum(not isinstance(event, RecordedTrade) for event in events),
        "trades": sum(isinstance(event, RecordedTrade) for event in events),
        "trades_before_first_book": sum(event.time_ms < begin_ms for event in reader.events),
        "quotes_without_time_dropped": reader.quotes_dropped,
    }


def _lines(capture: Path) -> Iterator[bytes]:
    try:
        with gzip.open(capture, "rb") as stream:
            yield from stream
    except EOFError as error:
        raise CaptureError(f"{capture} ends in the middle: it was not copied completely") from error
    except (OSError, zlib.error) as error:
        raise CaptureError(f"cannot read {capture}: {error}") from error
