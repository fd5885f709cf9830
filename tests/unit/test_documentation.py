"""Tables in the docs that repeat a closed list of the code must be that list."""

import re
from pathlib import Path

from btc_shared.codes import Refusal

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_refusals_are_documented_in_the_order_of_the_gates() -> None:
    text = (REPOSITORY / "docs" / "refusals.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [str(code) for code in Refusal]


def test_every_link_of_the_docs_leads_to_a_file() -> None:
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    pages += [REPOSITORY / folder / "README.md" for folder in ("requirements", "secrets")]
    links = [
        (page.name, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert links == []


def test_every_dependency_is_justified() -> None:
    import tomllib

    text = (REPOSITORY / "docs" / "dependencies.md").read_text(encoding="utf-8")
    described = {name for row in re.findall(r"^\| ([\w ,()-]+) \|", text, re.MULTILINE) for name in row.split(", ")}
    described = {name.removesuffix(" (binary)") for name in described}
    projects = [tomllib.loads(path.read_text()) for path in REPOSITORY.glob("*/pyproject.toml")]
    projects += [tomllib.loads(path.read_text()) for path in REPOSITORY.glob("services/*/pyproject.toml")]
    root = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    own = {project["project"]["name"] for project in projects}
    needed = {need for project in projects for need in project["project"]["dependencies"]}
    needed |= set(root["dependency-groups"]["dev"])
    names = {match.group() for need in needed if (match := re.match(r"[\w-]+", need))} - own
    assert names - described == set()
