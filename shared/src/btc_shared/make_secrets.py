"""`python -m btc_shared.make_secrets FOLDER`: the passwords and tokens of a container installation, made once.

Below FOLDER is one folder for each reader (a volume of its own in `docker-compose.yml`), so that none sees what another
has. It runs at every start and changes nothing that exists.
"""

import os
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

DATABASE_HOST, REDIS_HOST = "postgres:5432", "redis:6379"
# Nothing that an address, a configuration file or a shell would read as something else.
_USABLE, _RULE = re.compile(r"[A-Za-z0-9_-]{16,200}"), "16 letters or more, of A-Z, a-z, 0-9, - and _"
# It carries messages only: nothing is saved, and readers cope with what is gone. Full, it refuses, and is not killed.
_VALKEY = """\
requirepass {password}
save ""
appendonly no
dir /data
maxmemory 192mb
maxmemory-policy noeviction"""


class SecretsError(Exception):
    """The secrets cannot be made; the text is one sentence."""


def make_secrets(folder: Path) -> list[str]:
    """Make what is missing below `folder`, in the folders postgres, redis, services, control and grafana.

    Passwords and tokens are 32 random bytes in URL-safe letters. Files that are made of others (addresses, Valkey's
    configuration) are written anew each time. Returns the names of the secrets that were made now.

    Raises:
        SecretsError: a file cannot be read or written, or holds what no password here may hold.
    """
    made: list[str] = []

    def secret(name: str) -> str:
        path = folder / name
        try:
            if not path.exists():
                _write(path, secrets.token_urlsafe(32))
                made.append(name)
            text = path.read_text(encoding="ascii").strip()
        except UnicodeDecodeError:
            text = ""
        if not _USABLE.fullmatch(text):
            raise SecretsError(f"{path} must hold {_RULE}: correct it, or restore it from a backup")
        return text

    try:
        superuser, agent, redis = (
            secret("postgres/postgres_password"),
            secret("postgres/agent_password"),
            secret("redis/password"),
        )
        secret("control/control_token")
        secret("grafana/admin_password")
        _write(folder / "postgres/admin_url", f"postgresql://postgres:{superuser}@{DATABASE_HOST}/postgres")
        _write(folder / "services/database_url", f"postgresql://agent:{agent}@{DATABASE_HOST}/agent")
        _write(folder / "services/redis_url", f"redis://:{redis}@{REDIS_HOST}/0")
        _write(folder / "redis/valkey.conf", _VALKEY.format(password=redis))
    except OSError as error:
        advice = f"; its folder must belong to account {os.geteuid()}" if isinstance(error, PermissionError) else ""
        raise SecretsError(f"cannot use {error.filename or folder}: {error.strerror}{advice}") from error
    return made


def _write(path: Path, text: str) -> None:
    """Replace the file in one step. Its readers run under other accounts; who sees it is decided by who mounts it."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.unlink(missing_ok=True)
    with unfinished.open("w", encoding="ascii") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.chmod(0o444)
    unfinished.replace(path)


def main(arguments: Sequence[str]) -> int:
    """Make what is missing and say so; 1 when it cannot be made."""
    if len(arguments) != 1:
        print("usage: python -m btc_shared.make_secrets FOLDER", file=sys.stderr)
        return 2
    try:
        made = make_secrets(Path(arguments[0]))
    except SecretsError as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    print(f"made {', '.join(made)}" if made else "all secrets are there")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
