"""TA-Lib and numpy for indicators, the written rules for decisions: the referees for what the agent stores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import talib

INDICATORS = ("rsi", "ema_20", "sma_10", "sma_30", "momentum", "volatility", "trend", "volume_ratio")
COLUMNS = ("ts_ms", "open", "high", "low", "close", "volume")


class FileBar(NamedTuple):
    """A bar of a recorded year, as its file has it."""

    ts_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


def indicators(closes: Sequence[float], volumes: Sequence[float]) -> dict[str, float]:
    """All indicators of the last bar; percentages as the trading rules give them."""
    close, volume = np.asarray(closes, np.float64), np.asarray(volumes, np.float64)
    sma_10, sma_30 = talib.SMA(close, 10)[-1], talib.SMA(close, 30)[-1]
    returns = (close[1:] / close[:-1] - 1) * 100
    return {
        "rsi": float(talib.RSI(close, 14)[-1]),
        "ema_20": float(talib.EMA(close, 20)[-1]),
        "sma_10": float(sma_10),
        "sma_30": float(sma_30),
        "momentum": float(talib.ROC(close, 10)[-1]),
        "volatility": min(float(np.std(returns[-20:])), 1.0),
        "trend": float(np.clip((sma_10 / sma_30 - 1) * 100, -1, 1)),
        "volume_ratio": float(volume[-1] / np.mean(volume[-20:])),
    }


class Decided(NamedTuple):
    """A decision. `scores` by column; None abstains."""

    scores: dict[str, float | None]
    score: float
    agreement: float
    confidence: float
    threshold: float
    action: str


WEIGHTS = {"score_technical": 0.30, "score_orderbook": 0.25, "score_flow": 0.25, "score_qlearning": 0.20}


def decision(inputs: Mapping[str, Any], *, qlearning: float | None) -> Decided:
    """What the default settings make of stored inputs; the fourth score is taken as it was."""
    scores: dict[str, float | None] = {
        "score_technical": _technical(inputs),
        "score_orderbook": _orderbook(inputs),
        "score_flow": _flow(inputs),
        "score_qlearning": qlearning,
    }
    voting = {name: score for name, score in scores.items() if score is not None}
    weight = sum(WEIGHTS[name] for name in voting)
    parts = [WEIGHTS[name] / weight * score for name, score in voting.items()]
    total, strength = sum(parts), sum(map(abs, parts))
    agreement = abs(total) / strength if strength else 0.0
    threshold = 0.30 + 0.40 * (1 - weight)
    acts = abs(total) > threshold + 1e-9 and 1 - weight <= 0.50 + 1e-9
    return Decided(
        scores=scores,
        score=total,
        agreement=agreement,
        confidence=min(1.0, abs(total) / 0.5) * (0.5 + 0.5 * agreement),
        threshold=threshold,
        action=("BUY" if total > 0 else "SELL") if acts else "HOLD",
    )


def _technical(inputs: Mapping[str, Any]) -> float | None:
    age, close, rsi = inputs["bar_age_secs"], inputs["close"], inputs["rsi"]
    if age is None or not 0 <= age <= 120 or any(inputs[name] is None for name in INDICATORS[:-1]):
        return None
    following = [inputs["momentum"] / 0.40, inputs["trend"] / 0.25, (close / inputs["ema_20"] - 1) * 100 / 0.25]
    leaning = sum(_clip(one, -1) for one in following) / 3
    leaning += _clip((30 - rsi) / 10, 0) - _clip((rsi - 70) / 10, 0)
    return _clip(inputs["volatility"] / 0.06, 0.5) * _clip(leaning, -1)


def _orderbook(inputs: Mapping[str, Any]) -> float | None:
    age = inputs["book_age_secs"]
    if age is None or not -2 <= age <= 10:
        return None
    return 0.0 if inputs["spread_bp"] > 5 else _clip(inputs["imbalance_mean"], -1)


def _flow(inputs: Mapping[str, Any]) -> float | None:
    age, mean = inputs["trade_age_secs"], inputs["flow_mean"]
    return None if age is None or not -2 <= age <= 60 or mean is None else _clip(mean, -1)


def _clip(value: float, low: float) -> float:
    return min(max(value, low), 1.0)


def recorded_bars(shared_data: Path, first_ms: int, count: int) -> list[FileBar]:
    """Consecutive 1-minute bars of 2022 from `first_ms` on."""
    table: Any = pq.read_table(shared_data / "market" / "binance_btcusdt_1m_2022.parquet", columns=list(COLUMNS))
    last_ms = first_ms + count * 60_000
    chosen = table.filter(pc.and_(pc.greater_equal(table["ts_ms"], first_ms), pc.less(table["ts_ms"], last_ms)))
    bars = [FileBar(**row) for row in chosen.to_pylist()]
    assert [bar.ts_ms for bar in bars] == list(range(first_ms, last_ms, 60_000))
    return bars


def write_history(path: Path, bars: Sequence[FileBar]) -> Path:
    """The bars as the practice exchange's history file."""
    lines = [",".join(COLUMNS), *(",".join(repr(value) for value in bar) for bar in bars)]
    path.write_text("\n".join(lines) + "\n")
    return path
