"""`python -m btc_shared.make_secrets FOLDER`: the passwords and tokens of a container installation, made once.

Below FOLDER is one folder for each reader (a volume of its own in `docker-compose.yml`), so that none sees what another
has. It runs at every start and changes nothing that exists.
"""

import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

DATABASE_HOST, REDIS_HOST = "postgres:5432", "redis:6379"


class SecretsError(Exception):
    """The secrets cannot be made; the text is one sentence."""


def make_secrets(folder: Path) -> list[str]:
    """Make what is missing below `folder`, in the folders postgres, redis, services, control and grafana.

    Passwords and tokens are 32 random bytes in URL-safe letters. Files that are made of others (addresses, what the
    servers are told) are written anew each time. Returns the names of the secrets that were made now.

    Raises:
        SecretsError: a file cannot be read or written, or is empty.
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
        agent, redis = _read(agent_password), _read(redis_password)
        _write(folder / "services" / "database_url", f"postgresql://agent:{agent}@{DATABASE_HOST}/agent")
        _write(folder / "services" / "redis_url", f"redis://:{redis}@{REDIS_HOST}/0")
        # Run by PostgreSQL's image when it makes the database: the agent's own account is no superuser.
        role = f"CREATE ROLE agent LOGIN PASSWORD '{agent}';\nCREATE DATABASE agent OWNER agent;"
        _write(folder / "postgres" / "agent.sql", role)
        # It carries messages only: nothing is saved, and readers cope with what is gone.
        _write(folder / "redis" / "valkey.conf", f'requirepass {redis}\nsave ""\nappendonly no\ndir /data')
    except OSError as error:
        raise SecretsError(
            f"cannot use {error.filename}: {error.strerror}; the volumes with the secrets must belong to account "
            f"{os.geteuid()}: remove those of this installation and start again, or give them to that account"
        ) from error
    return made


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8").strip()
    if not text or not text.isascii() or not text.replace("-", "").replace("_", "").isalnum():
        raise SecretsError(f"{path} must hold letters, digits, - and _ only: correct it, or restore it from a backup")
    return text


def _write(path: Path, text: str) -> None:
    """Replace the file in one step. Its readers run under other accounts; who sees it is decided by who mounts it."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.unlink(missing_ok=True)
    unfinished.write_text(f"{text}\n", encoding="utf-8")
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
