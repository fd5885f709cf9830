"""Settings of the surroundings: database, Redis, HTTP, logging, market."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from btc_shared.settings.base import Settings

_SYMBOL = re.compile(r"^[A-Z0-9]{2,10}-[A-Z0-9]{2,10}$")


def _is_symbol(value: str) -> str:
    if not _SYMBOL.match(value):
        raise ValueError("not a symbol")
    return value


def is_postgres(value: SecretStr) -> SecretStr:
    """The value, if it looks like a PostgreSQL address."""
    if not value.get_secret_value().startswith(("postgresql://", "postgresql+psycopg://")):
        raise ValueError("not a PostgreSQL address")
    return value


def _is_redis(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("not a Redis address")
    return value


def _is_http(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("not an http(s) address")
    return value.rstrip("/")


Symbol = Annotated[str, AfterValidator(_is_symbol)]


class DatabaseSettings(Settings):
    database_url: Annotated[SecretStr, AfterValidator(is_postgres)] = Field(
        description="PostgreSQL address, such as postgresql://agent:password@127.0.0.1:5432/agent"
    )


class RedisSettings(Settings):
    redis_url: Annotated[SecretStr, AfterValidator(_is_redis)] = Field(
        description="Redis or Valkey address, such as redis://:password@127.0.0.1:6379/0"
    )


class HttpSettings(Settings):
    bind_host: str = Field("127.0.0.1", description="address to listen on; 127.0.0.1 keeps it on this machine")


class LoggingSettings(Settings):
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="one of debug, info, warning, error"
    )


class MarketSettings(Settings):
    """Which market the services work on. `venue` names the ledger too: practice and real never mix."""

    venue: Literal["kucoin", "practice"] = Field(
        "kucoin", description="kucoin, or practice for the practice exchange, which KUCOIN_BASE_URL must lead to then"
    )
    symbol: Symbol = Field("BTC-USDT", description="a KuCoin spot symbol such as BTC-USDT")


class ExchangeSettings(MarketSettings):
    """Where the exchange is. A practice ledger never follows the real exchange, nor a real one a practice exchange."""

    kucoin_base_url: Annotated[str, AfterValidator(_is_http)] = Field(
        "https://api.kucoin.com",
        description="KuCoin's REST address, or the practice exchange's such as http://127.0.0.1:8600",
    )

    @model_validator(mode="after")
    def _venue_and_address_agree(self) -> Self:
        parts = urlsplit(self.kucoin_base_url)
        real = parts.scheme == "https" and (parts.hostname or "").endswith(("kucoin.com", "kucoin.tr"))
        if real != (self.venue == "kucoin"):
            raise ValueError(
                f"VENUE is {self.venue!r} but KUCOIN_BASE_URL is {self.kucoin_base_url!r}: the venue kucoin goes with"
                " https://api.kucoin.com, the venue practice with the address of a practice exchange"
            )
        return self
