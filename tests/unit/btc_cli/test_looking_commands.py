"""`agent status`, `logs` and `down` choose between the launcher's run and Docker's, and show both alike."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from btc_cli import installation
from btc_cli.app import app
from btc_cli.docker import DockerError, command
from btc_cli.home import Home
from btc_cli.launcher_run import LauncherLogs
from btc_cli.loglines import LogLine
from btc_cli.state import Phase, ProcessState, Status, new_state, write_state

if TYPE_CHECKING:
    from .conftest import FakeDocker

_KEYS = {
    *("running", "healthy", "runs_with", "home", "project", "pid", "kind", "phase", "uptime_secs", "addresses"),
    *("attention", "processes", "agent"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The first default home. Nothing has run on it, nor on the other one."""
    monkeypatch.setattr(installation, "default_home", lambda kind: tmp_path / "homes" / kind)
    return Home(tmp_path / "homes" / "agent")


@pytest.fixture
def demo_home(home: Home) -> Home:
    """The other default home, on which a demo runs."""
    demo_home = Home(home.path.with_name("demo"))
    _launch(demo_home)
    return demo_home


def _launch(home: Home) -> None:
    """As if the launcher ran on the home in this very process."""
    home.create()
    state = new_state("demo", time.time())
    state.phase = Phase.RUNNING
    state.processes = [ProcessState("executor", Status.HEALTHY, pid=1, port=8513)]
    write_state(home, state)
    (home.logs / "executor.log").write_text('{"event": "from the launcher"}\n')


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def _answer(result: Result) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


