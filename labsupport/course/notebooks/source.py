"""One week's source, `solutions/weekNN.py`, the only file an author edits: its rules, and the notebooks made from it.

A source is jupytext py:percent and already solved (see `markers` for what becomes a stub). Cell markers:

* `# %% exercise="3.2"`: the cell a learner fills in; the next cell tagged `check` belongs to it. A prediction, which is
  not graded, is a `name = value  # SOLUTION` in a cell without `exercise`.
* a line `{exercise 3.2}` or `{criteria 3.2}` in the prose before it: the heading and the criteria that
  `checks/week03.py` defines (see `exercises`).
* tags `parameters` (one cell, which papermill finds), `check` (a verdict), `solution`, `lab` (in that notebook only).

The last code cell shows the scoreboard. A cell keeps its id while its text stays, so that a diff shows what changed.

Limitations: a call of an exercise's function at the top level of a cell raises in the lab; running the lab finds it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labsupport.course.notebooks import exercises, markers
from labsupport.course.notebooks.execution import first_line
from labsupport.course.notebooks.percent import read_percent
from labsupport.errors import LabsError

if TYPE_CHECKING:
    import nbformat

Flavour = Literal["lab", "solution"]
OTHER: dict[Flavour, Flavour] = {"lab": "solution", "solution": "lab"}

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
METADATA = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
TAGS = {"parameters", "check", "solution", "lab"}  # a misspelt `solution` would show the solution to learners
CELL_METADATA = {"tags", "exercise"}
JUPYTEXT_METADATA = {"lines_to_next_cell"}  # its own bookkeeping
VERDICT_TAG = "nbval-check-output"  # `nbval --nbval-lax` compares these cells and no others


def build(path: Path, flavour: Flavour) -> nbformat.NotebookNode:
    """Return one notebook of a source file, without outputs.

    Raises:
        LabsError: a mistake in the source, with file and cell.
    """
    import nbformat

    source = read_percent(path)
    _check_cells(path, source.cells)
    _check_order(path, source.cells)
    week = exercises.exercises_of(path)
    exercises.assert_shown(path, source.cells, week)
    cells = []
    for cell, cell_id in zip(source.cells, _ids(source.cells), strict=True):
        tags = list(cell.metadata.get("tags", []))
        if OTHER[flavour] in tags:
            continue
        metadata: dict[str, Any] = {key: cell.metadata[key] for key in cell.metadata if key in CELL_METADATA}
        if "check" in tags:
            metadata["tags"] = [*tags, VERDICT_TAG]
        if cell.cell_type == "code":
            cells.append(nbformat.v4.new_code_cell(_text(path, cell, flavour), id=cell_id, metadata=metadata))
        else:
            text = exercises.expanded(cell.source, week)
            cells.append(nbformat.v4.new_markdown_cell(text, id=cell_id, metadata=metadata))
    if flavour == "lab":
        _assert_no_leak(path, source.cells, "\n".join(cell.source for cell in cells))
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def _name(path: Path, number: int, cell: nbformat.NotebookNode) -> str:
    return f"{path.name}, cell {number} ({first_line(cell.source)})"


def _check_cells(path: Path, cells: Sequence[nbformat.NotebookNode]) -> None:
    """Check each cell by itself."""
    for number, cell in enumerate(cells, start=1):
        where = _name(path, number, cell)
        if not cell.source.strip():
            raise LabsError(f"{where}; delete it")
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type not in ("code", "markdown"):
            raise LabsError(f"{where}: a {cell.cell_type} cell; use code or markdown")
        if unknown := sorted(tags - TAGS):
            raise LabsError(f"{where}: unknown tag {', '.join(unknown)}; known are {', '.join(sorted(TAGS))}")
        if unknown := sorted(set(cell.metadata) - CELL_METADATA - JUPYTEXT_METADATA):
            raise LabsError(f"{where}: unknown cell metadata {', '.join(unknown)}; known are exercise and tags")
        if {"lab", "solution"} <= tags:
            raise LabsError(f"{where}: tagged lab and solution; a cell in both notebooks has neither tag")
        if {"lab", "solution"} & tags and ("exercise" in cell.metadata or {"check", "parameters"} & tags):
            raise LabsError(f"{where}: an exercise, check or parameters cell is in both notebooks; drop its tag")
        if cell.cell_type == "markdown" and markers.has_marker(cell.source):
            raise LabsError(f'{where}: a solution marker in prose; give the cell tags=["solution"]')
        if markers.has_marker(markers.to_solution(cell.source)):
            # Looked for in the solution's text: a stub would swallow a nested marker.
            raise LabsError(f"{where}: an unclosed, nested or misplaced solution marker")
        if "exercise" in cell.metadata and not markers.has_marker(cell.source):
            raise LabsError(f"{where}: an exercise without a solution marker; the lab would show the solution")
        if "exercise" not in cell.metadata and markers.has_code_block(cell.source):
            raise LabsError(f"{where}: a solution block inside a function belongs to an exercise; add exercise=")


def _check_order(path: Path, cells: Sequence[nbformat.NotebookNode]) -> None:
    """Check that the cells make a lab: parameters, exercises each followed by its check, and a scoreboard."""
    seen: list[str] = []
    open_cell: str | None = None  # the exercise that waits for its check
    for number, cell in enumerate(cells, start=1):
        where = _name(path, number, cell)
        exercise = cell.metadata.get("exercise")
        if exercise is not None:
            if open_cell:
                raise LabsError(f"{open_cell}: an exercise without a check cell before the next exercise")
            if not isinstance(exercise, str) or not re.fullmatch(r"\d+\.\d+", exercise):
                raise LabsError(
                    f'{where}: exercise={exercise!r}; write week and number as text, such as exercise="3.2"'
                )
            if path.stem != f"week{int(exercise.partition('.')[0]):02d}":
                raise LabsError(f"{where}: exercise {exercise} names another week than its file")
            if exercise in seen:
                raise LabsError(f"{where}: exercise {exercise} is there twice")
            seen.append(exercise)
            open_cell = where
        if "check" in cell.metadata.get("tags", []):
            if not open_cell:
                raise LabsError(f"{where}: a check cell without an exercise cell before it")
            open_cell = None
    if open_cell:
        raise LabsError(f"{open_cell}: an exercise without a check cell")
    tagged = [n for n, cell in enumerate(cells, start=1) if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        numbers = f"cells {tagged}" if tagged else "no cell"
        raise LabsError(f'{path.name}: {numbers} tagged parameters; there must be one: # %% tags=["parameters"]')
    code = [(n, cell) for n, cell in enumerate(cells, start=1) if cell.cell_type == "code"]
    if "scoreboard(" not in code[-1][1].source:
        raise LabsError(f"{_name(path, *code[-1])}: the last code cell does not show the scoreboard")


def _ids(cells: Sequence[nbformat.NotebookNode]) -> Iterator[str]:
    """Yield ids made from the author's text: a lab cell shares its solution's; an inserted cell changes no other."""
    seen: Counter[str] = Counter()
    for cell in cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] += 1
        yield digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _text(path: Path, cell: nbformat.NotebookNode, flavour: Flavour) -> str:
    if not markers.has_marker(cell.source):
        return cell.source
    if flavour == "solution":
        return markers.to_solution(cell.source)
    try:
        return markers.to_lab(cell.source, cell.metadata.get("exercise", ""))
    except ValueError as error:
        raise LabsError(f"{path.name}, cell ({first_line(cell.source)}): {error}") from error


def _assert_no_leak(path: Path, cells: Sequence[nbformat.NotebookNode], lab_text: str) -> None:
    lines: set[str] = set()
    names: set[str] = set()
    for cell in cells:
        if markers.has_marker(cell.source):
            lines.update(markers.secret_lines(cell.source))
            names.update(markers.secret_names(cell.source))
        elif "solution" in cell.metadata.get("tags", []):
            if cell.cell_type == "markdown":
                lines.update(markers.prose_lines(cell.source))
            else:
                names.update(markers.DEFINITION.findall(cell.source))
    if leaked := markers.leaks(lab_text, lines, names):
        raise LabsError(f"{path.name}: the lab shows what only the solution may: {'; '.join(leaked)}")
