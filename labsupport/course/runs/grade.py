"""Grade a week's notebook again, in a fresh kernel and an empty workspace, on seeds that the learner has not seen.

What counts are the check cells as they were handed out: before the run they are put back from the week's source where
the learner's copy lacks them or differs, the grade says so, and verdicts are read from these cells only. A cell that
raises does not end a grading: the exercises after it still count. The root of the seeds is drawn at random and
recorded, so that anybody can reproduce the grade.

What is not covered: a learner who means to deceive. The answers run in the same kernel as the checks, and the solutions
lie beside the labs; the course is for those who want to know.
"""

from __future__ import annotations

import copy
import json
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labsupport.course.grading.scoreboard import NOT_RUN, Judged, judge_week
from labsupport.course.grading.verdict import Outcome, Status
from labsupport.course.notebooks.builder import course_root, week_name
from labsupport.course.notebooks.execution import (
    CELL_TIMEOUT_S,
    CellFailure,
    Progress,
    execute,
    kernel_environment,
    one_line,
)
from labsupport.course.notebooks.exercises import exercises_of
from labsupport.course.notebooks.notebook_file import read_notebook, verdicts, write_whole
from labsupport.course.notebooks.source import build
from labsupport.course.runs.runner import chosen_profile, no_such_week, week_file
from labsupport.errors import LabsError

if TYPE_CHECKING:
    import nbformat

SEED_BITS = 64
HIDDEN_SEEDS_MAX = 10_000  # the limit of a check grows with its seeds, and must end before that of its cell


@dataclass(frozen=True)
class ExerciseGrade:
    """One exercise: the status of its check, or `not run` where the check cell showed no verdict, and then why."""

    id: str
    title: str
    status: str
    outcomes: tuple[Outcome, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """The exercise by number and title."""
        return f"{self.id} · {self.title}" if self.title else self.id


@dataclass(frozen=True)
class Tampered:
    """A check cell that was not as handed out: `missing` or `changed`; it was put back before the run."""

    exercise: str
    cell_id: str
    what: str


@dataclass(frozen=True)
class Grade:
    """The grade of one notebook; `failure` is the first cell that raised, which fails no exercise by itself."""

    week: int
    exercises: tuple[ExerciseGrade, ...]
    criteria: tuple[Judged, ...]
    hidden_seeds: int
    seed_root: int | None
    profile: str
    commit: str
    hardware: str
    at: str
    tampered: tuple[Tampered, ...]
    failure: CellFailure | None

    @property
    def passed(self) -> bool:
        """Whether every exercise of the week passed."""
        return all(exercise.status == Status.PASSED for exercise in self.exercises)

    @property
    def record(self) -> dict[str, Any]:
        """The grade as plain JSON values; the root is text, because JavaScript and jq round numbers above 2**53."""
        return {
            "week": self.week,
            "passed": self.passed,
            "exercises": [asdict(exercise) for exercise in self.exercises],
            "criteria": [asdict(judged) for judged in self.criteria],
            "hidden_seeds": self.hidden_seeds,
            "seed_root": None if self.seed_root is None else str(self.seed_root),
            "profile": self.profile,
            "commit": self.commit,
            "hardware": self.hardware,
            "at": self.at,
            "tampered": [asdict(cell) for cell in self.tampered],
            "failure": None if self.failure is None else asdict(self.failure),
        }


def grade_week(
    week: int,
    notebook: Path | None = None,
    *,
    hidden_seeds: int = 0,
    seed_root: int | None = None,
    root: Path | None = None,
    profile: str | None = None,
    on_cell: Callable[[Progress], None] | None = None,
    cell_timeout_s: float = CELL_TIMEOUT_S,
) -> Grade:
    """Grade `notebook`, or `labs/weekNN.ipynb` of the clone at `root`.

    With `hidden_seeds`, checks that ask for seeds get that many unseen ones, which follow from `seed_root`, drawn at
    random when None. Without, they get the public ones.

    Raises:
        LabsError: a week, notebook, profile or number of seeds that does not exist, or a kernel that does not start.
    """
    from labsupport.hardware import machine
    from labsupport.receipts import provenance
    from labsupport.receipts.ledger import FILE_NAME, Ledger

    clone = root or course_root()
    seed_root = _seed_root(hidden_seeds, seed_root)
    source = _source(clone, week)
    original, exercises = build(source, "lab"), exercises_of(source)
    handed_in = read_notebook(notebook or week_file(clone, week))
    restored, tampered = with_original_checks(handed_in, original)
    sizes = chosen_profile(profile)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="labs-grade-") as folder:
        workspace, run = Path(folder, "workspace"), Path(folder, "run")
        workspace.mkdir()
        run.mkdir()
        done = execute(
            restored,
            folder=run,
            environment=kernel_environment(
                clone,
                profile=sizes,
                workspace=workspace,
                hidden_seeds=f"{seed_root}:{hidden_seeds}" if hidden_seeds else "",
            ),
            cell_timeout_s=cell_timeout_s,
            on_cell=on_cell,
            stop_on_error=False,
        )
        criteria, _ = judge_week(week, Ledger(workspace / FILE_NAME))
    titles = {one.id: one.title for one in exercises.exercises} if exercises else {}
    return Grade(
        week=week,
        exercises=tuple(
            _graded(exercise, titles.get(exercise, ""), cell.id, done.notebook)
            for exercise, cell in check_cells(original)
        ),
        criteria=criteria,
        hidden_seeds=hidden_seeds,
        seed_root=seed_root,
        profile=sizes,
        commit=provenance.commit(),
        hardware=machine().summary,
        at=at,
        tampered=tampered,
        failure=done.failure,
    )


