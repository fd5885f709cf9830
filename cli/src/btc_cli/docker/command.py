"""Runs the command `docker`, within seconds, and tells its failures apart."""

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

TIMEOUT_SECS = 5.0


class DockerError(Exception):
    """Docker is there, but gave no answer. The message says why and what to do."""


class DockerAbsentError(DockerError):
    """Docker is not installed or its daemon does not run: so nothing of ours runs with it."""


class Answer(NamedTuple):
    """What a call of `docker` printed, and its exit status."""

    code: int
    output: bytes
    errors: str


def ask(*arguments: str, timeout_secs: float | None = None) -> Answer:
    """Run `docker <arguments>` to its end, which must come within `timeout_secs` (without it, `TIMEOUT_SECS`).

    Raises:
        DockerError: when it does not end in time.
    """
    timeout_secs = timeout_secs or TIMEOUT_SECS
    with start(arguments, stderr=subprocess.PIPE, new_session=True) as process:
        try:
            output, errors = process.communicate(timeout=timeout_secs)
        except subprocess.TimeoutExpired:
            raise DockerError(f"Docker does not answer within {timeout_secs:.0f} s") from None
        finally:
            if process.returncode is None:  # with all that it started: it would keep our pipes open
                os.killpg(process.pid, signal.SIGKILL)
    return Answer(process.returncode, output, errors.decode(errors="replace"))


def start(arguments: Sequence[str], *, stderr: int, new_session: bool = False) -> subprocess.Popen[bytes]:
    """Start `docker <arguments>` with its output in a pipe.

    Raises:
        DockerAbsentError: when there is no such command.
    """
    try:
        return subprocess.Popen(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd="/",
            start_new_session=new_session,
        )
    except OSError as error:
        raise DockerAbsentError(f"Docker is not installed here: cannot run docker ({error.strerror})") from error


def failure(errors: str) -> DockerError:
    """The exception for what `docker` said on standard error when it failed."""
    lower = errors.lower()
    if "permission denied" in lower:
        return DockerError(
            "no permission to ask Docker: run the command with sudo, or add yourself to the group docker "
            "(sudo usermod -aG docker $USER, then log in again)"
        )
    if any(sign in lower for sign in ("cannot connect to the docker", "failed to connect to the docker")):
        return DockerAbsentError(
            "Docker is installed, but its daemon does not run: start it (sudo systemctl start docker)"
        )
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return DockerError(f"Docker says: {lines[-1] if lines else 'nothing, but fails'}")
