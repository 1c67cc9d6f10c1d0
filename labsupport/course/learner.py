"""The learner's own copies of the labs: in the workspace, so that pulling the course never touches their work."""

from __future__ import annotations

from pathlib import Path

from labsupport.course.notebooks.builder import course_root
from labsupport.course.notebooks.notebook_file import write_whole
from labsupport.course.runs.runner import week_file
from labsupport.workspace import workspace


def learner_folder() -> Path:
    """Return the folder of the copies, with one of every lab that was not copied before."""
    for lab in sorted((course_root() / "labs").glob("week[0-9][0-9].ipynb")):
        learner_notebook(int(lab.stem[4:]))
    return workspace("labs")


def learner_notebook(week: int) -> Path:
    """Return the learner's copy of a week's lab; it is made on first use and never written again.

    Raises:
        LabsError: there is no such week.
    """
    original = week_file(course_root(), week)
    copy = workspace("labs") / original.name
    if not copy.exists():
        write_whole(copy, original.read_text(encoding="utf-8"))
    return copy


def existing_learner_notebook(week: int) -> Path | None:
    """Return the learner's copy of a week's lab if they have opened one."""
    copy = workspace("labs") / f"week{week:02d}.ipynb"
    return copy if copy.is_file() else None
