"""The graders are graded: stubs are not attempted, wrong answers fail for their reason, every criterion can fail.

Everything follows from the `Exercise` objects of all weeks that are there: a new week is tested by adding it.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import re
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest

from labsupport.course.grading.exercise import Exercise
from labsupport.course.grading.seeds import HIDDEN_SEEDS
from labsupport.course.grading.verdict import Status
from labsupport.course.notebooks.builder import build
from labsupport.course.notebooks.notebook_file import write_notebook
from labsupport.course.runs.grade import grade_week

ROOT = Path(__file__).resolve().parents[2]
WEEKS = sorted(path.stem for path in (ROOT / "solutions").glob("week[0-9][0-9].py"))
EXERCISES = [one for week in WEEKS for one in importlib.import_module(f"checks.{week}").EXERCISES]
LEAST_WRONG_ANSWERS = 3

exercise = pytest.fixture(params=EXERCISES, ids=lambda one: one.id)(lambda request: request.param)


@pytest.fixture(params=["public seeds", "hidden seeds"])
def seeded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Grade on the public seeds, or on hidden ones."""
    if request.param == "hidden seeds":
        monkeypatch.setenv(HIDDEN_SEEDS, "2026:20")
    return request.param


def test_every_source_has_exercises_and_every_check_file_a_source():
    assert WEEKS, "an empty parametrization would pass by not running"
    assert sorted({f"week{one.week:02d}" for one in EXERCISES}) == WEEKS
    assert sorted(path.stem for path in (ROOT / "checks").glob("week[0-9][0-9].py")) == WEEKS


def test_the_courses_own_answer_passes(exercise: Exercise, seeded: str):
    verdict = exercise.grade(exercise.reference)
    assert verdict.status is Status.PASSED, verdict


def test_the_courses_own_answer_is_refused_when_it_is_handed_in(exercise: Exercise):
    assert callable(exercise.reference) or isinstance(exercise.reference, dict | list | set), (
        "of a plain value nobody can say where it comes from; ask for a dict, or for a function"
    )
    assert exercise.check(exercise.reference).failed_codes == ("reference",)


def test_a_stub_is_not_attempted(exercise: Exercise):
    def stub(*args, **kwargs):
        raise NotImplementedError(f"exercise {exercise.id}: your code here")

    assert exercise.check(...).status is Status.NOT_ATTEMPTED
    if callable(exercise.reference):
        assert exercise.check(stub).status is Status.NOT_ATTEMPTED


def test_every_wrong_answer_fails_for_its_reason(exercise: Exercise, seeded: str):
    assert len(exercise.wrong) >= LEAST_WRONG_ANSWERS
    verdicts = {wrong.name: (wrong.fails, exercise.grade(wrong.answer).failed_codes) for wrong in exercise.wrong}
    assert {name: codes for name, (fails, codes) in verdicts.items() if fails not in codes} == {}
    never_failed = {one.code for one in exercise.criteria} - {code for _, codes in verdicts.values() for code in codes}
    assert never_failed == set(), "a criterion that nothing fails is decoration"


class Recorder:
    """An answer that notes what it was asked and what it said; `replay` gives the same from the notes alone."""

    def __init__(self, answer) -> None:
        self.answer, self.said = answer, {}

    def record(self, *args, **kwargs):
        asked = pickle.dumps((args, kwargs))  # before the call, which may change what it was given
        if inspect.isgeneratorfunction(self.answer):
            return self._recorded(asked, self.answer(*args, **kwargs))
        try:
            self.said[asked] = ("returned", self.answer(*args, **kwargs))
        except Exception as error:
            self.said[asked] = ("raised", error)
        return self._repeat(asked)

    def replay(self, *args, **kwargs):
        asked = pickle.dumps((args, kwargs))
        if inspect.isgeneratorfunction(self.answer):
            return self._replayed(asked)
        return self._repeat(asked)

    def _repeat(self, asked):
        how, what = self.said[asked]
        if how == "raised":
            raise what
        return copy.deepcopy(what)

    def _recorded(self, asked, generator):
        sent, received = [], None
        while True:
            try:
                message = generator.send(received)
            except StopIteration as stop:
                self.said[asked] = (sent, copy.deepcopy(stop.value))
                return stop.value
            sent.append(copy.deepcopy(message))
            received = yield message

    def _replayed(self, asked):
        sent, returned = self.said[asked]
        for message in sent:
            yield message.copy()
        return returned


def test_a_table_that_replays_the_calls_of_the_public_seeds_fails_on_hidden_ones(exercise: Exercise, monkeypatch):
    if not callable(exercise.reference):
        return
    # What a rank notes in a process of its own is lost with it.
    checks = importlib.import_module(f"checks.week{exercise.week:02d}")
    monkeypatch.setattr(checks, "rank_processes", lambda program, _: nullcontext(program), raising=False)
    recorder = Recorder(exercise.reference)
    assert exercise.grade(recorder.record).status is Status.PASSED
    assert exercise.grade(recorder.replay).status is Status.PASSED, "the table is whole: it fails for its seeds alone"
    monkeypatch.setenv(HIDDEN_SEEDS, "2026:20")
    assert exercise.grade(recorder.replay).status is Status.FAILED


def test_every_failed_criterion_says_where_to_look(exercise: Exercise):
    for wrong in exercise.wrong:
        outcomes = exercise.grade(wrong.answer).outcomes
        assert [outcome.code for outcome in outcomes if not outcome.ok and not outcome.note] == [], wrong.name


def test_a_dict_with_other_keys_is_told_a_key_that_is_missing(exercise: Exercise):
    if not isinstance(exercise.reference, Mapping):
        return
    outcomes = exercise.grade({"another": 1}).outcomes
    named = [re.search(r"has no key '(\w+)'; its keys are 'another'", outcome.note) for outcome in outcomes]
    assert {match[1] for match in named if match} <= set(exercise.reference)
    assert all(named), [outcome.note for outcome in outcomes]
    assert all("examined" in outcome.note for outcome in exercise.grade("no dict").outcomes)


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
    assert [(exercise.name, exercise.status, exercise.note) for exercise in grade.exercises] == [
        ("0.1 · What would this create?", "not run", "SyntaxError: incomplete input (line 1)"),
        ("0.2 · Throughput", "not run", "SyntaxError: invalid syntax (line 2)"),
        ("0.3 · What fits, and how fast it is read", "not run", "NameError: name 'memory_overrun' is not defined"),
        ("0.4 · Tails, failovers and nines", "not run", "ZeroDivisionError: division by zero"),
        ("0.5 · Audit", "passed", ""),
    ]
