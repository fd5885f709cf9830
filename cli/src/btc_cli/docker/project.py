"""A Compose project on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from btc_cli.docker.command import Answer, DockerError, ask, failure
from btc_cli.docker.containers import Container, parse_containers, start_failure, view
from btc_cli.docker.logs import DockerLogs
from btc_cli.loglines import Wanted
from btc_cli.state import View

# The names that the compose file gives, with what stops each in the checkout.
PROJECTS = {
    "btc-agent": "docker compose down",
    "btc-practice": "docker compose --env-file practice.env down",
}
_PROJECT_AND_ID = '{{.Label "com.docker.compose.project"}} {{.ID}}'
_LAST_LINE_SECS = 2.0


def containers_of(names: Sequence[str]) -> list[Container]:
    """All containers of these projects, stopped ones too.

    Raises:
        DockerError: when Docker cannot be asked.
    """
    # One-off containers (`docker compose run`) are somebody's experiments.
    listed = _successful(
        ask(
            "ps",
            "--all",
            "--no-trunc",
            "--filter",
            "label=com.docker.compose.oneoff=False",
            "--format",
            _PROJECT_AND_ID,
        )
    )
    found = [line.rpartition(" ") for line in listed.decode().splitlines()]
    ids = [container_id for project, _, container_id in found if project in names]
    if not ids:
        return []
    answer = ask("inspect", "--type", "container", *ids)
    if "no such" not in answer.errors.lower():  # one that went away since is no failure; the others are shown
        _successful(answer)
    try:
        return parse_containers(answer.output)
    except msgspec.DecodeError as error:
        raise DockerError(f"Docker's answer is not what was expected: {error}") from error


def projects(names: Sequence[str] = tuple(PROJECTS)) -> list["DockerProject"]:
    """Those of the named projects that have containers.

    Raises:
        DockerError: when Docker cannot be asked.
    """
    containers = containers_of(names)
    found = [DockerProject(name, [one for one in containers if one.project == name]) for name in names]
    return [project for project in found if project.containers]


@dataclass(frozen=True)
class DockerProject:
    """One look at a project and its containers."""

    name: str
    containers: Sequence[Container]

    without_logs = "it has no containers, and with them `docker compose down` removes their logs"

    @property
    def where(self) -> str:
        """Where it is, in a sentence."""
        return f"as Docker Compose project {self.name}"

    @property
    def identity(self) -> dict[str, object]:
        """What names it for programs. The processes' numbers are Docker's business."""
        return {"runs_with": "docker", "home": None, "project": self.name, "pid": None}

    @property
    def footer(self) -> str:
        """The project, besides the view."""
        return f"Docker Compose project {self.name}"

    @property
    def option(self) -> str:
        """What a command is told to mean this one."""
        return f"--project {self.name}"

    @cached_property
    def view(self) -> View | None:
        """What is shown of it; None when nothing of it runs."""
        return view(self.name, self.containers, self._last_lines)

    @property
    def failure(self) -> str:
        """Why its last start failed, if that is known."""
        return start_failure(self.containers, self._last_lines)

    def log_names(self) -> list[str]:
        """Whose logs there are."""
        return list(dict.fromkeys(container.service for container in self.containers))

    def open_logs(self, services: Sequence[str], wanted: Wanted, *, follow: bool) -> DockerLogs:
        """The logs of these services."""

        def containers() -> list[Container]:
            return [one for one in containers_of([self.name]) if one.service in services]

        present = [one for one in self.containers if one.service in services]
        return DockerLogs(present, wanted, containers if follow else None)

    @cached_property
    def _last_lines(self) -> dict[str, str]:
        return {one.name: _last_line(one.id) for one in self.containers if one.has_failed}


def _last_line(container_id: str) -> str:
    """The last line of its log that is not empty; empty too when the log cannot be read, which `logs` explains."""
    try:
        answer = ask("logs", "--tail", "5", container_id, timeout_secs=_LAST_LINE_SECS)
    except DockerError:
        return ""
    lines = [*answer.output.decode(errors="replace").splitlines(), *answer.errors.splitlines()]
    return next((line.strip() for line in reversed(lines) if line.strip()), "") if answer.code == 0 else ""


def _successful(answer: Answer) -> bytes:
    if answer.code != 0:
        raise failure(answer.errors)
    return answer.output
