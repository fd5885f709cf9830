"""A stranger's first hour: a bare Debian with Python, this checkout, and the commands of the README.

Long, because it installs Debian's and Python's packages from their registries.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
_MIRROR = "http://deb.debian.org/debian"
_HOST_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")  # of a network that signs for the registries itself
_CERTIFICATES = "/certificates.crt"

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(1800)]


def _docker(*arguments: str | Path, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["docker", *arguments], input=data, capture_output=True, check=False, timeout=1500)


@contextmanager
def _image(suite: str, folder: Path) -> Iterator[str]:
    """Name of an image of this Debian: the official one, or one that is made here where it cannot be pulled."""
    official = f"debian:{suite}-slim"
    if _docker("pull", "--quiet", official).returncode == 0:
        yield official
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip(f"{official} cannot be pulled, and there is no debootstrap to make one")
    made = f"btc-agent-test-debian:{suite}-{os.getpid()}"
    bootstrap = ["debootstrap", "--variant=minbase", suite, str(folder / suite), _MIRROR]
    if (done := subprocess.run(bootstrap, capture_output=True, check=False, text=True)).returncode != 0:
        pytest.skip(f"debootstrap cannot make Debian {suite} here: {done.stdout.strip().splitlines()[-1]}")
    with subprocess.Popen(["tar", "-C", folder / suite, "-c", "."], stdout=subprocess.PIPE) as packing:
        subprocess.run(["docker", "import", "-", made], stdin=packing.stdout, capture_output=True, check=True)
    shutil.rmtree(folder / suite)
    try:
        yield made
    finally:
        _docker("rmi", made)


def _checkout() -> bytes:
    """The files of this checkout, as they are now, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in sorted(set(listed.stdout.decode().split("\0")) - {""}):
            if (REPOSITORY / name).exists():
                archive.add(REPOSITORY / name, f"agent checkout/{name}")
    return packed.getvalue()


class Machine:
    """A container on which a person types commands."""

    def __init__(self, image: str, user: str) -> None:
        self.name = f"btc-agent-test-{uuid.uuid4().hex[:12]}"
        self._user = user
        certificates = []
        if _HOST_CERTIFICATES.exists():
            certificates = [
                "--volume",
                f"{_HOST_CERTIFICATES}:{_CERTIFICATES}:ro",
                "--env",
                f"PIP_CERT={_CERTIFICATES}",
            ]
        started = _docker("run", "--detach", "--init", "--name", self.name, *certificates, image, "sleep", "infinity")
        assert started.returncode == 0, started.stderr.decode()

    def prepare(self) -> None:
        """Install Python, make the user, and unpack the checkout in its home."""
        quiet = "apt-get install --yes -qq --no-install-recommends python3 python3-venv"
        installed = self._execute("root", f"apt-get update -qq && DEBIAN_FRONTEND=noninteractive {quiet}")
        if installed.returncode != 0:
            pytest.skip(f"Debian's packages cannot be had: {installed.stderr.decode().strip().splitlines()[-1]}")
        if self._user != "root":
            assert self._execute("root", f"useradd --create-home {self._user}").returncode == 0
        unpack = ["exec", "--interactive", "--user", self._user, self.name, "/bin/sh", "-c", "cd ~ && tar -xf -"]
        assert _docker(*unpack, data=_checkout()).returncode == 0

    def type(self, command: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the checkout."""
        return self._execute(self._user, f"cd ~/'agent checkout' && {command}")

    def go_offline(self) -> None:
        assert _docker("network", "disconnect", "bridge", self.name).returncode == 0

    def processes(self) -> list[str]:
        """What runs, without what keeps the container itself."""
        lines = _docker("top", self.name, "-eo", "args").stdout.decode().splitlines()[1:]
        return [line for line in lines if "sleep infinity" not in line]

    def remove(self) -> None:
        _docker("rm", "--force", "--volumes", self.name)

    def _execute(self, user: str, script: str) -> subprocess.CompletedProcess[bytes]:
        return _docker("exec", "--user", user, self.name, "/bin/sh", "-c", script)


@pytest.fixture(params=[("bookworm", "owner"), ("trixie", "root")], ids=lambda param: " as ".join(param))
def machine(request: pytest.FixtureRequest, docker_engine: Path | None, tmp_path: Path) -> Iterator[Machine]:
    """A fresh Debian of each kind, once with an ordinary user and once with root alone."""
    suite, user = request.param
    with _image(suite, tmp_path) as image:
        machine = Machine(image, user)
        try:
            machine.prepare()
            yield machine
        finally:
            machine.remove()


def _text(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout + done.stderr).decode(errors="replace")


def test_on_a_bare_debian_the_demo_runs_and_leaves_nothing(machine: Machine) -> None:
    started = machine.type("./agent demo -d")
    assert started.returncode == 0, _text(started)

    shown = machine.type("./agent status --json")
    answer: dict[str, Any] = json.loads(shown.stdout)
    assert (shown.returncode, answer["healthy"], answer["kind"]) == (0, True, "demo")
    assert answer["agent"]["effective_mode"] == "dry"

    stopped = machine.type("./agent down")
    assert stopped.returncode == 0, _text(stopped)
    assert machine.processes() == []

    machine.go_offline()
    again = machine.type("./agent demo -d")  # only the first start needs the network
    assert again.returncode == 0, _text(again)
    assert machine.type("./agent down").returncode == 0
    waiting = machine.type("./agent up -d")
    assert waiting.returncode == 4, _text(waiting)
    assert "KuCoin is not reached" in waiting.stderr.decode()
    assert machine.type("./agent down").returncode == 0
    assert machine.processes() == []
