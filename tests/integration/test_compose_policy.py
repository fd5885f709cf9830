"""What `docker compose config` makes of our files keeps the rules for running on somebody's machine."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from btc_cli.agent_stack import SERVICES
from btc_cli.env_example import FIXED
from btc_shared.service import settings_class

REPOSITORY = Path(__file__).resolve().parents[2]
JOBS = {"init", "check", "migrate"}
OURS = {*SERVICES, *JOBS, "kucoin-sim"}
PUBLISHED = {"webui-api": "8510", "exporter": "9092", "prometheus": "9090", "grafana": "3002"}
EGRESS = {"market-feed", "executor"}

pytestmark = pytest.mark.usefixtures("compose_plugin")

Service = dict[str, Any]


def resolved(*options: str, **environ: str) -> dict[str, Any]:
    """The project as Compose understands it; the settings of whoever runs the tests are kept out."""
    answer = subprocess.run(
        ["docker", "compose", *options, "--profile", "*", "config", "--format", "json"],
        cwd=REPOSITORY,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin", "COMPOSE_DISABLE_ENV_FILE": "1", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    project: dict[str, Any] = json.loads(answer.stdout)
    return project


@pytest.fixture(scope="module")
def project(compose_plugin: None) -> dict[str, Any]:
    return resolved()


@pytest.fixture(scope="module")
def services(project: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = project["services"]
    return found


@pytest.fixture(params=sorted({*OURS, "postgres", "redis", "prometheus", "grafana"}))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_there_is_no_other_service(services: dict[str, Service]) -> None:
    assert services.keys() == {*OURS, "postgres", "redis", "prometheus", "grafana"}


def test_what_stays_up_is_watched_and_started_again(services: dict[str, Service], name: str) -> None:
    service = services[name]
    if name in JOBS:
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys()
    assert re.fullmatch(r"(1m0?|[1-9]\d)s", service["stop_grace_period"]), "time to finish what is under way"


def test_every_container_has_limits_and_its_log_rotates(services: dict[str, Service], name: str) -> None:
    service = services[name]
    assert 0 < int(service["mem_limit"]) <= 768 * 2**20
    assert 0 < float(service["cpus"]) <= 1
    assert 0 < service["pids_limit"] <= 256
    assert service["logging"] == {"driver": "json-file", "options": {"max-file": "5", "max-size": "10m"}}


def test_no_container_can_do_more_than_it_must(services: dict[str, Service], name: str) -> None:
    service = services[name]
    assert not service.get("privileged", False)
    assert service["read_only"] is True
    # What a process leaves behind is cleared away; the database does it itself, and must get its stop signal.
    assert service["init"] is (name != "postgres")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("network_mode") in (None, "none")
    assert not any(service.get(key) for key in ("pid", "ipc", "userns_mode", "devices", "cgroup_parent"))
    if name == "postgres":  # its image starts as root and becomes another account
        assert set(service["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    else:
        assert not service.get("cap_add")
        assert not service["user"].startswith(("0", "root"))


def test_nothing_of_the_machine_is_mounted_but_files_to_read(services: dict[str, Service], name: str) -> None:
    for mount in services[name].get("volumes", []):
        assert "docker.sock" not in mount["source"]
        if mount["type"] == "bind":
            assert mount["read_only"] is True
            assert Path(mount["source"]).is_relative_to(REPOSITORY)


def test_ports_are_published_on_this_machine_only(services: dict[str, Service], name: str) -> None:
    ports = services[name].get("ports", [])
    assert [(port["host_ip"], port["published"]) for port in ports] == (
        [("127.0.0.1", PUBLISHED[name])] if name in PUBLISHED else []
    )


def test_images_are_pinned(services: dict[str, Service], name: str) -> None:
    image = services[name]["image"]
    if name in OURS:
        assert image == "btc-trading-agent:local"
        assert services[name]["pull_policy"] == "never", "nobody else's image of that name"
        assert ("build" in services[name]) == (name == "init"), "two builds of one tag collide"
    else:
        assert re.search(r":v?\d+\.\d+\.\d+(-[a-z0-9.]+)?$|:\d+\.\d+-[a-z]+$", image), image


def test_the_base_image_is_pinned() -> None:
    assert re.search(
        r"^ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim-[a-z]+$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE
    )


def test_no_secret_is_in_an_environment(services: dict[str, Service], name: str) -> None:
    for variable, value in (services[name].get("environment") or {}).items():
        if re.search(r"PASSWORD|PASSPHRASE|TOKEN|SECRET|_KEY|DATABASE_.*URL|REDIS_URL", variable) and value != "true":
            assert variable.endswith("_FILE"), variable
            assert value is None or value.startswith("/run/secrets/")


def test_kucoins_keys_reach_the_executor_only(services: dict[str, Service], name: str) -> None:
    given = {variable for variable in services[name].get("environment") or {} if variable.startswith("KUCOIN_API")}
    folders = [mount["source"] for mount in services[name].get("volumes", []) if "secrets/executor" in mount["source"]]
    expected = {"KUCOIN_API_KEY_FILE", "KUCOIN_API_SECRET_FILE", "KUCOIN_API_PASSPHRASE_FILE"}
    assert (given, len(folders)) == ((expected, 1) if name == "executor" else (set(), 0))


def test_generated_secrets_are_written_by_init_only_and_seen_by_their_readers(services: dict[str, Service]) -> None:
    readers: dict[str, set[str]] = {}
    for name, service in services.items():
        for mount in service.get("volumes", []):
            if mount["source"].endswith("-secrets"):
                assert mount.get("read_only", False) is (name != "init")
                readers.setdefault(mount["source"], set()).add(name)
    assert readers == {
        "postgres-secrets": {"init", "postgres", "migrate"},
        "redis-secrets": {"init", "redis"},
        "service-secrets": {"init", "migrate", *SERVICES},
        "control-secrets": {"init", "exporter"},
        "grafana-secrets": {"init", "grafana"},
    }


def test_only_the_two_services_that_talk_to_kucoin_have_a_way_out(project: dict[str, Any]) -> None:
    services = project["services"]
    assert project["networks"]["backend"]["internal"] is True
    assert project["networks"]["front"]["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    assert {name for name, service in services.items() if "outside" in (service.get("networks") or {})} == EGRESS
    for name in ("postgres", "redis", "migrate", "decision-engine", "kucoin-sim"):
        assert services[name]["networks"].keys() == {"backend"}
    assert services["init"]["network_mode"] == services["check"]["network_mode"] == "none"
    assert services["grafana"]["networks"].keys() == {"front"}


def test_what_shows_and_measures_comes_after_the_traders(services: dict[str, Service]) -> None:
    """A port of its that is taken ends `up`: by then the traders must have been started."""
    traders = {"market-feed", "decision-engine", "executor"}
    for name in PUBLISHED:
        assert traders <= services[name]["depends_on"].keys(), name
    for name in {*traders, *JOBS, "postgres", "redis"}:
        assert not PUBLISHED.keys() & services[name].get("depends_on", {}).keys(), name


def test_no_web_page_may_read_prometheus(services: dict[str, Service]) -> None:
    assert "--web.cors.origin=none" in services["prometheus"]["command"]


@pytest.mark.parametrize("service_name", SERVICES)
def test_each_service_gets_the_settings_that_it_declares(services: dict[str, Service], service_name: str) -> None:
    module, port = SERVICES[service_name]
    declared = {field.upper() for field in settings_class(module).model_fields} - {"PORT"}
    given = {variable.removesuffix("_FILE") for variable in services[service_name]["environment"]}
    assert given == declared
    assert services[service_name]["healthcheck"]["test"][-1] == str(port)


def test_every_setting_of_every_service_is_checked_before_it_starts(services: dict[str, Service]) -> None:
    modules = {module for module, _ in SERVICES.values()}
    assert modules <= set(services["check"]["command"])
    assert all("check" in services[name]["depends_on"] for name in SERVICES)
    secret = {"KUCOIN_API_KEY", "KUCOIN_API_SECRET", "KUCOIN_API_PASSPHRASE", "CONTROL_TOKEN", "API_TOKEN"}
    for module in modules:
        declared = {field.upper() for field in settings_class(module).model_fields.keys() - FIXED}
        assert declared - secret <= services["check"]["environment"].keys(), module
    # What does not change with the settings is not replaced when they do.
    assert not {
        name for name in ("init", "postgres", "redis", "migrate") if "check" in services[name].get("depends_on", {})
    }


def test_nothing_configured_means_kucoins_public_data_and_simulated_money(services: dict[str, Service]) -> None:
    assert all(services["executor"]["environment"][name] is None for name in ("VENUE", "KUCOIN_BASE_URL"))
    assert services["exporter"]["environment"]["ALLOW_LIVE"] is None
    assert "kucoin-sim" not in resolved_names()


def resolved_names(*options: str) -> set[str]:
    answer = subprocess.run(
        ["docker", "compose", *options, "config", "--services"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(answer.stdout.split())


def test_the_practice_file_makes_another_project_that_never_leaves_the_machine() -> None:
    practice = resolved("--env-file", "practice.env")
    assert (practice["name"], resolved()["name"]) == ("btc-practice", "btc-agent")
    assert "kucoin-sim" in resolved_names("--env-file", "practice.env")
    for name in EGRESS:
        environment = practice["services"][name]["environment"]
        assert (environment["VENUE"], environment["KUCOIN_BASE_URL"]) == ("practice", "http://kucoin-sim:8600")
    assert not {volume["name"] for volume in practice["volumes"].values()} & {
        volume["name"] for volume in resolved()["volumes"].values()
    }


def test_a_setting_given_reaches_every_service_that_declares_it() -> None:
    services = resolved(STOP_LOSS_PCT="0.01")["services"]
    for name, (module, _) in SERVICES.items():
        expected = "0.01" if "stop_loss_pct" in settings_class(module).model_fields else None
        assert services[name]["environment"].get("STOP_LOSS_PCT") == expected


def test_another_address_is_published_only_when_asked_for() -> None:
    services = resolved(BIND_ADDR="192.0.2.7")["services"]
    assert {
        name for name in services for port in services[name].get("ports", []) if port["host_ip"] == "192.0.2.7"
    } == (set(PUBLISHED))
