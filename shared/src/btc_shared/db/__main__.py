"""`python -m btc_shared.db migrate`: bring the database's tables to this version."""

import sys
from importlib.resources import files
from typing import Annotated

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from pydantic import AfterValidator, Field, SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from btc_shared.db.account import ensure_account
from btc_shared.db.engine import driver_url
from btc_shared.settings import DatabaseSettings, SettingsError, load
from btc_shared.settings.infra import is_postgres

# Two starts at the same time must not run the same migration twice.
_MIGRATION_LOCK = 0x62746361


class MigrationSettings(DatabaseSettings):
    database_admin_url: Annotated[SecretStr, AfterValidator(is_postgres)] | None = Field(
        None,
        description="address of a superuser such as postgresql://postgres:password@127.0.0.1:5432/postgres; given, the"
        " account and the database of DATABASE_URL are made when they are missing",
    )


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
        settings = load(MigrationSettings)
        url = settings.database_url.get_secret_value()
        if settings.database_admin_url is not None:
            ensure_account(settings.database_admin_url.get_secret_value(), url)
        migrate(url)
    except (SettingsError, CommandError, psycopg.Error, SQLAlchemyError) as error:
        print(f"migrate: {_sentence(error)}", file=sys.stderr)
        return 1
    head = ScriptDirectory.from_config(config()).get_current_head()
    print(f"database is at version {head}")
    return 0


def _sentence(error: Exception) -> str:
    """What went wrong, in one line: of the database's errors only what it said itself."""
    said = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
    if "password authentication failed" in said:
        said += " (this database was made with other passwords: secrets/README.md says how to give it the present ones)"
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
