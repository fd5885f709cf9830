"""`python -m btc_shared.db migrate`: bring the database's tables to this version."""

import sys
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from btc_shared.db.engine import driver_url
from btc_shared.settings import DatabaseSettings, SettingsError, load

# Two starts at the same time must not run the same migration twice.
_MIGRATION_LOCK = 0x62746361


def config() -> Config:
    """Alembic's configuration, without an ini file."""
    cfg = Config()
    cfg.set_main_option("script_location", str(files("btc_shared.db") / "migrations").replace("%", "%%"))
    return cfg


def migrate(url: str) -> None:
    """Run the migrations that `url`'s database lacks; a database newer than this program is an error."""
    engine = create_engine(driver_url(url), connect_args={"connect_timeout": 10})
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()
            cfg = config()
            cfg.attributes["connection"] = connection
            try:
                command.upgrade(cfg, "head")
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
                connection.commit()
    finally:
        engine.dispose()


def main(arguments: list[str]) -> int:
    if arguments != ["migrate"]:
        print("usage: python -m btc_shared.db migrate", file=sys.stderr)
        return 2
    try:
        migrate(load(DatabaseSettings).database_url.get_secret_value())
    except (SettingsError, CommandError) as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1
    except SQLAlchemyError as error:
        print(f"migrate: {_sentence(error)}", file=sys.stderr)
        return 1
    head = ScriptDirectory.from_config(config()).get_current_head()
    print(f"database is at version {head}")
    return 0


def _sentence(error: SQLAlchemyError) -> str:
    """What the database said, in one line."""
    if not isinstance(error, DBAPIError):
        return " ".join(str(error).split())
    said = " ".join(str(error.orig).split())
    if "password authentication failed" in said:
        said += (
            " (the database was made with another password: the secrets that belong to it are gone or were replaced)"
        )
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
