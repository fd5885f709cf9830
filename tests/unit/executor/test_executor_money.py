"""Money in the executor's domain is `Decimal`: a float is made for a ratio that is shown, and nowhere else."""

import ast
from pathlib import Path

import pytest

import executor.domain

MAY_MAKE_RATIOS = {"ledger", "performance"}
MODULES = sorted(Path(next(iter(executor.domain.__path__))).glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_makes_no_float(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
            assert path.stem in MAY_MAKE_RATIOS or not isinstance(node.value, float), f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            assert path.stem in MAY_MAKE_RATIOS, f"line {node.lineno} makes a float"


def test_there_are_modules_to_look_at() -> None:
    assert {"exits.py", "gates.py", "ledger.py", "paper.py", "sizing.py"} <= {path.name for path in MODULES}
