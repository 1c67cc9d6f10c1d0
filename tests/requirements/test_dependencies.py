"""One list names what the code imports: requirements/common.in, from which the locks are made."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = {"labsupport", "checks", "tests", "_pytest"}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def listed(*files: str) -> frozenset[str]:
    """Return the distributions that requirement files name."""
    lines = [line for file in files for line in (ROOT / "requirements" / file).read_text().splitlines()]
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines if not line.startswith(("#", "-")))
    return frozenset(normalised(name[0]) for name in names if name)


def imported(*folders: str) -> dict[str, str]:
    """Return each third-party module that the code imports, and a file that does."""
    found: dict[str, str] = {}
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            for name in names:
                found.setdefault(name.partition(".")[0], str(path.relative_to(ROOT)))
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names | OURS}


def test_every_package_that_the_course_imports_is_listed():
    distributions = packages_distributions()
    known = listed("common.in", "torch.txt", "cpu.in")
    unlisted = {
        f"{module} ({path})"
        for module, path in imported("labsupport", "checks", "solutions").items()
        if not {normalised(name) for name in distributions.get(module, [module])} & known
    }
    assert unlisted == set()


def test_what_labsupport_needs_to_start_is_part_of_that_list():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {normalised(re.match(r"[\w.-]+", requirement)[0]) for requirement in project["dependencies"]}
    assert needed - listed("common.in") == set()
    assert "optional-dependencies" not in project, "a second list of the same packages would disagree sooner or later"


def test_the_lock_pins_every_package_of_the_list():
    pinned = {normalised(line.partition("==")[0]) for line in (ROOT / "requirements/cpu.txt").read_text().splitlines()}
    assert listed("common.in", "cpu.in") - pinned == set()
