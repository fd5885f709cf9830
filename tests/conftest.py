"""Real servers for tests: one PostgreSQL and one Valkey for the whole run, a fresh database for each module."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis

from btc_cli.embedded import running_postgres, running_valkey

REPOSITORY = Path(__file__).resolve().parent.parent


def _scratch_folder() -> Path | None:
    """Memory instead of a disk where there is enough of it: a database makes a thousand files."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free > 2_000_000_000:
        return memory
    return None


@contextmanager
def _home() -> Iterator[Path]:
    """A new folder that the database's account can enter too (pytest's own folders are closed to it)."""
    home = Path(tempfile.mkdtemp(prefix="btc agent test-", dir=_scratch_folder()))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home)


@contextmanager
def _database(server_url: str, template: str = "template0") -> Iterator[str]:
    """A new database on the server: a copy of `template`, dropped at the end with whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def agent_home() -> Iterator[Path]:
    """An empty folder to be given as `--home`, with a space in its name; removed afterwards."""
    with _home() as home:
        yield home


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """The run's PostgreSQL, empty: for tests that make their own databases."""
    with _home() as home, running_postgres(home, durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def _migrated_template(postgres_server_url: str) -> Iterator[str]:
    from btc_shared.db.__main__ import migrate

    with _database(postgres_server_url) as url:
        migrate(url)
        yield urlsplit(url).path.lstrip("/")


@pytest.fixture(scope="module")
def postgres_url(postgres_server_url: str, _migrated_template: str) -> Iterator[str]:
    """Address of a database of this test module's own, with all migrations applied."""
    with _database(postgres_server_url, _migrated_template) as url:
        yield url


@pytest.fixture(scope="module")
def empty_postgres_url(postgres_server_url: str) -> Iterator[str]:
    """Address of a database of this test module's own, without tables."""
    with _database(postgres_server_url) as url:
        yield url


@pytest.fixture(scope="session")
def _valkey_url() -> Iterator[str]:
    with _home() as home, running_valkey(home) as url:
        yield url


@pytest.fixture(scope="module")
def redis_url(_valkey_url: str) -> str:
    """Address of a Valkey that is empty when the test module starts."""
    with redis.Redis.from_url(_valkey_url) as client:
        client.flushall()
    return _valkey_url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with recorded markets, beside the checkout (or where BTC_SHARED_DATA says). Not part of the repository."""
    folder = Path(os.environ.get("BTC_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded market data in {folder}")
    return folder
