"""Recorded markets as the series of `kucoin_sim.measure`. For development only: needs pyarrow and a data folder.

The folder holds `market/` with one-minute candles of Binance's BTCUSDT perpetual in 2022 and of BitMEX XBTUSD,
trades of Kraken's BTC/USDT in November 2023, and a capture of Binance spot BTCUSDT with every change of its book.
"""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from kucoin_sim.binance_capture import convert
from kucoin_sim.market import Trade
from kucoin_sim.measure import Film, Minute, watch
from kucoin_sim.recording import Recording
from kucoin_sim.replay import ReplayMarket

BINANCE_2022 = Path("market") / "binance_btcusdt_1m_2022.parquet"
BITMEX = Path("market") / "bitmex_xbtusd_1m_2020-01_2021-06.parquet"
KRAKEN = Path("market") / "kraken_btcusdt_trades_2023-11-17_22.feather"
CAPTURE = Path("market") / "binance_spot_btcusdt_depth_trades_2024-08-08.gz"
FILES = (BINANCE_2022, BITMEX, KRAKEN, CAPTURE)

DAY_MINUTES = 1440
_DAY_MS = 86_400_000
_CRASH_BEGINS = datetime(2020, 3, 12, tzinfo=UTC)
_CRASH_MINUTES = 2 * DAY_MINUTES


def days_of_2022(folder: Path) -> Iterator[list[Minute]]:
    """The 365 days of Binance's perpetual."""
    from pyarrow import parquet

    table = parquet.read_table(folder / BINANCE_2022, columns=["close", "volume", "taker_buy_volume"])
    closes, volumes, bought = (table.column(name).to_pylist() for name in table.column_names)
    minutes = [Minute(*row) for row in zip(closes, volumes, bought, strict=True)]
    for start in range(0, len(minutes), DAY_MINUTES):
        yield minutes[start : start + DAY_MINUTES]


def crash_of_2020(folder: Path) -> list[Minute]:
    """2020-03-12 and 13 at BitMEX; the sides of the trades are not known."""
    from pyarrow import compute, parquet

    table = parquet.read_table(folder / BITMEX, columns=["ts_ms", "close", "volume"])
    first_ms = int(_CRASH_BEGINS.timestamp()) * 1000
    first = compute.index(table.column("ts_ms"), first_ms).as_py()
    days = table.slice(first, _CRASH_MINUTES)
    rows = zip(days.column("close").to_pylist(), days.column("volume").to_pylist(), strict=True)
    return [Minute(close, volume, None) for close, volume in rows]


def kraken_days(folder: Path) -> list[Sequence[Trade]]:
    """Kraken's trades in stretches of 24 hours from the first one; sizes in 10⁻⁸ BTC, prices in 0.1 USDT."""
    from pyarrow import feather

    table = feather.read_table(folder / KRAKEN, columns=["timestamp", "price", "amount", "side"])
    rows = zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True)
    trades = [Trade(time_ms, round(price * 10), round(amount * 10**8), side) for time_ms, price, amount, side in rows]
    days: dict[int, list[Trade]] = {}
    for trade in trades:
        days.setdefault((trade.time_ms - trades[0].time_ms) // _DAY_MS, []).append(trade)
    whole = (trades[-1].time_ms - trades[0].time_ms) // _DAY_MS
    return [days[day] for day in range(whole)]


def captured(folder: Path) -> Film:
    """Binance spot on 2024-08-08, its 345 whole seconds; prices in 0.01 USDT, sizes in 10⁻⁸ BTC."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "recording"
        convert(folder / CAPTURE, path, "BTC-USDT", "0.01", "0.00000001")
        recording = Recording(path)
        market = ReplayMarket(recording, recording.header.first_ms)
        assert market.ends_ms is not None
        return watch(market, (market.ends_ms - market.begins_ms) // 1000)
