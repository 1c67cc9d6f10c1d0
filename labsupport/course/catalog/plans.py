"""The guide's three time plans for path 1, with content and slack apart.

The guide prints one total per plan (480, 320 and 290 hours) for the same 275 hours of content. Nothing here is typed in
that can be computed: content, total and slack follow from the projects and from hours per week.
"""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.course.catalog.projects import CONTENT_HOURS


@dataclass(frozen=True)
class PlanBlock:
    """Some calendar weeks of a plan and what the guide puts there."""

    first_week: int
    last_week: int
    projects: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class TimePlan:
    """One plan: hours per week and the schedule are quoted, the rest is computed."""

    id: str
    title: str
    hours_per_week: int
    schedule: tuple[PlanBlock, ...]

    @property
    def calendar_weeks(self) -> int:
        """The last week of the guide's schedule."""
        return self.schedule[-1].last_week

    @property
    def total_hours(self) -> int:
        """All hours of the calendar."""
        return self.calendar_weeks * self.hours_per_week

    @property
    def content_hours(self) -> int:
        """Hours of the projects."""
        return CONTENT_HOURS

    @property
    def content_weeks(self) -> float:
        """Weeks that the content takes at this pace."""
        return self.content_hours / self.hours_per_week

    @property
    def slack_hours(self) -> int:
        """Hours of the calendar beyond the content: exploration, practice, life."""
        return self.total_hours - self.content_hours


PLANS = (
    TimePlan(
        id="full",
        title="full time",
        hours_per_week=40,
        schedule=(
            PlanBlock(1, 2, ("201",), "40 h complete and 20 h in progress"),
            PlanBlock(3, 3, ("201", "202"), "finish 201, start 202"),
            PlanBlock(4, 5, ("202",), "50 h complete and 20 h in progress"),
            PlanBlock(6, 7, ("202", "203"), "finish 202, start 203"),
            PlanBlock(8, 9, ("203",), "60 h"),
            PlanBlock(10, 10, ("203", "204"), "last 20 h of 203, start 204"),
            PlanBlock(11, 12, ("204",), "65 h"),
        ),
    ),
    TimePlan(
        id="part",
        title="part time",
        hours_per_week=20,
        schedule=(
            PlanBlock(1, 3, ("201",), "60 h"),
            PlanBlock(4, 7, ("202",), "70 h"),
            PlanBlock(8, 12, ("203",), "80 h"),
            PlanBlock(13, 16, ("204",), "65 h"),
        ),
    ),
    TimePlan(
        id="weekend",
        title="weekends",
        hours_per_week=10,
        schedule=(
            PlanBlock(1, 6, ("201",), "201"),
            PlanBlock(7, 13, ("202",), "202"),
            PlanBlock(14, 22, ("203",), "203"),
            PlanBlock(23, 29, ("204",), "204"),
        ),
    ),
)
