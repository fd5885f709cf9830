"""Settings of the market feed."""

from pydantic import Field

from btc_shared.service import ServiceSettings
from btc_shared.settings import DatabaseSettings, ExchangeSettings, RedisSettings

MIN_HISTORY_BARS, MAX_HISTORY_BARS = 300, 10_080


class MarketFeedSettings(ServiceSettings, DatabaseSettings, RedisSettings, ExchangeSettings):
    """What the market feed needs. It has no keys: all that it asks is public."""

    port: int = Field(8511, ge=0, le=65_535, description="port to listen on, 0 to 65535; 0 chooses a free one")
    history_bars: int = Field(
        1_440,
        ge=MIN_HISTORY_BARS,
        le=MAX_HISTORY_BARS,
        description=f"final 1-minute bars to have from the start; {MIN_HISTORY_BARS} to {MAX_HISTORY_BARS}",
    )
