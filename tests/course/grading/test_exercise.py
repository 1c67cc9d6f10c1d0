"""A check never raises on an answer, and tells a stub, a mistake and a right answer apart."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.course.grading import exercise as graded
from labsupport.course.grading.exercise import LIMIT_S, LIMIT_SEEDS, Exercise
from labsupport.course.grading.seeds import HIDDEN_SEEDS
from labsupport.course.grading.verdict import MIME, Check, Criterion, Outcome, Status, Wrong
from labsupport.errors import LabsError
from labsupport.introduction import overruns

DOUBLE = [
    Criterion("doubles", "it returns 4 for 2", lambda f: f(2) == 4, hint="look at the unit"),
    Criterion("zero", "it returns 0 for 0", lambda f: f(0) == 0, hint="mind the empty case"),
]
VALUE = [Criterion("largest", "it is the largest that fits", lambda n: n == 37, hint="divide by the bytes of one")]


def exercise(criteria: Sequence[Criterion], id: str = "1.1", reference: Any = None, **more: Any) -> Exercise:
    return Exercise(id, "A title", 10, tuple(criteria), reference, wrong=(), **more)


def check(id: str, answer: object, criteria: Sequence[Criterion], *, limit_s: float = LIMIT_S) -> Check:
    return exercise(criteria, id, limit_s=limit_s).check(answer)


def stub(value: int) -> int:
    raise NotImplementedError("exercise 1.1: your code here")


class StubClass:
    def __call__(self, value: int) -> int:
        raise NotImplementedError("exercise 1.1: your code here")


def wrapped_stub(value: int) -> int:
    try:
        return stub(value)
    except NotImplementedError as error:
        raise RuntimeError("the simulation ended early") from error


def library_gap(value: int) -> int:
    compile_only: dict[str, Any] = {}
    code = "def kernel():\n    raise NotImplementedError('no such operator on this device')\n"
    exec(compile(code, "/usr/lib/library.py", "exec"), compile_only)
    return compile_only["kernel"]()


def typo(value: int) -> int:
    return vlaue * 2  # noqa: F821


def test_a_right_answer_passes_and_shows_no_notes() -> None:
    assert check("1.1", lambda value: value * 2, DOUBLE) == Check(
        "1.1",
        Status.PASSED,
        (Outcome("doubles", "it returns 4 for 2", True), Outcome("zero", "it returns 0 for 0", True)),
    )


@pytest.mark.parametrize(
    "answer", [..., stub, StubClass(), wrapped_stub, functools.partial(stub), (..., 3), {"a": ...}]
)
def test_a_stub_is_not_attempted(answer: object) -> None:
    verdict = check("1.1", answer, DOUBLE)
    assert verdict.status is Status.NOT_ATTEMPTED
    assert verdict.outcomes == ()


@pytest.mark.parametrize(
    "answer",
    [
        overruns.training,
        functools.partial(overruns.training),
        {"training": overruns.training},
        [(len, overruns.training)],
    ],
)
def test_the_packages_own_code_is_no_answer(answer: object) -> None:
    verdict = check("1.1", answer, [Criterion("any", "it is anything", lambda answer: True)])
    assert verdict.failed_codes == ("reference",)
    assert verdict.outcomes[0].note == (
        "labsupport.introduction.overruns.training is the package's own code; the exercise asks for yours"
    )


def course_double(value: int) -> int:
    return value * 2


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        (course_double, course_double),
        (course_double, functools.partial(course_double)),
        (course_double, {"double": [course_double]}),
        (FACTS := {"gpus": 4}, FACTS),
    ],
)
def test_the_courses_own_answer_is_refused_and_judged_all_the_same_by_grade(reference: object, answer: object) -> None:
    any_answer = [Criterion("any", "it is anything", lambda answer: True)]
    refused = exercise(any_answer, reference=reference).check(answer)
    assert refused.failed_codes == ("reference",)
    assert refused.outcomes[0].note == "this is the course's own answer; the exercise asks for yours"
    assert exercise(any_answer, reference=reference).grade(answer).status is Status.PASSED


@pytest.mark.parametrize("value", [37, "ABC", (1, 2), None, True])
def test_a_plain_value_that_equals_the_courses_is_an_answer(value: object) -> None:
    any_answer = [Criterion("any", "it is anything", lambda answer: True)]
    assert exercise(any_answer, reference=value).check(value).status is Status.PASSED
    assert exercise(any_answer, reference={"gpus": 4}).check({"gpus": 4}).status is Status.PASSED


def test_judging_an_answer_leaves_no_verdict_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graded, "_latest", {})
    assert exercise(VALUE).grade(37).status is Status.PASSED
    assert graded.latest() == {}


@pytest.mark.parametrize("own", [Check, Check("1.1", Status.PASSED).__repr__])
def test_a_class_and_a_method_of_the_package_are_its_own_code_too(own: object) -> None:
    assert check("1.1", own, [Criterion("any", "it is anything", callable)]).failed_codes == ("reference",)


@pytest.mark.parametrize("answer", [[Status.PASSED], Check("1.1", Status.PASSED), lambda line: overruns.training(line)])
def test_a_value_of_the_package_and_a_function_around_its_code_are_answers(answer: object) -> None:
    assert check("1.1", answer, [Criterion("any", "it is anything", lambda answer: True)]).status is Status.PASSED


def test_a_gap_in_a_library_is_a_failure_and_not_a_stub() -> None:
    verdict = check("1.1", library_gap, DOUBLE)
    assert verdict.status is Status.FAILED
    assert "no such operator on this device" in verdict.outcomes[0].note


def test_a_wrong_value_shows_the_hint_and_the_other_criteria_still_run() -> None:
    verdict = check("1.1", lambda value: value, DOUBLE)
    assert verdict.failed_codes == ("doubles",)
    assert [outcome.note for outcome in verdict.outcomes] == ["look at the unit", ""]


def test_a_learners_error_is_shown_with_their_own_line() -> None:
    note = check("1.1", typo, DOUBLE).outcomes[0].note.splitlines()
    assert note[0] == "NameError: name 'vlaue' is not defined"
    assert note[1] == f"line {typo.__code__.co_firstlineno + 1}: return vlaue * 2  # noqa: F821"
    assert note[2] == "hint: look at the unit"


def test_the_line_is_the_innermost_that_the_learner_wrote() -> None:
    def answer(value: int) -> object:
        return json.loads("{") if value else 0

    note = check("1.1", answer, DOUBLE).outcomes[0].note
    assert "JSONDecodeError" in note
    assert 'return json.loads("{") if value else 0' in note


def test_a_cell_of_a_notebook_is_the_learners_even_for_an_answer_from_elsewhere() -> None:
    cell: dict[str, Any] = {}
    exec(compile("def helper(value):\n    return 1 / value\n", "/tmp/ipykernel_7/1234.py", "exec"), cell)
    note = check("1.1", types.SimpleNamespace(f=cell["helper"]), [Criterion("half", "halves", lambda a: a.f(0))])
    assert "line 2" in note.outcomes[0].note


def test_an_answer_of_the_wrong_type_is_reported_as_such() -> None:
    note = check("1.2", "37", [Criterion("small", "it is below 40", lambda n: n < 40)]).outcomes[0].note
    assert note.startswith("the answer could not be examined: TypeError")


def test_a_key_that_the_check_does_not_find_is_named() -> None:
    criteria = [Criterion("workers", "there are two", lambda given: given["workers"] == 2, hint="count the cores")]
    assert check("1.2", {"worker": 2}, criteria).outcomes[0].note.splitlines() == [
        "the answer has no key 'workers'; its keys are 'worker'",
        "hint: count the cores",
    ]
    assert check("1.2", {}, criteria).outcomes[0].note.startswith("the answer has no key 'workers'\n")


def test_a_key_missing_in_what_the_answer_returns_is_named() -> None:
    check_file: dict[str, Any] = {}
    exec(compile("holds = lambda plan: plan()['workers'] == 2", "/course/checks/week01.py", "exec"), check_file)
    criteria = [Criterion("workers", "there are two", check_file["holds"])]
    assert check("1.2", lambda: {"worker": 2}, criteria).outcomes[0].note == (
        "what the answer returns has no key 'workers'"
    )


def test_a_key_error_of_the_learners_own_stays_an_error() -> None:
    def answer(value: int) -> int:
        return {0: 0}[value]

    note = check("1.1", answer, DOUBLE).outcomes[0].note
    assert note.startswith("KeyError: 2\nline ")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Untruthful:
    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise SystemExit("no truth")

    __hash__ = None  # type: ignore[assignment]


def _raises(error: BaseException) -> Callable[[int], int]:
    def answer(value: int) -> int:
        raise error

    return answer


def recursion(value: int) -> int:
    return recursion(value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_raises(SystemExit(3)), "SystemExit: 3"),
        (_raises(KeyboardInterrupt()), "KeyboardInterrupt"),
        (_raises(GeneratorExit()), "GeneratorExit"),
        (_raises(MemoryError("too big")), "MemoryError: too big"),
        (_raises(Unprintable()), "Unprintable: (its message could not be made: RuntimeError)"),
        (_raises(ValueError("x" * 5000)), "x" * 300 + " ..."),
        (_raises(ValueError("<object at 0x7f12ab34cd56>")), "<object at 0x...>"),
        (recursion, "RecursionError"),
        (lambda value: sys.exit("bye"), "SystemExit: bye"),
        (lambda value: Untruthful(), "SystemExit: no truth"),
    ],
)
def test_whatever_an_answer_raises_is_a_failed_criterion(answer: Callable[[int], int], said: str) -> None:
    verdict = check("1.1", answer, DOUBLE)
    assert verdict.status is Status.FAILED
    assert said in verdict.outcomes[0].note


def test_an_answer_that_ends_the_program_is_told_to_return() -> None:
    note = check("1.1", lambda value: sys.exit("bye"), DOUBLE).outcomes[0].note.splitlines()
    assert note[0] == "the answer ended the program (SystemExit: bye); let it return a value"
    assert note[1].startswith("line ")


def test_exit_in_a_notebook_ends_the_answer_and_not_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    shell = types.SimpleNamespace(ask_exit=lambda: asked.append("exit"))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))

    def answer(value: int) -> int:
        shell.ask_exit()  # what IPython's `exit()` and `quit()` do
        return value * 2

    verdict = check("1.1", answer, DOUBLE)
    assert verdict.failed_codes == ("doubles", "zero")
    assert verdict.outcomes[0].note.startswith("the answer ended the program (SystemExit)")
    assert asked == []
    shell.ask_exit()
    assert asked == ["exit"], "outside an answer exit() ends the kernel"


@pytest.mark.parametrize("swallow", [False, True])
def test_a_real_ctrl_c_stops_the_check(swallow: bool) -> None:
    def answer(value: int) -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(10)
        except BaseException:
            if not swallow:
                raise
        return 4

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        check("1.1", answer, DOUBLE)
    assert signal.getsignal(signal.SIGINT) is before


def endless(value: int) -> int:
    while True:
        try:
            value += 1
        except:  # noqa: E722
            continue


def test_an_endless_loop_fails_and_names_the_criterion_and_the_line() -> None:
    started = Criterion("starts", "it is a function", callable)
    verdict = check("1.1", endless, [started, *DOUBLE], limit_s=0.2)
    assert [(o.code, o.ok) for o in verdict.outcomes] == [("starts", True), ("time-limit", False)]
    assert verdict.outcomes[1].text == "the answer is done within 0.2 s"
    first, line = verdict.outcomes[1].note.splitlines()
    assert first == "stopped in: it returns 4 for 2; not run after it: 1 of 3 criteria"
    assert line.startswith("line ")


def test_the_limit_is_for_all_criteria_together() -> None:
    def slow(value: int) -> int:
        threading.Event().wait(0.15)
        return value * 2

    assert check("1.1", slow, DOUBLE, limit_s=0.2).failed_codes == ("time-limit",)


@pytest.mark.parametrize(("count", "codes"), [(LIMIT_SEEDS, ("time-limit",)), (10 * LIMIT_SEEDS, ())])
def test_the_limit_grows_with_the_hidden_seeds(
    count: int, codes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HIDDEN_SEEDS, f"7:{count}")

    def slow(value: int) -> int:
        threading.Event().wait(0.2)
        return value * 2

    assert check("1.1", slow, DOUBLE, limit_s=0.1).failed_codes == codes


def test_an_endless_loop_on_many_hidden_seeds_ends_at_the_limit_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HIDDEN_SEEDS, f"7:{3 * LIMIT_SEEDS}")
    assert check("1.1", endless, DOUBLE, limit_s=0.1).outcomes[0].text == "the answer is done within 0.3 s"


def test_a_check_outside_the_main_thread_has_its_limit_too() -> None:
    stop = threading.Event()
    found: list[Check] = []

    def answer(value: int) -> int:
        stop.wait()
        return value

    thread = threading.Thread(target=lambda: found.append(check("1.1", answer, DOUBLE, limit_s=0.2)))
    thread.start()
    thread.join()
    stop.set()
    assert found[0].failed_codes == ("time-limit",)


def test_what_a_failing_answer_prints_is_shown_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    def chatty(value: int) -> int:
        for number in range(1000):
            print("step", number)
        print("to stderr", file=sys.stderr)
        return value

    verdict = check("1.1", chatty, DOUBLE)
    assert verdict.outcomes[0].note.splitlines() == [
        "look at the unit",
        "the answer printed:",
        *(f"  step {number}" for number in range(5)),
        "  ... and 996 more lines",
    ]
    assert verdict.outcomes[1].note == "", "a criterion that holds needs no evidence"
    assert capsys.readouterr() == ("", "")


def test_what_every_criterion_makes_the_answer_print_is_shown_once() -> None:
    def chatty(value: int) -> int:
        print("step", value)
        return -1

    first, second = check("1.1", chatty, DOUBLE).outcomes
    assert first.note.splitlines() == ["look at the unit", "the answer printed:", "  step 2"]
    assert second.note == "mind the empty case"


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("x" * 5_000_000, ["  " + "x" * 100 + " ..."]),
        ("x" * 5_000_000 + "\nend", ["  " + "x" * 100 + " ...", "  ... and 1 more line"]),
        ("10 %\r20 %\r30 %\n", ["  30 %"]),
        ("\x1b[31mred\x1b[0m", ["  red"]),
        ("a\n\nb", ["  a", "  ", "  b"]),
    ],
)
def test_a_printed_line_is_shown_as_a_terminal_would_and_cut(printed: str, shown: list[str]) -> None:
    def chatty(value: int) -> int:
        sys.stdout.write(printed)
        return value

    assert check("1.1", chatty, DOUBLE).outcomes[0].note.splitlines()[2:] == shown


def test_an_endless_print_is_stopped_and_kept_short() -> None:
    def chatty(value: int) -> int:
        while True:
            print("x" * 100_000)

    note = check("1.1", chatty, DOUBLE, limit_s=0.2).outcomes[0].note
    assert len(note) < 6000


@pytest.mark.parametrize(
    ("criteria", "complaint"),
    [
        ([], "has no criteria"),
        ([DOUBLE[0], DOUBLE[0]], r"uses a reason code twice: \['doubles'\]"),
        ([Criterion("time-limit", "quick", callable)], "reserved for an answer that was stopped"),
        ([Criterion("reference", "own", callable)], "reserved for an answer that is the course's own"),
        ([Criterion("It Doubles", "doubles", callable)], "lower-case words"),
    ],
)
def test_a_malformed_check_is_its_authors_mistake(criteria: list[Criterion], complaint: str) -> None:
    with pytest.raises(AssertionError, match=f"^Exercise 1.1 .*{complaint}"):
        exercise(criteria)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"id": "one"}, "Exercise one has no id such as 3.2"),
        ({"id": "1.0"}, "has no id such as 3.2"),
        ({"title": " "}, "needs a title, and a number of minutes"),
        ({"minutes": 0}, "needs a title, and a number of minutes"),
        ({"wrong": (Wrong("is off", 3, "smallest"),)}, r"a criterion it does not have: \['is off'\]"),
    ],
)
def test_a_malformed_exercise_is_its_authors_mistake(changes: dict[str, Any], complaint: str) -> None:
    facts = {"id": "1.1", "title": "A title", "minutes": 10, "criteria": tuple(VALUE), "reference": 37, "wrong": ()}
    with pytest.raises(AssertionError, match=complaint):
        Exercise(**(facts | changes))


def test_an_exercise_is_shown_by_its_heading_and_gives_no_answer_away() -> None:
    shown = exercise(VALUE, "3.12", reference=37)
    assert repr(shown) == "Exercise 3.12 · A title (10 minutes)"
    assert (shown.id, shown.week) == ("3.12", 3)


@given(st.text(), st.text(), st.text())
def test_html_never_holds_the_learners_markup(exercise: str, text: str, note: str) -> None:
    shown = Check(exercise, Status.FAILED, (Outcome("c", text, False, note),), note)._repr_html_()
    for value in (exercise, text, note):
        if "<" in value and value not in "<div><p><strong></strong></p><table></table></div>":
            assert value not in shown


def test_a_verdict_is_shown_as_text_html_and_plain_json() -> None:
    verdict = check("1.1", typo, DOUBLE)
    bundle = verdict._repr_mimebundle_()
    assert json.loads(json.dumps(bundle[MIME])) == bundle[MIME]
    assert Check.from_record(bundle[MIME]) == verdict
    assert bundle["text/plain"].splitlines()[0] == "Exercise 1.1: failed (0 of 2 criteria hold)"
    assert "  FAIL  it returns 4 for 2" in bundle["text/plain"]
    assert "name &#x27;vlaue&#x27; is not defined" in bundle["text/html"]
    assert bundle["text/html"].count("FAIL") == 2


def test_two_checks_of_one_answer_are_equal_so_that_stored_verdicts_can_be_compared() -> None:
    def answer(value: int) -> int:
        raise ValueError(object())

    assert check("1.1", answer, DOUBLE)._repr_mimebundle_() == check("1.1", answer, DOUBLE)._repr_mimebundle_()


@pytest.mark.parametrize("record", [{}, {"exercise": "1.1", "status": "brilliant", "outcomes": [], "note": ""}, [1]])
def test_a_foreign_record_is_refused(record: Any) -> None:
    with pytest.raises(LabsError, match="stored verdict cannot be read"):
        Check.from_record(record)


def test_the_latest_verdict_on_each_exercise_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graded, "_latest", {})
    check("1.2", 36, VALUE)
    check("1.1", ..., DOUBLE)
    check("1.2", 37, VALUE)
    assert {exercise: verdict.status for exercise, verdict in graded.latest().items()} == {
        "1.2": Status.PASSED,
        "1.1": Status.NOT_ATTEMPTED,
    }


def test_a_lab_goes_on_with_the_learners_answer_once_it_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graded, "_passed", {})
    largest = exercise(VALUE, "1.2", reference=5)
    assert largest.working_answer() == 5, "an exercise that was never checked, whatever the reason"
    largest.check(37)
    assert largest.working_answer() == 37
    largest.check(36)
    assert largest.working_answer() == 5


def test_verdicts_reach_the_learners_progress_only_when_asked(monkeypatch: pytest.MonkeyPatch, isolated: Path) -> None:
    kept: list[tuple[str, str]] = []
    fake = types.ModuleType("labsupport.course.grading.progress")
    fake.append = lambda exercise, status: kept.append((exercise, status))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "labsupport.course.grading.progress", fake)
    monkeypatch.setattr("labsupport.course.grading.progress", fake, raising=False)
    check("1.2", 37, VALUE)
    assert kept == []
    monkeypatch.setenv("LABS_PROGRESS", "1")
    check("1.2", 37, VALUE)
    assert kept == [("1.2", "passed")]


def test_a_progress_file_that_cannot_be_written_costs_a_note_and_not_the_verdict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(exercise: str, status: str) -> None:
        raise LabsError("progress file: the disk is full")

    fake = types.ModuleType("labsupport.course.grading.progress")
    fake.append = full  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "labsupport.course.grading.progress", fake)
    monkeypatch.setattr("labsupport.course.grading.progress", fake, raising=False)
    monkeypatch.setenv("LABS_PROGRESS", "1")
    verdict = check("1.2", 37, VALUE)
    assert verdict.status is Status.PASSED
    assert "the disk is full" in verdict.note
    assert "the disk is full" in repr(verdict)
