"""Generate both notebooks of each week from its source, and say which committed ones are stale.

`labs/weekNN.ipynb` holds stubs and no outputs; `solutions/weekNN.ipynb` is executed and stored with its outputs. Both
are committed, because learners and code hosts read them without the builder; CI fails when one is stale.

Limitations: when labsupport changes and a source does not, the stored outputs are not found stale; `force` renews them,
and nbval compares the stored verdicts.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labsupport.course.grading.verdict import Status
from labsupport.course.notebooks import execution
from labsupport.course.notebooks.execution import Progress
from labsupport.course.notebooks.notebook_file import read_notebook, verdicts, write_notebook
from labsupport.course.notebooks.scrub import scrub
from labsupport.course.notebooks.source import METADATA, Flavour, build
from labsupport.errors import LabsError
from labsupport.hardware.profile import VARIABLE as PROFILE
from labsupport.workspace import home

if TYPE_CHECKING:
    import nbformat

__all__ = ["Notebook", "Stale", "build", "course_root", "notebooks", "problems", "week_name", "write_stale"]

COURSE_SHOWN, WORKSPACE_SHOWN, HOME_SHOWN = "~/course", "~/ai-infra-labs", "~"


@dataclass(frozen=True)
class Notebook:
    """One generated notebook: its source, which of the two it is, and its file."""

    source: Path
    flavour: Flavour
    file: Path


@dataclass(frozen=True)
class Stale:
    """A notebook that does not match its source, or did not until it was rewritten, and why."""

    file: Path
    reason: str


def course_root() -> Path:
    """Return the clone that this package runs from.

    Raises:
        LabsError: the package was installed without the course around it.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "labs").is_dir():
        raise LabsError(
            f"{root}: no labs/ folder here; install the package from a clone of the course, with `make setup`"
        )
    return root


def week_name(week: int) -> str:
    """Return `week03` for 3."""
    return f"week{week:02d}"


def notebooks(root: Path, weeks: Sequence[int] = ()) -> Iterator[Notebook]:
    """Yield the two notebooks of each chosen week, of all weeks if none is named.

    Raises:
        LabsError: a week that has no source.
    """
    sources = {path.stem: path for path in sorted((root / "solutions").glob("week[0-9][0-9].py"))}
    for name in [week_name(week) for week in weeks] or sources:
        if name not in sources:
            raise LabsError(f"{name}: no such source in {root / 'solutions'}; there are {', '.join(sources) or 'none'}")
        yield Notebook(sources[name], "lab", root / "labs" / f"{name}.ipynb")
        yield Notebook(sources[name], "solution", root / "solutions" / f"{name}.ipynb")


def problems(root: Path, weeks: Sequence[int] = ()) -> tuple[Stale, ...]:
    """Return every committed notebook that its source does not describe, and why; writes nothing.

    Raises:
        LabsError: no source at all, so that nothing would be checked, or a mistake in one.
    """
    found = [
        Stale(notebook.file, reason)
        for notebook in _some(root, weeks)
        if (reason := _problem(notebook.file, build(notebook.source, notebook.flavour), notebook.flavour))
    ]
    if not weeks:
        for file in sorted([*root.glob("labs/*.ipynb"), *root.glob("solutions/*.ipynb")]):
            if not (root / "solutions" / f"{file.stem}.py").exists():
                found.append(Stale(file, "has no source; delete it"))
    return tuple(found)


