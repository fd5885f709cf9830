"""Command line and environment: every flag has a variable KUCOIN_SIM_<FLAG>, and the flag wins."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kucoin_sim.instruments import INSTRUMENTS
from kucoin_sim.library import find
from kucoin_sim.presets import PRESETS
from kucoin_sim.recording import RecordingError
from kucoin_sim.scenarios import SCENARIOS, film_of

_PREFIX = "KUCOIN_SIM_"


@dataclass(frozen=True, slots=True)
class Options:
    """What to serve, and where."""

    host: str
    port: int
    market: str
    """A preset. A scenario has been replaced by its preset and seed."""
    recordings: Path | None
    recording: Path | None
    seed: int
    symbols: tuple[str, ...]
    history: Path | None
    history_scale: str
    json: bool
    ping_interval_ms: int
    ping_timeout_ms: int
    connection_seconds: int
    log_level: str


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Read flags and variables. Wrong ones end the process with status 2 and a sentence, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="python -m kucoin_sim",
        description="The practice exchange: KuCoin's public REST and WebSocket protocol over a practice market.",
        epilog=f"Every flag can also be set by a variable, such as {_PREFIX}PORT for --port.",
    )

    def add(flag: str, default: str | None, convert: Callable[[str], object], text: str) -> None:
        variable = _PREFIX + flag.upper().replace("-", "_")
        # argparse converts a default that is a text just like an argument, so a variable is checked as well.
        parser.add_argument(f"--{flag}", default=environ.get(variable) or default, type=convert, help=text)

    add("host", "127.0.0.1", str, "address to listen on (default: 127.0.0.1)")
    add("port", "0", _port, "port for REST and WebSocket; 0 takes any free one (default: 0)")
    names = (*PRESETS, *SCENARIOS)
    add(
        "market",
        "crash",
        _one_of(*names),
        f"generated market: {', '.join(PRESETS)}, or a film by name: {', '.join(SCENARIOS)} (default: crash)",
    )
    add("recordings", None, _folder, "folder whose recordings --recording may name")
    add("recording", None, str, "replay this recording, a file or a name, instead of a generated market")
    add("seed", None, int, "number that decides what a preset does (default: 1); a named film brings its own")
    add("symbols", "BTC-USDT", _symbols, f"pairs of a generated market, by commas: {', '.join(INSTRUMENTS)}")
    add("history", None, _file, "CSV or JSON bars (ts_ms, open, high, low, close, volume) to serve as history")
    add(
        "history-scale",
        "fit",
        _one_of("fit", "none"),
        "fit: scale the history's prices to end at the market's first price; "
        "none: serve them as they are, a generated market then begins at their last close (default: fit)",
    )
    add("ping-interval-ms", "18000", _positive, "announced interval of client pings (default: 18000)")
    add("ping-timeout-ms", "10000", _positive, "how much later than that a connection is closed (default: 10000)")
    add("connection-seconds", "86400", _positive, "longest life of a connection (default: 86400)")
    add("log-level", "info", _one_of("debug", "info", "warning", "error"), "least severe message (default: info)")
    parser.add_argument("--json", action="store_true", help='print {"rest": address} on standard output when ready')
    options = parser.parse_args(arguments)
    if environ.get(f"{_PREFIX}JSON", "").lower() in ("1", "true", "yes"):
        options.json = True
    try:
        options.market, options.seed = film_of(options.market, options.seed)
    except ValueError as error:
        parser.error(f"argument --seed: {error}")
    if options.recording is not None:
        try:
            options.recording = find(options.recording, options.recordings)
        except RecordingError as error:
            parser.error(f"argument --recording: {error}")
    return Options(**vars(options))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 0 (any free one) to 65535")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _one_of(*allowed: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(allowed)}")
        return text

    return convert


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return path


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return path


def _symbols(text: str) -> tuple[str, ...]:
    symbols = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for symbol in symbols:
        if symbol not in INSTRUMENTS:
            raise argparse.ArgumentTypeError(f"{symbol!r} is not one of {', '.join(INSTRUMENTS)}")
    return symbols
