"""`agent demo`, `status` and `down` as a person types them, on real processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from btc_cli.home import Home
from btc_cli.state import State, read_state

_DEADLINE_SECS = 240.0


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
        threading.Event().wait(0.05)  # other programs' processes cannot be awaited, only looked at


def _state(home: Path) -> State:
    state = read_state(Home(home))
    assert state is not None
    return state


def _anything_left(state: State) -> bool:
    return state.is_alive() or any(process.is_alive() for process in state.processes)


@pytest.mark.e2e
def test_the_demo_starts_answers_survives_a_kill_and_leaves_nothing(agent_home: Path) -> None:
    started = _agent("demo", "--detach", "--json", "--home", agent_home, KUCOIN_API_KEY="never-use-this")
    try:
        assert started.returncode == 0, started.stderr
        addresses: dict[str, str] = json.loads(started.stdout)["addresses"]
        assert httpx.get(f"{addresses['web api']}/api/status", trust_env=False).status_code == 200
        assert httpx.get(addresses["mode and metrics"], trust_env=False).status_code == 200

        shown = _agent("status", "--json", "--home", agent_home)
        answer: dict[str, Any] = json.loads(shown.stdout)
        assert {process["name"]: process["status"] for process in answer["processes"]} == {
            **dict.fromkeys(("postgres", "valkey", "kucoin-sim"), "healthy"),
            "migrate": "done",
            **dict.fromkeys(("market-feed", "decision-engine", "executor", "webui-api", "exporter"), "healthy"),
        }
        assert (shown.returncode, answer["healthy"]) == (0, True)
        assert answer["agent"]["effective_mode"] == "dry"
        assert answer["runs_with"] == "launcher"
        assert "executor" in _agent("status", "--home", agent_home).stdout
        logged = _agent("logs", "--since", "1h", "--home", agent_home).stdout.splitlines()
        assert {line.partition(" | ")[0] for line in logged} >= {"supervisor", "postgres", "migrate", "executor"}

        again = _agent("demo", "--home", agent_home)
        assert again.returncode == 1
        assert again.stderr.startswith("agent: already running on")
        assert len(again.stderr.splitlines()) == 1

        before = _state(agent_home)
        os.kill(before.pid, signal.SIGKILL)
        _until(lambda: not _anything_left(before), "the kernel ends all processes of a killed supervisor")
        assert _agent("status", "--home", agent_home).returncode == 3

        restarted = _agent("demo", "--detach", "--home", agent_home)
        assert restarted.returncode == 0, restarted.stderr
    finally:
        stopped = _agent("down", "--home", agent_home)
    assert stopped.returncode == 0, stopped.stderr
    assert not _anything_left(_state(agent_home))
    executor_log = (agent_home / "logs" / "executor.log").read_text()
    assert '"event": "listening"' in executor_log
    assert _agent("logs", "executor", "--home", agent_home).stdout == executor_log
    logs = b"".join(path.read_bytes() for path in (agent_home / "logs").iterdir())
    for name in ("postgres_password", "valkey_password", "control_token"):
        assert Home(agent_home).read_secret(name).encode() not in logs, f"{name} is in a log"


def test_wrong_settings_are_all_named_and_nothing_is_started(agent_home: Path) -> None:
    done = _agent("demo", "--home", agent_home, STOP_LOSS_PCT="7", POLL_INTERVAL="never", LOG_LEVEL="loud")
    assert done.returncode == 2
    problems = [line for line in done.stderr.splitlines() if " is " in line]
    assert {line.split(" ")[0] for line in problems} == {"STOP_LOSS_PCT", "POLL_INTERVAL", "LOG_LEVEL"}
    assert not (agent_home / "postgres").exists()
    assert _state(agent_home).processes == []


def test_a_detached_start_that_fails_says_why(agent_home: Path) -> None:
    done = _agent("demo", "--detach", "--home", agent_home, STOP_LOSS_PCT="7")
    assert done.returncode == 2
    assert "STOP_LOSS_PCT is '7'" in done.stderr
    shown = _agent("status", "--home", agent_home)
    assert shown.returncode == 3
    assert "STOP_LOSS_PCT is '7'" in shown.stdout


def test_nothing_to_stop_is_no_error(agent_home: Path) -> None:
    done = _agent("down", "--home", agent_home)
    assert (done.returncode, done.stdout) == (0, f"nothing to stop on {agent_home}\n")
    assert _agent("status", "--home", agent_home).returncode == 3
    assert list(agent_home.iterdir()) == []
