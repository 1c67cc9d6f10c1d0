"""Every lab and every solution runs from start to end, in the smoke profile, through papermill.

The order matters for the reader of a failure only: drift first, since everything after it would run another notebook.
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


def test_committed_notebooks_are_what_their_sources_describe():
    assert WEEKS, "an empty parametrization would pass by not running"
    assert [(str(stale.file.relative_to(ROOT)), stale.reason) for stale in problems(ROOT)] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("week", WEEKS)
@pytest.mark.parametrize(("flavour", "status"), [("lab", Status.NOT_ATTEMPTED), ("solution", Status.PASSED)])
def test_a_notebook_runs_to_its_end_and_shows_one_verdict_per_exercise(week, flavour, status, tmp_path):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    result = run_week(week, root=ROOT, out=tmp_path, flavour=flavour, profile="smoke")
    assert result.failure is None, result.failure
    source = read_notebook(ROOT / "labs" / f"week{week:02d}.ipynb")
    declared = [cell.metadata.exercise for cell in source.cells if "exercise" in cell.metadata]
    assert [check.exercise for check in result.verdicts] == declared
    assert {check.exercise: check.status for check in result.verdicts} == dict.fromkeys(declared, status)
    assert result.scoreboard is not None
    assert list(result.scoreboard["exercises"]) == declared
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert left == []


def test_stored_solutions_name_no_folder_of_the_machine_that_made_them():
    for path in sorted(ROOT.glob("solutions/*.ipynb")):
        text = path.read_text()
        found = [place for place in (str(ROOT), str(Path.home()) + "/", "/tmp/labs-") if place in text]
        assert found == [], path.name
