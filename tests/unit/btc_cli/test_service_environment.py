"""Each service gets the variables that it declares, and all wrong ones are named at once."""

import pytest
from pydantic import Field

from btc_cli.agent_stack import SERVICES
from btc_cli.service_environment import service_environment
from btc_shared.service import ServiceSettings, settings_class
from btc_shared.settings import SettingsError, load_all


class _Example(ServiceSettings):
    port: int = Field(1, ge=0, le=9, description="port, 0 to 9")
    size: int = Field(1, ge=1, le=5, description="size, 1 to 5")


def test_only_declared_variables_are_passed_on() -> None:
    environ = {"PATH": "/bin", "SIZE": "3", "KUCOIN_API_SECRET": "s3cret", "OTHER": "x"}
    assert service_environment(["port", "size"], environ, {"PORT": "7", "REDIS_URL": "redis://x"}) == {
        "PATH": "/bin",
        "PYTHONUNBUFFERED": "1",
        "PORT": "7",
        "SIZE": "3",
    }


def test_a_fixed_value_wins_in_whichever_form_it_is_given() -> None:
    passed = service_environment(["token"], {"TOKEN": "theirs"}, {"TOKEN_FILE": "/ours"})
    assert (passed.get("TOKEN"), passed["TOKEN_FILE"]) == (None, "/ours")
    passed = service_environment(["token"], {"TOKEN_FILE": "/theirs"}, {"TOKEN": "ours"})
    assert (passed.get("TOKEN_FILE"), passed["TOKEN"]) == (None, "ours")


def test_withheld_variables_come_from_the_fixed_ones_only() -> None:
    environ = {"KUCOIN_BASE_URL": "https://real", "KUCOIN_API_KEY_FILE": "/key"}
    fields = ["kucoin_base_url", "kucoin_api_key"]
    passed = service_environment(fields, environ, {"KUCOIN_BASE_URL": "http://practice"}, withheld=["kucoin_"])
    assert passed == {"KUCOIN_BASE_URL": "http://practice", "PYTHONUNBUFFERED": "1"}


def test_all_problems_of_all_services_are_reported_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_all([(_Example, {"SIZE": "9", "LOG_LEVEL": "loud"}), (_Example, {"SIZE": "9", "PORT": "x"})])
    assert len(caught.value.problems) == 3
    assert [problem.split(" ")[0] for problem in caught.value.problems] == ["LOG_LEVEL", "SIZE", "PORT"]


@pytest.mark.parametrize("module", [module for module, _ in SERVICES.values()])
def test_every_service_has_one_settings_class_with_a_port(module: str) -> None:
    assert "port" in settings_class(module).model_fields
