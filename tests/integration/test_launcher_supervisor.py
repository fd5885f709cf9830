"""The supervisor on real processes: order, restarts, and that nothing is ever left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from btc_cli.home import Home
from btc_cli.logfiles import last_lines
from btc_cli.session import stop_running
from btc_cli.state import Phase, State, Status, read_state

_PROGRAM = Path(__file__).parent / "programs" / "dummy_stack.py"
_DEADLINE_SECS = 30.0

# Small programs. Each writes what it does into <home>/said, so that order can be seen, and says when it is ready.
_SAY = """
import os, signal, sys, time
def say(text):
    with open(sys.argv[1] + "/said", "a") as file:
        file.write(text + "\\n")
def wait():
    open(f"{sys.argv[1]}/ready.{os.getpid()}", "w").close()
    while True:
        signal.pause()
def wait_for_exchange():
    open(f"{sys.argv[1]}/waits.{os.getpid()}", "w").close()
    while not os.path.exists(sys.argv[1] + "/exchange"):
        time.sleep(0.02)
    wait()
"""
_WAIT = _SAY + "wait()"
_WAIT_FOR_EXCHANGE = _SAY + "wait_for_exchange()"
_DEAF = _SAY + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwait()"


def _polite(name: str) -> str:
    return (
        _SAY
        + f"signal.signal(signal.SIGTERM, lambda *_: (say('{name} ends'), sys.exit(0)))\n"
        + f"say('{name} starts')\nwait()"
    )


@contextmanager
def _running(home: Path, *programs: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, _PROGRAM, home, *programs],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECS
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        threading.Event().wait(0.02)  # processes of processes cannot be awaited, only looked at


def _state(home: Path, process: subprocess.Popen[str]) -> State | None:
    state = read_state(Home(home))
    return state if state is not None and state.pid == process.pid else None


def _until_phase(home: Path, process: subprocess.Popen[str], phase: Phase) -> State:
    found: list[State] = []

    def reached() -> bool:
        assert process.poll() is None, process.communicate()[0]
        state = _state(home, process)
        found[:] = [state] if state is not None else []
        return state is not None and state.phase is phase

    _until(reached, f"phase {phase}")
    return found[0]


def _said(home: Path) -> list[str]:
    path = home / "said"
    return path.read_text().splitlines() if path.exists() else []


def test_processes_end_in_reverse_order_of_their_start(agent_home: Path) -> None:
    with _running(agent_home, _polite("first"), _polite("second")) as process:
        _until_phase(agent_home, process, Phase.RUNNING)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=_DEADLINE_SECS)
    assert process.returncode == 0, output
    assert _said(agent_home) == ["first starts", "second starts", "second ends", "first ends"]
    state = read_state(Home(agent_home))
    assert state is not None
    assert state.phase is Phase.STOPPED
    assert [found.status for found in state.processes] == [Status.STOPPED, Status.STOPPED]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_way_to_end_it_leaves_no_process(agent_home: Path, number: signal.Signals) -> None:
    with _running(agent_home, _WAIT, _WAIT) as process:
        state = _until_phase(agent_home, process, Phase.RUNNING)
        assert all(child.is_alive() for child in state.processes)
        process.send_signal(number)
        process.communicate(timeout=_DEADLINE_SECS)
    assert process.returncode == 0
    assert not any(child.is_alive() for child in state.processes)


def test_a_killed_supervisor_leaves_no_process_and_the_next_one_starts(agent_home: Path) -> None:
    with _running(agent_home, _WAIT, _DEAF) as process:
        state = _until_phase(agent_home, process, Phase.RUNNING)
        process.kill()
        _until(lambda: not any(child.is_alive() for child in state.processes), "the kernel ends the children")
    with _running(agent_home, _WAIT) as process:
        _until_phase(agent_home, process, Phase.RUNNING)
        assert stop_running(Home(agent_home), lambda _text: None)
        assert process.wait(_DEADLINE_SECS) == 0


def test_a_process_that_ignores_the_request_is_killed(agent_home: Path) -> None:
    with _running(agent_home, _DEAF) as process:
        state = _until_phase(agent_home, process, Phase.RUNNING)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_DEADLINE_SECS)
    assert process.returncode == 0
    assert not state.processes[0].is_alive()
    assert any("forcing it" in line for line in last_lines(agent_home / "logs" / "supervisor.log", 20))


def test_a_crashed_process_is_started_again(agent_home: Path) -> None:
    with _running(agent_home, _WAIT) as process:
        first = _until_phase(agent_home, process, Phase.RUNNING).processes[0]
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)

        def again() -> bool:
            state = _state(agent_home, process)
            return state is not None and state.processes[0].restarts == 1 and state.is_healthy()

        _until(again, "it runs again")
        second = _until_phase(agent_home, process, Phase.RUNNING).processes[0]
        assert second.pid not in (None, first.pid)
        assert stop_running(Home(agent_home), lambda _text: None)
    assert not second.is_alive()


def test_without_the_exchange_it_runs_and_says_so_and_is_healthy_once_the_exchange_is_there(agent_home: Path) -> None:
    with _running(agent_home, _WAIT, _WAIT_FOR_EXCHANGE, DUMMY_EXCHANGE="yes") as process:
        state = _until_phase(agent_home, process, Phase.RUNNING)
        assert not state.healthy_at_start
        assert not state.is_healthy()
        assert state.attention == ["a remark", "the exchange is not reached"]

        def waits() -> bool:
            now = _state(agent_home, process)
            return now is not None and (now.processes[1].status, now.processes[1].detail) == (Status.UNHEALTHY, "waits")

        _until(waits, "what waits for the exchange is not called starting any more")
        (agent_home / "exchange").touch()

        def well() -> bool:
            now = _state(agent_home, process)
            return now is not None and now.is_healthy() and now.attention == ["a remark"]

        _until(well, "it is healthy")
    log = last_lines(agent_home / "logs" / "supervisor.log", 50)
    told = [line.partition(" ")[2] for line in log if "exchange" in line]
    assert told == ["the exchange is not reached", "the exchange is reached again"]


def test_with_the_exchange_in_reach_the_start_waits_for_what_needs_it(agent_home: Path) -> None:
    (agent_home / "exchange").touch()
    with _running(agent_home, _WAIT_FOR_EXCHANGE, DUMMY_EXCHANGE="yes") as process:
        state = _until_phase(agent_home, process, Phase.RUNNING)
        assert state.healthy_at_start
        assert state.attention == ["a remark"]


def test_a_process_that_crashes_without_the_exchange_still_fails_the_start(agent_home: Path) -> None:
    with _running(agent_home, "raise SystemExit(7)", DUMMY_EXCHANGE="yes") as process:
        output, _ = process.communicate(timeout=_DEADLINE_SECS)
    assert process.returncode == 1
    assert "p0 does not start" in output


def test_a_process_that_crashes_at_the_start_fails_it_and_its_log_is_quoted(agent_home: Path) -> None:
    with _running(agent_home, _WAIT, _SAY + "print('the reason is here'); sys.exit(7)") as process:
        output, _ = process.communicate(timeout=_DEADLINE_SECS)
    assert process.returncode == 1
    log = agent_home / "logs" / "p1.log"
    reason = (
        f"p1 does not start: ended with exit status 7, 3 times in a row: the reason is here; ask somebody; log: {log}"
    )
    assert output == f"{reason}\n"
    state = read_state(Home(agent_home))
    assert state is not None
    assert state.phase is Phase.FAILED
    assert not any(child.is_alive() for child in state.processes)


def test_a_second_supervisor_is_refused_and_names_the_first(agent_home: Path) -> None:
    with _running(agent_home, _WAIT) as process:
        _until_phase(agent_home, process, Phase.RUNNING)
        with _running(agent_home, _WAIT) as second:
            output, _ = second.communicate(timeout=_DEADLINE_SECS)
        assert second.returncode != 0
        assert f"already running on {agent_home} (process {process.pid})" in output
        assert _until_phase(agent_home, process, Phase.RUNNING).is_healthy()


def test_stopping_what_does_not_run_is_no_error(agent_home: Path) -> None:
    assert not stop_running(Home(agent_home), lambda _text: None)
