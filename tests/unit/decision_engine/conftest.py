"""A healthy market to decide on; each test changes what it is about."""

from decimal import Decimal
from typing import Any, Protocol

import msgspec
import pytest

from btc_shared.codes import Mode
from btc_shared.settings import EngineSettings
from decision_engine.domain import Indicators, Inputs

CALM_INDICATORS = Indicators(
    close=20_000.0,
    rsi=50.0,
    ema_20=20_000.0,
    sma_10=20_000.0,
    sma_30=20_000.0,
    momentum=0.0,
    volatility=0.06,
    trend=0.0,
    volume_ratio=1.0,
)


class MakeInputs(Protocol):
    def __call__(self, *, indicators: dict[str, float | None] | None = None, **changes: Any) -> Inputs: ...


@pytest.fixture
def make_inputs() -> MakeInputs:
    def make(*, indicators: dict[str, float | None] | None = None, **changes: Any) -> Inputs:
        healthy = Inputs(
            symbol="BTC-USDT",
            mode=Mode.DRY,
            at_ms=1_700_000_000_000,
            is_long=False,
            bid=Decimal("19999.9"),
            ask=Decimal("20000.1"),
            price=Decimal(20_000),
            spread_bp=0.1,
            imbalance=0.0,
            imbalance_mean=0.0,
            flow=0.0,
            flow_mean=0.0,
            book_age_secs=0.2,
            trade_age_secs=1.0,
            bar_age_secs=2.0,
            indicators=msgspec.structs.replace(CALM_INDICATORS, **(indicators or {})),
        )
        return msgspec.structs.replace(healthy, **changes)

    return make


@pytest.fixture(scope="session")
def settings() -> EngineSettings:
    return EngineSettings()
