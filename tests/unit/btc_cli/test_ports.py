"""Ports: a demanded one is had or refused with the name of who has it, a usual one is replaced with a remark."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from btc_cli.home import Home, free_port, is_free
from btc_cli.ports import PortError, choose, why_not


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.create()
    return home


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this very process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _holder() -> str:
    return f"is taken by {psutil.Process().name()} (process {os.getpid()})"


def test_a_free_demanded_port_is_used_and_nothing_is_said(home: Home) -> None:
    wanted = free_port()
    assert choose(home, "webui-api", free_port(), wanted, "WEBUI_PORT") == (wanted, "")


def test_a_taken_demanded_port_is_refused_with_who_has_it(home: Home, taken: int) -> None:
    expected = f"WEBUI_PORT is {taken}, but that port {_holder()}: choose another port, or free it"
    with pytest.raises(PortError) as caught:
        choose(home, "webui-api", free_port(), taken, "WEBUI_PORT")
    assert str(caught.value) == expected


def test_a_taken_usual_port_is_replaced_and_that_is_said(home: Home, taken: int) -> None:
    port, remark = choose(home, "webui-api", taken, None, "WEBUI_PORT")
    assert port != taken
    assert remark == f"port {taken} {_holder()}: webui-api is on {port} (WEBUI_PORT chooses one)"


def test_a_free_usual_port_is_used_and_nothing_is_said(home: Home) -> None:
    usual = free_port()
    assert choose(home, "webui-api", usual, None, "WEBUI_PORT") == (usual, "")


def test_zero_demands_any_free_port(home: Home, taken: int) -> None:
    port, remark = choose(home, "webui-api", taken, 0, "WEBUI_PORT")
    assert is_free(port)
    assert remark == ""


def test_a_holder_that_may_not_be_seen_is_another_program(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(kind: str) -> list[object]:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refused)
    assert why_not(taken) == "is taken by another program"


def test_a_port_that_is_not_ours_to_use_is_not_called_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btc_cli.ports.bind_error", lambda _port: PermissionError(13, "Permission denied"))
    assert why_not(80) == "cannot be used (Permission denied)"
