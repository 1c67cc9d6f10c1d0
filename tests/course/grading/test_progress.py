"""Progress is what the checks said: appended whole or not at all, summarised by the last attempt, hours by hand."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from rich.console import Console

from labsupport.cli.main import _exit_code
from labsupport.course.grading import progress
from labsupport.course.grading.exercise import PROGRESS, Exercise
from labsupport.course.grading.progress import Summary, WeekProgress, add_hours, append, read, summary
from labsupport.course.grading.verdict import Criterion, Status
from labsupport.errors import LabsError
from labsupport.workspace import workspace


def progress_file() -> Path:
    return workspace() / progress.FILE_NAME


def passed_and_total(found: Summary) -> dict[int, tuple[int, int]]:
    return {item.week: (item.passed, item.total) for item in found.weeks}


def test_a_verdict_is_read_back_as_it_was_written() -> None:
    written = append("3.2", "passed")
    assert (written.exercise, written.status, written.week) == ("3.2", Status.PASSED, 3)
    assert written.commit
    assert read() == progress.Contents(verdicts=(written,))


def test_without_a_file_there_is_no_progress() -> None:
    assert read() == progress.Contents()
    assert summary() == Summary(())
    assert "no verdicts yet" in repr(summary())


def test_a_summary_counts_passed_exercises_by_week() -> None:
    for exercise, status in [("1.1", "passed"), ("1.2", "failed"), ("1.3", "not attempted"), ("10.1", "passed")]:
        append(exercise, status)
    assert passed_and_total(summary()) == {1: (1, 3), 10: (1, 1)}


def test_the_last_attempt_counts_and_a_fresh_copy_takes_nothing_away() -> None:
    append("1.1", "failed")
    append("1.1", "passed")
    append("1.1", "not attempted")
    assert passed_and_total(summary()) == {1: (1, 1)}
    append("1.1", "failed")
    assert passed_and_total(summary()) == {1: (0, 1)}


def test_known_totals_show_exercises_that_were_never_checked() -> None:
    append("1.1", "passed")
    assert passed_and_total(summary(totals={1: 5, 2: 4})) == {1: (1, 5), 2: (0, 4)}
    append("1.9", "passed")
    assert passed_and_total(summary(totals={1: 1}))[1] == (2, 2)


def test_hours_are_added_up_and_marked_as_entered_by_hand() -> None:
    add_hours(1, 3)
    add_hours(1, 1.5)
    found = summary()
    assert found.weeks == (WeekProgress(1, passed=0, total=0, hours_by_hand=4.5, hours_quoted=20.0),)
    assert "hours, by hand" in repr(found)
    assert "hours, quoted estimate" in repr(found)


def test_hours_are_entered_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(["progress", "--add-hours", "1", "2.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weeks"][0]["hours_by_hand"] == 2.5
    assert _exit_code(["progress", "--add-hours", "1", "0.5"]) == 0
    shown = capsys.readouterr().out
    assert "hours, by hand" in shown
    assert "3 " in shown
    assert _exit_code(["progress", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weeks"][0]["hours_by_hand"] == 3
    assert _exit_code(["progress", "--add-hours", "15", "1"]) == 2
    assert _exit_code(["progress", "--add-hours", "1", "-1"]) == 2
    assert summary().weeks[0].hours_by_hand == 3


def test_the_introduction_has_no_quoted_hours() -> None:
    append("0.1", "passed")
    assert summary().weeks[0].hours_quoted is None


def test_a_torn_last_line_is_reported_and_skipped() -> None:
    append("1.1", "passed")
    with progress_file().open("ab") as file:
        file.write(b'{"type": "check", "exercise": "1.2", "sta')
    contents = read()
    assert [verdict.exercise for verdict in contents.verdicts] == ["1.1"]
    assert contents.problems == ("progress.jsonl line 2: torn, skipped",)
    assert summary().problems == contents.problems


def test_a_line_after_a_torn_one_is_not_lost() -> None:
    append("1.1", "passed")
    with progress_file().open("ab") as file:
        file.write(b'{"type": "check", "exer')
    append("1.2", "passed")
    assert [verdict.exercise for verdict in read().verdicts] == ["1.1", "1.2"]
    (problem,) = read().problems
    assert problem.startswith("progress.jsonl line 2: corrupt (")


def test_a_last_line_that_lost_only_its_line_break_is_whole() -> None:
    append("1.1", "passed")
    progress_file().write_bytes(progress_file().read_bytes().rstrip(b"\n"))
    assert len(read().verdicts) == 1
    append("1.2", "passed")
    assert len(read().verdicts) == 2
    assert read().problems == ()


@pytest.mark.parametrize(
    "change",
    [
        {"status": "excellent"},
        {"status": None},
        {"status": [1]},
        {"week": 15},
        {"week": [1]},
        {"exercise": 1},
        {"type": "badge"},
        {"colour": "red"},
    ],
)
def test_a_foreign_line_is_named_and_skipped(change) -> None:
    append("1.1", "passed")
    line = json.loads(progress_file().read_bytes())
    progress_file().write_text(json.dumps(line | change) + "\n" + json.dumps(line) + "\n")
    assert len(read().verdicts) == 1
    (problem,) = read().problems
    assert problem.startswith("progress.jsonl line 1: corrupt (")


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "null",
        "3",
        "\xff",
        '{"type": "hours", "week": 1, "hours": NaN, "at": ""}',
        '{"type": "hours", "week": 1, "hours": 1e999, "at": ""}',
    ],
)
def test_what_is_no_entry_at_all_is_named_and_skipped(line: str) -> None:
    workspace()
    progress_file().write_text(line + "\n", encoding="latin-1")
    (problem,) = read().problems
    assert problem.startswith("progress.jsonl line 1: corrupt (")


def test_many_writers_lose_no_line() -> None:
    threads = [threading.Thread(target=append, args=(f"{week}.{number}", "passed"))
               for week in range(4) for number in range(1, 11)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passed_and_total(summary()) == dict.fromkeys(range(4), (10, 10))
    assert read().problems == ()


def test_a_check_that_counts_appends_its_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    criteria = (Criterion("right", "it is 4", lambda answer: answer == 4),)
    exercise = Exercise("2.1", "Four", 5, criteria, reference=4, wrong=())
    exercise.check(4)
    assert read().verdicts == ()
    monkeypatch.setenv(PROGRESS, "1")
    assert exercise.check(4).note == ""
    assert [(verdict.exercise, verdict.status) for verdict in read().verdicts] == [("2.1", "passed")]


def test_a_summary_is_shown_as_json_text_and_table() -> None:
    append("12.1", "passed")
    add_hours(12, 2)
    found = summary()
    assert json.loads(json.dumps(found.record))["weeks"][0]["passed"] == 1
    console = Console(width=100)
    with console.capture() as printed:
        console.print(found.rich_table())
    for shown in (repr(found), printed.get()):
        assert "1 of 1" in shown
        assert "21.7" in shown


@pytest.mark.parametrize(
    ("exercise", "status", "message"),
    [
        ("drill", "passed", "exercise 'drill': names no week; write week and number, such as 3.2"),
        ("15.1", "passed", "week 15: not in the course"),
        ("1.1", "done", "status 'done' of exercise 1.1: allowed are passed, failed, not attempted"),
    ],
)
def test_a_verdict_that_cannot_be_is_refused(exercise: str, status: str, message: str) -> None:
    with pytest.raises(LabsError, match=re.escape(message)):
        append(exercise, status)
    assert read() == progress.Contents()


@pytest.mark.parametrize("hours", [0, -1, 169, float("nan"), True, "2"])
def test_hours_that_cannot_be_are_refused(hours) -> None:
    with pytest.raises(LabsError, match="give a number above 0, at most 168"):
        add_hours(1, hours)
    assert read() == progress.Contents()


def test_a_file_that_cannot_be_written_is_named() -> None:
    progress_file().mkdir()
    with pytest.raises(LabsError, match=r"progress file .*progress\.jsonl: cannot be written"):
        append("1.1", "passed")
    with pytest.raises(LabsError, match=r"progress file .*progress\.jsonl: cannot be read"):
        read()
