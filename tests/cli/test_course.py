"""What `labs run` and `labs grade` say: nothing is drawn before a refusal, and a grade can be read without its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labsupport.cli.course import _show_grade
from labsupport.course.grading.verdict import Outcome
from labsupport.course.notebooks.execution import CellFailure
from labsupport.course.runs.grade import ExerciseGrade, Grade, Tampered

LABS = Path(sys.executable).with_name("labs")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "99"], "week 99: not one of the weeks here: 0, 1"),
        (["run", "99", "--solution"], "week 99: not one of the weeks here: 0, 1"),
        (["grade", "99"], "week 99: not one of the weeks here: 0, 1"),
        (["run", "0", "--profile", "huge"], "profile huge: no such profile"),
        (["run", "0", "--set", "foo=1"], "parameter foo: this notebook has no such parameter"),
        (["run", "0", "--set", "report_seed={"], "--set 'report_seed={': it is not JSON"),
        (["run", "0", "--set", "goal=nan"], "--set 'goal=nan': 'nan' is not a finite number"),
        (["grade", "0", "--hidden-seeds", "20000"], "hidden seeds 20000: give a number from 0 to 10000"),
    ],
)
def test_a_refusal_is_one_line_without_a_bar_and_leaves_no_folder_of_a_run(
    arguments: list[str], said: str, isolated: Path
) -> None:
    done = subprocess.run([LABS, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("labs: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert list(isolated.glob("runs/*")) == []


def grade(**changes: object) -> Grade:
    """Return a grade of three exercises: passed, failed, and not run."""
    outcomes = (Outcome("a", "it doubles", True), Outcome("b", "it is [fast]", False, "KeyError: 3\nhint: try [3]"))
    values: dict[str, object] = {
        "week": 1, "criteria": (), "hidden_seeds": 5, "seed_root": 7, "profile": "smoke", "commit": "", "hardware": "",
        "at": "", "tampered": (Tampered("1.1", "c1", "changed"),),
        "failure": CellFailure(9, "c9", "x[0]", "NameError", "name 'x' is not defined"),
        "exercises": (
            ExerciseGrade("1.1", "Doubling", "passed", outcomes[:1]),
            ExerciseGrade("1.2", "Speed", "failed", outcomes),
            ExerciseGrade("1.3", "", "not run", note="SyntaxError: invalid syntax (line 2)"),
        ),
    }  # fmt: skip
    return Grade(**(values | changes))  # type: ignore[arg-type]


def test_a_grade_shows_titles_and_why_each_exercise_failed_or_was_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    _show_grade(grade(), Path("grade.json"))
    shown = capsys.readouterr().out
    assert "Week 1, 5 unseen seeds from root 7\n" in shown
    assert "exercise 1.1 · Doubling" in shown
    assert "SyntaxError: invalid syntax (line 2)" in shown
    assert (
        "Exercise 1.2 · Speed\n"
        "  FAIL  it is [fast]\n"
        "        KeyError: 3\n"
        "        hint: try [3]\n"
        "check of exercise 1.1: changed; the original was used\n"
        "error: cell 9 (x[0]): NameError: name 'x' is not defined\n"
        "not passed; grade: grade.json\n"
    ) in shown
    assert "it doubles" not in shown, "a criterion that holds needs no reading"


def test_a_grade_on_the_labs_own_seeds_names_no_root(capsys: pytest.CaptureFixture[str]) -> None:
    _show_grade(grade(hidden_seeds=0, seed_root=None), Path("grade.json"))
    assert "Week 1, 0 unseen seeds\n" in capsys.readouterr().out
