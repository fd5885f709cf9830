"""The file `agent`: finds a Python, prepares the environment once, survives interruptions, and says what is missing.

A fake Python stands in for the real one: it makes environments and "installs" by writing down what was asked of it,
so that nothing is downloaded here.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]
_DEADLINE_SECS = 60.0

# $FAKE_LOG: what was installed. $FAKE_PIP: a script that runs instead of the installation.
_FAKE_PYTHON = """#!/bin/sh
case "$1 ${2-}" in
    "-c import sys"*executable*) echo "$0" ;;
    "-c import ensurepip"*) [ "${FAKE_WITHOUT_VENV-}" = "" ] ;;
    "-c import sys, pip"*) exit 1 ;;
    "-c "*) exec "$REAL_PYTHON" "$@" ;;
    "-m venv")
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python"
        echo "home = fake" >"$3/pyvenv.cfg"
        ;;
    "-m pip")
        case "$*" in
            *--version*) echo "pip 24" ;;
            *) echo "$*" >>"$FAKE_LOG"; if [ -n "${FAKE_PIP-}" ]; then . "$FAKE_PIP"; fi ;;
        esac
        ;;
    "-P -c") [ "${FAKE_IMPORTS-}" = works ] ;;
    "-P -m") shift 3; echo "started with: $*" ;;
    *) echo "the fake does not know: $*" >&2; exit 9 ;;
