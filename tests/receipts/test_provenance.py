from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from labsupport.receipts import provenance
from labsupport.receipts.receipt import Kind, Receipt


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A repository with one committed package."""
    folder = tmp_path / "repository" / "labsupport"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    git(folder, "init", "--quiet", "..")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "first")
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(package: Path) -> str:
    return provenance.commit.__wrapped__(package)


def test_a_clean_package_is_named_by_its_commit(package: Path) -> None:
    assert commit(package) == git(package, "rev-parse", "HEAD")[:12]


def test_a_changed_package_is_dirty(package: Path) -> None:
    (package / "new.py").write_text("")
    assert commit(package) == git(package, "rev-parse", "HEAD")[:12] + "+dirty"


def test_a_changed_notebook_beside_the_package_is_not_dirty(package: Path) -> None:
    (package.parent / "week01.ipynb").write_text("{}")
    assert not commit(package).endswith("+dirty")


def test_another_repositorys_commit_is_not_borrowed(package: Path) -> None:
    installed = package.parent / ".venv" / "labsupport"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert commit(installed) == "unknown"


def test_outside_git_the_commit_is_unknown(tmp_path: Path) -> None:
    assert commit(tmp_path) == "unknown"
    assert commit(tmp_path / "missing") == "unknown"


def test_without_git_the_commit_is_unknown(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit(package) == "unknown"


def test_a_git_hooks_variables_do_not_point_elsewhere(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", os.fspath(package / "nowhere"))
    assert commit(package) != "unknown"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A package like ours, with two that measure and those that every measurement goes through."""
    for folder in (*provenance.SHARED_PACKAGES, "training", "serving", "course"):
        (tmp_path / folder / "inner").mkdir(parents=True)
        (tmp_path / folder / "inner" / "module.py").write_text(f"name = {folder!r}\n")
    return tmp_path


def code(package: str, root: Path) -> str:
    return provenance.code.__wrapped__(package, root)


@pytest.mark.parametrize(
    ("changed", "training_changes"),
    [
        ("training/inner/module.py", True),
        ("training/new.py", True),
        *((f"{shared}/inner/module.py", True) for shared in provenance.SHARED_PACKAGES),
        ("serving/inner/module.py", False),
        ("course/inner/module.py", False),
        ("training/README.md", False),
        ("training/inner/.ipynb_checkpoints/module-checkpoint.py", False),
        ("README.md", False),
    ],
)
def test_the_digest_follows_the_code_that_measures_and_nothing_else(
    sources: Path, changed: str, training_changes: bool
) -> None:
    before = code("training", sources)
    assert len(before) == 12
    (sources / changed).parent.mkdir(exist_ok=True)
    (sources / changed).write_text("changed")
    assert (code("training", sources) != before) == training_changes


def test_a_module_that_moves_changes_the_digest(sources: Path) -> None:
    before = code("training", sources)
    (sources / "training/inner/module.py").rename(sources / "training/inner/other.py")
    assert code("training", sources) != before


def test_packages_have_digests_of_their_own(sources: Path) -> None:
    assert code("training", sources) != code("serving", sources)


@pytest.mark.parametrize(
    ("kind", "stated", "stale"),
    [
        (Kind.MEASURED, {}, True),
        (Kind.MEASURED, {"code": "0" * 12}, True),
        (Kind.MEASURED, {"code": None}, True),
        (Kind.MEASURED, {"code": provenance.code("training")}, False),
        (Kind.SIMULATED, {"code": provenance.code("training")}, False),
        (Kind.SIMULATED, {"code": provenance.code("serving")}, True),
        (Kind.MODELLED, {}, False),
        (Kind.QUOTED, {}, False),
        (Kind.TARGET, {}, False),
    ],
)
def test_what_ran_here_is_stale_when_its_code_has_changed_or_is_unknown(kind: Kind, stated: dict, stale: bool) -> None:
    at = "2026-01-05T12:00:00+00:00"
    taken = Receipt("training.loss", 1.0, "nats", kind, 5, 0.1, "2 cores", "", "", "a paper", at, {"seed": 0} | stated)
    assert provenance.is_stale(taken) == stale


def test_the_command_is_taken_from_the_environment_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABS_COMMAND", "labs bench scaling")
    assert provenance.command() == "labs bench scaling"
    monkeypatch.delenv("LABS_COMMAND")
    assert "pytest" in provenance.command()


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["/usr/local/bin/labs", "train", "--epochs", "2"], "labs train --epochs 2"),
        (["/site-packages/pytest/__main__.py", "-q"], "pytest -q"),
        (["labs", "llm serve"], "labs 'llm serve'"),
        (["/site-packages/ipykernel_launcher.py", "-f", "/run/kernel-1.json"], "notebook"),
        (["labs", "load", "--api-key", "abc", "--url", "u"], "labs load --api-key '***' --url u"),
        (["labs", "load", "--hf-token=abc"], "labs load '--hf-token=***'"),
        (["-c"], "python"),
        (["-"], "python"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_a_command_is_shown_short_and_without_secrets(argv: list[str], shown: str) -> None:
    assert provenance.short_command(argv) == shown


def test_a_home_directory_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/learner")
    assert provenance.short_command(["labs", "run", f"{Path.home()}/x"]) == "labs run ~/x"


def test_a_long_command_is_cut() -> None:
    assert len(provenance.short_command(["labs", "x" * 500])) == 200
