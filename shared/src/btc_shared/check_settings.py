"""`python -m btc_shared.check_settings SERVICE …`: name every wrong setting of all services, and start nothing.

For containers: each service checks its own settings too, but only here are all problems seen at once, and before a
running service is replaced. What stands in `.env` and looks like a misspelt setting is a problem as well: it would do
nothing, and its owner would believe that it does.
"""

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import get_args

from pydantic import SecretStr

from btc_shared.service import settings_class
from btc_shared.settings import SettingsError, load

# Each service reads these from a file that only it and its like can see.
_UNSEEN = {"DATABASE_URL": "postgresql://unseen", "REDIS_URL": "redis://unseen"}
# What docker-compose.yml itself asks for.
_OF_COMPOSE = {
    *("AGENT_IMAGE", "BIND_ADDR", "CPU_LIMIT", "GRAFANA_ANONYMOUS", "PROMETHEUS_RETENTION"),
    *("EXPORTER_PORT", "GRAFANA_PORT", "PROMETHEUS_PORT", "WEBUI_PORT"),
    *("KUCOIN_SIM_MARKET", "KUCOIN_SIM_SEED"),
}
_LIKENESS = 0.8  # of a name and what it was meant to be, as difflib measures it


def main(modules: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print one line for each problem and return 2, or say that there is none."""
    if not modules:
        print("usage: python -m btc_shared.check_settings SERVICE …", file=sys.stderr)
        return 2
    problems: dict[str, None] = {}
    for module in modules:
        try:
            load(settings_class(module), environment_of(module, environ))
        except SettingsError as error:
            problems.update(dict.fromkeys(error.problems))
    problems.update(dict.fromkeys(misplaced(modules, environ)))
    for problem in problems:
        print(f"wrong setting: {problem}", file=sys.stderr)
    if not problems:
        print("all settings are in order")
    return 2 if problems else 0


def environment_of(module: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the service `module` would find in its environment, as far as this program can see it."""
    names = {name.upper() for name in settings_class(module).model_fields}
    given = {name: value for name, value in environ.items() if name in names}
    return given | {name: value for name, value in _UNSEEN.items() if name in names}


def misplaced(modules: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that is a secret in plain sight, or no setting but almost one."""
    secret: set[str] = set()
    known = _OF_COMPOSE.copy()
    for module in modules:
        for name, field in settings_class(module).model_fields.items():
            is_secret = SecretStr in (field.annotation, *get_args(field.annotation))
            (secret if is_secret else known).add(name.upper())
    known |= {f"{name}_FILE" for name in secret}
    problems = []
    for name in environ:
        if name in secret:
            problems.append(f"{name} is a secret: put it into a file, and name that with {name}_FILE instead")
        elif name not in known and (meant := difflib.get_close_matches(name, known, 1, _LIKENESS)):
            problems.append(f"{name} is no setting: did you mean {meant[0]}?")
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
