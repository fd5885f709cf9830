"""A Docker engine with the compose plugin for tests: the machine's own, or one from the lab beside the checkout."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
# Outside the repository: it installs an engine, and makes images where no container registry can be reached.
LAB = REPOSITORY.parent / "shared" / "compose-lab" / "lab"
_ENGINE_PID = Path("/var/run/docker.pid")


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="session")
def compose_plugin(request: pytest.FixtureRequest) -> None:
    """`docker compose` can be called; it needs no engine to read a file."""
    if not _answers("docker", "compose", "version"):
        request.getfixturevalue("docker_engine")


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Path | None]:
    """A running engine. Yields the lab's program when the images have to come from it, else None."""
    if _answers("docker", "info") and _answers("docker", "compose", "version"):
        yield LAB if LAB.is_file() else None
        return
    if not LAB.is_file() or os.geteuid() != 0 or shutil.which("apt-get") is None:
        pytest.skip("no Docker engine with the compose plugin, and no lab to start one")
    try:
        subprocess.run([LAB, "up"], check=True, timeout=600)
        yield LAB
    finally:
        _stop_engine()


def _stop_engine() -> None:
    """End the engine that the lab has started: tests leave nothing running."""
    try:
        engine = psutil.Process(int(_ENGINE_PID.read_text()))
        engine.send_signal(signal.SIGTERM)
        engine.wait(timeout=60)
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return
