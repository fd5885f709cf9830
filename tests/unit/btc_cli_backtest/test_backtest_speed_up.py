"""Stepping only where something can happen gives what walking through every bar gives."""

from decimal import Decimal
from random import Random

import numpy as np
import pytest

from btc_cli.backtest.bars import BarArrays, run_bars
from btc_cli.backtest.desk import Desk
from btc_shared.settings import EngineSettings, RiskSettings

from .conftest import MakeAgent

DAY = 1_440
SETTINGS = EngineSettings()
# So few visits make the table vote, and every closed round trip change what is looked ahead.
EAGER = EngineSettings(q_min_visits=1, q_exploration=0.3)
TIGHT = RiskSettings(max_daily_trades=6, max_daily_loss=Decimal("2.5"), min_trade_interval=Decimal(900))


def _draws(count: int) -> list[float]:
    rng = Random(5)
    return [rng.random() for _ in range(count)]


def _both(
    bars: BarArrays,
    make_agent: MakeAgent,
    monkeypatch: pytest.MonkeyPatch,
    engine: EngineSettings = SETTINGS,
    risk: RiskSettings | None = None,
    *,
    explore: bool = False,
) -> None:
    draws = _draws(len(bars)) if explore else None
    quick_agent, slow_agent = make_agent(bars, engine, risk), make_agent(bars, engine, risk)
    quick = run_bars(quick_agent, bars, engine, draws=draws)
    with monkeypatch.context() as patch:
        patch.setattr(Desk, "is_quiet", lambda *_: False)  # every price is judged
        slow = run_bars(slow_agent, bars, engine, draws=draws, every_bar=True)
    assert quick.round_trips, "a period without a trade proves nothing"
    assert quick == slow
    assert quick.digest() == slow.digest()
    assert quick_agent.mind.table.episodes == len(quick.round_trips)
    for name in ("buy_value_bp", "buy_visits", "hold_value_bp", "hold_visits"):
        assert (getattr(quick_agent.mind.table, name) == getattr(slow_agent.mind.table, name)).all()


@pytest.mark.parametrize("day", [131, 312], ids=["may-crash", "november-crash"])
def test_days_of_crash_give_the_same_report(
    bars_2022: BarArrays, make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch, day: int
) -> None:
    _both(bars_2022[day * DAY : (day + 2) * DAY], make_agent, monkeypatch)


def test_an_eager_explorer_under_tight_limits_gives_the_same_report(
    bars_2022: BarArrays, make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    _both(bars_2022[164 * DAY : 166 * DAY], make_agent, monkeypatch, EAGER, TIGHT, explore=True)


@pytest.mark.long
@pytest.mark.parametrize("week", range(1, 50, 10))
def test_weeks_give_the_same_report(
    bars_2022: BarArrays, make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch, week: int
) -> None:
    _both(bars_2022[week * 7 * DAY : (week + 1) * 7 * DAY], make_agent, monkeypatch)


def test_a_gap_in_the_bars_gives_the_same_report(
    bars_2022: BarArrays, make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = bars_2022[131 * DAY : 132 * DAY], bars_2022[132 * DAY + 45 : 132 * DAY + 900]
    names = ("open_ms", "open", "high", "low", "close", "volume")
    joined = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names}
    _both(BarArrays("BTC-USDT", **joined), make_agent, monkeypatch)
