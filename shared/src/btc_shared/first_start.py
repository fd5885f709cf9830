"""`python -m btc_shared.first_start FOLDER SERVICE …`: what a container installation needs before anything else starts.

It checks the settings of all services together, and makes the passwords and tokens that are not there yet. Below
FOLDER is one folder for each reader (a volume of its own in `docker-compose.yml`), so that none sees what another has.
It runs at every start and changes nothing that exists.
"""

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from btc_shared.service import settings_class
from btc_shared.settings import SettingsError, load_all

DATABASE_HOST, REDIS_HOST = "postgres:5432", "redis:6379"
# What the services are told by files that this program writes.
_MADE_HERE = {"DATABASE_URL": "postgresql://postgres", "REDIS_URL": "redis://redis"}


class FirstStartError(Exception):
    """The secrets cannot be made; the text is one sentence."""


def make_secrets(folder: Path) -> list[str]:
    """Make what is missing below `folder`, in the folders postgres, redis, services, control and grafana.

    Passwords and tokens are 32 random bytes in URL-safe letters. Files that are made of others (addresses, Valkey's
    configuration) are written anew each time. Returns the names of the secrets that were made now.

    Raises:
        FirstStartError: a file cannot be read or written, or is empty.
    """
    made: list[str] = []
    try:
        superuser_password = folder / "postgres" / "postgres_password"
        agent_password = folder / "postgres" / "agent_password"
        redis_password = folder / "redis" / "password"
        for path in (
            superuser_password,
            agent_password,
            redis_password,
            folder / "control" / "control_token",
            folder / "grafana" / "admin_password",
        ):
            if not path.exists():
                _write(path, secrets.token_urlsafe(32))
                made.append(str(path.relative_to(folder)))
        database_url = f"postgresql://agent:{_read(agent_password)}@{DATABASE_HOST}/agent"
        _write(folder / "services" / "database_url", database_url)
        _write(folder / "services" / "redis_url", f"redis://:{_read(redis_password)}@{REDIS_HOST}/0")
        # It carries messages only: nothing is saved, and readers cope with what is gone.
        valkey = f'requirepass {_read(redis_password)}\nsave ""\nappendonly no\ndir /data'
        _write(folder / "redis" / "valkey.conf", valkey)
    except OSError as error:
        raise FirstStartError(
            f"cannot use {error.filename}: {error.strerror}; the volumes with the secrets must belong to account "
            f"{os.geteuid()}: remove those of this installation and start again, or give them to that account"
        ) from error
    return made


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        raise FirstStartError(f"{path} is empty: put the password into it, or remove it to have a new one made")
    return text


def _write(path: Path, text: str) -> None:
    """Replace the file in one step. Its readers run under other accounts; who sees it is decided by who mounts it."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(f"{text}\n", encoding="utf-8")
    unfinished.chmod(0o444)
    unfinished.replace(path)


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Check, make, and say what was done; 2 when a setting is wrong, 1 when secrets cannot be made."""
    if len(arguments) < 2:
        print("usage: python -m btc_shared.first_start FOLDER SERVICE …", file=sys.stderr)  # noqa: T201
        return 2
    folder, *modules = arguments
    try:
        load_all([(settings_class(module), environment_of(module, environ)) for module in modules])
    except SettingsError as error:
        for problem in error.problems:
            print(f"wrong setting: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        made = make_secrets(Path(folder))
    except FirstStartError as error:
        print(f"cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print("settings are in order; " + (f"made {', '.join(made)}" if made else "all secrets are there"))  # noqa: T201
    return 0


def environment_of(module: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the service `module` would find in its environment, as far as this program can see it."""
    names = {name.upper() for name in settings_class(module).model_fields}
    given = {name: value for name, value in environ.items() if name.removesuffix("_FILE") in names}
    return given | {name: value for name, value in _MADE_HERE.items() if name in names}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
