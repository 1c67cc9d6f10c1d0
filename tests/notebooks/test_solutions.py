"""Every solution runs from start to end as a plain notebook, by nbval, which nothing of ours is part of.

nbval compares what the check cells show with what is stored. The stored verdicts are read here, without a kernel: all
passed, and a scoreboard of every exercise. `make test ALL=1` runs the labs here, too.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest

from labsupport.course.grading.verdict import Check, Outcome, Status
from labsupport.course.notebooks.builder import course_root
from labsupport.course.notebooks.notebook_file import read_notebook, verdicts
from labsupport.course.notebooks.source import VERDICT_TAG
from labsupport.course.runs.runner import scoreboard_record
from labsupport.processes import Completed, run_group

ROOT = course_root()
WEEKS = sorted(int(path.stem[4:]) for path in (ROOT / "solutions").glob("week[0-9][0-9].py"))
NBVAL = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env", "--timeout=0")

pytestmark = pytest.mark.timeout(600)


def nbval(*notebooks: Path) -> Completed:
    """Run notebooks by nbval and end whatever they leave."""
    # MPLBACKEND: a plain kernel chooses its own.
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    command = [sys.executable, *NBVAL, "--nbval-cell-timeout=300", *map(str, notebooks)]
    return run_group(command, env=environment, cwd=ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("week", WEEKS)
def test_a_solution_shows_its_stored_verdicts_again_and_leaves_nothing_running(week):
    done = nbval(ROOT / "solutions" / f"week{week:02d}.ipynb")
    assert done.returncode == 0, done.stdout[-8000:]
    assert done.ended == ()


@pytest.mark.slow
@pytest.mark.cross
@pytest.mark.parametrize("week", WEEKS)
def test_a_lab_runs_as_a_plain_notebook_too(week):
    done = nbval(ROOT / "labs" / f"week{week:02d}.ipynb")
    assert done.returncode == 0, done.stdout[-8000:]


@pytest.mark.parametrize("week", WEEKS)
def test_a_stored_solution_shows_a_passed_verdict_and_a_line_of_the_scoreboard_for_every_exercise(week):
    stored = read_notebook(ROOT / "solutions" / f"week{week:02d}.ipynb")
    declared = [cell.metadata.exercise for cell in stored.cells if "exercise" in cell.metadata]
    assert declared
    assert [(check.exercise, check.status) for _, check in verdicts(stored)] == [
        (exercise, Status.PASSED) for exercise in declared
    ]
    assert list(scoreboard_record(stored)["exercises"]) == declared


@pytest.mark.slow
def test_a_verdict_that_is_not_the_stored_one_fails_its_cell_and_no_other(tmp_path):
    verdict = Check("9.9", Status.PASSED, (Outcome("even", "every value is even", True),))
    source = f"from labsupport.course.grading.verdict import Check\n\nCheck.from_record({verdict.record!r})"
    cells = []
    for stored in (verdict, dataclasses.replace(verdict, status=Status.FAILED)):
        shown = nbformat.v4.new_output("execute_result", data=stored._repr_mimebundle_(), execution_count=1)
        cell = nbformat.v4.new_code_cell(source, outputs=[shown], execution_count=1)
        cell.metadata["tags"] = [VERDICT_TAG]
        cells.append(cell)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "two.ipynb")
    done = nbval(tmp_path / "two.ipynb")
    assert (done.returncode, re.findall(r"\d+ (?:passed|failed)", done.stdout)) == (1, ["1 failed", "1 passed"])
    assert re.search("FAILED .*two.ipynb::Cell 1", done.stdout), done.stdout[-3000:]


def test_stored_solutions_name_no_folder_of_the_machine_that_made_them():
    for path in sorted(ROOT.glob("solutions/*.ipynb")):
        text = path.read_text()
        found = [place for place in (str(ROOT), str(Path.home()) + "/", "/tmp/labs-") if place in text]
        assert found == [], path.name