def write_stale(
    root: Path,
    weeks: Sequence[int] = (),
    force: bool = False,
    execute: bool = True,
    on_cell: Callable[[Notebook, Progress], None] | None = None,
) -> tuple[Stale, ...]:
    """Write the notebooks that are stale, all of them with `force`, and return which and why.

    A solution is executed before it is written, with sizes from LABS_PROFILE and an empty workspace. One that raises or
    does not pass its own checks is not written: the old file stays, and the error comes when the other weeks are done.
    Without `execute`, solutions are left as they are.

    Raises:
        LabsError: a mistake in a source, or a solution that does not run or pass.
    """
    written: list[Stale] = []
    failures: list[str] = []
    for notebook in _some(root, weeks):
        try:
            built = build(notebook.source, notebook.flavour)
            reason = "forced" if force else _problem(notebook.file, built, notebook.flavour)
            if reason is None or (notebook.flavour == "solution" and not execute):
                continue
            if notebook.flavour == "solution":
                built = _solved(notebook, built, root, on_cell)
        except LabsError as error:
            failures.append(str(error))
            continue
        write_notebook(built, notebook.file)
        written.append(Stale(notebook.file, reason))
    if failures:
        raise LabsError("; ".join(dict.fromkeys(failures)))  # a bad source fails both of its notebooks
    return tuple(written)


def _some(root: Path, weeks: Sequence[int]) -> list[Notebook]:
    found = list(notebooks(root, weeks))
    if not found:
        raise LabsError(f"{root / 'solutions'}: no weekNN.py here; name the root of a clone of the course")
    return found


def _problem(file: Path, wanted: nbformat.NotebookNode, flavour: Flavour) -> str | None:
    """Say why a committed notebook is not the one its source describes, or None."""
    if not file.exists():
        return "missing"
    try:
        committed = read_notebook(file)
    except LabsError:
        return "not a readable notebook"
    if _content(committed) != _content(wanted):
        return "differs from its source"
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    if flavour == "lab":
        return "stores outputs" if any(cell.outputs or cell.execution_count for cell in code) else None
    if any(cell.execution_count is None for cell in code):
        return "has a cell that was not executed"
    return _unsolved(committed)


def _content(notebook: nbformat.NotebookNode) -> list[Any]:
    """Return what the source decides: all but outputs and execution counts."""
    cells = [(cell.get("id"), cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells]
    return [cells, dict(notebook.metadata)]


def _unsolved(notebook: nbformat.NotebookNode) -> str | None:
    """Say which exercise of an executed solution did not pass, or None."""
    declared = [cell.metadata.exercise for cell in notebook.cells if "exercise" in cell.metadata]
    shown = [check for _, check in verdicts(notebook)]
    for check in shown:
        if check.status is not Status.PASSED:
            codes = f" ({', '.join(check.failed_codes)})" if check.failed_codes else ""
            return f"exercise {check.exercise} is {check.status} in the solution{codes}"
    if [check.exercise for check in shown] != declared:
        return f"shows verdicts on {[check.exercise for check in shown]} for the exercises {declared}"
    return None


def _solved(
    notebook: Notebook,
    built: nbformat.NotebookNode,
    root: Path,
    on_cell: Callable[[Notebook, Progress], None] | None,
) -> nbformat.NotebookNode:
    """Return the executed solution, ready to be stored."""
    import nbformat

    with tempfile.TemporaryDirectory(prefix="labs-build-") as folder:
        # Not what this machine would choose: a stored solution is what a learner without a GPU sees.
        profile = os.environ.get(PROFILE) or "cpu"
        workspace, run = Path(folder, "workspace"), Path(folder, "run")
        run.mkdir()
        done = execution.execute(
            built,
            folder=run,
            environment=execution.kernel_environment(root, profile=profile, workspace=workspace),
            on_cell=(lambda progress: on_cell(notebook, progress)) if on_cell else None,
        )
        if done.failure:
            raise LabsError(f"{notebook.file.relative_to(root)}: not written; {done.failure}")
        solved = done.notebook
        shown = {
            str(workspace): WORKSPACE_SHOWN,
            folder: WORKSPACE_SHOWN,
            str(root.resolve()): COURSE_SHOWN,
            str(root): COURSE_SHOWN,
        }
        scrub(solved, shown | ({str(user_folder): HOME_SHOWN} if (user_folder := home()) else {}))
    if unsolved := _unsolved(solved):
        raise LabsError(f"{notebook.file.relative_to(root)}: not written; {unsolved}")
    solved.metadata = nbformat.from_dict(METADATA)  # a run adds versions and the state of widgets
    return solved
