"""Recordings of real markets: our own format, written once and checked in full before it is played.

A recording is a gzip file of JSON lines. The first line is the header. Every other line is an event, in order of
its time (ms since 1970, the exchange's clock), as a short array:

    ["s", time, [[price, size], …] bids, […] asks]     the whole book
    ["b", time, [[price, size], …] bids, […] asks]     changed levels; size 0 removes a level
    ["t", time, price, size, "buy" | "sell"]           a trade; the side is the taker's
    ["q", time, bid, bid size, ask, ask size]          best bid and ask; levels beyond them are gone

Prices and sizes are whole numbers of the header's increments, so nothing is rounded. The first event is a book.
At equal times trades come before the book that already contains them.
"""

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from kucoin_sim.fixed import decimals_of

FORMAT = "kucoin-sim-recording"
VERSION = 1

Level = tuple[int, int]


class RecordingError(Exception):
    """A file that cannot be played; the message says what is wrong with it and what to do."""


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `sha256` is taken over the event lines, newlines included."""

    format: str
    version: int
    symbol: str
    source: str
    price_increment: str
    size_increment: str
    first_ms: int
    last_ms: int
    events: int
    sha256: str

    @property
    def price_decimals(self) -> int:
        return decimals_of(self.price_increment)

    @property
    def size_decimals(self) -> int:
        return decimals_of(self.size_increment)


class BookSnapshot(msgspec.Struct, array_like=True, tag="s", frozen=True):
    """The whole book."""

    time_ms: int
    bids: list[Level]
    asks: list[Level]


class BookChanges(msgspec.Struct, array_like=True, tag="b", frozen=True):
    """Changed levels; size 0 removes one."""

    time_ms: int
    bids: list[Level]
    asks: list[Level]


class RecordedTrade(msgspec.Struct, array_like=True, tag="t", frozen=True):
    """A trade with its taker's side."""

    time_ms: int
    price: int
    size: int
    side: Literal["buy", "sell"]


class BestQuotes(msgspec.Struct, array_like=True, tag="q", frozen=True):
    """Best bid and ask."""

    time_ms: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int


Event = BookSnapshot | BookChanges | RecordedTrade | BestQuotes

_decoder = msgspec.json.Decoder(Event)
_header_decoder = msgspec.json.Decoder(Header)


class RecordingWriter:
    """Writes a recording: `with RecordingWriter(...) as writer: writer.add(event)`.

    The file appears under its name only when it is complete; after an exception nothing is left behind.
    """

    def __init__(self, path: Path, *, symbol: str, source: str, price_increment: str, size_increment: str) -> None:
        decimals_of(price_increment)
        decimals_of(size_increment)
        self._path = path
        self._symbol = symbol
        self._source = source
        self._price_increment = price_increment
        self._size_increment = size_increment
        self._hash = hashlib.sha256()
        self._events = 0
        self._first_ms = 0
        self._last_ms = 0

    def __enter__(self) -> Self:
        self._events_path = self._path.with_name(f".{self._path.name}.{os.getpid()}.events")
        self._file = self._events_path.open("wb")
        # No name and no time inside: the same events make the same bytes.
        self._output = gzip.GzipFile("", "wb", compresslevel=9, fileobj=self._file, mtime=0)
        return self

    def add(self, event: Event) -> None:
        """Append `event`.

        Raises:
            RecordingError: it lies before the last one, or is the first and no whole book.
        """
        _check_order(self._events, self._last_ms, event)
        line = msgspec.json.encode(event) + b"\n"
        self._hash.update(line)
        self._output.write(line)
        if self._events == 0:
            self._first_ms = event.time_ms
        self._last_ms = event.time_ms
        self._events += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output.close()
        self._file.close()
        try:
            if kind is None:
                self._finish()
        finally:
            self._events_path.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._events == 0:
            raise RecordingError("nothing was recorded: a recording needs at least a book")
        header = Header(
            FORMAT,
            VERSION,
            self._symbol,
            self._source,
            self._price_increment,
            self._size_increment,
            self._first_ms,
            self._last_ms,
            self._events,
            self._hash.hexdigest(),
        )
        whole_path = self._path.with_name(f".{self._path.name}.{os.getpid()}.whole")
        try:
            # Two gzip members one after the other are one gzip file.
            with whole_path.open("wb") as whole, self._events_path.open("rb") as events:
                whole.write(gzip.compress(msgspec.json.encode(header) + b"\n", mtime=0))
                shutil.copyfileobj(events, whole)
            whole_path.replace(self._path)
        finally:
            whole_path.unlink(missing_ok=True)


class Recording:
    """A recording on disk that has been read and checked in full once.

    Raises:
        RecordingError: with the reason, if the file is not a complete, unchanged recording of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = _lines(path)
        self.header = _read_header(path, next(lines, b""))
        digest = hashlib.sha256()
        count = 0
        last_ms = self.header.first_ms
        for line in lines:
            digest.update(line)
            event = _decode(path, count, line)
            _check_order(count, last_ms, event)
            last_ms = event.time_ms
            count += 1
        if count != self.header.events:
            raise RecordingError(f"{path} has {count} events but announces {self.header.events}: it was cut or joined")
        if digest.hexdigest() != self.header.sha256:
            raise RecordingError(f"{path} was changed after it was written: its events do not match their checksum")

    def events(self) -> Iterator[Event]:
        """The events in order, read from disk as they are needed."""
        lines = _lines(self.path)
        next(lines)
        for number, line in enumerate(lines):
            yield _decode(self.path, number, line)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as stream:
            yield from stream
    except EOFError as error:
        raise RecordingError(f"{path} ends in the middle: it was not copied or written completely") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise RecordingError(f"{path} is not a readable gzip file: {error}") from error
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error


def _read_header(path: Path, line: bytes) -> Header:
    try:
        loose = msgspec.json.decode(line) if line else None
    except msgspec.DecodeError:
        loose = None
    if not isinstance(loose, dict) or loose.get("format") != FORMAT:
        raise RecordingError(
            f"{path} is not a recording of a market; make one from a Binance capture with "
            "`python -m kucoin_sim.convert binance-spot CAPTURE RECORDING`"
        )
    if loose.get("version") != VERSION:
        raise RecordingError(
            f"{path} has version {loose.get('version')} of the format, this program reads {VERSION}; convert it again"
        )
    try:
        header = _header_decoder.decode(line)
        decimals_of(header.price_increment)
        decimals_of(header.size_increment)
    except (msgspec.ValidationError, ValueError) as error:
        raise RecordingError(f"the header of {path} is wrong: {error}") from error
    return header


def _decode(path: Path, number: int, line: bytes) -> Event:
    try:
        event: Event = _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise RecordingError(f"event {number + 1} of {path} is wrong: {error}") from error
    return event


def _check_order(count: int, last_ms: int, event: Event) -> None:
    if count == 0 and not isinstance(event, BookSnapshot):
        raise RecordingError("a recording begins with a whole book, not with a change, a trade or quotes")
    if count > 0 and event.time_ms < last_ms:
        raise RecordingError(f"event {count + 1} at {event.time_ms} lies before the one at {last_ms}")
