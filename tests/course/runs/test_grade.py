"""A grade rests on the check cells as handed out and on unseen seeds, and can be reproduced."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import nbformat
import pytest

from labsupport.course.grading.exercise import LIMIT_S, LIMIT_SEEDS
from labsupport.course.grading.seeds import HIDDEN_SEEDS, seeds
from labsupport.course.notebooks.execution import CELL_TIMEOUT_S
from labsupport.course.notebooks.notebook_file import write_notebook
from labsupport.course.notebooks.source import build
from labsupport.course.runs.grade import (
    HIDDEN_SEEDS_MAX,
    Grade,
    Tampered,
    check_cells,
    grade_week,
    with_original_checks,
    write_grade,
)
from labsupport.errors import LabsError


@pytest.fixture
def original(clone: Path) -> nbformat.NotebookNode:
    return build(clone / "solutions" / "week01.py", "lab")


def positions(notebook: nbformat.NotebookNode, original: nbformat.NotebookNode) -> list[int]:
    """Return where the check cells stand, each as it was handed out."""
    ids = [cell.id for cell in notebook.cells]
    return [ids.index(wanted.id) for _, wanted in check_cells(original) if wanted in notebook.cells]


def test_an_untouched_notebook_is_not_tampered_with(original: nbformat.NotebookNode) -> None:
    restored, tampered = with_original_checks(original, original)
    assert tampered == ()
    assert restored == original


def test_a_learners_answer_is_not_tampering(original: nbformat.NotebookNode) -> None:
    handed_in = copy.deepcopy(original)
    handed_in.cells[3].source = "def double(value):\n    return value + value"
    restored, tampered = with_original_checks(handed_in, original)
    assert tampered == ()
    assert restored.cells[3].source == handed_in.cells[3].source


def test_a_deleted_check_cell_is_put_back_behind_its_exercise(original: nbformat.NotebookNode) -> None:
    handed_in = copy.deepcopy(original)
    cell_id = handed_in.cells.pop(4).id
    restored, tampered = with_original_checks(handed_in, original)
    assert tampered == (Tampered("1.1", cell_id, "missing"),)
    assert positions(restored, original) == [4, 7]


def test_a_deleted_exercise_loses_its_check_to_the_end(original: nbformat.NotebookNode) -> None:
    handed_in = copy.deepcopy(original)
    del handed_in.cells[3:5]
    restored, tampered = with_original_checks(handed_in, original)
    assert [one.what for one in tampered] == ["missing"]
    assert restored.cells[-1].source.startswith("scoreboard(")
    assert len(positions(restored, original)) == 2


@pytest.mark.parametrize("cell_type", ["code", "markdown"])
def test_an_edited_check_cell_is_put_back_in_its_place(cell_type: str, original: nbformat.NotebookNode) -> None:
    handed_in = copy.deepcopy(original)
    handed_in.cells[4].cell_type = cell_type
    handed_in.cells[4].source = "week01.double.check(lambda value: value * 2)"
    restored, tampered = with_original_checks(handed_in, original)
    assert tampered == (Tampered("1.1", original.cells[4].id, "changed"),)
    assert positions(restored, original) == [4, 7]
    assert len(restored.cells) == len(original.cells)


def test_a_copy_with_the_same_id_does_not_count(original: nbformat.NotebookNode) -> None:
    handed_in = copy.deepcopy(original)
    forged = copy.deepcopy(handed_in.cells[4])
    forged.source = "week01.double.check(lambda value: value * 2)"
    handed_in.cells.insert(0, forged)
    restored, tampered = with_original_checks(handed_in, original)
    assert tampered == ()
    assert positions(restored, original) == [5, 8]
    assert restored.cells[0].id != original.cells[4].id


def test_cells_without_ids_are_known_by_their_text(original: nbformat.NotebookNode) -> None:
    handed_in = copy.deepcopy(original)
    for number, cell in enumerate(handed_in.cells):
        cell.id = f"new-{number}"
    restored, tampered = with_original_checks(handed_in, original)
    assert tampered == ()
    assert positions(restored, original) == [4, 7]


def test_the_limit_of_a_check_on_the_most_hidden_seeds_ends_before_that_of_its_cell() -> None:
    assert LIMIT_S * HIDDEN_SEEDS_MAX / LIMIT_SEEDS < CELL_TIMEOUT_S


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[Grade, Path]:
    """Return the grade of a learner who knows the public seeds by heart, edited a check, and deleted an exercise."""
    from_conftest = request.config.pluginmanager.getplugin(str(Path(__file__).parents[1] / "conftest.py"))
    root: Path = from_conftest.write_clone(tmp_path_factory.mktemp("graded") / "clone")
    notebook = build(root / "solutions" / "week01.py", "lab")
    notebook.cells[3].source = "1 / 0"
    notebook.cells[4].source = "raise RuntimeError('not checked')"
    notebook.cells[6].source = "largest_batch = 37"
    notebook.cells.insert(4, nbformat.v4.new_code_cell("def double(value):\n    return {0: 0, 1: 2, 2: 4}[value]"))
    del notebook.cells[7:9]
    handed_in = root.parent / "handed-in.ipynb"
    write_notebook(notebook, handed_in)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABS_WORKSPACE", str(root.parent / "workspace"))
        patch.setenv("LABS_PROGRESS", "1")
        patch.delenv("PYTHONPATH", raising=False)
        return grade_week(1, handed_in, hidden_seeds=5, root=root, profile="smoke"), root


@pytest.mark.slow
def test_hidden_seeds_find_an_answer_that_knows_the_public_ones(
    graded: tuple[Grade, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    grade, _ = graded
    assert grade.exercises[0].status == "failed"
    note = grade.exercises[0].outcomes[0].note
    assert "return {0: 0, 1: 2, 2: 4}[value]" in note
    monkeypatch.setenv(HIDDEN_SEEDS, f"{grade.seed_root}:5")
    assert f"KeyError: {seeds()[0]}" in note, "the recorded root gives the seeds that were used"


@pytest.mark.slow
def test_a_grade_goes_on_after_a_cell_that_raised_and_names_it(graded: tuple[Grade, Path]) -> None:
    grade, _ = graded
    assert str(grade.failure) == "cell 4 (1 / 0): ZeroDivisionError: division by zero"
    assert [(cell.exercise, cell.what) for cell in grade.tampered] == [("1.1", "changed"), ("1.2", "missing")]
    assert [(exercise.id, exercise.status) for exercise in grade.exercises] == [("1.1", "failed"), ("1.2", "not run")]
    assert not grade.passed


@pytest.mark.slow
def test_a_grade_is_plain_json_that_says_where_it_came_from(graded: tuple[Grade, Path], tmp_path: Path) -> None:
    grade, root = graded
    write_grade(grade, tmp_path / "deep" / "grade.json")
    record = json.loads((tmp_path / "deep" / "grade.json").read_text())
    assert set(record) == {
        "week",
        "passed",
        "exercises",
        "criteria",
        "hidden_seeds",
        "seed_root",
        "profile",
        "commit",
        "hardware",
        "at",
        "tampered",
        "failure",
    }
    assert record["hidden_seeds"] == 5
    assert int(record["seed_root"]) == grade.seed_root
    assert record["hardware"]
    assert not (root.parent / "workspace").exists(), "a grading has a workspace of its own, and counts for no progress"


@pytest.mark.parametrize(
    ("hidden_seeds", "seed_root", "complaint"),
    [
        (-1, None, "hidden seeds -1: give a number from 0 to 10000"),
        (10**9, None, "give a number from 0 to 10000"),
        (0, 7, "seed root 7: only hidden seeds have a root"),
        (5, -7, "seed root -7: give a whole number of at least 0"),
    ],
)
def test_seeds_that_make_no_sense_are_refused(
    hidden_seeds: int, seed_root: int | None, complaint: str, clone: Path
) -> None:
    with pytest.raises(LabsError, match=complaint):
        grade_week(1, hidden_seeds=hidden_seeds, seed_root=seed_root, root=clone)


def test_an_unknown_week_or_notebook_is_named(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"^week 9: not one of the weeks here: 1$"):
        grade_week(9, root=clone)
    with pytest.raises(LabsError, match=r"none.ipynb: no such notebook"):
        grade_week(1, tmp_path / "none.ipynb", root=clone)
