"""The executor's settings."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from btc_shared.service import ServiceSettings
from btc_shared.settings import DatabaseSettings, ExchangeSettings, RedisSettings, RiskSettings, Settings


class KucoinKeys(Settings):
    """What signs orders. Only this service ever has them; without them it can only simulate."""

    kucoin_api_key: SecretStr | None = Field(None, description="API key of KuCoin, for LIVE only")
    kucoin_api_secret: SecretStr | None = Field(None, description="the secret of that API key")
    kucoin_api_passphrase: SecretStr | None = Field(None, description="the passphrase of that API key")

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = [getattr(self, name) is not None for name in KucoinKeys.model_fields]
        if any(given) and not all(given):
            raise ValueError(
                "KUCOIN_API_KEY, KUCOIN_API_SECRET and KUCOIN_API_PASSPHRASE (or the same with _FILE) belong together:"
                " set all three or none"
            )
        return self


class ExecutorSettings(ServiceSettings, DatabaseSettings, RedisSettings, ExchangeSettings, RiskSettings, KucoinKeys):
    port: int = Field(8513, ge=0, le=65_535, description="port to listen on, 0 to 65535; 0 chooses a free one")