def write_grade(grade: Grade, path: Path) -> None:
    """Write the grade as JSON.

    Raises:
        LabsError: the file cannot be written.
    """
    write_whole(path, json.dumps(grade.record, indent=2) + "\n")


def check_cells(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, nbformat.NotebookNode]]:
    """Yield exercise and check cell, in order, of a notebook as it was handed out."""
    exercise = ""
    for cell in notebook.cells:
        exercise = cell.metadata.get("exercise", exercise)
        if "check" in cell.metadata.get("tags", []):
            yield exercise, cell


def with_original_checks(
    handed_in: nbformat.NotebookNode, original: nbformat.NotebookNode
) -> tuple[nbformat.NotebookNode, tuple[Tampered, ...]]:
    """Return a copy of a learner's notebook with the check cells of `original`, and which were not as handed out.

    One that is missing is put behind its exercise, or before the last cell when that is gone too. A second cell with
    the id of a check cell gets another one, so that its verdict does not count.
    """
    restored = copy.deepcopy(handed_in)
    cells = restored.cells
    tampered: list[Tampered] = []
    originals = {cell.id for _, cell in check_cells(original)}
    for exercise, wanted in check_cells(original):
        place = _find(cells, wanted, originals)
        if place is None or not _same_text(cells[place], wanted):
            tampered.append(Tampered(exercise, wanted.id, "missing" if place is None else "changed"))
        if place is None:
            place = _behind(cells, exercise, original)
            cells.insert(place, copy.deepcopy(wanted))
        else:
            cells[place] = copy.deepcopy(wanted)
        for position, cell in enumerate(cells):
            if position != place and cell.get("id") == wanted.id:
                cell["id"] = f"{wanted.id}-copy-{position}"
    return restored, tuple(tampered)


def _find(cells: list[nbformat.NotebookNode], wanted: nbformat.NotebookNode, originals: set[str]) -> int | None:
    """Return the place of a check cell, known by its id, else by its text, since some editors drop the ids."""
    by_id = [place for place, cell in enumerate(cells) if cell.get("id") == wanted.id]
    by_text = [
        place for place, cell in enumerate(cells) if _same_text(cell, wanted) and cell.get("id") not in originals
    ]
    intact = [place for place in by_id if _same_text(cells[place], wanted)]
    return next(iter(intact or by_id or by_text), None)


def _same_text(cell: nbformat.NotebookNode, wanted: nbformat.NotebookNode) -> bool:
    return cell.cell_type == wanted.cell_type and cell.source.strip() == wanted.source.strip()


def _behind(cells: list[nbformat.NotebookNode], exercise: str, original: nbformat.NotebookNode) -> int:
    """Return where a missing check cell goes: behind the last cell of its exercise, else before the last cell."""
    ids = {cell.id for cell in original.cells if cell.metadata.get("exercise") == exercise}
    places = [
        position
        for position, cell in enumerate(cells, start=1)
        if cell.get("id") in ids or cell.metadata.get("exercise") == exercise
    ]
    return places[-1] if places else max(len(cells) - 1, 0)


def _graded(exercise: str, title: str, check_id: str, executed: nbformat.NotebookNode) -> ExerciseGrade:
    check = dict(verdicts(executed)).get(check_id)
    if check is None or check.exercise != exercise:
        return ExerciseGrade(exercise, title, NOT_RUN, note=_why_not_run(exercise, check_id, executed))
    return ExerciseGrade(exercise, title, check.status.value, check.outcomes)


def _why_not_run(exercise: str, check_id: str, executed: nbformat.NotebookNode) -> str:
    """Return the first error of the exercise's cells and its check, or ""."""
    for cell in executed.cells:
        if cell.metadata.get("exercise") == exercise or cell.id == check_id:
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    return f"{output.ename}: {one_line(output.evalue)}"
    return ""


def _seed_root(hidden_seeds: int, seed_root: int | None) -> int | None:
    if not 0 <= hidden_seeds <= HIDDEN_SEEDS_MAX:
        raise LabsError(f"hidden seeds {hidden_seeds}: give a number from 0 to {HIDDEN_SEEDS_MAX}")
    if seed_root is None:
        return secrets.randbits(SEED_BITS) if hidden_seeds else None
    if not hidden_seeds:
        raise LabsError(f"seed root {seed_root}: only hidden seeds have a root; say how many with --hidden-seeds")
    if seed_root < 0:
        raise LabsError(f"seed root {seed_root}: give a whole number of at least 0")
    return seed_root


def _source(clone: Path, week: int) -> Path:
    source = clone / "solutions" / f"{week_name(week)}.py"
    if not source.is_file():
        raise no_such_week(week, source.parent.glob("week[0-9][0-9].py"))
    return source
