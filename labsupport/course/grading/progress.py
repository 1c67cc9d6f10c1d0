"""A learner's progress: what the checks said, appended to a file in the workspace, and a summary computed from it.

Nothing is ticked by hand. Every verdict is one JSON line. The last attempt at an exercise counts, so running a fresh
copy of a lab takes nothing away, and breaking an answer that had passed does. Hours cannot be computed: a learner
enters them, and wherever they are shown they are marked as entered by hand.

Limitations: an exercise that was never checked is not known; without `totals`, a week's total is the number of
exercises that were.
"""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labsupport import json_lines
from labsupport.course.catalog import week as catalog_week
from labsupport.course.grading.verdict import Status
from labsupport.errors import LabsError
from labsupport.receipts import provenance
from labsupport.workspace import workspace

if TYPE_CHECKING:
    from rich.table import Table

FILE_NAME = "progress.jsonl"
MOST_HOURS_AT_ONCE = 168  # a week has no more


@dataclass(frozen=True)
class Verdict:
    """What a check said of an exercise, when, and at which commit of the course."""

    exercise: str
    status: Status
    week: int
    at: str
    commit: str


@dataclass(frozen=True)
class HoursByHand:
    """Hours that a learner says a week took."""

    week: int
    hours: float
    at: str


@dataclass(frozen=True)
class Contents:
    """What the file holds, in the order written, and a sentence for every line that was skipped."""

    verdicts: tuple[Verdict, ...] = ()
    hours: tuple[HoursByHand, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeekProgress:
    """One week: exercises passed of those there are, and hours entered by hand beside the guide's estimate."""

    week: int
    passed: int
    total: int
    hours_by_hand: float
    hours_quoted: float | None


@dataclass(frozen=True)
class Summary:
    """The weeks a learner has worked on; printed as text, or as a table on the command line."""

    weeks: tuple[WeekProgress, ...]
    problems: tuple[str, ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """The summary as plain JSON values."""
        return {"weeks": [asdict(item) for item in self.weeks], "problems": list(self.problems)}

    def __repr__(self) -> str:
        rows = [_HEAD, *map(_cells, self.weeks)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([*(lines if self.weeks else [_NOTHING_YET]), *self.problems])

    def rich_table(self) -> Table:
        """Return the summary as a table for a terminal; what could not be read stands below it."""
        from rich.table import Table

        table = Table(caption="\n".join([*([] if self.weeks else [_NOTHING_YET]), *self.problems]) or None)
        for column in _HEAD:
            table.add_column(column, justify="right")
        for item in self.weeks:
            table.add_row(*_cells(item))
        return table


_HEAD = ("week", "exercises passed", "hours, by hand", "hours, quoted estimate")
_NOTHING_YET = "no verdicts yet: run the check cells of a lab, or `labs run 0`"


def append(exercise: str, status: str) -> Verdict:
    """Write one verdict durably and return it; the week is the number before the dot of the exercise ("3.2").

    Raises:
        LabsError: the exercise names no week, the status is none, or the file cannot be written.
    """
    number = exercise.partition(".")[0]
    if not (number.isascii() and number.isdigit()):
        raise LabsError(f"exercise {exercise!r}: names no week; write week and number, such as 3.2")
    if status not in tuple(Status):
        raise LabsError(f"status {status!r} of exercise {exercise}: allowed are {', '.join(Status)}")
    verdict = Verdict(exercise, Status(status), catalog_week(int(number)).number, _now(), provenance.commit())
    _append({"type": "check", **asdict(verdict)})
    return verdict


def add_hours(week: int, hours: float) -> HoursByHand:
    """Write hours that the learner says a week took; they add to those entered before.

    Raises:
        LabsError: there is no such week, the hours are not above 0 and at most 168, or the file cannot be written.
    """
    _check_hours(hours)
    entry = HoursByHand(catalog_week(week).number, float(hours), _now())
    _append({"type": "hours", **asdict(entry)})
    return entry


def read(path: Path | None = None) -> Contents:
    """Read every whole line, of this workspace by default; a torn or foreign line is named in `problems` and skipped.

    Raises:
        LabsError: the file is there and cannot be read.
    """
    file = path or workspace() / FILE_NAME
    try:
        found = json_lines.read(file, _parse)
    except OSError as error:
        raise _failure(file, "read", error) from error
    return Contents(
        tuple(entry for entry in found.entries if isinstance(entry, Verdict)),
        tuple(entry for entry in found.entries if isinstance(entry, HoursByHand)),
        tuple(f"{file.name} {skipped}" for skipped in found.skipped),
    )


def summary(contents: Contents | None = None, totals: Mapping[int, int] | None = None) -> Summary:
    """Summarise what was read, by default from this workspace: per week, exercises passed of those there are.

    Args:
        totals: exercises of each week, where known; without it, those that were ever checked.
    """
    known = read() if contents is None else contents
    last: dict[str, Verdict] = {}
    for verdict in known.verdicts:
        if verdict.status is not Status.NOT_ATTEMPTED or verdict.exercise not in last:
            last[verdict.exercise] = verdict
    weeks = sorted(
        {verdict.week for verdict in last.values()} | {entry.week for entry in known.hours} | set(totals or ())
    )
    return Summary(tuple(_week_progress(number, last, known, totals or {}) for number in weeks), known.problems)


def _week_progress(
    number: int, last: Mapping[str, Verdict], known: Contents, totals: Mapping[int, int]
) -> WeekProgress:
    verdicts = [verdict for verdict in last.values() if verdict.week == number]
    return WeekProgress(
        week=number,
        passed=sum(verdict.status is Status.PASSED for verdict in verdicts),
        total=max(totals.get(number, 0), len(verdicts)),
        hours_by_hand=math.fsum(entry.hours for entry in known.hours if entry.week == number),
        hours_quoted=catalog_week(number).hours,
    )


def _cells(item: WeekProgress) -> tuple[str, ...]:
    by_hand = f"{item.hours_by_hand:g}" if item.hours_by_hand else "-"
    quoted = "-" if item.hours_quoted is None else f"{item.hours_quoted:.3g}"
    return str(item.week), f"{item.passed} of {item.total}", by_hand, quoted


def _parse(line: bytes) -> Verdict | HoursByHand:
    """Return the entry that a line holds.

    Raises:
        ValueError: it is not an object with exactly the fields of an entry, or a field has an impossible value.
    """
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    fields = {key: value for key, value in content.items() if key != "type"}
    try:
        if content.get("type") == "check":
            verdict = Verdict(**fields)
            entry: Verdict | HoursByHand = replace(verdict, status=Status(verdict.status))
            texts: tuple[object, ...] = (verdict.exercise, verdict.at, verdict.commit)
        elif content.get("type") == "hours":
            entry = HoursByHand(**fields)
            texts = (entry.at,)
            _check_hours(entry.hours)
        else:
            raise ValueError("it is neither a check nor hours")
        catalog_week(entry.week)
    except (TypeError, LabsError) as error:  # TypeError: other fields, or a week that is a list
        raise ValueError(str(error)) from error
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a field that is text has another value")
    return entry


def _check_hours(hours: object) -> None:
    number = isinstance(hours, numbers.Real) and not isinstance(hours, bool)
    if not number or not 0 < hours <= MOST_HOURS_AT_ONCE:  # type: ignore[operator]
        raise LabsError(f"hours {hours!r}: give a number above 0, at most {MOST_HOURS_AT_ONCE}")


def _append(entry: Mapping[str, object]) -> None:
    file = workspace() / FILE_NAME
    try:
        json_lines.append(file, json.dumps(entry))
    except OSError as error:
        raise _failure(file, "written", error) from error


def _failure(file: Path, what: str, error: OSError) -> LabsError:
    return LabsError(f"progress file {file}: cannot be {what} ({error.strerror}); free the path or the disk")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
