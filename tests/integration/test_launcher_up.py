"""`agent up` on real processes: two homes side by side, and an exchange that is not there, comes, and goes again.

A practice exchange of the test's own stands in for KuCoin; it is a process outside, which the launcher does not run.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from btc_cli.home import Home, free_port
from btc_cli.state import State, read_state

from ..conftest import ServiceProcess

_DEADLINE_SECS = 240.0
_NEED_EXCHANGE = {"market-feed", "decision-engine", "executor"}


def _agent(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "btc_cli", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_DEADLINE_SECS,
    )


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECS
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        threading.Event().wait(0.1)  # other programs' processes cannot be awaited, only looked at


def _state(home: Path) -> State:
    state = read_state(Home(home))
    assert state is not None
    return state


def _status(home: Path) -> tuple[int, dict[str, Any]]:
    shown = _agent("status", "--json", "--home", home)
    answer: dict[str, Any] = json.loads(shown.stdout)
    return shown.returncode, answer


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Callable[[int], ServiceProcess]]:
    """Starts a practice exchange on a port; it is stopped at the end."""
    started: list[ServiceProcess] = []

    def start(port: int) -> ServiceProcess:
        arguments = ("--json", "--port", str(port), "--market", "calm2022", "--seed", "1")
        one = ServiceProcess(
            "kucoin_sim", {}, tmp_path / "exchange.log", arguments=arguments, marker='{"rest": "http://127.0.0.1:'
        )
        started.append(one)
        return one.start()

    yield start
    for one in started:
        one.stop()


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_it_starts_without_the_exchange_recovers_and_runs_beside_another(
    agent_home: Path, exchange: Callable[[int], ServiceProcess]
) -> None:
    first, second = agent_home / "first", agent_home / "second"
    port = free_port()
    settings = {
        "VENUE": "practice",
        "KUCOIN_BASE_URL": f"http://127.0.0.1:{port}",
        "WEBUI_PORT": "0",
        "EXPORTER_PORT": "0",
        "KUCOIN_API_KEY": "a key for the executor",
        "KUCOIN_API_SECRET": "a secret for the executor",
        "KUCOIN_API_PASSPHRASE": "a passphrase for the executor",
    }
    try:
        # The exchange is away.
        started = _agent("up", "--detach", "--json", "--home", first, **settings)
        assert started.returncode == 4, started.stderr
        assert json.loads(started.stdout)["healthy"] is False
        lines = started.stderr.splitlines()
        assert any(line.startswith(f"the exchange is not reached at http://127.0.0.1:{port} (") for line in lines)
        assert lines[-1].startswith("it runs, but is not healthy yet: market-feed, decision-engine, executor")

        code, answer = _status(first)
        assert (code, answer["running"], answer["healthy"], answer["kind"]) == (1, True, False, "agent")
        assert answer["attention"][0].startswith("the exchange is not reached")
        unwell = {process["name"] for process in answer["processes"] if process["status"] not in ("healthy", "done")}
        assert unwell == _NEED_EXCHANGE
        assert httpx.get(f"{answer['addresses']['web api']}/api/status", trust_env=False).status_code == 200

        # It comes: the first recovers by itself, a second one starts beside it.
        simulated = exchange(port)
        both = _agent("up", "--detach", "--json", "--home", second, **settings)
        assert both.returncode == 0, both.stderr
        _until(lambda: _state(first).is_healthy(), "the first one has recovered")
        for home in (first, second):
            code, answer = _status(home)
            assert (code, answer["healthy"], answer["attention"]) == (0, True, []), answer
            assert answer["agent"]["effective_mode"] == "dry"
        ports = [process.port for home in (first, second) for process in _state(home).processes if process.port]
        assert len(ports) == len(set(ports)) == 14

        # Keys reach the executor, and nothing else.
        holders = {
            process.name
            for process in _state(first).processes
            if process.is_alive() and "KUCOIN_API_KEY" in psutil.Process(process.pid).environ()
        }
        assert holders == {"executor"}

        # It goes: nothing stops, and it is said.
        simulated.kill()
        _until(lambda: bool(_state(first).attention), "the absence of the exchange is told")
        assert _status(first)[0] == 1
        assert _agent("down", "--home", second).returncode == 0
        assert _state(first).is_alive()
    finally:
        stopped = [_agent("down", "--home", home) for home in (first, second)]
    assert [done.returncode for done in stopped] == [0, 0]
    for home in (first, second):
        assert not any(process.is_alive() for process in _state(home).processes)
        logs = b"".join(path.read_bytes() for path in (home / "logs").iterdir())
        assert b"for the executor" not in logs, "a key is in a log"


def test_the_real_exchange_and_a_practice_address_are_refused_before_anything_starts(agent_home: Path) -> None:
    done = _agent("up", "--home", agent_home, KUCOIN_BASE_URL="http://127.0.0.1:1", WEBUI_PORT="many")
    assert done.returncode == 2
    assert "VENUE is 'kucoin' but KUCOIN_BASE_URL is 'http://127.0.0.1:1'" in done.stderr
    assert "WEBUI_PORT is 'many'" in done.stderr
    assert not (agent_home / "postgres").exists()
