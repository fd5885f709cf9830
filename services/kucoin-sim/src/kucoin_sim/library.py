"""A folder of recordings, selected by name: the file's name up to its first dot, or the whole of it."""

from collections.abc import Mapping
from pathlib import Path

from kucoin_sim.recording import RecordingError


def recordings(folder: Path) -> dict[str, Path]:
    """The folder's visible files by name. Two that would share a short name keep their whole names."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    short = [path.name.partition(".")[0] for path in files]
    return {name if short.count(name) == 1 else path.name: path for name, path in zip(short, files, strict=True)}


def find(text: str, folder: Path | None) -> Path:
    """The recording that `text` means: a name in `folder`, or else the path of a file.

    Raises:
        RecordingError: there is none; the message lists the names that there are.
    """
    named: Mapping[str, Path] = recordings(folder) if folder is not None else {}
    whole = {path.name: path for path in named.values()}
    path = named.get(text) or whole.get(text) or Path(text)
    if path.is_file():
        return path
    if folder is None:
        raise RecordingError(f"there is no file {text!r} (with --recordings FOLDER a name will do)")
    raise RecordingError(f"{text!r} is neither a file nor one of {', '.join(named) or 'none'} in {folder}")