class _Api(BaseHTTPRequestHandler):
    """An agent's web service that knows a price and a position, and asks for a token."""

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Bearer the token of the api":
            self.send_error(401)
            return
        answers = {
            "/api/status": {"status": "online", "symbol": "BTC-USDT", "position": {"size": "0.01"}},
            "/api/price": {"symbol": "BTC-USDT", "price": 61_000},
            "/api/decisions?limit=1": [{"id": "d1", "action": "HOLD"}],
            "/api/performance": {"total_pnl": 12.5},
        }
        body = json.dumps(answers[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@pytest.fixture
def api_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    (tmp_path / "token").write_text("the token of the api\n")
    monkeypatch.setenv("API_TOKEN_FILE", str(tmp_path / "token"))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("home")
def test_a_compose_project_is_shown_when_the_launcher_does_not_run(fake_docker: "FakeDocker", api_port: int) -> None:
    fake_docker.publish("webui-api", api_port)
    shown = _run("status", "--json")
    answer = _answer(shown)
    assert shown.exit_code == 1  # the recorded project is not well
    assert set(answer) == _KEYS
    assert (answer["runs_with"], answer["project"], answer["home"]) == ("docker", "btc-practice", None)
    assert answer["addresses"] == {"web api": f"http://127.0.0.1:{api_port}"}
    agent = answer["agent"]
    assert (agent["price"], agent["decision"]["action"], agent["in_position"], agent["realised"]) == (
        61_000,
        "HOLD",
        True,
        12.5,
    )
    text = _run("status").stdout
    for expected in ("btc agent btc-practice", "61,000.00", "executor", "Docker Compose project btc-practice"):
        assert expected in text


def test_both_ways_answer_programs_alike_and_the_launcher_comes_first(home: Home, fake_docker: "FakeDocker") -> None:
    _launch(home)
    shown = _run("status", "--json")
    answer = _answer(shown)
    assert shown.exit_code == 0
    assert set(answer) == _KEYS
    assert (answer["runs_with"], answer["home"], answer["project"]) == ("launcher", str(home.path), None)
    assert set(answer["processes"][0]) == set(
        _answer(_run("status", "--json", "--project", "btc-practice"))["processes"][0]
    )
    other = "also running as Docker Compose project btc-practice: see ./agent status --project btc-practice"
    assert shown.stderr.splitlines() == [other]
    assert _run("status").stdout.splitlines()[-1] == other


@pytest.mark.usefixtures("no_docker")
def test_a_demo_is_found_without_an_option_when_nothing_else_ran(demo_home: Home) -> None:
    assert _answer(_run("status", "--json"))["home"] == str(demo_home.path)
    assert _run("logs", "executor").stdout == '{"event": "from the launcher"}\n'


@pytest.mark.usefixtures("no_docker")
def test_a_demo_that_runs_comes_before_an_agent_that_does_not(home: Home, demo_home: Home) -> None:
    _launch(home)
    (home.run / "state.json").unlink()
    shown = _run("status", "--json")
    assert (_answer(shown)["home"], shown.stderr) == (str(demo_home.path), "")


@pytest.mark.usefixtures("no_docker")
def test_of_two_runs_the_agent_is_shown_and_a_line_tells_of_the_demo(home: Home, demo_home: Home) -> None:
    _launch(home)
    shown = _run("status", "--json")
    assert _answer(shown)["home"] == str(home.path)
    assert shown.stderr == f"also running on {demo_home.path}: see ./agent status --home {demo_home.path}\n"
    assert f"there are logs on {demo_home.path} too: ./agent logs --home {demo_home.path}" in _run("logs").stderr


@pytest.mark.usefixtures("no_docker")
def test_down_stops_neither_of_two_runs_but_asks_which(home: Home, demo_home: Home) -> None:
    _launch(home)
    expected = (
        f"^more than one runs, say which: ./agent down --home {home.path} or ./agent down --home {demo_home.path}$"
    )
    with pytest.raises(installation.UsageError, match=expected):
        CliRunner().invoke(app, ["down"], catch_exceptions=False)
    assert len(installation.find(None, None).running()) == 2


@pytest.mark.usefixtures("no_docker")
def test_what_needs_attention_is_shown(home: Home) -> None:
    _launch(home)
    state = new_state("agent", time.time())
    state.attention = ["KuCoin is not reached"]
    write_state(home, state)
    assert _answer(_run("status", "--json"))["attention"] == ["KuCoin is not reached"]
    assert "\nKuCoin is not reached\n" in _run("status").stdout


def test_an_option_says_which_one_is_meant(home: Home, fake_docker: "FakeDocker") -> None:
    _launch(home)
    assert _answer(_run("status", "--json", "--project", "btc-practice"))["runs_with"] == "docker"
    other = str(home.path.parent / "other")
    shown = _run("status", "--home", other)
    assert (shown.exit_code, shown.stdout) == (3, f"not running on {other}\n")
    nothing = _run("status", "--json", "--project", "mine")
    assert (nothing.exit_code, _answer(nothing)["runs_with"], _answer(nothing)["project"]) == (3, "docker", "mine")
    with pytest.raises(installation.UsageError, match=r"give either --home .* or --project .*, not both"):
        CliRunner().invoke(app, ["status", "--home", other, "--project", "mine"], catch_exceptions=False)


def test_a_stopped_project_is_not_running_and_says_why_its_start_failed(home: Home, fake_docker: "FakeDocker") -> None:
    fake_docker.log_of("migrate").write_text("2026-03-04T12:00:00.000000000Z cannot reach the database\n")
    fake_docker.stop_all()
    shown = _run("status")
    assert shown.exit_code == 3
    assert shown.stdout.splitlines() == [
        f"not running on {home.path}",
        "not running as Docker Compose project btc-practice",
        "the last start failed: migrate ended with exit status 1: cannot reach the database",
    ]


_DENIED = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"
_NO_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


@pytest.mark.usefixtures("no_docker")
def test_without_docker_nothing_is_said_of_it(home: Home) -> None:
    shown = _run("status")
    assert (shown.exit_code, shown.output) == (3, f"not running on {home.path}\n")
    _launch(home)
    shown = _run("status")
    assert shown.exit_code == 0
    assert not any("Docker" in line for line in shown.output.splitlines())


def test_a_daemon_that_does_not_run_is_nothing_to_speak_of(home: Home, fake_docker: "FakeDocker") -> None:
    fake_docker.fails(_NO_DAEMON)
    shown = _run("status")
    assert (shown.exit_code, shown.output) == (3, f"not running on {home.path}\n")


def test_without_permission_what_is_not_known_is_said_and_nothing_fails(home: Home, fake_docker: "FakeDocker") -> None:
    fake_docker.fails(_DENIED)
    shown = _run("status")
    assert shown.exit_code == 3
    assert shown.stdout.splitlines()[1].startswith("whether anything runs with Docker is not known: no permission")
    _launch(home)
    shown = _run("status")
    assert shown.exit_code == 0
    assert "is not known" not in shown.output
    assert _run("down", "--home", str(home.path.parent / "other")).exit_code == 0


def test_a_docker_that_hangs_does_not_hang_the_status(
    home: Home, fake_docker: "FakeDocker", monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = fake_docker.hangs()
    monkeypatch.setattr(command, "TIMEOUT_SECS", 0.2)
    assert "whether anything runs with Docker is not known: Docker does not answer" in _run("status").stdout
    _launch(home)
    assert _run("status").exit_code == 0
    os.close(pipe)


@pytest.mark.parametrize("message", [_DENIED, _NO_DAEMON, "boom"])
@pytest.mark.parametrize("asked", [("status",), ("logs",), ("status", "--json")])
def test_a_project_asked_for_by_name_needs_docker(
    fake_docker: "FakeDocker", asked: Sequence[str], message: str
) -> None:
    fake_docker.fails(message)
    with pytest.raises(DockerError, match=r"^[^\n]+$"):
        CliRunner().invoke(app, [*asked, "--project", "btc-agent"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("project", "how"),
    [("btc-agent", "docker compose down"), ("btc-practice", "docker compose --env-file practice.env down")],
)
def test_down_stops_no_compose_project_but_says_how(
    home: Home, fake_docker: "FakeDocker", project: str, how: str
) -> None:
    fake_docker.rename(project)
    done = _run("down")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"nothing to stop on {home.path}",
        f"still running as Docker Compose project {project}: stop that in the checkout with {how}",
    ]
    assert _answer(_run("down", "--json")) == {"stopped": False}


def test_logs_are_of_what_runs(home: Home, fake_docker: "FakeDocker") -> None:
    fake_docker.log_of("executor").write_text('2026-03-04T12:00:00.000000000Z {"event": "from docker"}\n')
    assert _run("logs", "executor").stdout == '{"event": "from docker"}\n'
    _launch(home)
    shown = _run("logs", "executor")
    assert shown.stdout == '{"event": "from the launcher"}\n'
    assert shown.stderr == (
        "agent: there are logs as Docker Compose project btc-practice too: ./agent logs --project btc-practice\n"
    )
    assert _run("logs", "executor", "--project", "btc-practice").stdout == '{"event": "from docker"}\n'


@pytest.mark.usefixtures("no_docker")
def test_logs_of_a_run_that_has_ended_stay(home: Home) -> None:
    _launch(home)
    (home.run / "state.json").unlink()
    shown = _run("logs")
    assert shown.stdout == 'executor | {"event": "from the launcher"}\n'
    assert shown.stderr == f"agent: not running on {home.path}; this is what is left from before\n"


@pytest.mark.usefixtures("no_docker")
def test_lines_are_named_when_more_than_one_service_is_asked_for(home: Home) -> None:
    _launch(home)
    (home.logs / "postgres.log").write_text("2001-01-01 00:00:00.000 UTC [1] LOG:  ready\n")
    both = 'postgres | 2001-01-01 00:00:00.000 UTC [1] LOG:  ready\nexecutor | {"event": "from the launcher"}\n'
    assert _run("logs").stdout == both
    assert _run("logs", "executor", "postgres").stdout == both
    assert _run("logs", "executor", "executor").stdout == '{"event": "from the launcher"}\n'


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("executor", "webui"), "^there is no log of webui on .*, but of executor$"),
        (("--since", "soon"), "^--since is 'soon': give how long ago"),
        (("--project", "btc-agent"), "^there are no logs as Docker Compose project btc-agent: .*docker compose down"),
    ],
)
def test_what_there_is_no_log_of_is_refused_in_one_line(
    home: Home, fake_docker: "FakeDocker", arguments: Sequence[str], expected: str
) -> None:
    _launch(home)
    with pytest.raises(installation.UsageError, match=expected):
        CliRunner().invoke(app, ["logs", *arguments], catch_exceptions=False)


@pytest.mark.usefixtures("no_docker")
def test_before_the_first_run_there_are_no_logs(home: Home) -> None:
    with pytest.raises(installation.UsageError, match=f"^there are no logs on {home.path}: nothing has run there$"):
        CliRunner().invoke(app, ["logs"], catch_exceptions=False)


@pytest.mark.usefixtures("no_docker")
def test_ctrl_c_ends_it_quietly(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_logs: LauncherLogs) -> Iterator[LogLine]:
        signal.raise_signal(signal.SIGINT)
        return iter(())

    _launch(home)
    monkeypatch.setattr(LauncherLogs, "history", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    try:
        shown = _run("logs")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (shown.exit_code, shown.output) == (128 + signal.SIGINT, "")
