"""A stand-in for the command `docker`."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

# Answers from files in its folder. With `--since` it gives the line of that time again, as Docker does.
_FAKE_DOCKER = """#!/bin/sh
folder=${0%/*}
if [ -p "$folder/hangs" ]; then exec 9>"$folder/hangs"; sleep 600; fi
if [ -e "$folder/error" ]; then cat "$folder/error" >&2; exit 1; fi
case $1 in
    ps) cat "$folder/listed" ;;
    inspect) cat "$folder/inspected" ;;
    logs)
        printf '%s\\n' "$*" >>"$folder/asked"
        since=
        while [ $# -gt 1 ]; do
            if [ "$1" = --since ]; then since=$2; fi
            if [ "$1" = --timestamps ]; then times=yes; fi
            shift
        done
        if [ ! -e "$folder/log.$1" ]; then echo "Error response from daemon: No such container: $1" >&2; exit 1; fi
        if [ "${times-}" = yes ]; then
            awk -v since="$since" '$1 >= since' "$folder/log.$1"
        else
            sed 's/^[^ ]* //' "$folder/log.$1" >&2
        fi
        ;;
    *) echo "the fake does not know: $*" >&2; exit 9 ;;
esac
"""


class FakeDocker:
    """What the fake answers, in files of `folder`; first the recorded project btc-practice, with empty logs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        folder.mkdir()
        program = folder / "docker"
        program.write_text(_FAKE_DOCKER)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        self.containers: list[dict[str, Any]] = json.loads((Path(__file__).parent / "docker_inspect.json").read_text())
        self.save()
        for one in self.containers:
            self.log_of(self._service(one)).touch()

    def save(self) -> None:
        """Let it answer with `containers`, among those of others."""
        listed = [f"{one['Config']['Labels']['com.docker.compose.project']} {one['Id']}" for one in self.containers]
        (self.folder / "listed").write_text("\n".join(["somebody-elses 0123", *listed, ""]))
        (self.folder / "inspected").write_text(json.dumps(self.containers))

    def rename(self, project: str) -> None:
        """Let the containers belong to another project."""
        for one in self.containers:
            one["Config"]["Labels"]["com.docker.compose.project"] = project
        self.save()

    def stop_all(self) -> None:
        """As after `docker compose stop`; what had failed stays so."""
        for one in self.containers:
            if one["State"]["Status"] in ("running", "restarting", "created"):
                one["State"] |= {"Status": "exited", "ExitCode": 0}
        self.save()

    def publish(self, service: str, port: int) -> None:
        """Let the service's ports be published as `port`."""
        for bindings in self.container(service)["NetworkSettings"]["Ports"].values():
            bindings[0]["HostPort"] = str(port)
        self.save()

    def fails(self, message: str) -> None:
        """Let every call fail with this message."""
        (self.folder / "error").write_text(message)

    def hangs(self) -> int:
        """Let no call end. Returns a pipe that ends when no process of such a call is left."""
        os.mkfifo(self.folder / "hangs")
        return os.open(self.folder / "hangs", os.O_RDONLY | os.O_NONBLOCK)

    def container(self, service: str) -> dict[str, Any]:
        """What is answered for a service."""
        return next(one for one in self.containers if self._service(one) == service)

    def log_of(self, service: str) -> Path:
        """The service's log: each line behind its time, as Docker keeps it."""
        container_id: str = self.container(service)["Id"]
        return self.folder / f"log.{container_id}"

    def asked(self) -> list[str]:
        """The arguments of every `docker logs`."""
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def _service(self, container: dict[str, Any]) -> str:
        name: str = container["Config"]["Labels"]["com.docker.compose.service"]
        return name


@pytest.fixture
def fake_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    """`docker` on the PATH is a fake that answers for the project btc-practice."""
    return FakeDocker(tmp_path / "fake docker", monkeypatch)


@pytest.fixture
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no command `docker`."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
