"""What a check says: criteria, the wrong answers that prove them, and the verdict that a notebook shows and stores.

A verdict is displayed as text and as HTML, and stored as JSON under `MIME` in the executed notebook. Nothing in it
differs from run to run: no durations, no memory addresses, no paths.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from labsupport.course.display.word_table import code_as_html
from labsupport.course.grading.learner_error import describe
from labsupport.errors import LabsError

MIME = "application/vnd.labsupport.check+json"

TIME_LIMIT = "time-limit"  # the reason code of an answer that was stopped
REFERENCE = "reference"  # the reason code of an answer that is the course's own
RESERVED = {TIME_LIMIT: "an answer that was stopped", REFERENCE: "an answer that is the course's own"}


class Status(StrEnum):
    """What a check says of an answer."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ATTEMPTED = "not attempted"


@dataclass(frozen=True)
class Criterion:
    """One success criterion: a reason code, what must hold in words, and a hint that says where to look."""

    code: str
    text: str
    holds: Callable[[Any], object]
    hint: str = ""


@dataclass(frozen=True)
class Wrong:
    """A known wrong answer and the code of the criterion that must reject it: the test of the check itself."""

    name: str
    answer: Any
    fails: str


@dataclass(frozen=True)
class Outcome:
    """Whether one criterion held; `note` is its hint, or the learner's error, its line and what the answer printed."""

    code: str
    text: str
    ok: bool
    note: str = ""


@dataclass(frozen=True)
class Check:
    """The verdict on one exercise; the last value of a check cell, which displays it."""

    exercise: str
    status: Status
    outcomes: tuple[Outcome, ...] = ()
    note: str = ""

    @property
    def failed_codes(self) -> tuple[str, ...]:
        """The reason codes of a failed check, in the order of the criteria."""
        return tuple(outcome.code for outcome in self.outcomes if not outcome.ok)

    @property
    def record(self) -> dict[str, Any]:
        """The verdict as plain JSON values, as stored in the notebook."""
        return {
            "exercise": self.exercise,
            "status": self.status.value,
            "outcomes": [{"code": o.code, "text": o.text, "ok": o.ok, "note": o.note} for o in self.outcomes],
            "note": self.note,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Check:
        """Return the verdict that `record` was made from.

        Raises:
            LabsError: the record was not written by a check.
        """
        try:
            outcomes = tuple(
                Outcome(str(o["code"]), str(o["text"]), bool(o["ok"]), str(o["note"])) for o in record["outcomes"]
            )
            return cls(str(record["exercise"]), Status(record["status"]), outcomes, str(record["note"]))
        except (KeyError, TypeError, ValueError) as error:
            raise LabsError(
                f"a stored verdict cannot be read ({describe(error)}); run the notebook's check cells again"
            ) from error

    @property
    def summary(self) -> str:
        """The verdict as one line."""
        if self.status is Status.NOT_ATTEMPTED:
            return f"Exercise {self.exercise}: not attempted (fill in the cell above, run it, then run this one)"
        held = sum(outcome.ok for outcome in self.outcomes)
        return f"Exercise {self.exercise}: {self.status.value} ({held} of {len(self.outcomes)} criteria hold)"

    def __repr__(self) -> str:
        lines = [self.summary]
        for outcome in self.outcomes:
            lines.append(f"  {'ok  ' if outcome.ok else 'FAIL'}  {outcome.text}")
            lines += [f"        {line}" for line in outcome.note.splitlines()]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        rows = "".join(_row(outcome) for outcome in self.outcomes)
        table = f"<table>{rows}</table>" if rows else ""
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        return f"<div><p><strong>{html.escape(self.summary)}</strong></p>{table}{note}</div>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"text/plain": repr(self), "text/html": self._repr_html_(), MIME: self.record}


def _row(outcome: Outcome) -> str:
    """Return one table row; the words carry the verdict, and text keeps the colour of the theme, light or dark."""
    mark, colour = ("&#10003;&nbsp;ok", "#2e9e5b") if outcome.ok else ("&#10007;&nbsp;FAIL", "#d1495b")
    first, *rest = outcome.note.splitlines() or [""]
    note = f"<br><em>{code_as_html(first)}</em>" if first else ""
    if rest:
        code = html.escape("\n".join(rest))
        note += f'<pre style="margin:0.3em 0 0;background:transparent;color:inherit">{code}</pre>'
    return (
        f'<tr style="background:transparent"><td style="border-left:4px solid {colour};text-align:left;'
        f'vertical-align:top"><strong>{mark}</strong></td>'
        f'<td style="text-align:left">{code_as_html(outcome.text)}{note}</td></tr>'
    )
