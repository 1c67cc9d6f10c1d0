"""The graders are graded: stubs are not attempted, wrong answers fail for their reason, every criterion can fail."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from labsupport.course.builder import build
from labsupport.course.grading import Status

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
