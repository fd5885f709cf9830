"""The executor's settings."""

from pydantic import Field

from btc_shared.service import ServiceSettings
from btc_shared.settings import DatabaseSettings, ExchangeSettings, RedisSettings, RiskSettings


class ExecutorSettings(ServiceSettings, DatabaseSettings, RedisSettings, ExchangeSettings, RiskSettings):
    port: int = Field(8513, ge=0, le=65_535, description="port to listen on, 0 to 65535; 0 chooses a free one")
