"""All wrong settings of all services are named before anything is started with them."""

import re
from pathlib import Path

import pytest

from btc_shared import check_settings
from btc_shared.check_settings import environment_of, main, misplaced

SERVICES = ("market_feed", "decision_engine", "executor", "webui_api", "exporter")
# What a container of the image has without anybody's doing.
OF_THE_IMAGE = dict.fromkeys(
    ["PATH", "HOME", "HOSTNAME", "LANG", "TERM", "GPG_KEY", "PYTHON_VERSION", "PYTHON_SHA256", "PYTHONUNBUFFERED"], "x"
)
REPOSITORY = Path(__file__).resolve().parents[3]


def problems(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """First word → the whole line, of what was printed as wrong."""
    lines = capsys.readouterr().err.splitlines()
    return {line.removeprefix("wrong setting: ").split()[0]: line for line in lines}


def test_wrong_settings_of_all_services_are_named_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SERVICES, {"STOP_LOSS_PCT": "2", "HISTORY_BARS": "many", "LOG_LEVEL": "loud"}) == 2
    assert problems(capsys).keys() == {"HISTORY_BARS", "LOG_LEVEL", "STOP_LOSS_PCT"}


def test_nothing_set_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SERVICES, OF_THE_IMAGE) == 0
    assert capsys.readouterr().out == "all settings are in order\n"


def test_a_misspelt_setting_is_told_from_its_right_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SERVICES, {"STOP_LOS_PCT": "0.01", "MAX_DAILY_LOS": "10", "GRAFANA_PROT": "1", "MY_OWN": "x"}) == 2
    found = problems(capsys)
    assert found.keys() == {"STOP_LOS_PCT", "MAX_DAILY_LOS", "GRAFANA_PROT"}
    assert found["STOP_LOS_PCT"].endswith("did you mean STOP_LOSS_PCT?")


def test_a_secret_in_plain_sight_is_named_without_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SERVICES, {"KUCOIN_API_KEY": "k3y-of-mine", "CONTROL_TOKEN": "t0ken-of-mine-of-mine"}) == 2
    found = problems(capsys)
    assert found.keys() >= {"KUCOIN_API_KEY", "CONTROL_TOKEN"}
    assert "KUCOIN_API_KEY_FILE" in found["KUCOIN_API_KEY"]
    assert "of-mine" not in "".join(found.values())


def test_everything_that_the_files_for_compose_name_is_known() -> None:
    example = re.findall(r"^# ([A-Z0-9_]+)=", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)
    asked = re.findall(r"\$\{(\w+)", (REPOSITORY / "docker-compose.yml").read_text())
    practice = re.findall(r"^([A-Z0-9_]+)=", (REPOSITORY / "practice.env").read_text(), re.MULTILINE)
    assert len(example) > 40
    assert misplaced(SERVICES, dict.fromkeys([*example, *asked, *practice], "x")) == []
    assert check_settings._OF_COMPOSE - {"KUCOIN_SIM_MARKET", "KUCOIN_SIM_SEED"} <= {*example, *asked}


def test_a_service_is_checked_with_what_it_declares_and_no_more() -> None:
    environ = {"STOP_LOSS_PCT": "0.01", "HISTORY_BARS": "500", "API_TOKEN_FILE": "/unseen", "HOME": "/"}
    assert environment_of("market_feed", environ).keys() == {"HISTORY_BARS", "DATABASE_URL", "REDIS_URL"}
    assert environment_of("webui_api", environ).keys() == {"STOP_LOSS_PCT", "DATABASE_URL"}
