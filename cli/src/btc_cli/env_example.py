"""`python -m btc_cli.env_example > .env.example`: every setting with its meaning and default, for Docker Compose.

Made from the settings classes; a test compares the file with them.
"""

from decimal import Decimal
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from btc_cli.agent_stack import SERVICES
from btc_shared.service import settings_class
from btc_shared.settings import Settings

_HEAD = """\
# Settings for `docker compose up`. Copy this file to .env, and remove the # of what you change.
# An empty value counts as unset. Then:
#   docker compose run --rm check       names every wrong setting of the agent, and touches nothing that runs
#   docker compose up -d                restarts the services with the new settings
# docker compose --env-file .env --env-file practice.env … uses this file for the practice exchange too.

# --- where it is reached ---

# address of this machine to publish on; 127.0.0.1 keeps all of it on this machine (others: see ALLOWED_HOSTS below)
# BIND_ADDR=127.0.0.1
# ports of this machine (the buttons in Grafana's dashboard open port 9092)
# WEBUI_PORT=8510
# EXPORTER_PORT=9092
# PROMETHEUS_PORT=9090
# GRAFANA_PORT=3002
# true: whoever reaches Grafana's port may look without a password
# GRAFANA_ANONYMOUS=false
# how long Prometheus keeps what it measured (2 GB at most)
# PROMETHEUS_RETENTION=90d
# processors that one container may use; 0: no limit, where the kernel cannot limit it (some NAS, rootless Docker)
# CPU_LIMIT=1.0
"""
# Which class declares a setting decides where it stands.
_TITLES = {
    "MarketSettings": "which market",
    "ExchangeSettings": "which exchange",
    "RiskSettings": "sizes, exits, gates and limits",
    "EngineSettings": "decisions",
    "MarketFeedSettings": "market feed",
    "DecisionEngineSettings": "decision engine",
    "KucoinKeys": "KuCoin's keys (see secrets/README.md)",
    "ExporterSettings": "mode, control, run-time settings",
    "WebuiSettings": "web API",
    "LoggingSettings": "logs",
}
# docker-compose.yml sets these itself.
FIXED = frozenset({"port", "bind_host", "database_url", "redis_url"})
OWN_SECRETS = "/run/secrets/own"


def render() -> str:
    """The file's text."""
    declared = _declared()
    parts = [_HEAD]
    for name, title in _TITLES.items():
        lines = [f"# --- {title} ---", ""]
        for field_name, field in declared.pop(name).items():
            lines += [f"# {field.description}", f"# {_assignment(field_name, field)}"]
        parts.append("\n".join(lines) + "\n")
    if declared:
        raise TypeError(f"no title for the settings of {', '.join(declared)}")
    return "\n".join(parts)


def _declared() -> dict[str, dict[str, FieldInfo]]:
    """Name of the settings class that declares it → name of the setting → its description and default."""
    found: dict[str, dict[str, FieldInfo]] = {}
    for module, _ in SERVICES.values():
        for cls in settings_class(module).__mro__:
            if not issubclass(cls, Settings):
                continue
            for name in cls.__annotations__:
                if name in cls.model_fields and name not in FIXED and f"# {name.upper()}=" not in _HEAD:
                    found.setdefault(cls.__name__, {})[name] = cls.model_fields[name]
    return found


def _assignment(name: str, field: FieldInfo) -> str:
    """`NAME=default`; a secret is never written here, but the name of its file, as its service's container sees it."""
    if SecretStr in (field.annotation, *get_args(field.annotation)):
        return f"{name.upper()}_FILE={OWN_SECRETS}/{name}"
    return f"{name.upper()}={_text(field.default)}"


def _text(default: Any) -> str:
    match default:
        case bool():
            return str(default).lower()
        case tuple():
            return ",".join(default)
        case Decimal():
            return f"{default:f}"
        case _:
            return str(default)


if __name__ == "__main__":
    print(render(), end="")
