"""The decision cores read nothing from outside: no network, file, clock, id or random number.

The imports of every module of a pure package are read from its syntax tree and followed through our own modules.
What only a type checker sees (`if TYPE_CHECKING:`) does not count.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE_ROOTS = (*sorted(REPOSITORY.glob("services/*/src")), REPOSITORY / "shared" / "src")

PURE_PACKAGES = ("decision_engine.domain", "executor.domain", "market_feed.domain")

PURE_MODULES = (
    *("__future__", "abc", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "operator", "re", "statistics"),
    *("string", "types", "typing", "msgspec", "numpy"),
)
"""Everything else is refused, above all time, random, secrets, uuid, os, socket, asyncio, httpx, redis,
sqlalchemy, psycopg and structlog. Add a module only if none of its functions reads from outside."""

IMPURE_BUILTINS = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})
_CLOCKS = ("now", "today", "utcnow")
_NUMPY_FILES = ("fromfile", "genfromtxt", "load", "loadtxt", "memmap", "save", "savetxt", "savez", "savez_compressed")
IMPURE_MEMBERS = {
    "date": _CLOCKS,
    "datetime": _CLOCKS,
    "np": ("random", *_NUMPY_FILES),
    "numpy": ("random", *_NUMPY_FILES),
}


def impurities(package: str, roots: Sequence[Path]) -> list[str]:
    """One sentence for each impure thing in a package and in those of our modules that it imports."""
    waiting = list(_modules_of(package, roots))
    found, done = [], set()
    while waiting:
        module = waiting.pop()
        if module in done:
            continue
        done.add(module)
        path = _file_of(module, roots)
        assert path is not None
        for line, problem, imported in _findings(module, path):
            ours = [name for name in _prefixes(imported) if _file_of(name, roots)]
            waiting.extend(ours)
            if problem:
                found.append(f"{module}:{line}: {problem}")
            elif imported and not ours and imported.partition(".")[0] not in PURE_MODULES:
                found.append(f"{module}:{line}: imports {imported}")
    return sorted(found)


def _findings(module: str, path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, problem or "", imported name or "") of everything worth a look in one file."""
    for node in _executed(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, _impure_member(alias.name), alias.name
        elif isinstance(node, ast.ImportFrom):
            source = _source(node, module, is_package=path.name == "__init__.py")
            for alias in node.names:
                yield node.lineno, _impure_member(f"{source}.{alias.name}"), f"{source}.{alias.name}"
        elif isinstance(node, ast.Attribute):
            yield node.lineno, _impure_member(ast.unparse(node)), ""
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in IMPURE_BUILTINS:
            yield node.lineno, f"uses {node.id}", ""


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    yield tree
    typing_only = isinstance(tree, ast.If) and ast.unparse(tree.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
    for child in tree.orelse if typing_only and isinstance(tree, ast.If) else ast.iter_child_nodes(tree):
        yield from _executed(child)


def _impure_member(dotted: str) -> str:
    owner, _, name = dotted.rpartition(".")
    return f"uses {dotted}" if name in IMPURE_MEMBERS.get(owner.rpartition(".")[2], ()) else ""


def _source(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, node.module] if node.module else kept)


def _prefixes(dotted: str) -> list[str]:
    parts = dotted.split(".") if dotted else []
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def _file_of(module: str, roots: Sequence[Path]) -> Path | None:
    for root in roots:
        base = root.joinpath(*module.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
    return None


def _modules_of(package: str, roots: Sequence[Path]) -> Iterator[str]:
    for root in roots:
        folder = root.joinpath(*package.split("."))
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("package", PURE_PACKAGES)
def test_a_pure_package_reads_nothing_from_outside(package: str) -> None:
    assert list(_modules_of(package, SOURCE_ROOTS)), f"{package} is gone: take it off the list or bring it back"
    found = impurities(package, SOURCE_ROOTS)
    assert not found, "pass the result in as an argument instead:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        ("import time", "imports time"),
        ("import os.path", "imports os.path"),
        ("from random import Random", "imports random.Random"),
        ("def late():\n    import uuid", "imports uuid"),
        ("from datetime import datetime\nx = datetime.now()", "uses datetime.now"),
        ("import datetime\nx = datetime.datetime.now()", "uses datetime.datetime.now"),
        ("import numpy as np\nx = np.random.default_rng()", "uses np.random"),
        ("from numpy import random", "uses numpy.random"),
        ("import numpy.random", "uses numpy.random"),
        ("x = open('prices.csv')", "uses open"),
        ("from .. import clock", "imports time"),
        ("from library.deep import helper", "imports httpx"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import redis", "imports redis"),
    ],
)
def test_the_search_finds(code: str, finding: str, tmp_path: Path) -> None:
    _write_project(tmp_path, code)
    assert [text for text in impurities("service.domain", [tmp_path]) if text.endswith(finding)]


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np\nfrom decimal import Decimal\nfrom datetime import UTC, datetime\nx = np.zeros(3)",
        "from library.pure import helper",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from library.deep import helper",
    ],
)
def test_the_search_accepts(code: str, tmp_path: Path) -> None:
    _write_project(tmp_path, code)
    assert impurities("service.domain", [tmp_path]) == []


def _write_project(root: Path, code: str) -> None:
    files = {
        "service/__init__.py": "",
        "service/clock.py": "import time",
        "service/domain/__init__.py": "",
        "service/domain/core.py": code,
        "library/__init__.py": "",
        "library/pure.py": "import math\nhelper = math.pi",
        "library/deep/__init__.py": "from library.deep.network import helper",
        "library/deep/network.py": "import httpx\nhelper = httpx",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
