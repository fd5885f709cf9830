"""One installation with Docker Compose, driven by the commands of the README."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]
JOBS = {"init", "check", "migrate"}
T = TypeVar("T")


class Project:
    """A project of its own name, with the practice exchange, free ports, and the settings in `settings` on top."""

    def __init__(self, name: str, folder: Path, settings: dict[str, str]) -> None:
        self.name = name
        ports = dict.fromkeys(("WEBUI_PORT", "EXPORTER_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"), "0")
        self._own = folder / f"{name}.env"
        self.image = f"{name}:local"  # not the one that the owner of this machine may use
        own = {**ports, "AGENT_IMAGE": self.image, **settings}
        self._own.write_text("".join(f"{key}={value}\n" for key, value in own.items()))

    def run(
        self, *arguments: str, env_files: Sequence[Path] = (), check: bool = True, given: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """`docker compose …`, with more settings in `env_files`, and `given` on standard input."""
        files = [REPOSITORY / "practice.env", self._own, *env_files]
        command = ["docker", "compose", "--project-name", self.name]
        command += [part for file in files for part in ("--env-file", str(file))]
        environ = {name: os.environ[name] for name in ("HOME", "PATH", "DOCKER_HOST") if name in os.environ}
        answer = subprocess.run(
            [*command, *arguments],
            cwd=REPOSITORY,
            env=environ,
            input=given or "",
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert not check or answer.returncode == 0, f"{' '.join(arguments)}: {answer.stdout}{answer.stderr}"
        return answer

    def containers(self) -> dict[str, dict[str, Any]]:
        """Service → what Compose says of its container, those that ended too."""
        lines = self.run("ps", "--all", "--format", "json").stdout.splitlines()
        found = [item for line in lines if line for item in _listed(json.loads(line))]
        return {container["Service"]: container for container in found}

    def unhealthy(self) -> dict[str, str]:
        """Service → state, of those that are not as they should be."""
        return {
            name: f"{container['State']} {container['Health']} {container['ExitCode']}"
            for name, container in self.containers().items()
            if not (
                container["State"] == "exited" and container["ExitCode"] == 0
                if name in JOBS
                else container["Health"] == "healthy"
            )
        }

    def logs(self, service: str) -> str:
        return self.run("logs", "--no-log-prefix", "--no-color", service).stdout

    def address(self, service: str, port: int) -> str:
        """Where a published port is reached now; it is another one after each start."""
        return f"http://{self.run('port', service, str(port)).stdout.strip()}"

    def get(self, service: str, port: int, path: str) -> Any:
        """The JSON that a published service answers; None while it does not answer."""
        try:
            answer = httpx.get(self.address(service, port) + path, timeout=10)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def performance(self) -> Any:
        return self.get("webui-api", 8510, "/api/performance")

    def inside(self, service: str, program: str) -> "subprocess.CompletedProcess[str]":
        """Run a Python program in a service's container."""
        return self.run("exec", "--no-TTY", service, "python", "-c", program, check=False)

    def kill(self, service: str) -> None:
        """End the service's process as a crash would; `docker kill` would count as an operator's wish."""
        others = "(int(name) for name in os.listdir('/proc') if name.isdigit())"
        self.inside(service, f"import os; [os.kill(pid, 9) for pid in {others} if pid not in (1, os.getpid())]")

    def until(self, what: str, condition: Callable[[], T | None], timeout_secs: float = 180) -> T:
        """Wait until `condition` gives something true, and return it."""
        deadline = time.monotonic() + timeout_secs
        while time.monotonic() < deadline:
            if result := condition():
                return result
            time.sleep(1)
        raise AssertionError(f"{what}: not within {timeout_secs} s; not as they should be: {self.unhealthy()}")

    def leftovers(self) -> str:
        """Containers, volumes and networks that carry the project's label."""
        kinds = {"container": ("ps", "--all"), "volume": ("volume", "ls"), "network": ("network", "ls")}
        label = f"label=com.docker.compose.project={self.name}"
        return "".join(
            subprocess.run(
                ["docker", *command, "--quiet", "--filter", label], capture_output=True, text=True, check=True
            ).stdout
            for command in kinds.values()
        )


def _listed(item: Any) -> list[dict[str, Any]]:
    """Older versions of Compose print one list, newer ones a line for each container."""
    return item if isinstance(item, list) else [item]


def log_events(text: str) -> list[dict[str, Any]]:
    """The structured lines of a log."""
    return [json.loads(line[line.index("{") :]) for line in text.splitlines() if re.match(r"(\x1b\[2K)?\{", line)]
