"""The folder that holds all state of one installation: data, logs, secrets, run-time files."""

import json
import os
import random
import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Below the range from which the kernel takes ports of outgoing connections (32768 and up on Linux), so that a port
# found free is not taken by a passing connection before the server binds it.
_PORTS = range(20_000, 32_000)
# What can run beside each other, each on a default home of its own.
KINDS = ("agent", "demo")


class HomeError(Exception):
    """The home folder cannot be used. The message says why and what to do."""


@dataclass(frozen=True)
class Home:
    """Paths below `path`, and what is kept there: secrets (mode 0600) and the ports chosen last time."""

    path: Path

    @property
    def logs(self) -> Path:
        """One `<process>.log` each, plus `supervisor.log`."""
        return self.path / "logs"

    @property
    def secrets(self) -> Path:
        """Generated passwords and tokens, one file each."""
        return self.path / "secrets"

    @property
    def run(self) -> Path:
        """Lock, state and ports of the present or last run."""
        return self.path / "run"

    @property
    def postgres(self) -> Path:
        """Folder around the database's data folder; as root possibly a link (see embedded.postgres)."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Working folder of Valkey, with its configuration."""
        return self.path / "valkey"

    def create(self) -> None:
        """Make the folders. Others may pass through the home itself, but neither list it nor enter what is private.

        Raises:
            HomeError: when a folder cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:  # the database runs under another account and must reach its folder
                self.path.chmod(self.path.stat().st_mode & 0o7777 | 0o111)
            for folder in (self.logs, self.secrets, self.run, self.valkey):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise HomeError(
                f"cannot use {self.path} as the home: {error.strerror} ({error.filename}); "
                "give a folder that you may write with --home"
            ) from error
        if not os.access(self.run, os.W_OK | os.X_OK):
            raise HomeError(
                f"{self.path} belongs to another user: run the command as that user, or give another --home"
            )

    def secret(self, name: str) -> Path:
        """File with the secret `name`, made on first use: 32 random bytes in URL-safe letters, mode 0600."""
        path = self.secrets / name
        if not path.exists():
            unfinished = path.with_suffix(".new")
            unfinished.unlink(missing_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
            unfinished.replace(path)
        return path

    def read_secret(self, name: str) -> str:
        """The secret itself."""
        return self.secret(name).read_text(encoding="utf-8").strip()

    def port(self, name: str, preferred: int | None = None) -> int:
        """A free port on 127.0.0.1 for `name`: `preferred`, else last time's, else a new one. Remembered."""
        ports = self._ports()
        for candidate in (preferred, ports.get(name)):
            if candidate is not None and is_free(candidate):
                break
        else:
            candidate = free_port(taken=ports.values())
        ports[name] = candidate
        write_atomically(self.run / "ports.json", json.dumps(ports, indent=1))
        return candidate

    def _ports(self) -> dict[str, int]:
        try:
            stored = json.loads((self.run / "ports.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # never written, or damaged: only a convenience is lost
            return {}
        return {str(name): port for name, port in stored.items() if isinstance(port, int)}


def default_home(kind: str) -> Path:
    """Where the state of `kind` (one of `KINDS`) is kept when nobody says otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/btc-agent") / kind
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "btc-agent" / kind


def is_free(port: int) -> bool:
    """True when a server could listen on 127.0.0.1:`port` now."""
    return bind_error(port) is None


def bind_error(port: int) -> OSError | None:
    """Why no server can listen on 127.0.0.1:`port` now; None when one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error
    return None


def free_port(taken: Iterable[int] = ()) -> int:
    """A port on 127.0.0.1 that is free now and not in `taken`."""
    reserved = set(taken)
    for candidate in random.sample(_PORTS, 200):
        if candidate not in reserved and is_free(candidate):
            return candidate
    raise HomeError(f"no free port found between {_PORTS.start} and {_PORTS.stop} on 127.0.0.1")


def write_atomically(path: Path, text: str) -> None:
    """Replace the file's content in one step, readable by its owner only."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
