"""`agent test`: every check that a change has to pass."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

CHECKOUT = Path(__file__).resolve().parents[4]


def run_all(
    context: typer.Context,
    long: Annotated[bool, typer.Option("--long", help="Run the long suites too.")] = False,
) -> None:
    """Run linter, formatter, type checker and tests. Further arguments go to pytest."""
    if not (CHECKOUT / "tests").is_dir():
        print("agent: the tests are in the source checkout only: run ./agent test there", file=sys.stderr)
        raise typer.Exit(1)
    failed = [name for name, command in checks(CHECKOUT).items() if not _passes(name, command)]
    if failed:
        print(f"failed: {', '.join(failed)} (see above); the tests run all the same", flush=True)
    selection = [] if long else ["-m", "not long"]
    print("== pytest", flush=True)
    pytest = [sys.executable, "-P", "-m", "pytest", *selection, *context.args]
    code = subprocess.run(pytest, cwd=CHECKOUT, check=False).returncode
    raise typer.Exit(code or (1 if failed else 0))


def checks(checkout: Path) -> dict[str, list[str]]:
    """The checks before the tests, by name."""
    sources = [str(path.relative_to(checkout)) for path in sorted(checkout.glob("services/*/src"))]
    return {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": ["mypy", "shared/src", "cli/src", *sources, "tests"],
    }


def _passes(name: str, command: list[str]) -> bool:
    print(f"== {name}", flush=True)
    return subprocess.run([sys.executable, "-P", "-m", *command], cwd=CHECKOUT, check=False).returncode == 0
