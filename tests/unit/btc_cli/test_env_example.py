"""`.env.example` says what the settings classes say."""

from pathlib import Path

from btc_cli.agent_stack import SERVICES
from btc_cli.env_example import FIXED, OWN_SECRETS, render
from btc_shared.service import settings_class
from btc_shared.settings import load

REPOSITORY = Path(__file__).resolve().parents[3]


def assignments() -> dict[str, str]:
    """The file's settings as if every # had been removed; the explaining lines have spaces before any =."""
    lines = [line.removeprefix("# ") for line in (REPOSITORY / ".env.example").read_text().splitlines()]
    pairs = [line.partition("=") for line in lines]
    return {name: value for name, equals, value in pairs if equals and name.isupper() and " " not in name}


def test_the_file_is_made_from_the_settings_classes() -> None:
    assert (REPOSITORY / ".env.example").read_text() == render(), (
        "run: .venv/bin/python -m btc_cli.env_example > .env.example"
    )


def test_every_setting_of_every_service_is_in_it() -> None:
    names = set(assignments())
    for module, _ in SERVICES.values():
        for field in settings_class(module).model_fields.keys() - FIXED:
            assert field.upper() in names or f"{field.upper()}_FILE" in names, field


def test_what_it_shows_as_defaults_are_the_defaults() -> None:
    shown = {name: value for name, value in assignments().items() if not value.startswith(OWN_SECRETS)}
    database = {"DATABASE_URL": "postgresql://x", "REDIS_URL": "redis://x"}
    for module, _ in SERVICES.values():
        cls = settings_class(module)
        assert load(cls, shown | database) == load(cls, database)


def test_no_secret_is_asked_for_in_the_file_itself() -> None:
    secret = [
        name for name in assignments() if name.endswith(("_KEY", "_SECRET", "_PASSPHRASE", "_TOKEN", "_PASSWORD"))
    ]
    assert secret == []
