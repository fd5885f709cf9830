"""Docker asked through its command: what it answers, how it fails, and logs that go on through restarts."""

import itertools
import os
import select
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from btc_cli.docker import DockerAbsentError, DockerError, projects
from btc_cli.docker.command import ask
from btc_cli.docker.logs import DockerLogs
from btc_cli.loglines import LogLine, Wanted
from btc_cli.state import Status

if TYPE_CHECKING:
    from .conftest import FakeDocker

_DEADLINE_SECS = 30.0


def _stamped(second: int, text: str) -> str:
    return f"2026-03-04T12:00:{second:02}.000000000Z {text}\n"


def test_a_projects_containers_are_found_among_those_of_others(fake_docker: "FakeDocker") -> None:
    fake_docker.log_of("migrate").write_text(_stamped(1, "trying") + _stamped(2, "cannot reach the database\n"))
    (project,) = projects()
    assert (project.name, len(project.containers)) == ("btc-practice", len(fake_docker.containers))
    assert project.view is not None
    migrate = next(process for process in project.view.processes if process.name == "migrate")
    assert (migrate.status, migrate.detail) == (
        Status.STOPPED,
        "ended with exit status 1: cannot reach the database",
    )


def test_a_project_without_containers_is_none(fake_docker: "FakeDocker") -> None:
    assert projects(["btc-agent"]) == []


def test_a_log_that_cannot_be_read_leaves_the_rest_to_be_shown(fake_docker: "FakeDocker") -> None:
    fake_docker.log_of("migrate").unlink()
    (project,) = projects()
    assert project.failure == "migrate ended with exit status 1"


@pytest.mark.usefixtures("no_docker")
def test_no_docker_is_told_from_a_docker_that_gives_no_answer() -> None:
    with pytest.raises(DockerAbsentError, match="Docker is not installed here"):
        projects()


@pytest.mark.parametrize(
    "message",
    [
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "failed to connect to the docker API at unix:///var/run/docker.sock; check if the daemon is running",
    ],
)
def test_a_daemon_that_does_not_run_counts_as_no_docker(fake_docker: "FakeDocker", message: str) -> None:
    fake_docker.fails(message)
    with pytest.raises(DockerAbsentError, match="its daemon does not run"):
        projects()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "^no permission to ask Docker: .* group docker",
        ),
        ('WARNING: x\nFailed to initialize: context "nope" not found\n', '^Docker says: .*context "nope" not found$'),
        ("", "^Docker says: nothing, but fails$"),
    ],
)
def test_another_failure_is_told_in_one_line(fake_docker: "FakeDocker", message: str, expected: str) -> None:
    fake_docker.fails(message)
    with pytest.raises(DockerError, match=expected) as caught:
        projects()
    assert not isinstance(caught.value, DockerAbsentError)
    assert "\n" not in str(caught.value)


def test_a_docker_that_hangs_is_given_up_with_all_that_it_started(fake_docker: "FakeDocker") -> None:
    pipe = fake_docker.hangs()
    try:
        with pytest.raises(DockerError, match="Docker does not answer within"):
            ask("ps", timeout_secs=0.5)
        assert select.select([pipe], [], [], _DEADLINE_SECS)[0], "something is left behind"
    finally:
        os.close(pipe)


def test_an_answer_of_another_kind_is_a_docker_error(fake_docker: "FakeDocker") -> None:
    (fake_docker.folder / "inspected").write_text("[{}]")
    with pytest.raises(DockerError, match="not what was expected"):
        projects()


def test_logs_of_several_services_are_merged_by_dockers_time_which_is_not_shown(fake_docker: "FakeDocker") -> None:
    fake_docker.log_of("executor").write_text(_stamped(1, "a") + _stamped(4, "d"))
    fake_docker.log_of("redis").write_text(_stamped(2, "b") + _stamped(3, ""))
    (project,) = projects()
    since = datetime(2026, 3, 4, 11, tzinfo=UTC)
    logs = project.open_logs(["executor", "redis"], Wanted(since=since, tail=9), follow=False)
    assert [(line.service, line.text) for line in logs.history()] == [
        ("executor", b"a"),
        ("redis", b"b"),
        ("redis", b""),
        ("executor", b"d"),
    ]
    executor = fake_docker.container("executor")["Id"]
    assert f"logs --timestamps --since 2026-03-04T11:00:00+00:00 --tail 9 {executor}" in fake_docker.asked()


def test_a_log_that_docker_does_not_give_is_an_error_with_its_words(fake_docker: "FakeDocker") -> None:
    (project,) = projects()
    fake_docker.log_of("executor").unlink()
    with pytest.raises(DockerError, match="No such container"):
        list(project.open_logs(["executor"], Wanted(), follow=False).history())


def _next_lines(logs: DockerLogs) -> list[LogLine]:
    deadline = time.monotonic() + _DEADLINE_SECS
    while not (lines := logs.new_lines()):
        assert lines is not None, "it says that nothing runs any more"
        assert time.monotonic() < deadline, "no line in time"
        threading.Event().wait(0.01)  # the fake writes when it gets to it
    return lines


def test_following_goes_on_after_a_restart_without_losing_or_repeating_a_line(fake_docker: "FakeDocker") -> None:
    log = fake_docker.log_of("executor")
    log.write_text(_stamped(1, "one") + _stamped(2, "two"))
    (project,) = projects()
    present = [one for one in project.containers if one.service == "executor"]
    # Every look is due: the fake ends like the log of a container that stops, sooner or later, and is looked for again.
    seconds = itertools.count(0.0, 10.0)
    logs = DockerLogs(present, Wanted(tail=2), lambda: present, clock=lambda: next(seconds))
    try:
        assert [line.text for line in logs.history()] == [b"one", b"two"]
        for second, text in ((3, "three"), (4, "four")):
            with log.open("a") as file:
                file.write(_stamped(second, text))
            assert [line.text for line in _next_lines(logs)] == [text.encode()]
        present = []
        assert logs.new_lines() is None
    finally:
        logs.close()


def test_following_finds_a_container_that_is_made_anew(fake_docker: "FakeDocker") -> None:
    (project,) = projects()
    executor = next(one for one in project.containers if one.service == "executor")
    fake_docker.log_of("executor").write_text(_stamped(1, "hello"))
    present = [next(one for one in project.containers if one.service == "redis")]
    seconds = itertools.count(0.0, 10.0)
    logs = DockerLogs(present, Wanted(), lambda: present, clock=lambda: next(seconds))
    try:
        assert list(logs.history()) == []
        present.append(executor)
        assert [line.text for line in _next_lines(logs)] == [b"hello"]
    finally:
        logs.close()
