"""Embedded servers for the length of a `with` block: for tests and one-off commands."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from btc_cli.children import bound_command
from btc_cli.embedded.errors import EmbeddedError
from btc_cli.embedded.postgres import PostgresServer, leftover_process, prepare_postgres
from btc_cli.embedded.valkey import ValkeyServer, prepare_valkey
from btc_cli.home import Home

Server = TypeVar("Server", PostgresServer, ValkeyServer)

_START_SECS = 30.0
_STOP_SECS = 10.0
_ATTEMPTS = 3  # another process may take the port between its choice and its use


@contextlib.contextmanager
def running_postgres(home: Path, *, durable: bool = True) -> Iterator[str]:
    """Run PostgreSQL on `home`'s data; yields its address, and leaves no process behind.

    Raises:
        EmbeddedError: when it does not start; the message has the last line of its log.
    """
    place = Home(home)
    if leftover_process(place) is not None:
        raise EmbeddedError(f"a PostgreSQL server already runs on {place.postgres}: stop it first")
    with _running(lambda: prepare_postgres(place, durable=durable), place) as server:
        yield server.url


@contextlib.contextmanager
def running_valkey(home: Path) -> Iterator[str]:
    """Run Valkey for `home`; yields its address, and leaves no process behind.

    Raises:
        EmbeddedError: when it does not start; the message has the last line of its log.
    """
    place = Home(home)
    with _running(lambda: prepare_valkey(place), place) as server:
        yield server.url


@contextlib.contextmanager
def _running(prepare: Callable[[], Server], home: Home) -> Iterator[Server]:
    server = prepare()
    for attempt in range(1, _ATTEMPTS + 1):
        log = home.logs / f"{server.name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                bound_command(server.command, death_signal=server.stop_signal, account=server.account),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=server.environment,
                start_new_session=True,
            )
        try:
            if _wait_until_ready(server, process):
                yield server
                return
        finally:
            _stop(server, process)
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if attempt == _ATTEMPTS or not any("in use" in line for line in lines[-5:]):
            raise EmbeddedError(f"{server.name} did not start: {lines[-1] if lines else 'it wrote no log'}")
        server = prepare()


def _wait_until_ready(server: PostgresServer | ValkeyServer, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_SECS
    while time.monotonic() < deadline:
        if server.is_ready(process.pid):
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            return False
    return False


def _stop(server: PostgresServer | ValkeyServer, process: subprocess.Popen[bytes]) -> None:
    process.send_signal(server.stop_signal)
    try:
        process.wait(_STOP_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
