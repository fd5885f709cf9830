"""The installation with Docker, as its owner has it: up, healthy, trading, measured, killed, down, up again, removed.

The tests are one story about one project and stand in its order; each begins where the one before has ended.
"""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .compose import JOBS, REPOSITORY, Project, log_events
from .conftest import NEAR_EXITS, OFTEN, SERVICES
from .dashboard import queries, without_data

DASHBOARD = REPOSITORY / "grafana" / "dashboards" / "btc-trading-monitor.json"
NAMES = {name.replace("_", "-") for name in SERVICES}
SECRETS = {
    "postgres": tuple(f"/run/secrets/postgres/{name}_password" for name in ("postgres", "agent")),
    "redis": ("/run/secrets/redis/password",),
    "exporter": ("/run/secrets/control/control_token",),
    "grafana": ("/run/secrets/grafana/admin_password",),
}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def project(docker_engine: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    # Trade often: the rules' own pace is proven on the processes.
    settings = OFTEN | {name.upper(): value for name, value in NEAR_EXITS.items()}
    project = Project(f"btc-agent-test-{os.getpid()}", tmp_path_factory.mktemp("compose"), settings)
    if docker_engine is not None:
        subprocess.run([docker_engine, "images", "docker-compose.yml"], cwd=REPOSITORY, check=True)
    elif (pulled := project.run("pull", "--quiet", check=False)).returncode != 0:
        pytest.skip(f"the images cannot be had: {pulled.stderr.strip().splitlines()[-1]}")
    try:
        project.run("build")
        yield project
    finally:
        project.run("down", "--volumes", "--remove-orphans", "--timeout", "20", check=False)
        subprocess.run(["docker", "image", "rm", "--force", project.image], capture_output=True)


def secrets_of(project: Project) -> dict[str, str]:
    """Every generated secret, by its file."""
    return {
        path: project.run("exec", "--no-TTY", service, "cat", path).stdout.strip()
        for service, paths in SECRETS.items()
        for path in paths
    }


def trades(project: Project) -> dict[int, Any]:
    """The newest trades as the API tells them, by their number."""
    return {trade["id"]: trade for trade in project.get("webui-api", 8510, "/api/trades?limit=500")}


def test_a_wrong_setting_stops_the_start_and_its_log_names_it(project: Project, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.env"
    wrong.write_text("STOP_LOSS_PCT=2\nLOG_LEVEL=loud\n")
    answer = project.run("up", "--detach", env_files=[wrong], check=False)
    assert answer.returncode != 0
    assert "check" in answer.stderr
    lines = project.logs("check").splitlines()
    assert any("STOP_LOSS_PCT is '2'" in line for line in lines)
    assert any("LOG_LEVEL is 'loud'" in line for line in lines)
    assert {name: project.containers()[name]["State"] for name in NAMES} == dict.fromkeys(NAMES, "created")


def test_a_port_that_is_taken_is_named(project: Project, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "port.env").write_text(f"WEBUI_PORT={port}\n")
        answer = project.run("up", "--detach", env_files=[tmp_path / "port.env"], check=False)
    assert answer.returncode != 0
    assert f"127.0.0.1:{port}" in answer.stderr.splitlines()[-1]
    running = {name for name, container in project.containers().items() if container["State"] == "running"}
    assert {"market-feed", "decision-engine", "executor"} <= running, "what shows must not keep them from trading"


def test_everything_becomes_healthy(project: Project) -> None:
    project.run("up", "--detach")
    project.until("everything is healthy", lambda: not project.unhealthy())
    assert project.containers().keys() == {*NAMES, *JOBS, "postgres", "redis", "kucoin-sim", "prometheus", "grafana"}


def test_every_service_logs_structured_lines_of_its_own(project: Project) -> None:
    for name in NAMES:
        events = log_events(project.logs(name))
        assert {event["service"] for event in events} == {name}
        assert "listening" in {event["event"] for event in events}


def test_the_page_and_its_files_are_in_the_image(project: Project) -> None:
    address = project.address("webui-api", 8510)
    page = httpx.get(address, headers={"Accept": "text/html"}).text
    files = re.findall(r"/page/[a-z.]+", page)
    assert len(files) >= 3
    for path in files:
        assert httpx.get(address + path).status_code == 200, path


def test_the_command_line_shows_the_same_status_and_the_same_lines(project: Project) -> None:
    command = [str(REPOSITORY / "agent")]
    options = ["--project", project.name]
    status = subprocess.run([*command, "status", *options], capture_output=True, text=True)
    assert status.returncode == 0, status.stdout + status.stderr
    assert all(name in status.stdout for name in NAMES)
    assert project.address("webui-api", 8510).removeprefix("http://") in status.stdout
    arguments = [*command, "logs", "executor", *options]
    ours = log_events(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    assert ours
    assert log_events(project.logs("executor"))[: len(ours)] == ours


def test_no_container_runs_as_root_or_writes_to_its_image(project: Project) -> None:
    for name in {*NAMES, "kucoin-sim"}:
        answer = project.inside(name, "import os; print(os.geteuid()); open('/opt/agent/x', 'w')")
        assert answer.stdout.strip() == "10001"
        assert "Read-only file system" in answer.stderr


def test_no_service_sees_a_secret_that_is_not_its_own(project: Project) -> None:
    list_folders = "import os; print(*sorted(os.listdir('/run/secrets')))"
    seen = {name: project.inside(name, list_folders).stdout.split() for name in NAMES}
    assert seen == {
        "market-feed": ["services"],
        "decision-engine": ["services"],
        "executor": ["own", "services"],
        "webui-api": ["own", "services"],
        "exporter": ["control", "own", "services"],
    }


def test_prometheus_scrapes_every_service(project: Project) -> None:
    def all_up() -> bool:
        targets = (project.get("prometheus", 9090, "/api/v1/targets") or {}).get("data", {}).get("activeTargets", [])
        up = {target["labels"]["job"] for target in targets if target["health"] == "up"}
        return up >= NAMES | {"prometheus"}

    project.until("all targets are up", all_up, 90)
    assert project.get("grafana", 3000, "/api/health") is not None


def test_it_decides_and_trades(project: Project) -> None:
    assert project.until("a decision", lambda: project.get("webui-api", 8510, "/api/decisions"))
    project.until("a closed round trip", lambda: (project.performance() or {}).get("win_rate") is not None, 300)


def test_every_query_of_the_dashboard_has_data(project: Project) -> None:
    address = project.address("prometheus", 9090)
    assert len(queries(DASHBOARD)) > 28
    # One of them shows what the newest trade has won: nothing, while that is a buy.
    project.until("every query has data", lambda: not without_data(address, DASHBOARD), 120)


def test_a_killed_executor_comes_back_and_knows_its_ledger(project: Project) -> None:
    before = project.performance()
    project.kill("executor")
    project.until("the executor is started again", lambda: project.logs("executor").count('"event": "starting"') == 2)
    project.until("it is healthy", lambda: not project.unhealthy())
    after = project.until(
        "a trade after it",
        lambda: (now := project.performance()) and now["total_trades"] > before["total_trades"] and now,
    )
    assert after["mode"] == "dry"
    assert project.get("webui-api", 8510, "/api/status")["services"]["executor"]["status"] == "healthy"


def test_a_changed_setting_is_checked_first_and_never_restarts_the_servers(project: Project, tmp_path: Path) -> None:
    def ids() -> dict[str, str]:
        return {name: container["ID"] for name, container in project.containers().items() if name not in JOBS}

    settings = tmp_path / "changed.env"
    before = ids()
    settings.write_text("MAX_DAILY_TRADES=none\n")
    answer = project.run("run", "--rm", "check", env_files=[settings], check=False)
    assert answer.returncode == 2
    assert "MAX_DAILY_TRADES is 'none'" in answer.stderr
    assert ids() == before
    assert project.unhealthy() == {}

    settings.write_text("MAX_DAILY_TRADES=9999\n")
    assert project.run("run", "--rm", "check", env_files=[settings]).returncode == 0
    project.run("up", "--detach", env_files=[settings])
    project.until("everything is healthy", lambda: not project.unhealthy())
    after = ids()
    restarted = {name for name in after if after[name] != before[name]}
    # Some versions of Compose also replace what has not changed but waits for what has.
    assert {"executor", "exporter", "webui-api"} <= restarted
    assert restarted.isdisjoint({"postgres", "redis"})
    in_effect = project.get("exporter", 9092, "/config")["settings"]["max_daily_trades"]
    assert (in_effect["value"], in_effect["source"]) == (9999, "environment")


def test_down_and_up_keep_the_ledger_and_the_secrets(project: Project) -> None:
    secrets = secrets_of(project)
    # As after a start that was interrupted, or with a password that was replaced.
    alter = "ALTER ROLE agent PASSWORD 'another'"
    project.run("exec", "--no-TTY", "postgres", "psql", "-U", "postgres", "--quiet", "--command", alter)
    project.run("stop", "executor")
    before = trades(project)
    ended = log_events(project.logs("executor"))[-1]
    assert ended["event"] == "stopped", "it ends in order, within its time"
    project.run("stop")
    in_order = {name: container["ExitCode"] for name, container in project.containers().items() if name != "grafana"}
    assert set(in_order.values()) == {0}, in_order
    assert "database system is shut down" in project.logs("postgres").splitlines()[-1]
    project.run("down")
    assert project.containers() == {}
    project.run("up", "--detach")
    project.until("everything is healthy", lambda: not project.unhealthy())
    assert before
    after = trades(project)
    assert {number: after[number] for number in before} == before
    assert secrets_of(project) == secrets


def test_no_secret_is_in_any_log_or_description(project: Project) -> None:
    secrets = secrets_of(project)
    assert len(set(secrets.values())) == len(secrets) == 5
    ids = project.run("ps", "--all", "--quiet").stdout.split()
    described = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True).stdout
    pages = [httpx.get(project.address("exporter", 9092) + path).text for path in ("/metrics", "/config", "/mode")] + [
        httpx.get(project.address("webui-api", 8510) + path).text for path in ("/metrics", "/api/status")
    ]
    everything = "\n".join([described, project.run("logs").stdout, *pages])
    assert [path for path, secret in secrets.items() if secret in everything] == []


def test_a_secret_file_that_cannot_be_read_is_one_clear_line(project: Project) -> None:
    for path, reason in (("/run/secrets/own/none", "No such file"), ("/etc/shadow", "Permission denied")):
        answer = project.run("run", "--rm", "--no-deps", "-e", f"DATABASE_URL_FILE={path}", "executor", check=False)
        assert answer.returncode == 2
        lines = [line for line in answer.stderr.splitlines() if "executor:" in line]
        assert len(lines) == 1
        assert f"DATABASE_URL_FILE is '{path}': cannot read it ({reason}" in lines[0]


def test_a_saved_ledger_lives_on_in_a_new_installation(project: Project) -> None:
    postgres = ("exec", "--no-TTY", "postgres")
    project.run("stop", "executor")  # only so that nothing happens between the copy and what it is compared with
    saved = project.run(*postgres, "pg_dump", "-U", "postgres", "--create", "--clean", "--if-exists", "agent").stdout
    before = trades(project)
    project.run("down", "--volumes")
    project.run("up", "--detach")
    project.until("everything is healthy", lambda: not project.unhealthy())
    project.run("stop", *sorted(NAMES))
    project.run(*postgres, "psql", "-U", "postgres", "--quiet", "--set=ON_ERROR_STOP=1", given=saved)
    project.run("up", "--detach")
    project.until("everything is healthy", lambda: not project.unhealthy())
    after = trades(project)
    assert before
    assert {number: after[number] for number in before} == before


def test_down_with_volumes_leaves_nothing(project: Project) -> None:
    project.run("down", "--volumes")
    assert project.leftovers() == ""
    assert not re.search(r"\S", project.run("ps", "--all", "--quiet").stdout)
