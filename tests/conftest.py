"""Real servers and real processes for tests.

One PostgreSQL and one Valkey serve the whole run, with a fresh database for each module.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psutil
import psycopg
import pytest
import redis

from btc_cli.embedded import running_postgres, running_valkey

from .docker_engine import compose_plugin, docker_engine

__all__ = ["compose_plugin", "docker_engine"]

REPOSITORY = Path(__file__).resolve().parent.parent
_PREFIX = "btc agent test-"


def _scratch_folder() -> Path | None:
    """Memory instead of a disk where there is enough of it: a database makes a thousand files."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free > 2_000_000_000:
        return memory
    return None


def _remove_abandoned(scratch: Path) -> None:
    """Remove the folders of test runs that were killed."""
    for folder in scratch.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)  # another run may do the same at this moment


@contextmanager
def _home() -> Iterator[Path]:
    """A new folder that the database's account can enter too (pytest's own folders are closed to it)."""
    scratch = _scratch_folder()
    _remove_abandoned(scratch or Path(tempfile.gettempdir()))
    home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=scratch))
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
            # Not WITH (FORCE): that demands the right to end autovacuum too, which a plain DROP just waits for.
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = current_user",
                [name],
            )
            connection.execute(f"DROP DATABASE {name}")


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


class ServiceProcess:
    """One `python -m <module>` with its settings in the environment; its log is in `log_path`.

    It listens on a free port, which it announces after `marker` in its output.
    """

    def __init__(
        self,
        module: str,
        environ: dict[str, str],
        log_path: Path,
        *,
        arguments: Sequence[str] = (),
        marker: str = '"address": "http://127.0.0.1:',
    ) -> None:
        self.module, self.environ, self.log_path = module, environ, log_path
        self.arguments, self._marker = arguments, marker
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log_offset = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start it without waiting for anything."""
        with self.log_path.open("ab") as log:
            self._log_offset, self.port = log.tell(), 0
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self.arguments],
                env={**os.environ, **self.environ, "PORT": "0"},
                stdout=log,
                stderr=log,
            )

    def start(self, *, wait_healthy: bool = True, timeout_secs: float = 30) -> "ServiceProcess":
        """Start it and wait until `/health` answers 200, or only until it listens."""
        self.launch()
        return self.wait_ready(wait_healthy=wait_healthy, timeout_secs=timeout_secs)

    def wait_ready(self, *, wait_healthy: bool = True, timeout_secs: float = 30) -> "ServiceProcess":
        assert self._process is not None
        deadline = time.monotonic() + timeout_secs
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AssertionError(
                    f"{self.module} ended with {self._process.returncode}:\n{self.log(self._log_offset)}"
                )
            self.port = self._announced_port()
            if self.port and (not wait_healthy or self.is_healthy()):
                return self
            time.sleep(0.02)
        raise AssertionError(f"{self.module} was not ready within {timeout_secs} s:\n{self.log(self._log_offset)}")

    def _announced_port(self) -> int:
        text = self.log(self._log_offset)
        return int(text.split(self._marker, 1)[1].split('"', 1)[0]) if self._marker in text else 0

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.address}/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def log(self, offset: int = 0) -> str:
        return self.log_path.read_bytes()[offset:].decode(errors="replace")

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=20)

    def stop(self) -> None:
        if self.running:
            self.kill(signal.SIGTERM)


@pytest.fixture
def service_process(tmp_path: Path) -> Iterator[Callable[[str, dict[str, str]], ServiceProcess]]:
    """Make service processes; all are stopped at the test's end."""
    made: list[ServiceProcess] = []

    def make(module: str, environ: dict[str, str]) -> ServiceProcess:
        made.append(ServiceProcess(module, environ, tmp_path / f"{module}-{len(made)}.log"))
        return made[-1]

    yield make
    for process in made:
        process.stop()
