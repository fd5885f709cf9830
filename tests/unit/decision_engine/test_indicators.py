"""TA-Lib is the referee: on recorded markets and on generated ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from decision_engine.domain.indicators import (
    LIVE_BARS,
    IndicatorArrays,
    Indicators,
    compute_indicators,
    latest_indicators,
)
from decision_engine.domain.qtable import STATE_EDGES
from decision_engine.domain.smoothing import FloatArray

TOLERANCE = 1e-6
MARKETS = ("binance_btcusdt_1m_2022", "bitmex_xbtusd_1m_2020-01_2021-06")
NAMES = Indicators.__struct_fields__


def _referee(closes: FloatArray, volumes: FloatArray) -> dict[str, FloatArray]:
    returns = np.concatenate(([np.nan], (closes[1:] / closes[:-1] - 1) * 100))
    short, long = talib.SMA(closes, 10), talib.SMA(closes, 30)
    with np.errstate(invalid="ignore", divide="ignore"):
        volume_ratio = volumes / talib.SMA(volumes, 20)
    return {
        "close": closes,
        "rsi": talib.RSI(closes, 14),
        "ema_20": talib.EMA(closes, 20),
        "sma_10": short,
        "sma_30": long,
        "momentum": talib.ROC(closes, 10),
        "volatility": np.minimum(talib.STDDEV(returns, 20), 1.0),
        "trend": np.clip((short / long - 1) * 100, -1, 1),
        "volume_ratio": volume_ratio,
    }


@pytest.fixture(scope="module", params=MARKETS)
def market(request: pytest.FixtureRequest, shared_data: Path) -> tuple[FloatArray, FloatArray]:
    path = shared_data / "market" / f"{request.param}.parquet"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the recorded market data")
    table = parquet.read_table(path, columns=["close", "volume"])
    return table["close"].to_numpy(), table["volume"].to_numpy()


@pytest.fixture(scope="module")
def market_indicators(market: tuple[FloatArray, FloatArray]) -> IndicatorArrays:
    return compute_indicators(*market)


def test_recorded_markets_agree_with_the_referee(
    market: tuple[FloatArray, FloatArray], market_indicators: IndicatorArrays
) -> None:
    closes, volumes = market
    for name, expected in _referee(closes, volumes).items():
        actual = getattr(market_indicators, name)
        if name == "volume_ratio":  # the referee's running sum drifts on contract volumes of 1e8, so: to 1e-6 of it
            expected = np.where(np.isfinite(actual), expected, np.nan)
            np.testing.assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
        else:
            np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize(("bars", "tolerance"), [(301, 1e-5), (345, 1e-6), (LIVE_BARS, 1e-9)])
def test_the_last_bars_alone_give_what_the_whole_market_gives(
    bars: int, tolerance: float, market: tuple[FloatArray, FloatArray], market_indicators: IndicatorArrays
) -> None:
    closes, volumes = market
    ends = np.random.default_rng(bars).integers(bars, len(closes), 300)
    largest_moves = np.argsort(np.abs(np.diff(np.log(closes))))[-100:]
    after_moves = largest_moves + bars - 5  # the averages are then started in the middle of the storm
    for end in (*ends, *after_moves[(after_moves >= bars) & (after_moves < len(closes))]):
        window = latest_indicators(closes[end - bars : end], volumes[end - bars : end])
        whole = market_indicators.at(end - 1)
        for name in NAMES:
            assert getattr(window, name) == pytest.approx(getattr(whole, name), rel=0, abs=tolerance), (name, end)


def test_the_state_edges_are_the_quintiles_of_2022(shared_data: Path) -> None:
    path = shared_data / "market" / "binance_btcusdt_1m_2022.parquet"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the recorded market data")
    table = parquet.read_table(path, columns=["close", "volume"])
    arrays = compute_indicators(table["close"].to_numpy(), table["volume"].to_numpy())
    for name, edges in STATE_EDGES.items():
        quintiles = np.nanquantile(getattr(arrays, name), [0.2, 0.4, 0.6, 0.8])
        np.testing.assert_allclose(quintiles, edges, rtol=0.02, atol=0.0006, err_msg=name)


@st.composite
def price_paths(draw: st.DrawFn) -> FloatArray:
    """Prices on a tick grid: trends, jumps and stretches without any movement."""
    tick = draw(st.sampled_from([0.01, 0.1, 1.0]))
    steps = st.one_of(st.just(0), st.integers(-3, 3), st.integers(-400, 400))
    stretches = draw(st.lists(st.tuples(steps, st.integers(1, 40)), max_size=25))
    moves = np.repeat([move for move, _ in stretches], [length for _, length in stretches])
    ticks = np.maximum(draw(st.integers(1_000, 1_000_000)) + np.cumsum(moves, dtype=np.int64), 500)
    return np.asarray(ticks * tick, np.float64)


@given(price_paths(), st.integers(0, 2**32 - 1))
def test_generated_markets_agree_with_the_referee(closes: FloatArray, seed: int) -> None:
    if len(closes) < 2:
        return
    volumes = np.random.default_rng(seed).exponential(5.0, len(closes))
    arrays = compute_indicators(closes, volumes)
    for name, expected in _referee(closes, volumes).items():
        actual = getattr(arrays, name)
        if name == "rsi":  # without movement the referee says 0, we say missing
            still = np.isnan(actual) & (np.arange(len(closes)) >= 14)
            assert all(np.ptp(closes[bar - 14 : bar + 1]) == 0 for bar in np.flatnonzero(still))
            expected = np.where(still, np.nan, expected)
        scale = closes.max() if name in ("close", "ema_20", "sma_10", "sma_30") else 1.0
        np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * max(1.0, scale / 1e5), err_msg=name)


@given(price_paths(), st.integers(0, 700))
def test_the_last_row_is_the_arrays_last_row(closes: FloatArray, bars: int) -> None:
    closes = closes[:bars]
    arrays = compute_indicators(closes, np.ones(len(closes)))
    assert len(arrays) == len(closes)
    assert latest_indicators(closes, np.ones(len(closes))) == (arrays.at(-1) if len(closes) else Indicators())


@pytest.mark.parametrize(
    ("name", "bars_needed"),
    [
        ("close", 1),
        ("rsi", 15),
        ("ema_20", 20),
        ("sma_10", 10),
        ("sma_30", 30),
        ("momentum", 11),
        ("volatility", 21),
        ("trend", 30),
        ("volume_ratio", 20),
    ],
)
def test_an_indicator_is_missing_until_it_has_enough_bars(name: str, bars_needed: int) -> None:
    closes = 100 + np.sin(np.arange(40))

    def of(bars: int) -> float | None:
        value: float | None = getattr(latest_indicators(closes[:bars], np.ones(bars)), name)
        return value

    assert of(bars_needed - 1) is None
    assert of(bars_needed) is not None


def test_a_market_without_movement_has_no_rsi() -> None:
    flat = latest_indicators(np.full(400, 20_000.0), np.ones(400))
    assert flat.rsi is None
    assert (flat.momentum, flat.volatility, flat.trend, flat.volume_ratio) == pytest.approx((0, 0, 0, 1))


def test_faded_movement_is_none_whatever_came_before_the_bars_at_hand() -> None:
    moving = 20_000 + 10 * np.sin(np.arange(100.0))
    closes = np.concatenate((moving, np.full(320, moving[-1])))
    assert latest_indicators(closes[:150], np.ones(150)).rsi is not None
    assert latest_indicators(closes, np.ones(len(closes))).rsi is None
    assert latest_indicators(closes[-310:], np.ones(310)).rsi is None


def test_one_direction_is_an_extreme_rsi() -> None:
    rising = np.arange(100.0, 150.0)
    assert latest_indicators(rising, np.ones(50)).rsi == 100
    assert latest_indicators(rising[::-1], np.ones(50)).rsi == 0


def test_volatility_and_trend_are_capped() -> None:
    closes = 100 * np.cumprod(np.where(np.arange(60) % 2, 1.10, 0.95))
    arrays = latest_indicators(closes, np.ones(60))
    assert (arrays.volatility, arrays.trend) == (1.0, 1.0)


def test_bars_without_volume_have_no_volume_ratio() -> None:
    volumes = np.concatenate((np.zeros(25), [4.0]))
    arrays = compute_indicators(np.full(26, 100.0), volumes)
    assert arrays.at(24).volume_ratio is None
    assert arrays.at(25).volume_ratio == 20.0


@pytest.mark.parametrize(
    ("closes", "volumes", "message"),
    [
        ([1.0, 2.0], [1.0], "one length"),
        ([[1.0]], [[1.0]], "one length"),
        ([1.0, 0.0], [1.0, 1.0], "close of bar 1 is 0.0: must be positive"),
        ([1.0, np.nan], [1.0, 1.0], "close of bar 1 is nan"),
        ([1.0, 2.0], [-1.0, 1.0], "volume of bar 0 is -1.0: must be finite and not negative"),
        ([1.0, 2.0], [1.0, np.inf], "volume of bar 1 is inf"),
    ],
)
def test_impossible_bars_are_refused(closes: list[float], volumes: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compute_indicators(closes, volumes)


@pytest.mark.parametrize("compute", [compute_indicators, latest_indicators])
def test_the_callers_arrays_are_left_alone(compute: Callable[[FloatArray, FloatArray], object]) -> None:
    closes, volumes = np.linspace(100, 110, 50), np.ones(50)
    closes.setflags(write=False)
    volumes.setflags(write=False)
    compute(closes, volumes)
    np.testing.assert_array_equal(closes, np.linspace(100, 110, 50))
