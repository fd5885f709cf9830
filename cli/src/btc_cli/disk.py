"""Disks that are full or soon will be, told in a sentence."""

import errno
import os
import shutil
from pathlib import Path

# The database writes its log in pieces of 16 MB. Below the first figure that is a matter of days, below the second it
# can fail at any moment.
LOW_BYTES = 100_000_000
FULL_BYTES = 20_000_000
_MAKE_ROOM = "make room on that disk, or give a --home on another one"
_WAYS_OUT = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "the size of files is limited here, raise that (ulimit -f unlimited)",
}


def is_full(error: OSError) -> bool:
    """True when something could not be written for want of room: disk, quota, or the limit on the size of files."""
    return error.errno in _WAYS_OUT


def full_sentence(error: OSError) -> str:
    """What an error for which `is_full` holds means, and the way out."""
    where = f" {error.filename}" if error.filename else ""
    text = f"cannot write{where} ({error.strerror})"
    return f"{text}: {way_out(text)}"


def way_out(text: str) -> str:
    """What a person can do when a program says in `text` that there is no room; empty when it says no such thing."""
    return next((way for number, way in _WAYS_OUT.items() if os.strerror(number) in text), "")


def shortage(folder: Path, below_bytes: int) -> str:
    """That the folder's disk has less room than this; empty when it has more. A folder that does not exist yet counts
    for the disk of the folder that it will be in."""
    try:
        free_bytes = shutil.disk_usage(next(one for one in (folder, *folder.parents) if one.exists())).free
    except OSError as error:
        return f"the disk of {folder} cannot be looked at ({error.strerror})"
    if free_bytes >= below_bytes:
        return ""
    return f"less than {below_bytes / 1e6:.0f} MB are left on the disk of {folder}: make room, or the database stops"
