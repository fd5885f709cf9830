from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btc_shared.settings import EngineSettings
from decision_engine.domain import LIVE_BARS, Vote, compute_indicators, latest_indicators, technical_scores
from decision_engine.domain.strategies import TECHNICAL_FIELDS, vote_flow, vote_orderbook, vote_technical

from .conftest import MakeInputs


def _technical(make_inputs: MakeInputs, **indicators: float | None) -> Vote:
    return vote_technical(make_inputs(indicators=indicators))


# --- technical


@pytest.mark.parametrize(
    ("indicators", "score"),
    [
        ({}, 0.0),
        ({"momentum": 0.2}, 0.5 / 3),
        ({"momentum": -5.0}, -1 / 3),
        ({"trend": 0.125}, 0.5 / 3),
        ({"trend": 0.9}, 1 / 3),
        ({"close": 20_025.0}, 0.5 / 3),
        ({"close": 19_000.0}, -1 / 3),
        ({"momentum": 0.4, "trend": 0.25, "close": 20_050.0}, 1.0),
        ({"rsi": 25.0}, 0.5),
        ({"rsi": 30.0}, 0.0),
        ({"rsi": 70.0}, 0.0),
        ({"rsi": 77.5}, -0.75),
        ({"rsi": 3.0}, 1.0),
        ({"rsi": 99.0}, -1.0),
        ({"rsi": 25.0, "momentum": -0.4}, 0.5 - 1 / 3),
        ({"rsi": 99.0, "momentum": -5.0, "trend": -1.0}, -1.0),
        ({"rsi": 25.0, "volatility": 0.045}, 0.5 * 0.75),
        ({"rsi": 25.0, "volatility": 0.001}, 0.5 * 0.5),
        ({"rsi": 25.0, "volatility": 0.9}, 0.5),
    ],
)
def test_the_technical_score_follows_its_formula(
    indicators: dict[str, float], score: float, make_inputs: MakeInputs
) -> None:
    vote = _technical(make_inputs, **indicators)
    assert vote.score == pytest.approx(score, abs=1e-9)
    assert vote.score is not None
    assert vote.score == round(vote.score, 9)


@given(
    momentum=st.floats(-3, 3),
    trend=st.floats(-1, 1),
    distance=st.floats(-0.02, 0.02),
    rsi=st.floats(0, 100),
    volatility=st.floats(0, 1),
)
def test_the_technical_score_of_a_mirrored_market_is_mirrored(
    momentum: float, trend: float, distance: float, rsi: float, volatility: float
) -> None:
    def score(sign: int) -> float:
        return float(
            technical_scores(
                close=1 + sign * distance,
                ema_20=1.0,
                rsi=50 + sign * (rsi - 50),
                momentum=sign * momentum,
                trend=sign * trend,
                volatility=volatility,
            )
        )

    assert -1 <= score(1) <= 1
    assert score(1) == pytest.approx(-score(-1), abs=2e-9)


@pytest.mark.parametrize("name", TECHNICAL_FIELDS)
def test_technical_abstains_without_one_of_its_indicators(name: str, make_inputs: MakeInputs) -> None:
    vote = _technical(make_inputs, **{name: None})
    assert vote.abstains
    assert vote.reason == f"missing: {name}"


def test_technical_needs_no_volume_ratio(make_inputs: MakeInputs) -> None:
    assert not _technical(make_inputs, volume_ratio=None).abstains


def test_technical_abstains_on_a_stale_bar(make_inputs: MakeInputs) -> None:
    vote = vote_technical(make_inputs(bar_age_secs=130.0))
    assert (vote.score, vote.reason) == (None, "newest final bar is 130.0 s old (limit 120 s)")


def test_a_market_that_stands_still_is_not_bought() -> None:
    flat = compute_indicators(np.full(400, 20_000.0), np.ones(400))
    assert np.isnan(technical_scores(**{name: getattr(flat, name) for name in TECHNICAL_FIELDS})).all()


def test_the_technical_reason_carries_the_numbers(make_inputs: MakeInputs) -> None:
    vote = _technical(make_inputs, momentum=0.2, rsi=61.25, close=20_010.0)
    assert vote.reason == "momentum +0.200 %, trend +0.000 %, close +0.050 % from EMA, RSI 61.2, volatility 0.060 %"


def test_a_live_score_is_the_backtests_score(shared_data: Path, make_inputs: MakeInputs) -> None:
    path = shared_data / "market" / "binance_btcusdt_1m_2022.parquet"
    if not path.is_file():
        pytest.skip(f"no {path.name} among the recorded market data")
    table = parquet.read_table(path, columns=["close", "volume"])
    closes, volumes = table["close"].to_numpy(), table["volume"].to_numpy()
    arrays = compute_indicators(closes, volumes)
    scores = technical_scores(**{name: getattr(arrays, name) for name in TECHNICAL_FIELDS})
    for end in np.random.default_rng(1).integers(LIVE_BARS, len(closes), 200):
        indicators = latest_indicators(closes[end - LIVE_BARS : end], volumes[end - LIVE_BARS : end])
        live = vote_technical(make_inputs(indicators={name: getattr(indicators, name) for name in TECHNICAL_FIELDS}))
        assert live.score == pytest.approx(scores[end - 1], rel=0, abs=2e-9)


# --- order book


def test_the_book_votes_its_mean_imbalance(make_inputs: MakeInputs, settings: EngineSettings) -> None:
    vote = vote_orderbook(make_inputs(imbalance=0.6, imbalance_mean=0.4123456789123, spread_bp=5.0), settings)
    assert vote.score == 0.412345679
    assert vote.reason == "book imbalance +0.41 on average, +0.60 now, spread 5.0 bp"


def test_a_wide_spread_is_no_opinion_but_no_abstention(make_inputs: MakeInputs, settings: EngineSettings) -> None:
    vote = vote_orderbook(make_inputs(imbalance_mean=0.4, spread_bp=5.01), settings)
    assert (vote.score, vote.reason) == (0.0, "spread 5.0 bp is above 5 bp")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"book_age_secs": 10.5}, "newest order book is 10.5 s old (limit 10 s)"),
        ({"book_age_secs": None}, "no order book yet"),
        ({"imbalance_mean": None}, "no order book yet"),
        ({"book_age_secs": -30.0}, "newest order book lies 30.0 s in the future: clock or data are wrong"),
        (
            {"spread_bp": -0.5, "bid": Decimal(20_002), "ask": Decimal(20_001)},
            "order book is crossed: bid 20002 above ask 20001",
        ),
    ],
)
def test_the_book_abstains_when_it_cannot_be_trusted(
    changes: dict[str, Any], reason: str, make_inputs: MakeInputs, settings: EngineSettings
) -> None:
    vote = vote_orderbook(make_inputs(**changes), settings)
    assert (vote.score, vote.reason) == (None, reason)


# --- flow


def test_flow_votes_its_mean(make_inputs: MakeInputs) -> None:
    vote = vote_flow(make_inputs(flow=-0.9, flow_mean=-0.25))
    assert (vote.score, vote.reason) == (-0.25, "trade flow -0.25 on average, -0.90 now")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trade_age_secs": 61.0}, "newest public trade is 61.0 s old (limit 60 s)"),
        ({"trade_age_secs": None}, "no public trade yet"),
        ({"flow": None, "flow_mean": None}, "too few public trades yet"),
    ],
)
def test_flow_abstains_without_fresh_trades(changes: dict[str, Any], reason: str, make_inputs: MakeInputs) -> None:
    vote = vote_flow(make_inputs(**changes))
    assert (vote.score, vote.reason) == (None, reason)
