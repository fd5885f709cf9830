from decimal import Decimal

import pytest

from btc_shared.codes import Side
from btc_shared.records import BookPicture, Candle, Level


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> BookPicture:
    def levels(rows: list[tuple[str, str]]) -> tuple[Level, ...]:
        return tuple(Level(Decimal(price), Decimal(size)) for price, size in rows)

    return BookPicture(symbol="BTC-USDT", event_time_ms=0, received_at_ms=0, bids=levels(bids), asks=levels(asks))


def test_price_is_the_exact_mid_and_spread_is_in_basis_points_of_it() -> None:
    picture = book([("99.9", "1")], [("100.1", "1")])
    assert picture.mid == Decimal("100.0")
    assert picture.spread_bp == pytest.approx(20.0, abs=1e-12)


def test_imbalance_counts_only_the_top_levels() -> None:
    picture = book([("99", "3")] + [("98", "0")] * 9 + [("97", "100")], [("101", "1")])
    assert picture.volume(Side.BUY) == 3
    assert picture.imbalance() == pytest.approx(0.5)


def test_an_empty_book_side_volume_gives_no_imbalance() -> None:
    assert book([("99", "0")], [("101", "0")]).imbalance() == 0.0


def test_a_bar_ends_one_minute_after_it_opened() -> None:
    one = Decimal(1)
    candle = Candle(
        symbol="BTC-USDT", open_time_ms=60_000, open=one, high=one, low=one, close=one, volume=one, turnover=one
    )
    assert candle.close_time_ms == 120_000
