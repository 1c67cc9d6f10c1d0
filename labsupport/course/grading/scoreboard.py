"""The last cell of a lab: which exercises passed in this kernel, and which success criteria the receipts support.

A criterion is judged from the receipts of the learner's workspace, not from this kernel, so a criterion that a command
met last week is met here too. What was measured on smaller hardware than the criterion names is provisional, never met.

Limitations: verdicts of an earlier kernel are not shown; `labs progress` keeps those.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from labsupport.course.grading.exercise import Exercise, latest
from labsupport.course.grading.learner_error import describe
from labsupport.course.grading.verdict import Outcome
from labsupport.errors import LabsError

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from labsupport.receipts.ledger import Ledger

MIME = "application/vnd.labsupport.scoreboard+json"
NOT_RUN = "not run"

# A word says it; the mark only helps the eye. "provisional" and "not measured" are neither good nor bad news.
MARKS = {
    "passed": "\N{CHECK MARK}",
    "met": "\N{CHECK MARK}",
    "failed": "\N{BALLOT X}",
    "not met": "\N{BALLOT X}",
    "provisional": "\N{ALMOST EQUAL TO}",
}
STYLES = {"passed": "green", "met": "green", "failed": "red", "not met": "red", "provisional": "yellow"}


@dataclass(frozen=True)
class Judged:
    """One success criterion with its status (met, not met, provisional, not measured) and the reason."""

    id: str
    text: str
    status: str
    sentence: str


@dataclass(frozen=True)
class Scoreboard:
    """What a week's lab has reached; `exercises` maps each to its status, `problems` says what could not be read."""

    week: int
    exercises: Mapping[str, str]
    criteria: tuple[Judged, ...] = ()
    problems: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """The scoreboard as plain JSON values, as stored in the notebook."""
        return {
            "week": self.week,
            "exercises": dict(self.exercises),
            "criteria": [asdict(judged) for judged in self.criteria],
            "problems": list(self.problems),
            "titles": dict(self.titles),
        }

    @property
    def summary(self) -> str:
        """The scoreboard as one line."""
        passed = sum(status == "passed" for status in self.exercises.values())
        met = sum(judged.status == "met" for judged in self.criteria)
        criteria = f", {met} of {len(self.criteria)} success criteria met" if self.criteria else ""
        return f"Week {self.week}: {passed} of {len(self.exercises)} exercises passed{criteria}"

    def name(self, exercise: str) -> str:
        """Return an exercise by number and title."""
        return f"{exercise} · {self.titles[exercise]}" if exercise in self.titles else exercise

    def __repr__(self) -> str:
        lines = [self.summary]
        lines += [f"  exercise {self.name(exercise)}: {status}" for exercise, status in self.exercises.items()]
        for judged in self.criteria:
            lines += [f"  {judged.status}: {judged.text}", f"      {judged.sentence}"]
        return "\n".join([*lines, *self.problems])

    def _repr_html_(self) -> str:
        rows = [(f"Exercise {self.name(exercise)}", status, "") for exercise, status in self.exercises.items()]
        rows += [(judged.text, judged.status, judged.sentence) for judged in self.criteria]
        table = f"<table>{''.join(_row(*row) for row in rows)}</table>" if rows else ""
        problems = "".join(f"<p>{html.escape(problem)}</p>" for problem in self.problems)
        return f"<div><p><strong>{html.escape(self.summary)}</strong></p>{table}{problems}</div>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self._repr_html_(), MIME: self.record}


def from_record(record: Mapping[str, Any]) -> Scoreboard:
    """Return the scoreboard that `record` was made from.

    Raises:
        LabsError: the record was not written by a scoreboard.
    """
    try:
        return Scoreboard(
            int(record["week"]),
            {str(exercise): str(status) for exercise, status in record["exercises"].items()},
            tuple(Judged(**judged) for judged in record["criteria"]),
            tuple(map(str, record["problems"])),
            {str(exercise): str(title) for exercise, title in record["titles"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LabsError(f"a stored scoreboard cannot be read ({describe(error)}); run the notebook again") from error


def render_record(record: Mapping[str, Any]) -> Group:
    """Return a stored scoreboard as a summary and a table for the terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    board = from_record(record)
    table = Table(show_header=False)
    for exercise, status in board.exercises.items():
        table.add_row(status_text(status), Text(f"exercise {board.name(exercise)}"))
    for judged in board.criteria:
        table.add_row(status_text(judged.status), Text(f"{judged.text}\n{judged.sentence}"))
    for problem in board.problems:
        table.add_row("", Text(problem))
    return Group(Text(board.summary, "bold"), table)


def status_text(status: str) -> Text:
    """Return a status in its colour, for the terminal."""
    from rich.text import Text

    return Text(status, STYLES.get(status, ""))


def render_failed(summary: str, outcomes: Sequence[Outcome]) -> Group:
    """Return the criteria that did not hold, each with its note, for the terminal."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lines: list[Text | Padding] = [Text(summary, "bold")]
    for outcome in outcomes:
        if not outcome.ok:
            lines.append(Padding(Text(f"FAIL  {outcome.text}"), (0, 0, 0, 2), expand=False))
            lines += [Padding(Text(line), (0, 0, 0, 8), expand=False) for line in outcome.note.splitlines()]
    return Group(*lines)


def scoreboard(exercises: Sequence[Exercise]) -> Scoreboard:
    """Return the scoreboard of a week: the last expression of its notebook.

    `exercises` are all of one week, in order (`weekNN.EXERCISES`); one that was not checked in this kernel is shown as
    not run. Never raises on what a learner's workspace holds.
    """
    weeks = {exercise.week for exercise in exercises}
    assert len(weeks) == 1, f"A scoreboard shows the exercises of one week, not those of {sorted(weeks)}"
    checked = latest()
    statuses = {one.id: checked[one.id].status.value if one.id in checked else NOT_RUN for one in exercises}
    criteria, problems = judge_week(exercises[0].week)
    titles = {one.id: one.title for one in exercises}
    return Scoreboard(exercises[0].week, statuses, criteria, problems, titles)


def judge_week(week: int, receipts: Ledger | None = None) -> tuple[tuple[Judged, ...], tuple[str, ...]]:
    """Judge the success criteria of a week from a ledger, that of the workspace by default; return its problems too."""
    from labsupport.course.catalog import criteria_for
    from labsupport.course.grading.criteria import judge
    from labsupport.hardware import machine
    from labsupport.receipts.ledger import LedgerContents, ledger

    contents, unreadable = LedgerContents(), []
    try:
        contents = (receipts or ledger()).read()
    except LabsError as error:  # a broken workspace must not cost the learner the verdicts
        unreadable = [str(error)]
    judged = []
    for criterion in criteria_for(week):
        judgement = judge(criterion, contents.receipts, len(machine().gpus), contents.dropped)
        judged.append(Judged(criterion.id, criterion.text, str(judgement.status), judgement.sentence))
    return tuple(judged), (*contents.problems, *unreadable)


def _row(subject: str, status: str, sentence: str) -> str:
    mark = f"{MARKS[status]}&nbsp;" if status in MARKS else ""
    reason = f"<br><em>{html.escape(sentence)}</em>" if sentence else ""
    return (
        f'<tr style="background:transparent"><td style="text-align:left;vertical-align:top;white-space:nowrap"><strong>'
        f'{mark}{html.escape(status)}</strong></td><td style="text-align:left">{html.escape(subject)}{reason}</td></tr>'
    )
