"""A path on the calendar: every hour of content once, in order, at the pace given, and the buffer apart."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.course import catalog
from labsupport.course.schedule import schedule
from labsupport.errors import LabsError

MONDAY = date(2026, 1, 5)
paths = st.sampled_from([path.number for path in catalog.PATHS])
paces = st.floats(1, 168)


@given(paths, paces)
def test_every_hour_of_a_path_is_placed_once(path_id: int, pace: float) -> None:
    plan = schedule(path_id, pace, MONDAY)
    assert math.fsum(week.hours for week in plan.weeks) == pytest.approx(plan.content_hours)
    assert all(week.hours <= pace + 1e-6 for week in plan.weeks)


@given(paths, paces)
def test_labs_come_in_the_order_of_the_path(path_id: int, pace: float) -> None:
    plan = schedule(path_id, pace, MONDAY)
    order = dict.fromkeys(share.lab for week in plan.weeks for share in week.labs)
    assert tuple(order) == plan.path.weeks


@given(paths, paces)
def test_content_takes_the_fewest_whole_weeks(path_id: int, pace: float) -> None:
    plan = schedule(path_id, pace, MONDAY)
    assert len(plan.weeks) - 1 <= plan.content_weeks + 1e-6
    assert plan.content_weeks <= len(plan.weeks) + 1e-6
    assert all(week.labs for week in plan.weeks)


@given(paths, paces, st.integers(0, 10))
def test_content_and_buffer_sum_to_the_calendar(path_id: int, pace: float, buffer_weeks: int) -> None:
    plan = schedule(path_id, pace, MONDAY, buffer_weeks)
    calendar = plan.weeks + plan.buffer
    assert len(plan.buffer) == buffer_weeks
    assert plan.content_hours + plan.buffer_hours == pytest.approx(pace * len(calendar))
    assert all(not week.labs for week in plan.buffer)


@given(paths, paces, st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_weeks_follow_one_another_from_the_start(path_id: int, pace: float, start: date) -> None:
    plan = schedule(path_id, pace, start)
    calendar = plan.weeks + plan.buffer
    assert [week.number for week in calendar] == list(range(1, len(calendar) + 1))
    assert [week.start for week in calendar] == [start + timedelta(weeks=index) for index in range(len(calendar))]
    assert plan.end == calendar[-1].start + timedelta(days=6)


@pytest.mark.parametrize(
    ("pace", "content", "content_weeks", "buffer_weeks", "buffer_hours"),
    [(40, 7, 6.9, 5, 205), (20, 14, 13.8, 2, 45), (10, 28, 27.5, 1, 15)],
)
def test_path_1_at_a_pace_of_the_guide_gets_the_guides_calendar(
    pace: int, content: int, content_weeks: float, buffer_weeks: int, buffer_hours: int
) -> None:
    plan = schedule(1, pace, MONDAY)
    assert (len(plan.weeks), len(plan.buffer), plan.buffer_hours) == (content, buffer_weeks, buffer_hours)
    assert plan.content_weeks == pytest.approx(content_weeks, abs=0.06)


def test_a_pace_without_a_plan_has_only_the_rest_of_its_last_week_as_buffer() -> None:
    plan = schedule(1, 25, MONDAY)
    assert (len(plan.weeks), plan.buffer, plan.buffer_hours) == (11, (), 0)
    assert schedule(3, 20, MONDAY).buffer_hours == 10


def test_the_first_week_of_path_1_opens_with_the_introduction() -> None:
    first = schedule(1, 20, MONDAY).weeks[0]
    assert [(share.lab, share.hours) for share in first.labs] == [(0, None), (1, 20)]
    assert first.projects == ("201",)


def test_the_training_path_gives_its_advanced_topics_to_their_weeks() -> None:
    plan = schedule(2, 20, MONDAY)
    hours = dict.fromkeys(plan.path.weeks, 0.0)
    for week in plan.weeks:
        for share in week.labs:
            hours[share.lab] += share.hours or 0
    assert {lab: round(total, 1) for lab, total in hours.items()} == {
        0: 0, 1: 20, 2: 25, 3: 25, 12: 21.7, 13: 26.7, 14: 21.7,
    }  # fmt: skip


def test_a_schedule_is_shown_as_text_and_as_html() -> None:
    bundle = schedule(4, 40, MONDAY)._repr_mimebundle_()
    for shown in bundle.values():
        assert "Path 4, Platform engineer" in shown
        assert "2026-01-05 to 2026-01-11" in shown
        assert "lab 8 (20 h)" in shown
        assert "keep the numbers" in shown
    assert "buffer" in repr(schedule(1, 40, MONDAY)).splitlines()[-1]


def test_a_start_with_a_time_counts_as_its_day() -> None:
    assert schedule(1, 20, datetime(2026, 1, 5, 18, 30)).weeks[0].start == MONDAY


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 20, MONDAY), "learning path 5: not in the course; choose one of 1, 2, 3, 4"),
        ((1, 0, MONDAY), "hours per week 0: give a number from 1 to 168; the guide plans with 40, 20, 10"),
        ((1, -3, MONDAY), "hours per week -3"),
        ((1, 169, MONDAY), "hours per week 169"),
        ((1, math.nan, MONDAY), "hours per week nan"),
        ((1, math.inf, MONDAY), "hours per week inf"),
        ((1, "20", MONDAY), "hours per week '20'"),
        ((1, True, MONDAY), "hours per week True"),
        ((1, 20, "2026-01-05"), "start '2026-01-05': give a date"),
        ((1, 20, date(9999, 12, 1)), "choose an earlier day"),
        ((1, 20, MONDAY, -1), "buffer weeks -1: give a whole number from 0"),
        ((1, 20, MONDAY, 1.5), "buffer weeks 1.5"),
    ],
)
def test_what_cannot_be_scheduled_is_named(arguments, message) -> None:
    with pytest.raises(LabsError, match=re.escape(message)):
        schedule(*arguments)
