"""One log file that is rotated by copying and emptying it (see `logfiles`): what is in it, and what comes to it."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from btc_cli.logfiles import KEPT
from btc_cli.loglines import LogLine, Wanted, select, stamped


class LogFile:
    """The file `path`, which may not exist yet, as the log of `service`, and its older copies `<path>.1` ….

    With `follows`, a line that is not complete yet is kept until it is.
    """

    def __init__(self, service: str, path: Path, *, follows: bool) -> None:
        self._service, self._path, self._follows = service, path, follows
        self._begin()

    def history(self, wanted: Wanted) -> Iterator[LogLine]:
        """What is there now. Call it first; what comes later is in `new_lines`."""
        with contextlib.ExitStack() as files:
            while True:
                self._begin()
                current = self._new_texts()
                older = self._open_older(wanted, len(current), files)
                if _number(self._copy_path(1)) == self._copy_number:
                    break
                files.close()  # rotated while we looked: look again
            older_texts = (text.rstrip(b"\n") for text in chain.from_iterable(older))
            yield from select(self._stamped(chain(older_texts, current)), wanted)

    def new_lines(self) -> list[LogLine]:
        """What was written since the last call; at the first call, all that is in the file."""
        texts = self._new_texts()
        return list(self._stamped(texts)) if texts else []

    def _begin(self) -> None:
        self._copy_number = _number(self._copy_path(1))
        self._position = 0
        self._unfinished = b""

    def _stamped(self, texts: Iterable[bytes]) -> Iterator[LogLine]:
        try:
            written_by = self._path.stat().st_mtime
        except FileNotFoundError:
            written_by = 0.0
        return stamped(self._service, texts, datetime.fromtimestamp(written_by, UTC))

    def _new_texts(self) -> list[bytes]:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return []
        with file:
            pieces = [self._unfinished]
            if (rest := self._rest_of_copy(file)) is not None:
                pieces.append(rest)
                self._position = 0
            file.seek(self._position)
            pieces.append(file.read())
            self._position += len(pieces[-1])
        *texts, self._unfinished = b"".join(pieces).split(b"\n")
        if self._unfinished and not self._follows:
            texts.append(self._unfinished)
            self._unfinished = b""
        return texts

    def _rest_of_copy(self, file: BinaryIO) -> bytes | None:
        """What was in the file beyond our position when it was emptied; None unless it was emptied since."""
        try:
            copy = self._copy_path(1).open("rb")
        except FileNotFoundError:
            return b"" if _size(file) < self._position else None  # emptied by hand
        with copy:
            number, copied = os.fstat(copy.fileno()).st_ino, _size(copy)
            if number == self._copy_number:
                return b"" if _size(file) < self._position else None
            # The file only grows until it is emptied. So unless it is smaller than its new copy (looked at before),
            # the copy is still being made or the emptying is still to come.
            if _size(file) >= copied:
                return None
            self._copy_number = number
            copy.seek(self._position)
            return copy.read()

    def _open_older(self, wanted: Wanted, found: int, files: contextlib.ExitStack) -> list[BinaryIO]:
        """The older copies in which wanted lines may be, the oldest first."""
        older: list[BinaryIO] = []
        if wanted.tail is not None and found >= wanted.tail:
            return older
        for number in range(1, KEPT + 1):
            path = self._copy_path(number)
            try:
                if wanted.since is not None and path.stat().st_mtime < wanted.since.timestamp():
                    break  # its last line was written before
                older.insert(0, files.enter_context(path.open("rb")))
            except FileNotFoundError:
                break
        return older

    def _copy_path(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _number(path: Path) -> int | None:
    """The file's number on its disk, by which a new copy is told from the one before."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
