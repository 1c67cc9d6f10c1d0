"""The exercises that a source may rely on: loaded from `checks/weekNN.py`, shown in its prose, matched with its cells.

Two markers, each on a line of its own in a markdown cell between the check before an exercise and the exercise's cell:

* `{exercise 1.2}` becomes the exercise's heading,
* `{criteria 1.2}` becomes its criteria, one bullet each.

The checks are loaded from the folder beside the source, not imported: labsupport never imports the graders, and the
source may belong to another clone.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from labsupport.course.grading.exercise import Exercise
from labsupport.course.grading.learner_error import describe
from labsupport.course.notebooks.execution import first_line
from labsupport.errors import LabsError

if TYPE_CHECKING:
    import nbformat

HEADING, CRITERIA = "exercise", "criteria"
MARKER = re.compile(r"^[ \t]*\{(exercise|criteria) ([^{}\s]+)\}[ \t]*$", re.MULTILINE)
LIKE_A_MARKER = re.compile(r"\{[ \t]*(?:exercises?|criteri(?:a|on))\b[^{}\n]*\}", re.IGNORECASE)


@dataclass(frozen=True)
class WeekExercises:
    """The exercises of one week, in order, with the names under which its check module defines them."""

    names: Mapping[str, str]
    exercises: tuple[Exercise, ...]

    def find(self, exercise_id: str) -> Exercise | None:
        """Return the exercise with this id, or None."""
        return next((exercise for exercise in self.exercises if exercise.id == exercise_id), None)

    @property
    def ids(self) -> list[str]:
        """The ids in the order of the week."""
        return [exercise.id for exercise in self.exercises]


def exercises_of(source: Path) -> WeekExercises | None:
    """Return the exercises that `checks/weekNN.py` beside the source's folder defines; None without such a file.

    Raises:
        LabsError: the file cannot be loaded, or defines no usable EXERCISES.
    """
    file = source.resolve().parent.parent / "checks" / source.name
    if not file.is_file():
        return None
    module = _load(file)
    exercises = getattr(module, "EXERCISES", None)
    if not isinstance(exercises, tuple) or not all(isinstance(one, Exercise) for one in exercises):
        raise LabsError(f"checks/{file.name}: define EXERCISES, a tuple of the week's Exercise objects in their order")
    names = {one.id: name for name, one in vars(module).items() if isinstance(one, Exercise)}
    ids = [one.id for one in exercises]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise LabsError(f"checks/{file.name}: two exercises have the id {', '.join(twice)}")
    if left_out := sorted(names.keys() - set(ids)):
        raise LabsError(f"checks/{file.name}: EXERCISES leaves out exercise {', '.join(left_out)}")
    if unnamed := [one for one in ids if one not in names]:
        raise LabsError(
            f"checks/{file.name}: exercise {', '.join(unnamed)} has no name of its own; a check cell calls it by name"
        )
    if foreign := [one for one in exercises if f"week{one.week:02d}" != file.stem]:
        raise LabsError(f"checks/{file.name}: exercise {foreign[0].id} names another week than its file")
    return WeekExercises(names, exercises)


def expanded(text: str, week: WeekExercises | None) -> str:
    """Return a markdown cell with its markers replaced; `assert_shown` has looked at them before."""

    def show(marker: re.Match[str]) -> str:
        exercise = week.find(marker[2]) if week else None
        assert exercise is not None, f"{marker[0].strip()} was looked up before"
        if marker[1] == HEADING:
            return f"### {exercise.heading}"
        return "\n".join(f"* {criterion.text}" for criterion in exercise.criteria)

    return MARKER.sub(show, text)


def assert_shown(path: Path, cells: Sequence[nbformat.NotebookNode], week: WeekExercises | None) -> None:
    """Check that cells and exercises match, and that the prose shows every exercise before its cell.

    Raises:
        LabsError: a marker that is unknown, misplaced or missing, or a cell that belongs to another exercise.
    """
    shown: list[tuple[str, str]] = []  # since the last check cell
    exercise = ""
    for number, cell in enumerate(cells, start=1):
        where = f"{path.name}, cell {number} ({first_line(cell.source)})"
        shown += _markers(where, cell, week)
        if week is None:
            continue
        if "exercise" in cell.metadata:
            exercise = cell.metadata["exercise"]
            _assert_complete(where, exercise, shown, week)
            shown = []
        if "check" in cell.metadata.get("tags", []):
            _assert_called(where, path, cell.source, exercise, week)
    if shown:
        raise LabsError(f"{path.name}: {{{' '.join(shown[0])}}} stands behind the cell of its exercise")
    if week is not None:
        found = [cell.metadata["exercise"] for cell in cells if "exercise" in cell.metadata]
        if found != week.ids:
            raise LabsError(
                f"{path.name}: its cells are exercises {', '.join(found) or 'none'}, "
                f"EXERCISES of checks/{path.name} are {', '.join(week.ids) or 'none'}"
            )


def _markers(where: str, cell: nbformat.NotebookNode, week: WeekExercises | None) -> list[tuple[str, str]]:
    """Return kind and id of each marker of a cell."""
    whole = [(marker[1], marker[2]) for marker in MARKER.finditer(cell.source)]
    if cell.cell_type != "markdown":
        if whole:
            raise LabsError(f"{where}: {{{' '.join(whole[0])}}} stands in a code cell; move it into the prose")
        return []
    for line in cell.source.splitlines():
        if (like := LIKE_A_MARKER.search(line)) and not MARKER.fullmatch(line):
            raise LabsError(
                f"{where}: {like[0]} is not a marker; write {{exercise 1.2}} or {{criteria 1.2}} on a line of its own"
            )
    if whole and {"lab", "solution"} & set(cell.metadata.get("tags", [])):
        raise LabsError(f"{where}: {{{' '.join(whole[0])}}} would be in one notebook only; drop the cell's tag")
    for kind, exercise in whole:
        if week is None or week.find(exercise) is None:
            known = ", ".join(week.ids) if week else "none, since the file is missing"
            raise LabsError(f"{where}: {{{kind} {exercise}}} is unknown; the week's check file has {known}")
    return whole


def _assert_complete(where: str, exercise: str, shown: list[tuple[str, str]], week: WeekExercises) -> None:
    for kind, other in shown:
        if other != exercise:
            raise LabsError(f"{where}: {{{kind} {other}}} stands before the cell of exercise {exercise}")
    if week.find(exercise) is None:
        raise LabsError(f"{where}: exercise {exercise} is not in the week's EXERCISES: {', '.join(week.ids) or 'none'}")
    for kind in (HEADING, CRITERIA):
        count = shown.count((kind, exercise))
        if count != 1:
            times = "never" if count == 0 else f"{count} times"
            raise LabsError(
                f"{where}: the prose before it shows {{{kind} {exercise}}} {times}; it must stand there once"
            )
    if shown[0][0] != HEADING:
        raise LabsError(f"{where}: {{criteria {exercise}}} stands above {{exercise {exercise}}}")


def _assert_called(where: str, path: Path, source: str, exercise: str, week: WeekExercises) -> None:
    call = f"{path.stem}.{week.names[exercise]}.check("
    if call not in source:
        raise LabsError(f"{where}: the check cell of exercise {exercise} does not call {call}...)")


def _load(file: Path) -> ModuleType:
    name = f"_checks_beside_a_source_{file.stem}"  # not `checks.weekNN`: that may be another clone's
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, f"{file} ends in .py"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the author's file raises is their mistake to read
        raise LabsError(f"checks/{file.name}: cannot be loaded ({describe(error)})") from error
    finally:
        del sys.modules[name]
    return module
