"""What `docker inspect` says of a project's containers, as the same processes that a launcher's run shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from btc_cli.health import failures_in
from btc_cli.state import Phase, ProcessState, Status, View

ONE_SHOT = ("init", "check", "migrate")  # done when they have ended with 0
# In starting order. Those that must be there are the agent itself.
_ORDER = ("init", "check", "postgres", "redis", "migrate", "kucoin-sim")
AGENT = ("market-feed", "decision-engine", "executor", "webui-api", "exporter")
# What a person may open: its name, and the path behind the published port.
_ADDRESSES = {
    "webui-api": ("web api", ""),
    "exporter": ("mode and metrics", "/mode"),
    "prometheus": ("prometheus", ""),
    "grafana": ("grafana", ""),
}
_LABEL = "com.docker.compose"


class HealthCheck(msgspec.Struct, rename="pascal"):
    """One look of a health check."""

    output: str = ""


class Health(msgspec.Struct, rename="pascal"):
    """`starting`, `healthy`, `unhealthy` or `none`, and the last looks."""

    status: str = "none"
    log: list[HealthCheck] | None = None


class ContainerState(msgspec.Struct, rename="pascal"):
    """`created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`."""

    status: str
    exit_code: int
    started_at: datetime
    error: str = ""
    health: Health | None = None
    out_of_memory: bool = msgspec.field(name="OOMKilled", default=False)


class Binding(msgspec.Struct, rename="pascal"):
    """Where a port is published on this machine."""

    host_ip: str = ""
    host_port: str = ""


class Network(msgspec.Struct, rename="pascal"):
    """Published ports by the container's own, such as `8510/tcp`."""

    ports: dict[str, list[Binding] | None] | None = None


class Configuration(msgspec.Struct, rename="pascal"):
    """What a container was made with."""

    labels: dict[str, str] | None = None


class Container(msgspec.Struct, rename="pascal"):
    """What we read of one container."""

    id: str
    state: ContainerState
    config: Configuration
    network_settings: Network
    restart_count: int = 0

    @property
    def project(self) -> str:
        """The Compose project that it belongs to."""
        return self._label("project")

    @property
    def service(self) -> str:
        """Its service's name in the compose file."""
        return self._label("service")

    @property
    def name(self) -> str:
        """The service's name, with a number from the second container of a service on."""
        number = self._label("container-number")
        return self.service if number in ("", "1") else f"{self.service}-{number}"

    @property
    def runs(self) -> bool:
        """True while Docker keeps it running."""
        return self.state.status in ("running", "restarting", "paused")

    @property
    def has_failed(self) -> bool:
        """True when it has ended by itself and should not have, or is about to be started again after that."""
        return self.state.status == "restarting" or (
            self.state.status in ("exited", "dead") and self.state.exit_code != 0
        )

    def binding(self) -> Binding | None:
        """Where the lowest of its published TCP ports is found."""
        published = {
            int(port.partition("/")[0]): bindings[0]
            for port, bindings in (self.network_settings.ports or {}).items()
            if bindings and port.endswith("/tcp")
        }
        return published[min(published)] if published else None

    def _label(self, name: str) -> str:
        return (self.config.labels or {}).get(f"{_LABEL}.{name}", "")


def parse_containers(text: bytes) -> list[Container]:
    """The containers in an answer of `docker inspect`, in the order in which they start.

    Raises:
        msgspec.DecodeError: when it is no such answer.
    """
    return sorted(msgspec.json.decode(text, type=list[Container]), key=_place)


def _place(container: Container) -> tuple[int, str]:
    order = (*_ORDER, *AGENT)
    return (order.index(container.service) if container.service in order else len(order), container.name)


def view(project: str, containers: Sequence[Container], last_lines: Mapping[str, str]) -> View | None:
    """The project as it is shown; None when none of its containers runs. `last_lines` has the last line of the log
    of those that have failed, by name."""
    started = [container.state.started_at for container in containers if container.runs]
    if not started:
        return None
    processes = [_process(container, last_lines.get(container.name, "")) for container in containers]
    services = {container.service for container in containers}
    processes += [ProcessState(name, Status.STOPPED, "has no container") for name in AGENT if name not in services]
    phase, doing = Phase.RUNNING, ""
    if starting := [process.name for process in processes if process.status in (Status.STARTING, Status.WAITING)]:
        phase, doing = Phase.STARTING, f"starting {', '.join(starting)}"
    if problem := start_failure(containers, last_lines):
        phase, doing = Phase.FAILED, problem
    return View(
        kind=project,
        started_at=min(started).timestamp(),
        phase=phase,
        doing=doing,
        addresses=addresses(containers),
        processes=processes,
    )


def start_failure(containers: Sequence[Container], last_lines: Mapping[str, str]) -> str:
    """Why the project did not start, when something that runs once at the start has failed; else empty."""
    failed = [container for container in containers if container.service in ONE_SHOT and container.has_failed]
    return "; ".join(f"{one.name} {_end(one, last_lines.get(one.name, ''))}" for one in failed)


def addresses(containers: Sequence[Container]) -> dict[str, str]:
    """What a person may open, from the ports that are published, by name."""
    found: dict[str, str] = {}
    for container in containers:
        binding = container.binding()
        if container.service in _ADDRESSES and container.runs and binding is not None:
            name, path = _ADDRESSES[container.service]
            everywhere = binding.host_ip in ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
            host = "127.0.0.1" if everywhere else binding.host_ip
            found.setdefault(name, f"http://{f'[{host}]' if ':' in host else host}:{binding.host_port}{path}")
    return found


def _process(container: Container, last_line: str) -> ProcessState:
    status, detail = _status(container, last_line)
    binding = container.binding()
    return ProcessState(
        container.name,
        status,
        detail,
        port=int(binding.host_port) if binding is not None else None,
        restarts=container.restart_count,
    )


def _status(container: Container, last_line: str) -> tuple[Status, str]:
    match container.state.status:
        case "created":
            return Status.WAITING, container.state.error
        case "running" if container.service in ONE_SHOT:
            return Status.STARTING, ""
        case "running":
            return _health(container.state.health)
        case "restarting":
            return Status.RESTARTING, _end(container, last_line)
        case "paused":
            return Status.UNHEALTHY, "paused"
        case "removing":
            return Status.STOPPING, ""
    if container.service in ONE_SHOT and not container.has_failed:
        return Status.DONE, ""
    return Status.STOPPED, _end(container, last_line)


def _health(health: Health | None) -> tuple[Status, str]:
    """A container without a health check is well while it runs: there is nothing to ask."""
    if health is None or health.status in ("healthy", "none", ""):
        return Status.HEALTHY, ""
    said = health.log[-1].output.strip() if health.log else ""
    detail = failures_in(said) or said.partition("\n")[0]
    return (Status.STARTING if health.status == "starting" else Status.UNHEALTHY), detail


def _end(container: Container, last_line: str) -> str:
    state = container.state
    how = "ended for want of memory" if state.out_of_memory else f"ended with exit status {state.exit_code}"
    return ": ".join(part for part in (how, state.error, last_line) if part)
