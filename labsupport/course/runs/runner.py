"""Run a week's notebook from beginning to end, without a browser, and collect its verdicts.

The learner's notebook is not changed: the executed copy goes to a folder of the caller, which is also the kernel's
current folder. A cell that raises ends the run; it is reported by its place and first line, in the result: a mistake in
a learner's code is no error of this module.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labsupport.course.grading.scoreboard import MIME as SCOREBOARD
from labsupport.course.grading.verdict import Check, Status
from labsupport.course.notebooks.execution import (
    CELL_TIMEOUT_S,
    CellFailure,
    CellTime,
    Progress,
    execute,
    kernel_environment,
)
from labsupport.course.notebooks.notebook_file import read_notebook, verdicts, write_notebook
from labsupport.course.notebooks.parameters import assert_known
from labsupport.course.notebooks.source import Flavour
from labsupport.errors import LabsError
from labsupport.hardware.profile import NAMES

if TYPE_CHECKING:
    import nbformat

FOLDERS: dict[Flavour, str] = {"lab": "labs", "solution": "solutions"}


@dataclass(frozen=True)
class RunResult:
    """One run of a week's notebook; `notebook` is the executed copy, `scoreboard` the last record it displayed."""

    week: int
    flavour: Flavour
    profile: str
    notebook: Path
    verdicts: tuple[Check, ...]
    scoreboard: Mapping[str, Any] | None
    cells: tuple[CellTime, ...]
    wall_s: float
    cpu_s: float
    failure: CellFailure | None

    @property
    def passed(self) -> bool:
        """Whether the notebook ran to its end and every exercise in it passed."""
        return self.failure is None and all(check.status is Status.PASSED for check in self.verdicts)

    @property
    def record(self) -> dict[str, Any]:
        """The run as plain JSON values, for `labs run --json`."""
        failure = self.failure
        return {
            "week": self.week,
            "flavour": self.flavour,
            "profile": self.profile,
            "notebook": str(self.notebook),
            "exercises": [check.record for check in self.verdicts],
            "scoreboard": self.scoreboard,
            "wall_s": round(self.wall_s, 3),
            "cpu_s": round(self.cpu_s, 3),
            "failure": None if failure is None else vars(failure),
        }


def run_week(
    week: int,
    *,
    root: Path,
    out: Path,
    flavour: Flavour = "lab",
    notebook: Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    profile: str | None = None,
    on_cell: Callable[[Progress], None] | None = None,
    cell_timeout_s: float = CELL_TIMEOUT_S,
) -> RunResult:
    """Execute `notebook`, or that of the clone at `root` in this flavour; write `out/weekNN.ipynb`.

    A lab's verdicts count towards the learner's progress, a solution's do not.

    Args:
        out: a folder outside the clone, made if need be.
        parameters: values for the names that the notebook's parameters cell assigns.
        profile: smoke, cpu or gpu; that of LABS_PROFILE or of this machine when None.
        on_cell: told how far the run is, once nothing more is refused.

    Raises:
        LabsError: the week, its notebook, a parameter or the profile does not exist, a parameter has a value that JSON
            cannot hold, or the kernel does not start.
    """
    given = read_notebook(notebook or week_file(root, week, flavour))
    sizes = chosen_profile(profile)
    assert_known(given, parameters or {})
    _assert_storable(parameters or {})
    folder = _folder(out)
    done = execute(
        given,
        folder=folder,
        environment=kernel_environment(root, profile=sizes, progress=flavour == "lab"),
        parameters=parameters,
        cell_timeout_s=cell_timeout_s,
        on_cell=on_cell,
    )
    target = folder / f"week{week:02d}.ipynb"
    write_notebook(done.notebook, target)
    return RunResult(
        week=week,
        flavour=flavour,
        profile=sizes,
        notebook=target,
        verdicts=tuple(check for _, check in verdicts(done.notebook)),
        scoreboard=scoreboard_record(done.notebook),
        cells=done.cells,
        wall_s=done.wall_s,
        cpu_s=done.cpu_s,
        failure=done.failure,
    )


def chosen_profile(name: str | None) -> str:
    """Return the profile named, else the one in force here.

    Raises:
        LabsError: there is no such profile.
    """
    from labsupport.hardware import profile

    if name is None:
        return profile().name
    if name not in NAMES:
        raise LabsError(f"profile {name}: no such profile; there are {', '.join(NAMES)}")
    return name


def week_file(root: Path, week: int, flavour: Flavour = "lab") -> Path:
    """Return the notebook of a week.

    Raises:
        LabsError: there is no such week.
    """
    folder = root / FOLDERS[flavour]
    file = folder / f"week{week:02d}.ipynb"
    if not file.is_file():
        raise no_such_week(week, folder.glob("week[0-9][0-9].ipynb"))
    return file


def no_such_week(week: int, there: Iterable[Path]) -> LabsError:
    """Return the error that names the weeks whose files are there."""
    weeks = ", ".join(str(number) for number in sorted(int(file.stem[4:]) for file in there))
    if not weeks:
        return LabsError(f"week {week}: no weeks here; `labs notebooks build` writes them from their sources")
    return LabsError(f"week {week}: not one of the weeks here: {weeks}")


def scoreboard_record(notebook: nbformat.NotebookNode) -> Mapping[str, Any] | None:
    """Return the last scoreboard that a notebook displayed, or None."""
    found = None
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            found = output.get("data", {}).get(SCOREBOARD, found)
    return found


def _assert_storable(parameters: Mapping[str, Any]) -> None:
    """Check that the executed notebook, which is JSON, can hold the parameters: it is written after the last cell."""
    for name, value in parameters.items():
        try:
            same = json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")) == value
        except (TypeError, ValueError, RecursionError):  # ValueError: NaN, a loop, or text that is not UTF-8
            same = False
        if not same:
            raise LabsError(
                f"parameter {name}: a {type(value).__name__} that JSON cannot hold; give a finite number, text, true, "
                "false, null, or lists and objects of these"
            )


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabsError(f"{out}: cannot be made ({error.strerror}); name a folder you may write") from error
    return out.resolve()
