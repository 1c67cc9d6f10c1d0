"""Break one module in every way that mutmut's operators know, and name the breaks that its tests do not notice.

    make mutants MODULE=labsupport/receipts/ledger.py
    make mutants MODULE=labsupport.cli.ledger TESTS="tests/cli/test_ledger.py tests/cli/test_main.py"

The operators are mutmut's. Its runner is not used: it leaves out decorated functions, properties and everything at
module level, which is where this package keeps its commands, rules and tables. Here a mutant is the whole file with
one change, written into a copy of the repository that has an environment of its own, so that the processes which the
tests start see it too. Each mutant costs one fork of a process that has already imported what the tests import.

A mutant that cannot change what the module does is listed with its reason in `mutants_equivalent.toml`.
"""

from __future__ import annotations

import argparse
import contextlib
import enum
import gc
import importlib
import json
import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
import venv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

ROOT = Path(__file__).parents[1]
EQUIVALENT = ROOT / "tests" / "mutants_equivalent.toml"
LOCAL = ("labsupport", "checks", "tests", "conftest", "test_")
LEFT_ALONE = (cst.Annotation, cst.Import, cst.ImportFrom, cst.TypeAlias)
TRANSPARENT_CALLS = {"len", "isinstance"}  # breaking their arguments only raises TypeError
PROSE_WORDS = 3  # from here on a text is a sentence for people: no test should quote all of it


@dataclass(frozen=True)
class Mutant:
    """One change of a file: the line it is on, that line before and after, and the whole changed source."""

    line: int
    before: str
    after: str
    source: str


# ---------------------------------------------------------------------------------------------------------------------
# What is changed


def _shorter_strings(node: cst.BaseString) -> Iterable[cst.BaseString]:
    """Change a name, key or format once (mutmut does it three times), and leave sentences alone."""
    if not isinstance(node, cst.SimpleString) or len(node.value.split()) >= PROSE_WORDS:
        return
    yield from list(operator_string(node))[:1]


def _without_statement(node: cst.Expr) -> Iterable[cst.BaseSmallStatement]:
    """Leave out a call whose value nobody uses: the fsync, the lock, the check."""
    if isinstance(node.value, cst.Call):
        yield cst.Pass()


OPERATORS: tuple[tuple[type, Callable[[Any], Iterable[cst.CSTNode]]], ...] = (
    *((kind, operator) for kind, operator in mutation_operators if operator is not operator_string),
    (cst.BaseString, _shorter_strings),
    (cst.Expr, _without_statement),
)


class _Sites(cst.CSTVisitor):
    """Collect (line, node, replacement) for every change, in the order of the file."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, members: dict[str, list[str]]) -> None:
        self.members = members
        self.found: list[tuple[int, cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, LEFT_ALONE):
            return False
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value in TRANSPARENT_CALLS:
            return False
        replacements = [new for kind, operator in OPERATORS if isinstance(node, kind) for new in operator(node)]
        replacements += self._other_members(node)
        if replacements:
            line = self.get_metadata(PositionProvider, node).start.line
            self.found += [(line, node, new) for new in replacements]
        return True

    def _other_members(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        """Replace `Severity.ERROR` by the next member of its enumeration."""
        if not isinstance(node, cst.Attribute) or not isinstance(node.value, cst.Name):
            return []
        names = self.members.get(node.value.value, [])
        if node.attr.value not in names or len(names) < 2:
            return []
        other = names[(names.index(node.attr.value) + 1) % len(names)]
        return [node.with_changes(attr=cst.Name(other))]


def mutants(source: str, members: dict[str, list[str]]) -> Iterator[Mutant]:
    """Yield every change of a source that still compiles."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    sites = _Sites(members)
    wrapper.visit(sites)
    for line, node, new in sites.found:
        changed = wrapper.module.deep_replace(node, new)
        assert isinstance(changed, cst.Module)
        try:
            compile(changed.code, "mutant", "exec")
        except SyntaxError:
            continue
        before, after = _first_difference(source, changed.code)
        yield Mutant(line, before, after, changed.code)


def _first_difference(old: str, new: str) -> tuple[str, str]:
    for before, after in zip(old.splitlines(), new.splitlines(), strict=False):
        if before != after:
            return before.strip(), after.strip()
    return old.splitlines()[-1].strip(), ""


# ---------------------------------------------------------------------------------------------------------------------
# Where it is tried


def copy_repository(target: Path) -> None:
    """Copy what git tracks or would track, and give the copy an environment that sees this one's packages."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    venv.create(target / ".venv", symlinks=True)
    packages = next((target / ".venv" / "lib").glob("python*")) / "site-packages"
    (packages / "a_copy.pth").write_text(f"{target}\n")
    parents = "; ".join(f"site.addsitedir({folder!r})" for folder in site.getsitepackages())
    (packages / "b_parent.pth").write_text(f"import site; {parents}\n")
    command = target / ".venv" / "bin" / "labs"
    command.write_text(f"#!{target}/.venv/bin/python\nfrom labsupport.cli.main import main\n\nmain()\n")
    command.chmod(0o755)


class FastestFirst:
    """A pytest plugin: note how long each test takes, and run those that took least first."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration


