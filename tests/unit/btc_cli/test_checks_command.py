"""`agent test` runs everything and fails when anything failed."""

import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from btc_cli.app import app
from btc_cli.commands import test as command


class _Runs:
    """Stands in for `subprocess.run`: remembers the commands and fails those that are named."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], *, cwd: Path, check: bool) -> subprocess.CompletedProcess[str]:
        self.commands.append(command[3:])  # without the interpreter and its options
        return subprocess.CompletedProcess(command, 5 if command[3] in self.failing else 0)


def _run(monkeypatch: pytest.MonkeyPatch, runs: _Runs, *arguments: str) -> int:
    monkeypatch.setattr(subprocess, "run", runs)
    return CliRunner().invoke(app, ["test", *arguments]).exit_code


def test_all_checks_run_and_the_tests_last(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = _Runs()
    assert _run(monkeypatch, runs, "tests/unit", "-x") == 0
    assert [found[0] for found in runs.commands] == ["ruff", "ruff", "mypy", "pytest"]
    assert runs.commands[-1] == ["pytest", "-m", "not long", "tests/unit", "-x"]


def test_the_long_suites_run_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = _Runs()
    _run(monkeypatch, runs, "--long", "-k", "chaos")
    assert runs.commands[-1] == ["pytest", "-k", "chaos"]


@pytest.mark.parametrize("failing", ["ruff", "mypy"])
def test_a_failed_check_fails_the_command_after_the_tests_have_run(
    monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    runs = _Runs(failing)
    assert _run(monkeypatch, runs) == 1
    assert runs.commands[-1][0] == "pytest"


def test_failed_tests_give_their_own_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run(monkeypatch, _Runs("pytest")) == 5


def test_outside_a_checkout_it_says_where_to_run_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "CHECKOUT", tmp_path)
    with pytest.raises(typer.Exit) as caught:
        command.run_all(typer.Context(typer.main.get_command(app)))
    assert caught.value.exit_code == 1
