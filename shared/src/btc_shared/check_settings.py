"""`python -m btc_shared.check_settings SERVICE …`: name every wrong setting of all services, and start nothing.

For containers: each service checks its own settings too, but only here are all problems seen at once, and before a
running service is replaced.
"""

import os
import sys
from collections.abc import Mapping, Sequence

from btc_shared.service import settings_class
from btc_shared.settings import SettingsError, load_all

# Each service reads these from a file that only it and its like can see.
_UNSEEN = {"DATABASE_URL": "postgresql://unseen", "REDIS_URL": "redis://unseen"}


def main(modules: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print one line for each problem and return 2, or say that there is none."""
    if not modules:
        print("usage: python -m btc_shared.check_settings SERVICE …", file=sys.stderr)
        return 2
    try:
        load_all([(settings_class(module), environment_of(module, environ)) for module in modules])
    except SettingsError as error:
        for problem in error.problems:
            print(f"wrong setting: {problem}", file=sys.stderr)
        return 2
    print("all settings are in order")
    return 0


def environment_of(module: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the service `module` would find in its environment, as far as this program can see it."""
    names = {name.upper() for name in settings_class(module).model_fields}
    given = {name: value for name, value in environ.items() if name in names}
    return given | {name: value for name, value in _UNSEEN.items() if name in names}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
