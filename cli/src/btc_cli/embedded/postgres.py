"""PostgreSQL from a wheel: makes the data folder and says how to start, recognise and stop the server.

Only 127.0.0.1, only one role (`agent`, owner of the database `agent`, not a superuser), password by SCRAM; no
socket file. As root the server runs as `postgres` or `nobody` (PostgreSQL refuses root), who owns only the data
folder. Where that account cannot reach the home (a folder below /root), the data folder alone is kept in
/var/lib/btc-agent/postgres-…, and `<home>/postgres` is a link to it.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from btc_cli import disk
from btc_cli.children import Account, bound_command
from btc_cli.embedded import binaries
from btc_cli.embedded.errors import EmbeddedError
from btc_cli.home import Home
from btc_cli.reasons import reason_in

ROLE = DATABASE = "agent"
_ACCESS_RULES = f"host all {ROLE} 127.0.0.1/32 scram-sha-256\n"  # nobody else, and from nowhere else
_PASSWORD = "postgres_password"  # noqa: S105 - the name of the file in <home>/secrets
_STATUS_LINE = 7  # of postmaster.pid: "starting", "ready", "stopping" (src/include/utils/pidfile.h)


@dataclass(frozen=True)
class PostgresServer:
    """A prepared data folder and the command that serves it."""

    command: tuple[str, ...]
    account: Account | None
    data: Path
    port: int
    password: str

    name = "postgres"
    # "Fast" shutdown: roll back, write a checkpoint, leave. SIGTERM would wait for every client.
    stop_signal = signal.SIGINT
    abort_signal = signal.SIGQUIT  # leaves at once; the next start replays its log
    environment = {"LC_ALL": "C", "TZ": "UTC"}  # noqa: RUF012 - never changed

    @property
    def url(self) -> str:
        """Address with the password in it."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def is_ready(self, pid: int) -> bool:
        """True when the server with process id `pid` takes connections."""
        status = _postmaster_file(self.data)
        return len(status) > _STATUS_LINE and status[0] == str(pid) and status[_STATUS_LINE].strip() == "ready"


def prepare_postgres(home: Home, *, durable: bool = True) -> PostgresServer:
    """Make the data folder if there is none, choose the port, and return the server to start.

    `durable=False` leaves out every flush to disk: for tests only.

    Raises:
        EmbeddedError: when the data cannot be used, with a remedy.
    """
    home.create()
    data, account, install = _data_folder(home)
    password = home.read_secret(_PASSWORD)
    if not data.exists():
        _make_data_folder(data, install, account, password, durable=durable)
    _check_owner(data, account)
    port = home.port("postgres")
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "60",
        "superuser_reserved_connections": "0",
        "shared_buffers": "32MB",
        "max_wal_size": "256MB",
        "jit": "off",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    if install.major >= 18:
        settings["io_method"] = "sync"  # saves three helper processes that a small database never needs
    if not durable:
        settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    options = [f"-c{name}={value}" for name, value in settings.items()]
    return PostgresServer((str(install.postgres), "-D", str(data), *options), account, data, port, password)


def leftover_process(home: Home) -> psutil.Process | None:
    """The server that still runs on the home's data folder, such as one whose starter was killed.

    A `postmaster.pid` whose process is gone or is something else is removed: after a restart of the machine the
    number may belong to any process, and PostgreSQL would refuse to start.
    """
    data = home.postgres / "data"
    status = _postmaster_file(data)
    if not status:
        return None
    try:
        process = psutil.Process(int(status[0]))
        if process.status() != psutil.STATUS_ZOMBIE and _serves(process, data):
            return process
    except (psutil.NoSuchProcess, ValueError):
        pass  # gone, or a damaged file: stale either way
    (data / "postmaster.pid").unlink(missing_ok=True)
    return None


def _serves(process: psutil.Process, data: Path) -> bool:
    try:
        return Path(process.cwd()).resolve() == data.resolve()  # a server works inside its data folder
    except psutil.AccessDenied:
        return "postgres" in process.name()


def _postmaster_file(data: Path) -> Sequence[str]:
    try:
        return (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ()


def _data_folder(home: Home) -> tuple[Path, Account | None, binaries.PostgresInstall]:
    """Path of the data folder (which may not exist yet), the account for it, and the programs of its version."""
    if home.postgres.is_symlink() and not home.postgres.exists():
        raise EmbeddedError(
            f"{home.postgres} points to {home.postgres.readlink()}, which is gone: "
            "bring it back, or remove the link to start with an empty database"
        )
    data = home.postgres.resolve() / "data"  # resolved, because the account may be unable to follow the link
    if data.exists():
        account = _account(data.stat().st_uid)
        return data, account, binaries.postgres_install(account, _version(data))
    account = _account(None)
    home.postgres.mkdir(mode=0o711, exist_ok=True)
    if account is not None and not _can_reach(home.postgres, account):
        _keep_elsewhere(home.postgres, account)
    return home.postgres.resolve() / "data", account, binaries.postgres_install(account)


def _account(owner: int | None) -> Account | None:
    """As root: the data's owner, else `postgres`, else `nobody`. Otherwise None: the present user."""
    if os.geteuid() != 0:
        return None
    if owner:
        try:
            entry = pwd.getpwuid(owner)
        except KeyError as error:
            raise EmbeddedError(f"the database belongs to user number {owner}, who does not exist here") from error
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as: "
        "add one (useradd --system postgres), or start the agent as a normal user"
    )


