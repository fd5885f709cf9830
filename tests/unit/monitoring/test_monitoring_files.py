"""Grafana's provisioning, Prometheus' configuration, Docker Compose and the services agree with each other."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml  # type: ignore[import-untyped]

from btc_shared.codes import ServiceName
from btc_shared.service import ServiceSettings
from decision_engine.settings import DecisionEngineSettings
from executor.settings import ExecutorSettings
from exporter.settings import ExporterSettings
from market_feed.settings import MarketFeedSettings
from webui_api.settings import WebuiSettings

REPOSITORY = Path(__file__).parents[3]
SETTINGS: dict[ServiceName, type[ServiceSettings]] = {
    ServiceName.MARKET_FEED: MarketFeedSettings,
    ServiceName.DECISION_ENGINE: DecisionEngineSettings,
    ServiceName.EXECUTOR: ExecutorSettings,
    ServiceName.WEBUI_API: WebuiSettings,
    ServiceName.EXPORTER: ExporterSettings,
}


def read(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((REPOSITORY / path).read_text(encoding="utf-8"))
    return content


PROMETHEUS = read("prometheus/prometheus.yml")
JOBS = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
COMPOSE = read("docker-compose.yml")["services"]
(DATA_SOURCE,) = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
(PROVIDER,) = read("grafana/provisioning/dashboards/btc.yml")["providers"]


def mounts(service: str) -> dict[str, str]:
    """Folders of the repository by where the container has them."""
    parts = [volume.split(":") for volume in COMPOSE[service]["volumes"]]
    return {inside: outside for outside, inside, *_ in parts if outside.startswith("./")}


def test_every_service_is_scraped_where_it_listens() -> None:
    assert SETTINGS.keys() == set(ServiceName)
    expected = {name: [f"{name}:{kind.model_fields['port'].default}"] for name, kind in SETTINGS.items()}
    expected_jobs = {str(name): targets for name, targets in expected.items()} | {"prometheus": ["localhost:9090"]}
    found = {
        name: [target for group in job["static_configs"] for target in group["targets"]] for name, job in JOBS.items()
    }
    assert found == expected_jobs
    assert len(JOBS) == len(PROMETHEUS["scrape_configs"])
    assert {str(name) for name in ServiceName} <= COMPOSE.keys()


def test_the_trading_figures_are_scraped_every_five_seconds() -> None:
    exporter = JOBS["exporter"]
    assert (exporter["scrape_interval"], exporter["scrape_timeout"]) == ("5s", "4s")
    assert (PROMETHEUS["global"]["scrape_interval"], PROMETHEUS["global"]["scrape_timeout"]) == ("15s", "10s")
    assert DATA_SOURCE["jsonData"]["timeInterval"] == exporter["scrape_interval"]
    assert not any("metrics_path" in job for job in JOBS.values())


def test_prometheus_2_reads_the_configuration_too() -> None:
    keys = {"job_name", "scrape_interval", "scrape_timeout", "static_configs"}
    assert all(job.keys() <= keys for job in JOBS.values())


def test_the_data_source_is_the_prometheus_beside_grafana() -> None:
    address = urlsplit(DATA_SOURCE["url"])
    assert address.hostname in COMPOSE
    assert JOBS["prometheus"]["static_configs"][0]["targets"] == [f"localhost:{address.port}"]
    assert set(COMPOSE["grafana"]["networks"]) & set(COMPOSE[str(address.hostname)]["networks"])
    assert (DATA_SOURCE["uid"], DATA_SOURCE["type"], DATA_SOURCE["access"]) == ("dfc0w4yioe4u8e", "prometheus", "proxy")
    assert DATA_SOURCE["isDefault"] is True
    assert DATA_SOURCE["editable"] is False


def test_grafana_finds_its_files_where_they_are_mounted() -> None:
    mounted = mounts("grafana")
    assert mounted["/etc/grafana/provisioning"] == "./grafana/provisioning"
    assert mounted[PROVIDER["options"]["path"]] == "./grafana/dashboards"
    home = Path(COMPOSE["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (REPOSITORY / mounted[str(home.parent)] / home.name).is_file()
    assert mounts("prometheus")["/etc/prometheus"] == "./prometheus"


def test_the_provisioned_dashboard_cannot_be_changed_in_the_browser() -> None:
    assert (PROVIDER["disableDeletion"], PROVIDER["allowUiUpdates"]) == (True, False)
    assert (PROVIDER["folder"], PROVIDER["folderUid"], PROVIDER["type"]) == ("Trading", "btc-trading", "file")
