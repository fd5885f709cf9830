"""Generated markets: a film that depends on preset and seed only, and looks like the market it is named after."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kucoin_sim.candles import MINUTE_MS, BarStore
from kucoin_sim.generated import HISTORY_MINUTES, TICK_MS, GeneratedMarket
from kucoin_sim.instruments import INSTRUMENTS
from kucoin_sim.market import Book, Trade
from kucoin_sim.measure import Figures, measure, return_figures
from kucoin_sim.presets import CALM_2022, CRASH, PRESETS, Preset

START_MS = 1_790_000_033_210
EACH_PRESET = pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)


def _play(market: GeneratedMarket, moments_ms: list[int]) -> tuple[list[Trade], list[Book]]:
    trades: list[Trade] = []
    books: list[Book] = []
    for moment in moments_ms:
        trades.extend(market.advance_to(moment))
        books.append(market.book(50))
    return trades, books


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=30))
def test_the_film_does_not_depend_on_when_it_is_looked_at(delays_ms: list[int]) -> None:
    stepped = GeneratedMarket(CRASH, 7, START_MS, history_minutes=1)
    moments = [stepped.begins_ms]
    for delay in delays_ms:
        moments.append(moments[-1] + delay)
    trades, books = _play(stepped, moments)
    at_once = GeneratedMarket(CRASH, 7, START_MS, history_minutes=1)
    assert at_once.advance_to(moments[-1]) == trades
    assert at_once.book(50) == books[-1]
    assert at_once.price == stepped.price


def test_the_same_seed_plays_the_same_film_at_any_start_and_another_seed_another_one() -> None:
    first, later = GeneratedMarket(CRASH, 3, START_MS), GeneratedMarket(CRASH, 3, START_MS + 86_400_000)
    other = GeneratedMarket(CRASH, 4, START_MS)
    hour = 3_600_000
    shown = first.advance_to(first.begins_ms + hour)
    again = later.advance_to(later.begins_ms + hour)
    assert [trade._replace(time_ms=trade.time_ms + 86_400_000) for trade in shown] == again
    assert first.book(20) == later.book(20)
    assert other.advance_to(other.begins_ms + hour) != shown


def test_presets_and_symbols_play_different_films() -> None:
    crash = GeneratedMarket(CRASH, 1, START_MS)
    ether = GeneratedMarket(CRASH, 1, START_MS, INSTRUMENTS["ETH-USDT"])
    for market in (crash, ether):
        market.advance_to(market.begins_ms + 600_000)
    relative = [market.price / market.instrument.reference_price for market in (crash, ether)]
    assert abs(relative[0] - relative[1]) > 1e-6


@EACH_PRESET
def test_history_reaches_to_the_first_price_minute_by_minute(preset: Preset) -> None:
    market = GeneratedMarket(preset, 11, START_MS)
    bars = market.history
    assert len(bars) == HISTORY_MINUTES
    assert all(after.open_ms - before.open_ms == MINUTE_MS for before, after in pairwise(bars))
    assert all(before.close == after.open for before, after in pairwise(bars))
    assert bars[-1].open_ms + MINUTE_MS == market.begins_ms == START_MS - START_MS % MINUTE_MS
    assert market.instrument.price_text(bars[-1].close) == "60000"
    best = market.book(1)
    assert abs(best.bids[0][0] - bars[-1].close) <= 2
    for bar in bars:
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.volume > 0
        assert bar.low * bar.volume <= bar.turnover <= bar.high * bar.volume


@EACH_PRESET
def test_history_and_film_come_from_one_process(preset: Preset) -> None:
    markets = [GeneratedMarket(preset, seed, START_MS) for seed in range(3)]
    before = [return_figures([bar.close for bar in market.history])["sd_percent"] for market in markets]
    after = [return_figures(_closes(market, 750))["sd_percent"] for market in markets]
    assert 0.7 < sum(after) / sum(before) < 1.4


def test_a_given_first_price_replaces_the_reference_price() -> None:
    market = GeneratedMarket(CALM_2022, 1, START_MS, start_price=20_123.4)
    assert market.instrument.price_text(market.history[-1].close) == "20123.4"
    market.advance_to(market.begins_ms + 60_000)
    assert market.price == pytest.approx(20_123.4, rel=0.01)


@EACH_PRESET
def test_trades_come_in_order_at_prices_near_the_quotes(preset: Preset) -> None:
    market = GeneratedMarket(preset, 5, START_MS)
    last_ms = market.begins_ms
    for tick in range(1, 36_001):
        before = market.book(1)
        moment = market.begins_ms + tick * TICK_MS
        assert market.next_ms() == moment
        trades = market.advance_to(moment)
        after = market.book(1)
        lowest = min(before.bids[0][0], after.bids[0][0]) - 60
        highest = max(before.asks[0][0], after.asks[0][0]) + 60
        for trade in trades:
            assert last_ms <= trade.time_ms <= moment
            assert moment - TICK_MS < trade.time_ms
            last_ms = trade.time_ms
            assert lowest - 200 <= trade.price <= highest + 200
            assert trade.size > 0


@EACH_PRESET
def test_the_book_is_sorted_deep_and_never_crossed(preset: Preset) -> None:
    market = GeneratedMarket(preset, 6, START_MS)
    for second in range(1, 1200):
        market.advance_to(market.begins_ms + second * 1000)
        book = market.book(100)
        assert len(book.bids) == len(book.asks) == 100
        assert book.bids[0][0] < book.asks[0][0]
        assert all(better[0] > worse[0] for better, worse in pairwise(book.bids))
        assert all(better[0] < worse[0] for better, worse in pairwise(book.asks))
        assert all(size > 0 for _, size in (*book.bids, *book.asks))
        assert market.book(10) == Book(book.bids[:10], book.asks[:10])


def test_trades_make_bars_that_follow_the_history() -> None:
    market = GeneratedMarket(CRASH, 2, START_MS)
    store = BarStore(market.history)
    for trade in market.advance_to(market.begins_ms + 10 * MINUTE_MS - 1):
        store.add(trade)
    bars = store.minutes_since(market.begins_ms - MINUTE_MS)
    assert [bar.open_ms for bar in bars] == [market.begins_ms + (index - 1) * MINUTE_MS for index in range(11)]
    assert bars[1].open == pytest.approx(bars[0].close, rel=0.002)


def _closes(market: GeneratedMarket, minutes: int) -> list[float]:
    closes = []
    for minute in range(1, minutes + 1):
        market.advance_to(market.begins_ms + minute * MINUTE_MS)
        closes.append(market.price)
    return closes


@pytest.mark.parametrize(
    ("preset", "lowest", "highest"), [(CRASH, 0.7, 1.1), (CALM_2022, 0.03, 0.085)], ids=["crash", "calm2022"]
)
def test_a_day_of_one_minute_returns_is_as_wild_as_its_name_says(preset: Preset, lowest: float, highest: float) -> None:
    days = [return_figures(_closes(GeneratedMarket(preset, seed, START_MS), 1440)) for seed in (21, 22)]
    for figures in days:
        assert lowest < figures["sd_percent"] < highest
        assert figures["kurtosis"] > 4.5  # fat tails: a normal distribution has 3
        assert figures["acf_size_1"] > 0.12  # volatility comes in clusters
        assert abs(figures["acf_return_1"]) < 0.15  # but tomorrow's minute is not for sale
    assert sum(figures["acf_size_10"] for figures in days) / len(days) > 0.03


@pytest.fixture(scope="module")
def hours_measured() -> dict[str, dict[str, Figures]]:
    return {name: measure(GeneratedMarket(preset, 31, START_MS), 4 * 3600) for name, preset in PRESETS.items()}


@pytest.mark.parametrize("name", PRESETS)
def test_spreads_stay_mostly_at_one_or_two_ticks_and_hardly_ever_reach_five_basis_points(
    name: str, hours_measured: dict[str, dict[str, Figures]]
) -> None:
    spread = hours_measured[name]["book"]
    assert spread["spread_one_or_two_ticks_share"] > 0.85
    assert spread["spread_above_5_bp_share"] < 0.01
    if name == "crash":
        assert spread["spread_p99_bp"] > 0.5  # there are wide moments


@pytest.mark.parametrize("name", PRESETS)
def test_book_imbalance_fades_within_seconds_and_leads_the_price_a_little(
    name: str, hours_measured: dict[str, dict[str, Figures]]
) -> None:
    imbalance = hours_measured[name]["imbalance"]
    assert 0.4 < imbalance["sd"] < 0.7
    assert 0.3 < imbalance["acf_1s"] < 0.7
    assert imbalance["acf_10s"] < imbalance["acf_1s"] / 1.5
    assert 0.08 < imbalance["corr_next_1s"] < 0.35
    assert 0.02 < imbalance["corr_next_60s"] < 0.25


def test_a_crash_has_minutes_of_drift_in_which_book_and_flow_lean_together(
    hours_measured: dict[str, dict[str, Figures]],
) -> None:
    crash, calm = hours_measured["crash"], hours_measured["calm2022"]
    assert crash["together"]["stretches_of_a_minute_an_hour"] > 1.0
    assert crash["together"]["longest_seconds"] > 180
    assert 0.4 < crash["imbalance"]["smoothed_abs_largest"] < 0.95
    assert calm["together"]["stretches_of_a_minute_an_hour"] < 0.7
    assert calm["imbalance"]["smoothed_abs_p90"] < 0.4
    assert calm["flow"]["smoothed_abs_median"] < 0.4


def test_trade_sizes_are_heavy_tailed(hours_measured: dict[str, dict[str, Figures]]) -> None:
    for figures in hours_measured.values():
        trades = figures["trades"]
        assert trades["size_mean"] > 3 * trades["size_median"]
        assert trades["size_p99_to_median"] > 30
