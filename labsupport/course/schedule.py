"""Lay a learning path over a calendar: which labs in which week, with content and buffer apart.

The hours are the reference guide's estimates, shared evenly over the weeks of a project, because the guide's own weekly
figures do not sum to its project hours. Content fills the calendar at the pace given; buffer weeks come after it.

Limitations: holidays are not known; how long a lab takes you is for `labs progress --add-hours`.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from typing import Any

from labsupport.course.catalog import PLANS, LearningPath, learning_path, week
from labsupport.errors import LabsError

HOURS_OF_A_WEEK = 168
SMALLEST_PACE = 1  # hours per week; below it path 1 would take more than five years
LONGEST_BUFFER_WEEKS = 104
_NOTHING_LEFT = 1e-9  # hours: what floating point leaves of a lab that is done


@dataclass(frozen=True)
class Share:
    """Hours of one lab in one calendar week; None for a lab that the guide gives no hours."""

    lab: int
    hours: float | None


@dataclass(frozen=True)
class CalendarWeek:
    """Seven days from `start`; a week of the buffer has no labs."""

    number: int
    start: date
    labs: tuple[Share, ...] = ()

    @property
    def end(self) -> date:
        """The last of its days."""
        return self.start + timedelta(days=6)

    @property
    def hours(self) -> float:
        """Hours of content in it."""
        return math.fsum(share.hours or 0.0 for share in self.labs)

    @property
    def projects(self) -> tuple[str, ...]:
        """The projects of its labs, each once."""
        found = (week(share.lab).project for share in self.labs)
        return tuple(dict.fromkeys(project for project in found if project))


@dataclass(frozen=True)
class Schedule:
    """A path on the calendar; a notebook displays it."""

    path: LearningPath
    hours_per_week: float
    weeks: tuple[CalendarWeek, ...]
    buffer: tuple[CalendarWeek, ...]

    @property
    def content_hours(self) -> int:
        """Hours of the path, as the guide estimates them."""
        return self.path.hours

    @property
    def content_weeks(self) -> float:
        """Weeks that the content takes at this pace, before rounding up to whole ones."""
        return self.content_hours / self.hours_per_week

    @property
    def buffer_hours(self) -> float:
        """Hours of the calendar without content: the rest of the last week of content, and the buffer weeks."""
        return self.hours_per_week * len(self.weeks + self.buffer) - self.content_hours

    @property
    def end(self) -> date:
        """The last day, buffer included."""
        return (self.weeks + self.buffer)[-1].end

    def __repr__(self) -> str:
        rows = [_cells(item) for item in self.weeks + self.buffer]
        return "\n".join(
            [self._title(), *("  ".join(f"{cell:<{width}}" for cell, width in row).rstrip() for row in rows)]
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        rows = (
            "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell, _ in _cells(item)) + "</tr>"
            for item in self.weeks + self.buffer
        )
        return f"<div><p>{escape(self._title())}</p><table>{''.join(rows)}</table></div>"

    def _title(self) -> str:
        return (
            f"Path {self.path.number}, {self.path.title}: {self.content_hours} h of content (the guide's estimate) "
            f"take {self.content_weeks:.1f} weeks at {self.hours_per_week:g} h, buffer {self.buffer_hours:g} h; "
            f"{self.path.note}"
        )


def schedule(path_id: int, hours_per_week: float, start: date, buffer_weeks: int | None = None) -> Schedule:
    """Lay a path over calendar weeks from `start`.

    Args:
        path_id: 1 to 4.
        hours_per_week: from 1 to 168.
        buffer_weeks: whole weeks after the content. None takes those of the guide's plan for path 1 at this pace (40,
            20 or 10 h per week), and none at all where it has no plan.

    Raises:
        LabsError: there is no such path, the hours or the buffer are not allowed, or `start` is not a date.
    """
    path = learning_path(path_id)
    pace = _checked_pace(hours_per_week)
    first_day = _checked_date(start)
    shares = _fill(path, pace)
    extra = _guide_buffer(path, pace, len(shares)) if buffer_weeks is None else _checked_buffer(buffer_weeks)
    try:
        calendar = [
            CalendarWeek(number, first_day + timedelta(weeks=number - 1), labs)
            for number, labs in enumerate([*shares, *[()] * extra], start=1)
        ]
        _ = calendar[-1].end
    except OverflowError as error:
        raise LabsError(f"start {first_day}: the path would end after the year 9999; choose an earlier day") from error
    return Schedule(path, pace, tuple(calendar[: len(shares)]), tuple(calendar[len(shares) :]))


def _fill(path: LearningPath, pace: float) -> list[tuple[Share, ...]]:
    """Fill weeks of `pace` hours with the labs of a path, in order; a lab may span weeks, a week several labs."""
    weeks: list[list[Share]] = [[]]
    room = pace
    for lab in path.weeks:
        left = _lab_hours(path, lab)
        if left is None:
            weeks[-1].append(Share(lab, None))
            continue
        while left > _NOTHING_LEFT:
            if room <= _NOTHING_LEFT:
                weeks.append([])
                room = pace
            taken = min(left, room)
            weeks[-1].append(Share(lab, taken))
            left -= taken
            room -= taken
    return [tuple(labs) for labs in weeks]


def _lab_hours(path: LearningPath, lab: int) -> float | None:
    """Return a lab's even share of its project's hours, and of the path's advanced topics where they belong to it."""
    hours = week(lab).hours
    if hours is None or path.advanced is None or lab not in path.advanced.weeks:
        return hours
    return hours + path.advanced.hours / len(path.advanced.weeks)


def _guide_buffer(path: LearningPath, pace: float, content: int) -> int:
    calendar = next(
        (plan.calendar_weeks for plan in PLANS if path.number == 1 and plan.hours_per_week == pace), content
    )
    return calendar - content


def _cells(item: CalendarWeek) -> tuple[tuple[str, int], ...]:
    """Return the cells of a row and how wide each is as plain text."""
    labs = ", ".join(f"lab {share.lab}" + (f" ({share.hours:.0f} h)" if share.hours else "") for share in item.labs)
    return (
        (f"{item.number:>3}", 3),
        (f"{item.start} to {item.end}", 24),
        (", ".join(item.projects), 8),
        (labs or "buffer", 0),
    )


def _checked_pace(hours_per_week: float) -> float:
    number = isinstance(hours_per_week, numbers.Real) and not isinstance(hours_per_week, bool)
    if not number or not SMALLEST_PACE <= hours_per_week <= HOURS_OF_A_WEEK:
        raise LabsError(
            f"hours per week {hours_per_week!r}: give a number from {SMALLEST_PACE} to {HOURS_OF_A_WEEK}; the guide "
            f"plans with {', '.join(str(plan.hours_per_week) for plan in PLANS)}"
        )
    return float(hours_per_week)


def _checked_date(start: date) -> date:
    if not isinstance(start, date):
        raise LabsError(f"start {start!r}: give a date, such as date(2026, 1, 5)")
    return start.date() if isinstance(start, datetime) else start


def _checked_buffer(buffer_weeks: int) -> int:
    whole = isinstance(buffer_weeks, int) and not isinstance(buffer_weeks, bool)
    if not whole or not 0 <= buffer_weeks <= LONGEST_BUFFER_WEEKS:
        raise LabsError(f"buffer weeks {buffer_weeks!r}: give a whole number from 0 to {LONGEST_BUFFER_WEEKS}")
    return buffer_weeks
