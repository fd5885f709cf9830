"""All wrong settings of all services are named before anything is started with them."""

import pytest

from btc_shared.check_settings import environment_of, main

SERVICES = ("market_feed", "decision_engine", "executor", "webui_api", "exporter")


def test_wrong_settings_of_all_services_are_named_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SERVICES, {"STOP_LOSS_PCT": "2", "HISTORY_BARS": "many", "LOG_LEVEL": "loud"}) == 2
    problems = capsys.readouterr().err.splitlines()
    assert sorted(line.split()[2] for line in problems) == ["HISTORY_BARS", "LOG_LEVEL", "STOP_LOSS_PCT"]


def test_nothing_set_is_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SERVICES, {}) == 0
    assert capsys.readouterr().out == "all settings are in order\n"


def test_a_service_is_checked_with_what_it_declares_and_no_more() -> None:
    environ = {"STOP_LOSS_PCT": "0.01", "HISTORY_BARS": "500", "API_TOKEN_FILE": "/unseen", "HOME": "/"}
    assert environment_of("market_feed", environ).keys() == {"HISTORY_BARS", "DATABASE_URL", "REDIS_URL"}
    assert environment_of("webui_api", environ).keys() == {"STOP_LOSS_PCT", "DATABASE_URL"}
