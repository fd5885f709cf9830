"""The database engine that every service uses."""

from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# What an unreachable, restarting or overloaded server raises: try again later, it is not a bug.
LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS = 2_000, 10_000
DATABASE_ERRORS = (OperationalError, InterfaceError, PoolTimeoutError, OSError)


def driver_url(url: SecretStr | str) -> str:
    """The address with SQLAlchemy's driver name in it."""
    text = url.get_secret_value() if isinstance(url, SecretStr) else url
    return text.replace("postgresql://", "postgresql+psycopg://", 1)


def create_engine(url: SecretStr | str, *, application_name: str, pool_size: int = 4) -> AsyncEngine:
    """An asynchronous engine whose connections are tested before use, so that a restarted server is survived.

    A statement that waits for a lock, or runs, for too long fails with an `OperationalError`: nobody's open
    transaction may hold an exit up for longer than that.
    """
    return create_async_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=2,
        pool_pre_ping=True,
        pool_timeout=5,
        hide_parameters=True,  # no balances or tokens in error texts
        connect_args={
            "connect_timeout": 5,
            "application_name": application_name,
            "options": "-c timezone=UTC",
        },
    )


def is_connection_lost(error: BaseException) -> bool:
    """True when `error` says that the server went away rather than that a statement was wrong."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, DATABASE_ERRORS)
