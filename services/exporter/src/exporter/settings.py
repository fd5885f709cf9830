"""The exporter's settings, from the environment."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from btc_shared.api import CommaSeparated, Origins
from btc_shared.service import ServiceSettings
from btc_shared.settings import DatabaseSettings, EngineSettings, MarketSettings, RiskSettings

MIN_TOKEN_LENGTH = 16


def _hard_to_guess(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < MIN_TOKEN_LENGTH:
        raise ValueError("too short")
    return value


class ExporterSettings(ServiceSettings, DatabaseSettings, MarketSettings, RiskSettings, EngineSettings):
    """The trading settings are here to show them and to check run-time changes; the exporter itself never trades."""

    port: int = Field(9092, ge=0, le=65_535, description="port to listen on, 0 to 65535; 0 chooses a free one")
    allow_live: bool = Field(False, description="true lets an operator request real orders; true or false")
    control_token: Annotated[SecretStr | None, AfterValidator(_hard_to_guess)] = Field(
        None,
        description=f"secret for going LIVE, resuming and changing settings, {MIN_TOKEN_LENGTH} characters or more; "
        "without one all three are refused",
    )
    control_cors_origins: Origins = Field(
        ("http://localhost:3002", "http://127.0.0.1:3002"),
        description="web origins whose pages may use the control routes, comma separated, such as http://localhost:3002",
    )
    allowed_hosts: CommaSeparated = Field(
        (),
        description="names besides localhost under which the control routes are reached, comma separated, without port",
    )
