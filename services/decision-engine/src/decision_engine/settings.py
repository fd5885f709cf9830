"""The decision engine's settings."""

from pydantic import Field

from btc_shared.service import ServiceSettings
from btc_shared.settings import DatabaseSettings, EngineSettings, MarketSettings, RedisSettings


class DecisionEngineSettings(ServiceSettings, DatabaseSettings, RedisSettings, MarketSettings, EngineSettings):
    port: int = Field(8512, ge=0, le=65_535, description="port to listen on, 0 to 65535; 0 chooses a free one")
    decision_retention_days: int = Field(
        90, ge=1, le=36_500, description="days that decisions without a trade are kept; 1 to 36500"
    )
