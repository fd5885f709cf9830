"""Settings: every number has a name, a default, a range and a sentence; wrong ones are all named at once."""

from btc_shared.settings.base import Settings, SettingsError, load, load_all
from btc_shared.settings.infra import (
    DatabaseSettings,
    ExchangeSettings,
    HttpSettings,
    LoggingSettings,
    MarketSettings,
    RedisSettings,
)
from btc_shared.settings.trading import EngineSettings, RiskSettings

__all__ = [
    "DatabaseSettings",
    "EngineSettings",
    "ExchangeSettings",
    "HttpSettings",
    "LoggingSettings",
    "MarketSettings",
    "RedisSettings",
    "RiskSettings",
    "Settings",
    "SettingsError",
    "load",
    "load_all",
]