def _run_tests(arguments: list[str], order: FastestFirst) -> int:
    import pytest
    from hypothesis import settings

    settings.register_profile("mutants", max_examples=20, database=None, deadline=None)
    settings.load_profile("mutants")
    return int(pytest.main(arguments, plugins=[order]))


def _in_child(job: Callable[[], int], timeout_s: float, output: Path) -> int | None:
    """Run a job in a forked process group of its own; None when it took too long."""
    child = os.fork()
    if child == 0:
        os.setsid()
        log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        status = 70
        try:
            status = job()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    deadline = time.monotonic() + timeout_s
    code: int | None = None
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a broken module left running
    if code is None:
        os.waitpid(child, 0)
    return code


def _baseline(arguments: list[str], module: str, report: Path) -> int:
    """Run the tests on the unchanged module; report what they import, and the enumerations the module knows."""
    order = FastestFirst()
    code = _run_tests(arguments, order)
    imports = [name for name in sys.modules if not name.startswith(LOCAL) and "." not in name]
    members: dict[str, list[str]] = {}
    for name, value in vars(importlib.import_module(module)).items():
        if isinstance(value, type) and issubclass(value, enum.Enum):
            members[name] = list(value.__members__)
    report.write_text(json.dumps({"imports": imports, "members": members, "seconds": order.seconds}))
    return code


def try_all(path: Path, tests: list[str], scratch: Path) -> int:
    """Try every mutant of `path` against `tests` in the copy that is the working folder; return the exit status."""
    module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
    # The plugins are imported already, unchanged by pytest, when a child starts pytest: that is no fault.
    known = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
    options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-W", known, f"--basetemp={scratch / 'tmp'}"]
    arguments = [*options, *tests]
    output, report = scratch / "output", scratch / "report"
    started = time.monotonic()
    code = _in_child(lambda: _baseline(arguments, module, report), 600, output)
    if code != 0:
        print(output.read_text()[-4000:])
        print(f"{path}: its tests fail before anything is changed; mend them first", file=sys.stderr)
        return 2
    timeout_s = 10 + 5 * (time.monotonic() - started)
    learned = json.loads(report.read_text())
    order = FastestFirst()
    order.seconds = learned["seconds"]
    for name in learned["imports"]:
        with contextlib.suppress(Exception):  # what only a test could import is imported by each child
            importlib.import_module(name)
    gc.freeze()  # or the first collection of every child copies all of these modules

    source = path.read_text()
    equivalent = {
        (item["before"], item["after"])
        for item in tomllib.loads(EQUIVALENT.read_text())["equivalent"]
        if item["module"] == str(path)
    }
    if _in_child(lambda: _run_tests(arguments, order), timeout_s, output) != 0:
        print(output.read_text()[-4000:])
        print(f"{path}: its tests fail in a fork although nothing is changed", file=sys.stderr)
        return 2
    survived: list[Mutant] = []
    excused = tried = 0
    for mutant in mutants(source, learned["members"]):
        if (mutant.before, mutant.after) in equivalent:
            excused += 1
            continue
        tried += 1
        path.write_text(mutant.source)
        if _in_child(lambda: _run_tests(arguments, order), timeout_s, output) == 0:
            survived.append(mutant)
            print(f"{path}:{mutant.line}: survived: {mutant.before}\n    as: {mutant.after}", flush=True)
    path.write_text(source)
    killed = tried - len(survived)
    rate = 100 * killed / tried if tried else 0.0
    print(
        f"{path}: {killed} of {tried} mutants killed ({rate:.1f} %), {len(survived)} survived, "
        f"{excused} equivalent; {time.monotonic() - started:.0f} s, {' '.join(tests)}"
    )
    return 0


# ---------------------------------------------------------------------------------------------------------------------
# The command


def mirrored_tests(path: Path) -> list[str]:
    """Return the test files that mirror a module: tests/receipts/test_ledger.py for labsupport/receipts/ledger.py."""
    folder = ROOT / "tests" / Path(*path.parent.parts[1:] if path.parts[0] == "labsupport" else path.parent.parts)
    name = path.parent.name if path.stem == "__init__" else path.stem
    found = sorted({*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py")})
    return [str(item.relative_to(ROOT)) for item in found]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Name the changes of a module that its tests do not notice.")
    parser.add_argument("module", help="labsupport/receipts/ledger.py or labsupport.receipts.ledger")
    parser.add_argument("tests", nargs="*", help="default: the files that mirror the module, without slow tests")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    path = Path(given.module if given.module.endswith(".py") else given.module.replace(".", "/") + ".py")
    if not (ROOT / path).is_file() and (ROOT / path.with_suffix("") / "__init__.py").is_file():
        path = path.with_suffix("") / "__init__.py"
    if not (ROOT / path).is_file():
        parser.error(f"{given.module} is no module of this repository: give labsupport/receipts/ledger.py, say")
    tests = given.tests or mirrored_tests(path)
    if not tests:
        parser.error(f"no test file mirrors {path}: name the tests, TESTS=tests/...")
    if given.inside:
        return try_all(path, tests if given.tests else [*tests, "-m", "not slow"], given.inside)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy = Path(folder) / "copy"
        copy.mkdir()
        copy_repository(copy)
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(copy / ".venv" / "bin" / "python"), str(copy / "tests" / "mutants.py"), str(path)]
        return subprocess.run(
            [*command, *given.tests, "--inside", folder], cwd=copy, env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
