"""The Binance converter, against an independent rebuild of the real capture and against broken captures."""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kucoin_sim.binance_capture import CaptureError, convert
from kucoin_sim.convert import main
from kucoin_sim.recording import BookChanges, BookSnapshot, RecordedTrade, Recording
from kucoin_sim.replay import ReplayMarket

CAPTURE = Path("market") / "binance_spot_btcusdt_depth_trades_2024-08-08.gz"


@pytest.fixture(scope="module")
def capture(shared_data: Path) -> Path:
    path = shared_data / CAPTURE
    if not path.is_file():
        pytest.skip(f"no {CAPTURE.name} in the recorded market data")
    return path


@pytest.fixture(scope="module")
def recording(capture: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = tmp_path_factory.mktemp("recording") / "binance"
    assert main(["binance-spot", str(capture), str(path)]) == 0
    return Recording(path)


def _messages(capture: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(capture, "rt") as lines:
        for line in lines:
            yield json.loads(line.split(" ", 1)[1])


Side = dict[Decimal, Decimal]


def _rebuild(capture: Path) -> Iterator[tuple[int, int, Side, Side]]:
    """(event time, update id, bids, asks) after every difference, in decimals, the slow and plain way."""
    bids: Side = {}
    asks: Side = {}
    last: int | None = None
    early: list[dict[str, Any]] = []
    for message in _messages(capture):
        if "lastUpdateId" in message:
            last = message["lastUpdateId"]
            bids = {Decimal(price): Decimal(size) for price, size in message["bids"]}
            asks = {Decimal(price): Decimal(size) for price, size in message["asks"]}
            differences = early
        elif message["stream"].endswith("depth@100ms"):
            differences = [message["data"]]
            if last is None:
                early.append(message["data"])
        else:
            continue
        for data in differences:
            if last is None or data["u"] <= last:
                continue
            assert data["U"] <= last + 1
            last = data["u"]
            for side, rows in ((bids, data["b"]), (asks, data["a"])):
                for price, size in rows:
                    side[Decimal(price)] = Decimal(size)
                    if Decimal(size) == 0:
                        del side[Decimal(price)]
            yield data["E"], last, bids, asks


def test_the_replayed_book_equals_an_independent_rebuild_at_every_event_time(
    capture: Path, recording: Recording
) -> None:
    market = ReplayMarket(recording, recording.header.first_ms)
    assert market.shift_ms == 0
    best_by_update: dict[int, tuple[Decimal, Decimal, Decimal, Decimal]] = {}
    moments = 0
    for time_ms, update_id, bids, asks in _rebuild(capture):
        market.advance_to(time_ms)
        assert market.book_ms == time_ms
        best_bid, best_ask = max(bids), min(asks)
        assert best_bid < best_ask
        best_by_update[update_id] = (best_bid, bids[best_bid], best_ask, asks[best_ask])
        if moments % 7 == 0:
            expected_bids = [(price, bids[price]) for price in sorted(bids, reverse=True)[:50]]
            expected_asks = [(price, asks[price]) for price in sorted(asks)[:50]]
            assert _decimals(market, market.book(50).bids) == expected_bids
            assert _decimals(market, market.book(50).asks) == expected_asks
        else:
            assert _decimals(market, market.book(1).bids) == [(best_bid, bids[best_bid])]
            assert _decimals(market, market.book(1).asks) == [(best_ask, asks[best_ask])]
        moments += 1
    assert moments == 3449
    _check_against_book_tickers(capture, best_by_update)


def _decimals(market: ReplayMarket, levels: Any) -> list[tuple[Decimal, Decimal]]:
    instrument = market.instrument
    return [(Decimal(instrument.price_text(price)), Decimal(instrument.size_text(size))) for price, size in levels]


def _check_against_book_tickers(
    capture: Path, best_by_update: dict[int, tuple[Decimal, Decimal, Decimal, Decimal]]
) -> None:
    """Binance's own best quotes with the same update id say the same."""
    compared = 0
    for message in _messages(capture):
        if message.get("stream", "").endswith("bookTicker"):
            data = message["data"]
            expected = best_by_update.get(data["u"])
            if expected is not None:
                assert tuple(Decimal(data[name]) for name in "bBaA") == expected
                compared += 1
    assert compared > 500


def test_every_trade_of_the_capture_is_played_with_its_side_and_time(capture: Path, recording: Recording) -> None:
    first_ms = recording.header.first_ms
    expected = [
        (data["T"], Decimal(data["p"]), Decimal(data["q"]), "sell" if data["m"] else "buy")
        for message in _messages(capture)
        if (data := message.get("data", {})).get("e") == "trade" and data["T"] >= first_ms
    ]
    market = ReplayMarket(recording, first_ms)
    assert market.ends_ms is not None
    trades = market.advance_to(market.ends_ms)
    text = market.instrument
    assert [
        (trade.time_ms, Decimal(text.price_text(trade.price)), Decimal(text.size_text(trade.size)), trade.side)
        for trade in trades
    ] == sorted(expected, key=lambda trade: trade[0])
    assert market.next_ms() is None


def _line(message: dict[str, Any]) -> str:
    return f"1723161253937085768 {json.dumps(message)}\n"


def _difference(first: int, last: int, time_ms: int = 1000) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": time_ms, "U": first, "u": last, "b": [["10.00", "1.0"]], "a": []}
    return {"stream": "btcusdt@depth@100ms", "data": data}


SNAPSHOT = {"lastUpdateId": 100, "bids": [["9.00", "2.0"]], "asks": [["11.00", "3.0"]]}
TRADE = {
    "stream": "btcusdt@trade",
    "data": {"e": "trade", "E": 1001, "T": 1000, "p": "11.00", "q": "0.5", "m": False},
}


def _capture(path: Path, *messages: dict[str, Any]) -> Path:
    path.write_bytes(gzip.compress("".join(_line(message) for message in messages).encode()))
    return path


def _convert(source: Path) -> tuple[dict[str, object], Recording]:
    target = source.with_name("recording")
    return convert(source, target, "BTC-USDT", "0.01", "0.00000001"), Recording(target)


def test_differences_before_the_snapshot_are_used_from_the_one_that_reaches_over_it(tmp_path: Path) -> None:
    source = _capture(
        tmp_path / "capture",
        _difference(90, 95, 800),
        _difference(96, 105, 900),
        SNAPSHOT,
        _difference(106, 107),
        TRADE,
    )
    summary, recording = _convert(source)
    assert list(recording.events()) == [
        BookSnapshot(900, [(900, 200_000_000)], [(1100, 300_000_000)]),
        BookChanges(900, [(1000, 100_000_000)], []),
        RecordedTrade(1000, 1100, 50_000_000, "buy"),  # before the book of the same time, which contains it
        BookChanges(1000, [(1000, 100_000_000)], []),
    ]
    assert summary["books"] == 3
    assert summary["trades"] == 1


def test_a_missing_difference_is_an_error_with_its_line(tmp_path: Path) -> None:
    source = _capture(tmp_path / "capture", SNAPSHOT, _difference(101, 102), _difference(104, 105))
    with pytest.raises(CaptureError, match=r"line 3 .*update 103 is expected, 104 follows"):
        _convert(source)
    assert list(tmp_path.iterdir()) == [source]


def test_a_snapshot_that_is_too_old_for_the_differences_is_an_error(tmp_path: Path) -> None:
    source = _capture(tmp_path / "capture", SNAPSHOT, _difference(150, 160))
    with pytest.raises(CaptureError, match="update 101 is expected, 150 follows"):
        _convert(source)


def test_a_second_snapshot_starts_the_book_anew(tmp_path: Path) -> None:
    later = SNAPSHOT | {"lastUpdateId": 200}
    source = _capture(tmp_path / "capture", SNAPSHOT, _difference(101, 102), later, _difference(190, 201, 2000))
    _, recording = _convert(source)
    kinds = [type(event) for event in recording.events()]
    assert kinds == [BookSnapshot, BookChanges, BookSnapshot, BookChanges]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"1 {}\n"), "line 1 .* is no message"),
        (gzip.compress(b"hello\n"), "line 1 .* is no message"),
        (gzip.compress(_line(TRADE).encode()), "no snapshot with differences"),
        (gzip.compress(_line(SNAPSHOT).encode())[:-10], "ends in the middle"),
        (b"plain", "cannot read"),
    ],
)
def test_a_broken_capture_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    source = tmp_path / "capture"
    source.write_bytes(content)
    with pytest.raises(CaptureError, match=reason):
        _convert(source)


def test_the_command_prints_what_it_did_or_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = _capture(tmp_path / "capture", SNAPSHOT, _difference(101, 102))
    assert main(["binance-spot", str(source), str(tmp_path / "recording")]) == 0
    assert json.loads(capsys.readouterr().out)["books"] == 2
    assert main(["binance-spot", str(tmp_path / "none"), str(tmp_path / "recording")]) == 1
    assert "cannot read" in capsys.readouterr().err
