"""The home folder: private secrets, remembered ports, clear refusals."""

import os
import socket
from pathlib import Path

import pytest

from btc_cli.home import Home, HomeError, default_home, free_port, is_free, write_atomically


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "a home")
    home.create()
    return home


def test_a_secret_is_made_once_and_only_its_owner_reads_it(home: Home) -> None:
    first = home.read_secret("token")
    assert len(first) >= 40
    assert home.read_secret("token") == first
    assert home.secret("token").stat().st_mode & 0o777 == 0o600
    assert home.secrets.stat().st_mode & 0o777 == 0o700
    assert home.read_secret("other") != first


def test_a_secret_whose_writing_was_interrupted_is_made_anew(home: Home) -> None:
    (home.secrets / "token.new").write_text("ha")
    assert len(home.read_secret("token")) >= 40


def test_the_preferred_port_is_taken_when_it_is_free(home: Home) -> None:
    wanted = free_port()
    assert home.port("api", wanted) == wanted


def test_a_port_in_use_is_replaced_and_the_replacement_remembered(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = taken.getsockname()[1]
        assert not is_free(used)
        chosen = home.port("api", used)
        assert chosen != used
        assert home.port("api", used) == chosen


def test_names_never_share_a_port(home: Home) -> None:
    ports = [home.port(f"service {number}") for number in range(20)]
    assert len(set(ports)) == 20


def test_damaged_port_memory_is_no_obstacle(home: Home) -> None:
    (home.run / "ports.json").write_text("{")
    assert is_free(home.port("api"))


def test_writing_replaces_the_file_in_one_step_and_keeps_it_private(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_atomically(path, "one")
    before = path.open()
    write_atomically(path, "two")
    with before:
        assert before.read() == "one"  # a reader never sees half of it
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match=r"cannot use .*file.*; give a folder that you may write with --home"):
        Home(tmp_path / "file").create()


def test_the_default_home_depends_on_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_home("demo") == Path("/var/lib/btc-agent/demo")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_home("demo") == Path("/data/btc-agent/demo")
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_home("demo") == Path("/home/me/.local/share/btc-agent/demo")
