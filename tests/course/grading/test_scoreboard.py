"""The scoreboard shows every exercise, run or not, and judges the criteria from the learner's receipts."""

from __future__ import annotations

import io
import json
import re
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from labsupport.course.catalog import criteria_for
from labsupport.course.grading import exercise as graded
from labsupport.course.grading.exercise import Exercise
from labsupport.course.grading.scoreboard import (
    MIME,
    Judged,
    Scoreboard,
    from_record,
    judge_week,
    render_failed,
    render_record,
    scoreboard,
)
from labsupport.course.grading.verdict import Criterion, Outcome
from labsupport.errors import LabsError
from labsupport.receipts.ledger import FILE_NAME, Ledger, ledger, record
from labsupport.training import metrics

POSITIVE = (Criterion("positive", "it is positive", lambda n: n > 0),)


def exercise(id: str) -> Exercise:
    return Exercise(id, f"Title of {id}", 10, POSITIVE, reference=1, wrong=())


@pytest.fixture(autouse=True)
def fresh_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graded, "_latest", {})


def test_exercises_that_were_not_checked_are_shown_as_not_run_and_in_order() -> None:
    exercises = [exercise(id) for id in ("1.1", "1.2", "1.3", "1.4")]
    exercises[2].check(5)
    exercises[0].check(...)
    exercises[3].check(-5)
    board = scoreboard(exercises)
    assert list(board.exercises.items()) == [
        ("1.1", "not attempted"),
        ("1.2", "not run"),
        ("1.3", "passed"),
        ("1.4", "failed"),
    ]
    assert "  exercise 1.3 · Title of 1.3: passed" in repr(board).splitlines()


def test_exercises_of_another_week_are_left_out() -> None:
    exercise("11.1").check(5)
    exercise("1.1").check(5)
    assert list(scoreboard([exercise("1.1")]).exercises) == ["1.1"]
    with pytest.raises(AssertionError, match="one week"):
        scoreboard([exercise("1.1"), exercise("11.1")])


def test_without_receipts_every_criterion_of_the_week_is_not_measured() -> None:
    board = scoreboard([exercise("1.1")])
    assert [judged.id for judged in board.criteria] == [criterion.id for criterion in criteria_for(1)]
    assert {judged.status for judged in board.criteria} == {"not measured"}
    assert all(judged.sentence for judged in board.criteria)


def test_a_workspace_that_cannot_be_read_costs_the_criteria_and_not_the_verdicts(isolated: Path) -> None:
    isolated.mkdir()
    (isolated / FILE_NAME).write_text("this is no ledger\n")
    exercise("1.1").check(5)
    board = scoreboard([exercise("1.1")])
    assert board.exercises == {"1.1": "passed"}
    assert "not a receipts file" in board.problems[0]
    assert board.problems[0] in repr(board)


def test_another_ledger_can_be_judged(tmp_path: Path) -> None:
    criteria, problems = judge_week(1, Ledger(tmp_path / "none.jsonl"))
    assert criteria
    assert problems == ()


def test_week_zero_has_exercises_and_no_criteria() -> None:
    assert scoreboard([exercise("0.1")]).summary == "Week 0: 0 of 1 exercises passed"


def test_a_scoreboard_is_shown_as_text_html_and_plain_json() -> None:
    criteria = (Judged("a", "fast <b>", "met", "3 < 4"), Judged("b", "large", "provisional", "on 1 GPU of 4"))
    board = Scoreboard(2, {"2.1": "passed", "2.2": "not run"}, criteria, ("line 3: torn",), {"2.1": "Throughput"})
    bundle = board._repr_mimebundle_()
    assert json.loads(json.dumps(bundle[MIME])) == {
        "week": 2,
        "exercises": {"2.1": "passed", "2.2": "not run"},
        "criteria": [
            {"id": "a", "text": "fast <b>", "status": "met", "sentence": "3 < 4"},
            {"id": "b", "text": "large", "status": "provisional", "sentence": "on 1 GPU of 4"},
        ],
        "problems": ["line 3: torn"],
        "titles": {"2.1": "Throughput"},
    }
    assert bundle["text/plain"].splitlines() == [
        "Week 2: 1 of 2 exercises passed, 1 of 2 success criteria met",
        "  exercise 2.1 · Throughput: passed",
        "  exercise 2.2: not run",
        "  met: fast <b>",
        "      3 < 4",
        "  provisional: large",
        "      on 1 GPU of 4",
        "line 3: torn",
    ]
    assert "fast &lt;b&gt;" in bundle["text/html"]
    assert "<b>" not in bundle["text/html"]


EVERY_STATUS = Scoreboard(
    2,
    {"2.1": "passed", "2.2": "failed", "2.3": "not run"},
    tuple(Judged(status, status, status, "so") for status in ("met", "not met", "provisional", "not measured")),
    ("line 3: torn",),
    {"2.1": "Waits [s]"},
)


def exported(shown: object, *, styles: bool = False) -> list[str]:
    from rich.console import Console

    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(shown)
    return console.export_text(styles=styles).splitlines()


def test_a_stored_scoreboard_is_shown_in_the_terminal() -> None:
    assert from_record(EVERY_STATUS.record) == EVERY_STATUS
    summary, *table = exported(render_record(EVERY_STATUS.record))
    assert summary == EVERY_STATUS.summary
    cells = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in table if line[0] == "│"]
    assert cells == [
        ["passed", "exercise 2.1 · Waits [s]"],
        ["failed", "exercise 2.2"],
        ["not run", "exercise 2.3"],
        *(
            pair
            for status in ("met", "not met", "provisional", "not measured")
            for pair in ([status, status], ["", "so"])
        ),
        ["", "line 3: torn"],
    ]
    assert table[0][0] == "┌"
    assert "passed" in table[1]  # there is no heading


