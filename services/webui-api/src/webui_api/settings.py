"""The API's settings, from the environment."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from btc_shared.api import Origins
from btc_shared.service import ServiceSettings
from btc_shared.settings import DatabaseSettings, EngineSettings, MarketSettings, RiskSettings

MIN_TOKEN_LENGTH = 16


def _hard_to_guess(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < MIN_TOKEN_LENGTH:
        raise ValueError("too short")
    return value


class WebuiSettings(ServiceSettings, DatabaseSettings, MarketSettings, RiskSettings, EngineSettings):
    """The trading settings are here because figures depend on them (fees, ages); the API never trades."""

    port: int = Field(8510, ge=0, le=65_535, description="port to listen on, 0 to 65535; 0 chooses a free one")
    api_token: Annotated[SecretStr | None, AfterValidator(_hard_to_guess)] = Field(
        None,
        description=f"secret that callers must send as a bearer token, {MIN_TOKEN_LENGTH} characters or more; "
        "unset asks for none",
    )
    api_cors_origins: Origins = Field(
        (),
        description="web origins whose pages may read the API, comma separated, such as http://localhost:3000",
    )
    exporter_port: int = Field(
        9092,
        ge=0,
        le=65_535,
        description="port of this machine where the mode page is, for the web page's link to it; 0 leaves the link out",
    )
    grafana_port: int = Field(
        3002,
        ge=0,
        le=65_535,
        description="port of this machine where Grafana is, for the web page's link to it; 0 leaves the link out",
    )
