"""The graders are graded: stubs are not attempted, wrong answers fail for their reason, every criterion can fail."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import nbformat
import pytest

from labsupport.course.grading.exercise import Status
from labsupport.course.notebooks.builder import build
from labsupport.course.notebooks.notebook_file import write_notebook
from labsupport.course.runs.grade import exercise_titles, grade_week

ROOT = Path(__file__).resolve().parents[2]
WEEKS = sorted(path.stem for path in (ROOT / "solutions").glob("week[0-9][0-9].py"))
LEAST_WRONG_ANSWERS = 3

week = pytest.fixture(params=WEEKS)(lambda request: importlib.import_module(f"checks.{request.param}"))


def lab_of(module) -> list:
    return build(ROOT / "solutions" / f"{module.__name__.removeprefix('checks.')}.py", "lab").cells


def test_there_are_weeks_to_grade():
    assert WEEKS, "an empty parametrization would pass by not running"


def test_every_exercise_of_the_lab_has_a_grader_and_enough_wrong_answers(week):
    declared = [cell.metadata.exercise for cell in lab_of(week) if "exercise" in cell.metadata]
    graded = {grade(...).exercise: wrong for grade, wrong in week.WRONG.items()}
    assert declared == list(week.EXERCISES)
    assert graded.keys() == set(declared)
    assert {exercise for exercise, wrong in graded.items() if len(wrong) < LEAST_WRONG_ANSWERS} == set()


def test_a_stub_is_not_attempted(week):
    def stub(*args, **kwargs):
        raise NotImplementedError("exercise 0.0: your code here")

    for grade in week.WRONG:
        assert grade(...).status is Status.NOT_ATTEMPTED, grade.__name__
        assert grade(stub).status in (Status.NOT_ATTEMPTED, Status.FAILED), grade.__name__


def test_what_the_lab_imports_from_the_course_is_no_answer():
    from checks import week00, week01
    from labsupport.course import overruns
    from labsupport.training import collectives, learning_rate, sampler

    references = {
        week00.training: overruns.training,
        week00.memory: overruns.memory,
        week00.service: overruns.service,
        week00.audit: overruns.audit,
        week01.sampler: sampler.shard,
        week01.ring: collectives.ring_all_reduce,
        week01.schedule: learning_rate.learning_rate,
    }
    for grade, reference in references.items():
        assert grade(reference).failed_codes == ("reference",), grade.__name__


def test_a_dict_with_other_keys_is_told_each_key_that_is_missing():
    from checks import week00, week01

    for grade, keys in ((week00.cluster, week00._FACTS), (week01.blast_radius, week01._RIGHT)):
        notes = "\n".join(outcome.note for outcome in grade({"another": 1}).outcomes)
        named = re.findall(r"has no key '(\w+)'; its keys are 'another'", notes)
        assert set(keys) - set(named) <= {"gpus_at_most"}, "of two keys of one criterion the first is named"
    assert ", ".join(week01._RIGHT) in week01.blast_radius("ABCDE").outcomes[0].note


@pytest.mark.slow
def test_exercises_whose_cells_do_not_run_or_are_gone_leave_the_last_one_of_week_0_to_its_own_merit(tmp_path):
    handed_in = build(ROOT / "solutions" / "week00.py", "solution")
    cells = {cell.metadata.exercise: cell for cell in handed_in.cells if "exercise" in cell.metadata}
    cells["0.1"].source = 'cluster = {"aged": '
    cells["0.2"].source = "def training_overrun(line):\n    retrun None"
    cells["0.4"].source = "1 / 0"
    handed_in.cells.remove(cells["0.3"])
    write_notebook(handed_in, tmp_path / "week00.ipynb")
    grade = grade_week(0, tmp_path / "week00.ipynb", hidden_seeds=3, root=ROOT, profile="smoke")
    assert [(exercise.id, exercise.status, exercise.note) for exercise in grade.exercises] == [
        ("0.1", "not run", "SyntaxError: incomplete input (line 1)"),
        ("0.2", "not run", "SyntaxError: invalid syntax (line 2)"),
        ("0.3", "not run", "NameError: name 'memory_overrun' is not defined"),
        ("0.4", "not run", "ZeroDivisionError: division by zero"),
        ("0.5", "passed", ""),
    ]


def test_every_exercise_has_a_title_for_whoever_grades_it(week):
    titles = exercise_titles(nbformat.v4.new_notebook(cells=lab_of(week)))
    assert list(titles) == list(week.EXERCISES)


def test_every_wrong_answer_fails_for_its_reason(week):
    passed_over = [
        (grade.__name__, wrong.name, wrong.fails, verdict.failed_codes)
        for grade, answers in week.WRONG.items()
        for wrong in answers
        if wrong.fails not in (verdict := grade(wrong.answer)).failed_codes
    ]
    assert passed_over == []


def test_every_criterion_is_failed_by_some_wrong_answer(week):
    for grade, answers in week.WRONG.items():
        verdicts = [grade(wrong.answer) for wrong in answers]
        codes = {outcome.code for verdict in verdicts for outcome in verdict.outcomes}
        failed = {code for verdict in verdicts for code in verdict.failed_codes}
        assert codes - failed == set(), grade.__name__


def test_the_criteria_stand_in_the_lab_in_the_same_words(week):
    prose = "\n".join(cell.source for cell in lab_of(week) if cell.cell_type == "markdown")
    for grade, answers in week.WRONG.items():
        for outcome in grade(answers[0].answer).outcomes:
            assert f"* {outcome.text}" in prose, (grade.__name__, outcome.text)


def test_every_failed_criterion_says_where_to_look(week):
    for grade, answers in week.WRONG.items():
        for wrong in answers:
            silent = [outcome.code for outcome in grade(wrong.answer).outcomes if not outcome.ok and not outcome.note]
            assert silent == [], (grade.__name__, wrong.name)
