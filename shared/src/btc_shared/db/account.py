"""The agent's own account in a database server that is all its own: it owns one database and is no superuser."""

from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

CONNECT_TIMEOUT_SECS = 10


def ensure_account(admin_url: str, url: str) -> None:
    """Make the account and the database of `url` when they are missing, and give the account the password of `url`.

    It runs at every start, so that a first start that was interrupted, or a password that was replaced, heals itself.

    Raises:
        psycopg.Error: the server does not answer, or refuses.
    """
    parts = urlsplit(url)
    name, password, database = unquote(parts.username or ""), unquote(parts.password or ""), parts.path.lstrip("/")
    role, login = sql.Identifier(name), sql.SQL("LOGIN PASSWORD {}").format(sql.Literal(password))
    with psycopg.connect(admin_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECS) as connection:
        known = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None
        verb = sql.SQL("ALTER ROLE" if known else "CREATE ROLE")
        connection.execute(sql.SQL(" ").join([verb, role, login]))
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), role))
