"""Makes recordings: `python -m kucoin_sim.convert binance-spot CAPTURE.gz RECORDING`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from kucoin_sim.binance_capture import CaptureError, convert
from kucoin_sim.recording import RecordingError


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; prints a JSON line with what was converted, or a sentence with what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m kucoin_sim.convert", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    binance = kinds.add_parser(
        "binance-spot",
        help="raw Binance spot capture: lines of receive time (ns) and message; snapshot, depth@100ms, trade",
    )
    binance.add_argument("capture", type=Path, help="the gzip file with the capture")
    binance.add_argument("recording", type=Path, help="where to write the recording")
    binance.add_argument("--symbol", default="BTC-USDT", help="the pair's KuCoin name (default: BTC-USDT)")
    binance.add_argument("--price-increment", default="0.01", help="the pair's price step (default: 0.01)")
    binance.add_argument("--size-increment", default="0.00000001", help="the unit of sizes (default: 0.00000001)")
    options = parser.parse_args(arguments)
    try:
        summary = convert(
            options.capture, options.recording, options.symbol, options.price_increment, options.size_increment
        )
    except (CaptureError, RecordingError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
