"""The exporter's settings: safe defaults, and clear words about wrong ones."""

import pytest

from btc_shared.settings import RiskSettings, SettingsError, load
from btc_shared.settings.runtime import RuntimeSettings, effective, part
from btc_shared.settings.trading import EngineSettings
from exporter.settings import ExporterSettings

DATABASE = {"DATABASE_URL": "postgresql://agent@127.0.0.1:1/agent"}


def test_the_defaults_are_the_safe_ones() -> None:
    settings = load(ExporterSettings, DATABASE)
    assert (settings.port, settings.bind_host, settings.allow_live) == (9092, "127.0.0.1", False)
    assert settings.control_token is None
    assert settings.control_cors_origins == ("http://localhost:3002", "http://127.0.0.1:3002")
    assert settings.allowed_hosts == ()


def test_lists_are_comma_separated() -> None:
    environ = {**DATABASE, "ALLOWED_HOSTS": " a.lan, b.lan ,", "CONTROL_CORS_ORIGINS": "https://grafana.lan"}
    settings = load(ExporterSettings, environ)
    assert (settings.allowed_hosts, settings.control_cors_origins) == (("a.lan", "b.lan"), ("https://grafana.lan",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONTROL_TOKEN", "fifteen-letters"),
        ("CONTROL_CORS_ORIGINS", "*"),
        ("CONTROL_CORS_ORIGINS", "http://localhost:3002/path"),
        ("CONTROL_CORS_ORIGINS", "localhost:3002"),
        ("ALLOW_LIVE", "maybe"),
        ("STOP_LOSS_PCT", "2"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(ExporterSettings, {**DATABASE, name: value})
    assert name in str(caught.value)
    if name == "CONTROL_TOKEN":
        assert value not in str(caught.value)


def test_a_part_remembers_what_the_environment_set() -> None:
    risk = part(RiskSettings, load(ExporterSettings, {**DATABASE, "STOP_LOSS_PCT": "0.03"}))
    assert risk.model_fields_set == {"stop_loss_pct"}
    assert effective(RiskSettings, risk, {"max_daily_trades": "3", "poll_interval": "1"}).model_dump(
        include={"stop_loss_pct", "max_daily_trades"}
    ) == {"stop_loss_pct": risk.stop_loss_pct, "max_daily_trades": 3}


def test_stored_settings_that_do_not_fit_leave_the_last_good_ones_in_effect() -> None:
    runtime = RuntimeSettings("practice", RiskSettings(), EngineSettings())
    assert runtime.apply(1, {"max_daily_trades": "3"}) is True
    assert runtime.apply(2, {"max_daily_trades": "3", "weight_flow": "0.9"}) is False
    assert runtime.risk.max_daily_trades == 3
    assert "WEIGHT_FLOW" in runtime.problems[0]
    assert runtime.apply(3, {"a_setting_of_another_version": "1"}) is True
    assert (runtime.risk, runtime.problems) == (RiskSettings(), ())
