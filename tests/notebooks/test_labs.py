"""Every lab runs from start to end through our own runner, in the smoke profile, with nothing attempted.

The order matters for the reader of a failure only: drift first, since everything after it would run another notebook.
`make test ALL=1` runs the solutions here, too.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from labsupport.course.grading.verdict import Status
from labsupport.course.notebooks.builder import course_root, problems
from labsupport.course.notebooks.notebook_file import read_notebook
from labsupport.course.runs.runner import run_week

ROOT = course_root()
WEEKS = sorted(int(path.stem[4:]) for path in (ROOT / "solutions").glob("week[0-9][0-9].py"))

pytestmark = pytest.mark.timeout(600)


def test_committed_notebooks_are_what_their_sources_describe():
    assert WEEKS, "an empty parametrization would pass by not running"
    assert [(str(stale.file.relative_to(ROOT)), stale.reason) for stale in problems(ROOT)] == []


@pytest.mark.slow
@pytest.mark.parametrize("week", WEEKS)
def test_a_lab_runs_to_its_end_and_shows_one_verdict_per_exercise(week, tmp_path):
    runs_to_its_end(week, "lab", Status.NOT_ATTEMPTED, tmp_path)


@pytest.mark.slow
@pytest.mark.cross
@pytest.mark.parametrize("week", WEEKS)
def test_a_solution_runs_through_our_runner_too(week, tmp_path):
    runs_to_its_end(week, "solution", Status.PASSED, tmp_path)


def runs_to_its_end(week: int, flavour: str, status: Status, out: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    result = run_week(week, root=ROOT, out=out, flavour=flavour, profile="smoke")
    assert result.failure is None, result.failure
    source = read_notebook(ROOT / "labs" / f"week{week:02d}.ipynb")
    declared = [cell.metadata.exercise for cell in source.cells if "exercise" in cell.metadata]
    assert [check.exercise for check in result.verdicts] == declared
    assert {check.exercise: check.status for check in result.verdicts} == dict.fromkeys(declared, status)
    assert result.scoreboard is not None
    assert list(result.scoreboard["exercises"]) == declared
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert left == []
