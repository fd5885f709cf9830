"""A ledger, the exchange's rules, and agents on bars; 2022's bars when they are at hand."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from btc_cli.backtest.bars import ONE_BAR, BarArrays
from btc_cli.backtest.film import rules_of
from btc_cli.backtest.loop import Agent, counted_ids
from btc_shared.codes import Mode
from btc_shared.records import LedgerKey, SymbolRules
from btc_shared.settings import EngineSettings, RiskSettings
from kucoin_sim.instruments import INSTRUMENTS

KEY = LedgerKey(venue="history", account="paper", mode=Mode.DRY)


@pytest.fixture(scope="session")
def key() -> LedgerKey:
    return KEY


@pytest.fixture(scope="session")
def rules() -> SymbolRules:
    return rules_of(INSTRUMENTS["BTC-USDT"])


@pytest.fixture(scope="session")
def bars_2022(shared_data: Path) -> BarArrays:
    """All minutes of 2022: Binance's perpetual, without gaps."""
    file = shared_data / "market" / "binance_btcusdt_1m_2022.parquet"
    if not file.is_file():
        pytest.skip(f"no recorded bars in {file}")
    names = ["ts_ms", "open", "high", "low", "close", "volume"]
    table = pyarrow.parquet.read_table(file, columns=names)
    return BarArrays("BTC-USDT", *(table.column(name).to_numpy() for name in names))


MakeAgent = Callable[..., Agent]


@pytest.fixture(scope="session")
def make_agent(rules: SymbolRules) -> MakeAgent:
    """An agent that trades on the bars it is given; with default settings unless told otherwise."""

    def make(
        bars: BarArrays, engine: EngineSettings | None = None, risk: RiskSettings | None = None, **more: Any
    ) -> Agent:
        return Agent(
            KEY,
            rules,
            risk or RiskSettings(),
            engine or EngineSettings(),
            cash=Decimal(1_000),
            ids=counted_ids(),
            patience=ONE_BAR,
            bars_between=bars.between,
            **more,
        )

    return make
