"""The reference guide's three time plans for path 1: how many weeks of the calendar it takes at how many hours each.

The guide prints one total per plan (480, 320 and 290 hours) for the same 275 hours of content; the rest is buffer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TimePlan:
    """One plan, as quoted."""

    hours_per_week: int
    calendar_weeks: int


PLANS = (
    TimePlan(hours_per_week=40, calendar_weeks=12),  # full time
    TimePlan(hours_per_week=20, calendar_weeks=16),  # part time
    TimePlan(hours_per_week=10, calendar_weeks=29),  # weekends
)
