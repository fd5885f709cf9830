"""Settings changed at run time: each group on its own, and never a bad value in effect."""

from decimal import Decimal

from btc_shared.settings import EngineSettings, RiskSettings, load
from btc_shared.settings.runtime import RuntimeSettings


def test_a_value_that_was_set_wins_until_it_is_unset() -> None:
    runtime = RuntimeSettings("practice", load(RiskSettings, {"STOP_LOSS_PCT": "0.03"}), EngineSettings())
    assert runtime.apply(1, {"stop_loss_pct": "0.01"})
    assert runtime.risk.stop_loss_pct == Decimal("0.01")
    assert runtime.apply(2, {})
    assert runtime.risk.stop_loss_pct == Decimal("0.03")


def test_engine_values_that_do_not_fit_here_keep_no_risk_value_from_being_used() -> None:
    # The executor knows the engine's defaults only: weights that fit the engine's environment do not fit them.
    runtime = RuntimeSettings("practice", RiskSettings(), EngineSettings())
    runtime.apply(1, {"weight_technical": "0.45", "stop_loss_pct": "0.01"})
    assert runtime.risk.stop_loss_pct == Decimal("0.01")
    assert runtime.risk_problems == ()
    assert len(runtime.engine_problems) == 1
    assert runtime.engine == EngineSettings()


def test_a_bad_value_leaves_its_group_as_it_was_and_is_named() -> None:
    runtime = RuntimeSettings("practice", RiskSettings(), EngineSettings())
    runtime.apply(1, {"stop_loss_pct": "0.01"})
    runtime.apply(2, {"stop_loss_pct": "7", "poll_interval": "2"})
    assert runtime.risk.stop_loss_pct == Decimal("0.01")
    assert runtime.engine.poll_interval == 2
    assert "STOP_LOSS_PCT is '7'" in runtime.problems[0]
    runtime.apply(3, {})
    assert runtime.problems == ()