esac
"""


class Checkout:
    """A copy of what `agent` needs, with a space in its path, and a fake Python."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.log = folder / "installed"
        self.python = folder / "fake bin" / "python3.12"
        self.pip_script = folder / "pip.sh"
        for path in ("agent", "requirements/run.txt", "requirements/dev.txt", "shared/pyproject.toml"):
            self._copy(_REPOSITORY / path)
        self._copy(_REPOSITORY / "cli" / "pyproject.toml")
        for project in _REPOSITORY.glob("services/*/pyproject.toml"):
            self._copy(project)
        self.python.parent.mkdir()
        self.python.write_text(_FAKE_PYTHON)
        self.python.chmod(0o755)
        self.environment = {
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "REAL_PYTHON": sys.executable,
            "FAKE_LOG": str(self.log),
        }

    def _copy(self, source: Path) -> None:
        target = self.root / source.relative_to(_REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def run(
        self, *arguments: str, program: Path | None = None, user: dict[str, int] | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program or self.root / "agent", *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=_DEADLINE_SECS,
            user=(user or {}).get("user"),
            group=(user or {}).get("group"),
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / "agent", *arguments],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            start_new_session=True,
        )

    def installations(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_start_installs_hashed_wheels_and_our_packages_and_hands_over(checkout: Checkout) -> None:
    done = checkout.run("demo", "--home", "/a b")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "started with: demo --home /a b\n"
    locked, own = checkout.installations()
    assert "--require-hashes --only-binary :all:" in locked
    assert locked.endswith("requirements/run.txt")
    packages = {part for part in own.split("-e ") if "/" in part}
    assert len(packages) == 2 + len(list(_REPOSITORY.glob("services/*/pyproject.toml")))
    assert [line[:5] for line in done.stderr.splitlines()] == ["[1/3]", "[2/3]", "[3/3]"]


def test_later_starts_are_quiet_and_install_nothing(checkout: Checkout) -> None:
    checkout.run("status")
    checkout.log.unlink()
    again = checkout.run("status")
    assert (again.stdout, again.stderr) == ("started with: status\n", "")
    assert checkout.installations() == []


def test_tests_get_the_larger_set_which_serves_the_rest_too(checkout: Checkout) -> None:
    checkout.run("test", "-x")
    assert checkout.installations()[0].endswith("requirements/dev.txt")
    checkout.log.unlink()
    assert checkout.run("status").stdout == "started with: status\n"
    assert checkout.installations() == []


def test_changed_requirements_are_installed(checkout: Checkout) -> None:
    checkout.run("status")
    checkout.log.unlink()
    with (checkout.root / "requirements" / "run.txt").open("a") as file:
        file.write("# changed\n")
    assert "updating" in checkout.run("status").stderr
    assert len(checkout.installations()) == 2


def test_what_only_looks_or_stops_does_with_an_older_environment(checkout: Checkout) -> None:
    checkout.run("demo")
    checkout.log.unlink()
    with (checkout.root / "requirements" / "run.txt").open("a") as file:
        file.write("# changed\n")
    for command in ("status", "logs", "down", "--help"):
        looked = checkout.run(command, FAKE_IMPORTS="works")
        assert (looked.stderr, looked.stdout.strip()) == ("", f"started with: {command}")
    assert not checkout.log.exists()
    assert "updating" in checkout.run("demo", FAKE_IMPORTS="works").stderr


def test_it_can_be_called_through_links(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(checkout.root / "agent")
    (tmp_path / "two").symlink_to("one")
    assert checkout.run("status", program=tmp_path / "two").stdout == "started with: status\n"
    assert (checkout.root / ".venv" / "bin" / "python").exists()


def test_a_moved_checkout_links_its_packages_anew(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run("status")
    checkout.log.unlink()
    moved = tmp_path / "moved"
    checkout.root.rename(moved)
    assert checkout.run("status", program=moved / "agent").returncode == 0
    assert str(moved / "shared") in checkout.installations()[1]


def test_an_interrupted_installation_is_done_again_from_nothing(checkout: Checkout, tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    os.mkfifo(reached)
    checkout.pip_script.write_text(f'echo half >"{checkout.root}/.venv/half"; echo now >"{reached}"; exec sleep 600')
    process = checkout.start("status", FAKE_PIP=str(checkout.pip_script))
    assert reached.read_text() == "now\n"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (checkout.root / ".venv" / "half").exists()
    assert checkout.run("status").stdout == "started with: status\n"
    assert not (checkout.root / ".venv" / "half").exists()


def test_two_first_starts_at_once_install_once(checkout: Checkout, tmp_path: Path) -> None:
    reached, go_on = tmp_path / "reached", tmp_path / "go on"
    os.mkfifo(reached)
    os.mkfifo(go_on)
    checkout.pip_script.write_text(f'echo now >"{reached}"; read -r _ <"{go_on}"; FAKE_PIP=')
    first = checkout.start("first", FAKE_PIP=str(checkout.pip_script))
    assert reached.read_text() == "now\n"
    second = checkout.start("second")
    assert second.stdout is not None
    assert "waiting" in second.stdout.readline()
    release = threading.Thread(target=lambda: [go_on.write_text("\n"), reached.read_text(), go_on.write_text("\n")])
    release.start()
    assert "started with: first" in first.communicate(timeout=_DEADLINE_SECS)[0]
    assert second.communicate(timeout=_DEADLINE_SECS)[0] == "started with: second\n"
    release.join()
    assert len(checkout.installations()) == 2  # the locked packages and our own, once


@pytest.mark.parametrize(
    "output",
    [
        "WARNING: Retrying after connection broken by NewConnectionError: Temporary failure in name resolution",
        "error: Network is unreachable",
    ],
)
def test_without_a_network_one_line_says_so(checkout: Checkout, output: str) -> None:
    checkout.pip_script.write_text(f'echo "{output}"; exit 1')
    done = checkout.run("status", FAKE_PIP=str(checkout.pip_script))
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    assert line.startswith("agent: cannot reach the package index: check the network")
    assert done.stdout == ""


def test_another_failure_shows_what_the_installer_said(checkout: Checkout) -> None:
    checkout.pip_script.write_text('echo "ERROR: the hashes do not match"; exit 1')
    done = checkout.run("status", FAKE_PIP=str(checkout.pip_script))
    assert done.returncode == 1
    assert "ERROR: the hashes do not match" in done.stderr
    assert "the installation failed" in done.stderr


def test_without_the_venv_module_one_line_names_what_to_install(checkout: Checkout) -> None:
    done = checkout.run("status", FAKE_WITHOUT_VENV="yes")
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr.splitlines()[-1]
    assert not (checkout.root / ".venv").exists()


def test_a_python_that_only_fails_is_passed_over(checkout: Checkout) -> None:
    shim = checkout.python.with_name("python3.13")
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    done = checkout.run("status")
    assert done.stdout == "started with: status\n"
    assert "pyenv" not in done.stderr


def test_without_a_python_one_line_says_what_is_needed(checkout: Checkout, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "cksum", "dirname", "readlink", "mkdir", "tr"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    done = checkout.run("status", PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr.startswith("agent: needs Python 3.11, 3.12 or 3.13, and found none")
    assert len(done.stderr.splitlines()) == 1


def test_an_old_python_is_named_with_what_is_needed(checkout: Checkout, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "cksum", "dirname", "readlink", "mkdir", "tr"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    old = tools / "python3"
    old.write_text("""#!/bin/sh
case "$2" in
    *version_info*) exit 1 ;;
    *python_version*) echo "only 3.10.12" ;;
esac
""")
    old.chmod(0o755)
    done = checkout.run("up", PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr.startswith("agent: needs Python 3.11, 3.12 or 3.13, and found only 3.10.12: install it")
    assert len(done.stderr.splitlines()) == 1
    assert not (checkout.root / ".venv").exists()


def test_a_wrong_agent_python_is_named(checkout: Checkout) -> None:
    done = checkout.run("status", AGENT_PYTHON="/bin/false")
    assert done.returncode == 1
    assert done.stderr == "agent: AGENT_PYTHON is '/bin/false': it does not run, or is not Python 3.11 to 3.13\n"


def test_the_environment_can_be_somewhere_else(checkout: Checkout, tmp_path: Path) -> None:
    done = checkout.run("status", AGENT_VENV=str(tmp_path / "other place" / "env"))
    assert done.stdout == "started with: status\n"
    assert (tmp_path / "other place" / "env" / "bin" / "python").exists()
    assert not (checkout.root / ".venv").exists()


def test_a_checkout_that_cannot_be_written_gets_its_environment_in_the_cache(agent_home: Path) -> None:
    checkout = Checkout(agent_home)
    cache = agent_home / "cache"
    cache.mkdir()
    user: dict[str, int] = {}
    if os.geteuid() == 0:  # root can write anything
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid}
        os.chown(cache, nobody.pw_uid, nobody.pw_gid)
        checkout.log.touch()
        checkout.log.chmod(0o666)
        checkout.environment["REAL_PYTHON"] = "/usr/bin/python3"  # ours may be in a folder that is closed to others
        if not Path("/usr/bin/python3").exists():
            pytest.skip("no Python here that the user nobody can run")
    else:
        checkout.root.chmod(0o555)
    try:
        for count in (2, 2):  # installed, and found again
            done = checkout.run("status", user=user, XDG_CACHE_HOME=str(cache))
            assert (done.returncode, done.stdout) == (0, "started with: status\n"), done.stderr
            assert len(checkout.installations()) == count
    finally:
        checkout.root.chmod(0o755)
    assert [path.name[:5] for path in (cache / "btc-agent").iterdir()] == ["venv-"]
    assert not (checkout.root / ".venv").exists()


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    done = checkout.run("status", AGENT_VENV=str(mine))
    assert done.returncode == 1
    assert "is no virtual environment" in done.stderr
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_no_package_index_is_named() -> None:
    text = (_REPOSITORY / "agent").read_text()
    assert "://" not in text
    assert "index-url" not in text
