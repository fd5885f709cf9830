"""The secrets of a container installation: made once, each where its reader is."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from btc_shared.make_secrets import SecretsError, main, make_secrets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("postgres", "redis", "services", "control", "grafana"):
        (tmp_path / name).mkdir()
    return tmp_path


def contents(folder: Path) -> Mapping[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_passwords_and_tokens_are_long_different_and_kept(folder: Path) -> None:
    made = make_secrets(folder)
    first = contents(folder)
    assert len({first[name] for name in made}) == len(made) == 5
    assert all(len(first[name].strip()) >= 43 for name in made)
    assert make_secrets(folder) == []
    assert contents(folder) == first


def test_the_addresses_hold_the_passwords_that_the_servers_get(folder: Path) -> None:
    make_secrets(folder)
    files = {name: text.strip() for name, text in contents(folder).items()}
    database, redis = urlsplit(files["services/database_url"]), urlsplit(files["services/redis_url"])
    assert (database.username, database.password) == ("agent", files["postgres/agent_password"])
    assert f"requirepass {redis.password}" in files["redis/valkey.conf"].splitlines()
    assert urlsplit(files["postgres/admin_url"]).password == files["postgres/postgres_password"]
    # The services' folder has nothing that makes its reader a superuser or an operator.
    for name in ("postgres/postgres_password", "control/control_token", "grafana/admin_password"):
        assert files[name] not in files["services/database_url"] + files["services/redis_url"]


def test_one_that_was_removed_is_made_anew_and_the_addresses_follow(folder: Path) -> None:
    make_secrets(folder)
    before = contents(folder)
    (folder / "redis" / "password").unlink()
    assert make_secrets(folder) == ["redis/password"]
    after = contents(folder)
    assert after["services/redis_url"] != before["services/redis_url"]
    assert after["services/database_url"] == before["services/database_url"]


@pytest.mark.parametrize("text", ["", "short", "two words of enough length", "quote'; DROP ROLE agent", "päss" * 8])
@pytest.mark.parametrize("name", ["postgres/agent_password", "control/control_token", "grafana/admin_password"])
def test_a_secret_that_would_not_survive_its_way_is_refused_by_its_name(folder: Path, name: str, text: str) -> None:
    make_secrets(folder)
    (folder / name).chmod(0o600)
    (folder / name).write_text(text + "\n", encoding="latin-1")
    with pytest.raises(SecretsError, match=f"{name} must hold 16 letters or more"):
        make_secrets(folder)


def test_what_a_killed_start_left_behind_is_no_obstacle(folder: Path) -> None:
    unfinished = folder / "postgres" / ".agent_password"
    unfinished.write_text("hal")
    unfinished.chmod(0o444)
    make_secrets(folder)
    assert not unfinished.exists()
    assert len((folder / "postgres" / "agent_password").read_text()) > 40


def test_a_folder_that_is_not_there_is_one_clear_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "control").rmdir()
    assert main([str(folder)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("cannot start: cannot use ")
    assert "control_token" in error
    assert error.count("\n") == 1


def test_what_it_made_is_never_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder)]) == 0
    printed = "".join(capsys.readouterr())
    assert "made postgres/postgres_password" in printed
    assert not any(text.strip() in printed for text in contents(folder).values())