def test_good_and_bad_news_have_their_colours_and_the_rest_has_none() -> None:
    colours = {"passed": "32", "failed": "31", "met": "32", "not met": "31", "provisional": "33"}
    lines = "\n".join(exported(render_record(EVERY_STATUS.record), styles=True))
    for status, colour in colours.items():
        assert re.search(rf"│ (\x1b\[0m)?\x1b\[{colour}m{status} *\x1b\[0m", lines)
    for status in ("not run", "not measured"):
        assert f"│ {status} " in lines
    assert lines.startswith("\x1b[1mWeek 2")
    assert exported(render_failed("Exercise 2.1", ()), styles=True) == ["\x1b[1mExercise 2.1\x1b[0m"]


def test_the_page_of_a_scoreboard() -> None:
    def row(status: str, subject: str) -> str:
        return (
            '<tr style="background:transparent"><td style="text-align:left;vertical-align:top;white-space:nowrap">'
            f'<strong>{status}</strong></td><td style="text-align:left">{subject}</td></tr>'
        )

    rows = [
        row("✓&nbsp;passed", "Exercise 2.1 · Waits [s]"),
        row("✗&nbsp;failed", "Exercise 2.2"),
        row("not run", "Exercise 2.3"),
        row("✓&nbsp;met", "met<br><em>so</em>"),
        row("✗&nbsp;not met", "not met<br><em>so</em>"),
        row("≈&nbsp;provisional", "provisional<br><em>so</em>"),
        row("not measured", "not measured<br><em>so</em>"),
    ]
    summary = "<p><strong>Week 2: 1 of 3 exercises passed, 1 of 4 success criteria met</strong></p>"
    page = f"<div>{summary}<table>{''.join(rows)}</table><p>line 3: torn</p></div>"
    assert EVERY_STATUS._repr_html_() == page
    assert Scoreboard(2, {}, (), ("a", "b"))._repr_html_() == (
        "<div><p><strong>Week 2: 0 of 0 exercises passed</strong></p><p>a</p><p>b</p></div>"
    )


def test_a_scoreboard_is_a_fact_and_is_stored_under_its_own_type() -> None:
    nothing = Scoreboard(2, {})
    assert (nothing.criteria, nothing.problems, dict(nothing.titles)) == ((), (), {})
    for fact, field in ((nothing, "week"), (EVERY_STATUS.criteria[0], "status")):
        with pytest.raises(FrozenInstanceError):
            setattr(fact, field, "changed")
    assert MIME == "application/vnd.labsupport.scoreboard+json"


def test_failed_criteria_are_shown_in_the_terminal_with_their_notes_as_they_are() -> None:
    from rich.console import Console

    outcomes = (Outcome("ok", "it holds", True), Outcome("bad", "it is [b]", False, "hint one\nline 2: x[i]"))
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(render_failed("Exercise 2.1", outcomes))
    assert console.export_text().splitlines() == [
        "Exercise 2.1",
        "  FAIL  it is [b]",
        "        hint one",
        "        line 2: x[i]",
    ]


@pytest.mark.parametrize(
    "record", [{}, {"week": 1, "exercises": {}, "criteria": [{"x": 1}], "problems": []}, {"week": "x"}]
)
def test_a_foreign_record_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(LabsError, match=r"stored scoreboard cannot be read \((Key|Type|Value)Error"):
        from_record(record)


def test_what_a_learner_or_a_ledger_wrote_is_text_in_the_page_and_no_markup() -> None:
    nasty = "<img src=x onerror=alert(1)> & co"
    board = Scoreboard(2, {nasty: nasty}, (Judged(nasty, nasty, nasty, nasty),), (nasty,))
    page = board._repr_html_()
    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt; &amp; co") == 6  # two of the exercise, three of the criterion


def test_a_stale_receipt_is_provisional_on_the_scoreboard_and_the_reason_is_there() -> None:
    taken = record(metrics.RECOVERY_S, 12.0, n=5, spread=0.1)
    (recovery,) = [judged for judged in judge_week(1)[0] if judged.id == "201.recovery"]
    assert "training.recovery_s is 12 s, measured (below 180 s)" in recovery.sentence
    ledger().path.unlink()
    ledger().append(replace(taken, details={**taken.details, "code": "0" * 12}))
    (recovery,) = [judged for judged in judge_week(1)[0] if judged.id == "201.recovery"]
    assert "stale: measured by other code than is here now" in recovery.sentence


def test_an_altered_receipt_is_named_at_the_criterion_that_it_was_meant_for() -> None:
    record(metrics.RECOVERY_S, 212.0, n=5, spread=0.1)
    ledger().path.write_text(ledger().path.read_text().replace("212.0", "12.0"))
    criteria, problems = judge_week(1)
    sentences = {judged.id: judged.sentence for judged in criteria}
    assert "edited by hand" in problems[0]
    assert problems[0] in sentences["201.recovery"]
    assert problems[0] not in sentences["201.gpu-utilization"]


@pytest.mark.parametrize(
    ("gpus", "advice"), [((), "this machine has 0"), (("a GPU",), "this machine has them: run it again there")]
)
def test_the_advice_names_the_gpus_of_this_machine(gpus, advice, monkeypatch: pytest.MonkeyPatch) -> None:
    record(metrics.BUSY_FRACTION, 0.97, n=5, spread=0.01)
    monkeypatch.setattr("labsupport.hardware.machine", lambda: SimpleNamespace(gpus=gpus))
    (judged,) = [one for one in judge_week(1)[0] if one.id == "201.gpu-utilization"]
    assert advice in judged.sentence
