"""What `docker inspect` says, shown as the same processes that the launcher runs. The answer was recorded."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from btc_cli.docker.containers import Binding, Container, addresses, parse_containers, start_failure, view
from btc_cli.state import Phase, ProcessState, Status, View

_RECORDED = (Path(__file__).parent / "docker_inspect.json").read_bytes()


def _containers(**states: dict[str, object]) -> list[Container]:
    """The recorded containers, with changes in the states of some services (`_` for `-` in names)."""
    answer = json.loads(_RECORDED)
    for one in answer:
        service = one["Config"]["Labels"]["com.docker.compose.service"]
        one["State"] |= states.get(service.replace("-", "_"), {})
    return parse_containers(json.dumps(answer).encode())


def _view(containers: Sequence[Container], **last_lines: str) -> View:
    found = view("btc-practice", containers, last_lines)
    assert found is not None
    return found


def _well() -> list[Container]:
    """All as it should be."""
    healthy = {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy", "Log": None}}
    names = ("market_feed", "decision_engine", "exporter", "grafana")
    return _containers(migrate={"ExitCode": 0}, **dict.fromkeys(names, healthy))


def _process(shown: View, name: str) -> ProcessState:
    return next(process for process in shown.processes if process.name == name)


def test_every_container_is_shown_in_starting_order_with_what_is_known_of_it() -> None:
    shown = _view(_containers(), migrate="cannot reach the database", exporter="STOP_LOSS_PCT is '7'")
    assert [(process.name, process.status, process.detail) for process in shown.processes] == [
        ("init", Status.DONE, ""),
        ("redis", Status.HEALTHY, ""),
        ("migrate", Status.STOPPED, "ended with exit status 1: cannot reach the database"),
        ("market-feed", Status.UNHEALTHY, "market: no frame for 61 s"),
        ("decision-engine", Status.STOPPED, "ended with exit status 3"),
        ("executor", Status.HEALTHY, ""),
        ("webui-api", Status.HEALTHY, ""),
        ("exporter", Status.RESTARTING, "ended with exit status 2: STOP_LOSS_PCT is '7'"),
        ("grafana", Status.WAITING, ""),
    ]
    assert _process(shown, "exporter").restarts > 0
    assert (shown.kind, shown.phase, shown.is_healthy()) == ("btc-practice", Phase.FAILED, False)
    assert shown.doing == "migrate ended with exit status 1: cannot reach the database"


def test_the_published_port_is_the_lowest_and_becomes_an_address() -> None:
    shown = _view(_containers())
    web = next(one for one in json.loads(_RECORDED) if one["Name"].endswith("webui-api-1"))
    port = web["NetworkSettings"]["Ports"]["8510/tcp"][0]["HostPort"]
    assert shown.addresses == {"web api": f"http://127.0.0.1:{port}"}
    assert _process(shown, "webui-api").port == int(port)
    assert _process(shown, "executor").port is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", "http://127.0.0.1:9092/mode"),
        ("::", "http://127.0.0.1:9092/mode"),
        ("192.168.1.5", "http://192.168.1.5:9092/mode"),
        ("fd00::5", "http://[fd00::5]:9092/mode"),
    ],
)
def test_an_address_names_where_the_port_is_published(host: str, expected: str) -> None:
    exporter = next(one for one in _containers() if one.service == "exporter")
    exporter.network_settings.ports = {"9092/tcp": [Binding(host, "9092")], "9093/tcp": None}
    assert addresses([exporter]) == {"mode and metrics": expected}


def test_healthy_means_that_everything_is_and_that_nothing_is_missing() -> None:
    containers = _well()
    assert _view(containers).is_healthy()
    without = _view([one for one in containers if one.service != "executor"])
    assert not without.is_healthy()
    assert (_process(without, "executor").status, _process(without, "executor").detail) == (
        Status.STOPPED,
        "has no container",
    )


@pytest.mark.parametrize(
    ("state", "status", "detail"),
    [
        ({"Status": "running", "Health": None}, Status.HEALTHY, ""),
        ({"Status": "running", "Health": {"Status": "starting", "Log": []}}, Status.STARTING, ""),
        ({"Status": "running", "Health": {"Status": "unhealthy", "Log": []}}, Status.UNHEALTHY, ""),
        (
            {"Status": "running", "Health": {"Status": "unhealthy", "Log": [{"Output": "no answer: x\nmore\n"}]}},
            Status.UNHEALTHY,
            "no answer: x",
        ),
        ({"Status": "paused"}, Status.UNHEALTHY, "paused"),
        ({"Status": "exited", "ExitCode": 0}, Status.STOPPED, "ended with exit status 0"),
        ({"Status": "exited", "ExitCode": 137, "OOMKilled": True}, Status.STOPPED, "ended for want of memory"),
        ({"Status": "dead", "ExitCode": 1}, Status.STOPPED, "ended with exit status 1"),
        ({"Status": "removing"}, Status.STOPPING, ""),
        (
            {"Status": "created", "Error": "port is already allocated"},
            Status.WAITING,
            "port is already allocated",
        ),
    ],
)
def test_every_state_of_a_container_has_its_status(state: dict[str, object], status: Status, detail: str) -> None:
    process = _process(_view(_containers(executor=state)), "executor")
    assert (process.status, process.detail) == (status, detail)


def test_what_runs_once_is_starting_while_it_runs_and_done_when_it_has_ended_well() -> None:
    assert _process(_view(_containers(migrate={"Status": "running"})), "migrate").status is Status.STARTING
    assert _process(_view(_containers(migrate={"ExitCode": 0})), "migrate").status is Status.DONE


def test_starting_names_what_is_awaited() -> None:
    shown = _view(_containers(migrate={"Status": "running", "ExitCode": 0}))
    assert (shown.phase, shown.doing) == (Phase.STARTING, "starting migrate, grafana")


def test_when_no_container_runs_nothing_does_and_the_failure_is_still_known() -> None:
    stopped = {"Status": "exited", "ExitCode": 0}
    names = ("redis", "market_feed", "executor", "webui_api", "exporter", "grafana")
    containers = _containers(**dict.fromkeys(names, stopped))
    assert view("btc-practice", containers, {}) is None
    assert start_failure(containers, {"migrate": "no route"}) == "migrate ended with exit status 1: no route"
    assert view("btc-practice", [], {}) is None


def test_a_second_container_of_a_service_has_a_number() -> None:
    first = next(one for one in _containers() if one.service == "executor")
    second = msgspec.structs.replace(
        first,
        config=msgspec.structs.replace(
            first.config, labels={**(first.config.labels or {}), "com.docker.compose.container-number": "2"}
        ),
    )
    assert (first.name, second.name, second.service) == ("executor", "executor-2", "executor")


@pytest.mark.parametrize("text", [b"", b"{}", b"null", b'[{"Id": "x"}]'])
def test_another_answer_is_refused(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_containers(text)
