"""Stale notebooks are found for the right reason, written whole, and a solution that does not pass is not written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labsupport.course.notebooks import builder
from labsupport.course.notebooks.builder import problems, write_stale
from labsupport.course.notebooks.notebook_file import read_notebook, verdicts
from labsupport.errors import LabsError


def reasons(root: Path) -> dict[str, str]:
    return {str(stale.file.relative_to(root)): stale.reason for stale in problems(root)}


def edit(file: Path, change: str, to: str) -> None:
    text = file.read_text()
    assert change in text
    file.write_text(text.replace(change, to))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return a clone after `labs notebooks build`, of which the second week's solution raises."""
    from_conftest = request.config.pluginmanager.getplugin(str(Path(__file__).parents[1] / "conftest.py"))
    root: Path = from_conftest.write_clone(tmp_path_factory.mktemp("built") / "clone")
    for folder in ("solutions", "checks"):
        first = (root / folder / "week01.py").read_text()
        second = first.replace("1.1", "2.1").replace("1.2", "2.2").replace("week01", "week02")
        (root / folder / "week02.py").write_text(second.replace("# %%\nscoreboard", "# %%\n1 / 0\n\n# %%\nscoreboard"))
    (root / "solutions" / "week02.ipynb").write_text("the old one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABS_PROFILE", "smoke")
        patch.setenv("LABS_WORKSPACE", str(root.parent / "workspace"))
        patch.delenv("PYTHONPATH", raising=False)
        with pytest.raises(LabsError, match=r"week02.ipynb: not written; cell 9 \(1 / 0\): ZeroDivisionError"):
            write_stale(root)
    return root


@pytest.mark.slow
def test_a_solution_that_raises_is_not_written_and_the_other_weeks_are(built: Path) -> None:
    assert (built / "solutions" / "week02.ipynb").read_text() == "the old one"
    assert reasons(built) == {"solutions/week02.ipynb": "not a readable notebook"}
    assert not list(built.rglob("*.tmp"))
    assert not (built.parent / "workspace").exists(), "a build has a workspace of its own"


@pytest.mark.slow
def test_a_stored_solution_passes_and_shows_nothing_of_the_machine(built: Path) -> None:
    notebook = read_notebook(built / "solutions" / "week01.ipynb")
    assert [(check.exercise, check.status) for _, check in verdicts(notebook)] == [("1.1", "passed"), ("1.2", "passed")]
    (output,) = notebook.cells[2].outputs
    assert output.text == ("workers 2 home ~/data course ~/course/checks/week01.py\nred <object object at 0x...>\n")
    assert str(built) not in json.dumps(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


@pytest.mark.slow
def test_a_fresh_notebook_is_not_built_again(built: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in built.glob("*/week01.ipynb")}
    assert write_stale(built, [1]) == ()
    assert {file: file.stat().st_mtime_ns for file in built.glob("*/week01.ipynb")} == before


@pytest.mark.slow
def test_a_stored_verdict_that_was_edited_is_found(built: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    for folder in ("solutions", "labs", "checks"):
        (root / folder).mkdir(parents=True)
        for file in (built / folder).glob("week01*"):
            (root / folder / file.name).write_bytes(file.read_bytes())
    assert reasons(root) == {}
    edit(root / "solutions" / "week01.ipynb", '"status": "passed"', '"status": "failed"')
    assert reasons(root) == {"solutions/week01.ipynb": "exercise 1.1 is failed in the solution"}


def test_a_lab_is_built_without_executing_anything(clone: Path) -> None:
    assert reasons(clone) == {"solutions/week01.ipynb": "has a cell that was not executed"}
    assert [stale.file.name for stale in write_stale(clone, force=True, execute=False)] == ["week01.ipynb"]


@pytest.mark.parametrize(
    ("file", "change", "to", "reason"),
    [
        ("labs/week01.ipynb", "# Week 1", "# Week one", "differs from its source"),
        ("labs/week01.ipynb", '"tags": [', '"tags": ["x",', "differs from its source"),
        ("labs/week01.ipynb", '"execution_count": null', '"execution_count": 3', "stores outputs"),
        ("labs/week01.ipynb", '"cells": [', '"cells": <', "not a readable notebook"),
        ("solutions/week01.py", "twice the value", "double the value", "differs from its source"),
    ],
)
def test_a_stale_notebook_is_named_with_the_reason(file: str, change: str, to: str, reason: str, clone: Path) -> None:
    edit(clone / file, change, to)
    assert reasons(clone)["labs/week01.ipynb"] == reason
    (written,) = write_stale(clone, execute=False)
    assert written.reason == reason
    assert "labs/week01.ipynb" not in reasons(clone)


def test_a_missing_notebook_and_one_without_a_source_are_found(clone: Path) -> None:
    (clone / "labs" / "week01.ipynb").rename(clone / "labs" / "week07.ipynb")
    assert reasons(clone)["labs/week01.ipynb"] == "missing"
    assert reasons(clone)["labs/week07.ipynb"] == "has no source; delete it"


def test_checking_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"no weekNN.py here"):
        problems(tmp_path)


def test_an_unknown_week_is_named_with_those_that_exist(clone: Path) -> None:
    with pytest.raises(LabsError, match=r"week42: no such source in .*; there are week01"):
        problems(clone, [42])


def test_a_mistake_in_one_source_does_not_keep_the_others_from_being_written(clone: Path) -> None:
    (clone / "solutions" / "week02.py").write_text("# %%\nx = 1\n")
    (clone / "labs" / "week01.ipynb").unlink()
    with pytest.raises(LabsError, match=r"^week02.py: no cell tagged parameters") as raised:
        write_stale(clone, execute=False)
    assert str(raised.value).count("week02.py") == 1, "one mistake is said once, though it spoils two notebooks"
    assert (clone / "labs" / "week01.ipynb").exists()


def test_the_course_is_found_from_the_package() -> None:
    assert (builder.course_root() / "labsupport" / "course" / "notebooks" / "builder.py").is_file()