def _can_reach(folder: Path, account: Account) -> bool:
    """Whether the account may pass through `folder`. Asked of the kernel, so that every kind of rule counts."""
    command = bound_command(["/bin/sh", "-c", '[ -x "$1" ]', "sh", folder], account=account)
    return subprocess.run(command, check=False, capture_output=True, cwd="/").returncode == 0


def _keep_elsewhere(link: Path, account: Account) -> None:
    """Replace the empty folder `link` by a link to a new folder that the account can reach."""
    try:
        binaries.SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=binaries.SYSTEM_FOLDER))
    except OSError as error:
        raise EmbeddedError(
            f"the database runs as {account.name}, who cannot enter {link.parent}, and {binaries.SYSTEM_FOLDER} "
            f"cannot be written ({error.strerror}): give a --home that other users can enter"
        ) from error
    folder.chmod(0o711)
    if not _can_reach(folder, account):
        folder.rmdir()
        raise EmbeddedError(
            f"the database runs as {account.name}, who can enter neither {link.parent} nor {folder}: "
            "give a --home that other users can enter"
        )
    link.rmdir()
    link.symlink_to(folder)


def _version(data: Path) -> int:
    try:
        return int((data / "PG_VERSION").read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise EmbeddedError(
            f"{data} is no PostgreSQL data folder (no readable PG_VERSION): move it away, or give another --home"
        ) from error


def _check_owner(data: Path, account: Account | None) -> None:
    owner = data.stat().st_uid
    if account is None and owner != os.geteuid():
        raise EmbeddedError(
            f"the database in {data} belongs to user number {owner}, and you are {os.geteuid()}: "
            "run the command as that user or as root, or give another --home"
        )


def _make_data_folder(
    data: Path, install: binaries.PostgresInstall, account: Account | None, password: str, *, durable: bool
) -> None:
    """Fill a folder beside `data` and rename it at the end: an interrupted first start leaves nothing half-made.

    Everything inside is written by the account itself: root following a link planted there could be misled.
    """
    unfinished = data.with_name("data.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    if account is not None:
        os.chown(unfinished, account.uid, account.gid)
    locale = ["--locale=C"]  # sorts by bytes, on every machine alike
    if install.major >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # and knows letters beyond ASCII
    options = ["--username=postgres", "--encoding=UTF8", "--data-checksums", *locale]
    options.append("--auth=reject")  # replaced by our own rules below
    if not durable:
        options.append("--no-sync")
    _run([install.initdb, "-D", unfinished, *options], account)
    _run(["/bin/sh", "-c", 'exec cat > "$1"', "sh", unfinished / "pg_hba.conf"], account, _ACCESS_RULES)
    # One statement per paragraph. The password is of URL-safe letters: nothing in it needs quoting.
    statements = (
        f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{password}';\n\nCREATE DATABASE {DATABASE} OWNER {ROLE};\n\n"
    )
    flushing = [] if durable else ["-F"]
    answer = _run([install.postgres, "--single", "-D", unfinished, "-j", *flushing, "postgres"], account, statements)
    errors = [line for line in answer.splitlines() if "ERROR:" in line or "FATAL:" in line]
    if errors:  # single-user mode goes on after an error and exits with 0
        raise EmbeddedError(f"PostgreSQL could not make its database: {reason_in(errors)}")
    unfinished.rename(data)


def _run(command: Sequence[str | Path], account: Account | None, text: str = "") -> str:
    """Run a program of PostgreSQL to its end and return its stderr.

    Raises:
        EmbeddedError: with its reason when it fails.
    """
    done = subprocess.run(
        bound_command(command, account=account),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={**PostgresServer.environment, "PATH": os.defpath},
        timeout=300,
    )
    if done.returncode != 0:
        reason = reason_in(f"{done.stdout}\n{done.stderr}".strip().splitlines()) or f"exit code {done.returncode}"
        way_out = disk.way_out(reason)
        text = f"PostgreSQL could not make its data folder: {reason}"
        raise EmbeddedError(f"{text}; {way_out}" if way_out else text)
    return done.stderr
