"""The course as data agrees with itself, and with the totals that the reference guide prints."""

from __future__ import annotations

import re

import pytest

from labsupport.course import catalog
from labsupport.course.catalog.success import SEEDS
from labsupport.course.grading.seeds import seeds
from labsupport.errors import LabsError
from labsupport.receipts.metric import find
from labsupport.receipts.receipt import Kind

REQUIREMENTS = [(item, part) for item in catalog.CRITERIA for part in item.requirements]


def test_the_four_projects_take_275_hours() -> None:
    assert [project.hours for project in catalog.PROJECTS] == [60, 70, 80, 65]
    assert catalog.CONTENT_HOURS == 275


def test_the_weeks_are_0_to_14_each_once() -> None:
    assert [week.number for week in catalog.WEEKS] == list(range(15))


def test_every_week_belongs_to_one_project_or_is_the_introduction() -> None:
    claimed = [(week, project.id) for project in catalog.PROJECTS for week in project.weeks]
    assert claimed == [(week.number, week.project) for week in catalog.WEEKS if week.number != catalog.INTRODUCTION]
    assert catalog.week(catalog.INTRODUCTION).project is None


def test_the_hours_of_the_weeks_sum_to_the_content() -> None:
    assert catalog.week(0).hours is None
    assert sum(week.hours or 0 for week in catalog.WEEKS) == pytest.approx(catalog.CONTENT_HOURS)


def test_path_1_implies_these_hours_per_week() -> None:
    assert [round(project.hours_per_week, 1) for project in catalog.PROJECTS] == [20, 17.5, 20, 21.7]


def test_the_guides_weekly_hours_are_kept_although_only_those_of_201_are_exact() -> None:
    ranges = {project.id: project.guide_hours_range for project in catalog.PROJECTS}
    assert ranges == {"201": (60, 60), "202": (70, 72), "203": (70, 85), "204": (60, 70)}


@pytest.mark.parametrize("project", catalog.PROJECTS, ids=lambda project: project.id)
def test_the_guides_hours_cover_every_week_of_a_project_once(project: catalog.Project) -> None:
    covered = [week for part in project.guide_hours for week in range(part.first_week, part.last_week + 1)]
    assert covered == list(range(1, len(project.weeks) + 1))


@pytest.mark.parametrize("week", catalog.WEEKS[1:], ids=lambda week: week.name)
def test_the_day_plan_of_a_week_covers_seven_days_once(week: catalog.Week) -> None:
    days = [day for block in week.plan for day in range(block.first_day or 0, (block.last_day or 0) + 1)]
    assert days == list(range(1, 8))


@pytest.mark.parametrize("week", catalog.WEEKS, ids=lambda week: week.name)
def test_a_week_says_what_it_contains(week: catalog.Week) -> None:
    assert week.title
    assert week.subjects
    assert all(block.subject for block in week.plan + week.project_guide)


def test_days_are_written_as_days() -> None:
    assert [block.when for block in catalog.week(12).plan] == ["days 1-2", "days 3-4", "days 5-6", "day 7"]
    assert catalog.week(7).project_guide[0].when == "project week 3-4, days 4-5"
    assert catalog.week(8).project_guide[0].when == "project week 1"
    assert catalog.week(0).plan[0].when == ""


@pytest.mark.parametrize("path", catalog.PATHS, ids=lambda path: path.title)
def test_a_paths_hours_are_the_sum_of_its_parts(path: catalog.LearningPath) -> None:
    assert path.hours == path.quoted_hours


@pytest.mark.parametrize("path", catalog.PATHS, ids=lambda path: path.title)
def test_a_path_names_only_what_exists(path: catalog.LearningPath) -> None:
    assert set(path.projects) <= {project.id for project in catalog.PROJECTS}
    assert {project for project, _ in path.extra_topics} <= set(path.projects)
    assert path.weeks[0] == catalog.INTRODUCTION
    assert {catalog.week(number).project for number in path.weeks[1:]} == set(path.projects)
    assert set(path.advanced.weeks if path.advanced else ()) <= set(path.weeks)


def test_only_the_training_path_has_advanced_topics() -> None:
    advanced = {path.number: path.advanced for path in catalog.PATHS if path.advanced}
    assert list(advanced) == [2]
    assert (advanced[2].hours, advanced[2].weeks) == (15, (2, 3, 13))


def test_a_path_keeps_the_numbers_of_the_labs() -> None:
    assert catalog.learning_path(4).weeks == (0, 8, 9, 10, 11, 12, 13, 14)
    assert "keep the numbers" in catalog.learning_path(4).note


@pytest.mark.parametrize(
    ("plan_id", "calendar_weeks", "total", "content_weeks", "slack"),
    [("full", 12, 480, 6.9, 205), ("part", 16, 320, 13.8, 45), ("weekend", 29, 290, 27.5, 15)],
)
def test_a_plan_splits_its_calendar_into_content_and_slack(
    plan_id: str, calendar_weeks: int, total: int, content_weeks: float, slack: int
) -> None:
    plan = catalog.time_plan(plan_id)
    assert (plan.calendar_weeks, plan.total_hours, plan.slack_hours) == (calendar_weeks, total, slack)
    assert plan.content_weeks == pytest.approx(content_weeks, abs=0.06)  # the guide's figures have one decimal
    assert plan.content_hours + plan.slack_hours == plan.total_hours


@pytest.mark.parametrize("plan", catalog.PLANS, ids=lambda plan: plan.id)
def test_a_plan_schedules_every_calendar_week_once_and_every_project(plan: catalog.TimePlan) -> None:
    weeks = [week for block in plan.schedule for week in range(block.first_week, block.last_week + 1)]
    assert weeks == list(range(1, plan.calendar_weeks + 1))
    assert list(dict.fromkeys(project for block in plan.schedule for project in block.projects)) == [
        project.id for project in catalog.PROJECTS
    ]


def test_every_project_has_its_criteria() -> None:
    counts = {project.id: 0 for project in catalog.PROJECTS}
    for criterion in catalog.CRITERIA:
        counts[criterion.project] += 1
    assert counts == {"201": 5, "202": 5, "203": 5, "204": 6}  # the guide's, and the latency of its resume text


def test_criterion_ids_are_unique_and_begin_with_their_project() -> None:
    ids = [criterion.id for criterion in catalog.CRITERIA]
    assert len(set(ids)) == len(ids)
    assert all(criterion.id.startswith(f"{criterion.project}.") for criterion in catalog.CRITERIA)


@pytest.mark.parametrize("criterion", catalog.CRITERIA, ids=lambda criterion: criterion.id)
def test_a_criterion_is_judged_in_weeks_of_its_own_project(criterion: catalog.SuccessCriterion) -> None:
    assert criterion.requirements
    assert set(criterion.weeks) <= set(catalog.project(criterion.project).weeks)
    assert criterion.weeks


@pytest.mark.parametrize(("criterion", "part"), REQUIREMENTS)
def test_a_criterion_asks_for_metrics_of_its_own_project_and_for_a_value_that_they_can_have(criterion, part) -> None:
    package = catalog.project(criterion.project).package
    for metric in part.metrics:
        assert metric.package == package
        assert find(metric.name) is metric
        assert metric.unit == part.metric.unit
    assert part.target in part.metric.domain or part.compare is catalog.Compare.ABOVE


@pytest.mark.parametrize(("criterion", "part"), REQUIREMENTS)
def test_goals_and_quotes_are_no_evidence(criterion: catalog.SuccessCriterion, part: catalog.Requirement) -> None:
    assert part.kinds
    assert not part.kinds & {Kind.TARGET, Kind.QUOTED}


@pytest.mark.parametrize(("criterion", "part"), REQUIREMENTS)
def test_an_invariant_asks_for_many_seeds(criterion: catalog.SuccessCriterion, part: catalog.Requirement) -> None:
    assert (part.min_n == SEEDS) == part.metric.name.endswith(".failing_seeds")


def test_many_seeds_are_the_public_seeds_of_a_check() -> None:
    assert len(seeds()) == SEEDS


def test_the_targets_are_those_of_the_guide() -> None:
    targets = {
        criterion.id: (criterion.requirements[0].compare.value, criterion.requirements[0].target)
        for criterion in catalog.CRITERIA
    }
    assert targets["201.scaling-efficiency"] == ("at least", 0.85)
    assert targets["201.gpu-utilization"] == ("at least", 0.85)
    assert targets["201.recovery"] == ("below", 180)
    assert targets["202.engine-speedup"] == ("at least", 3)
    assert targets["202.llm-throughput"] == ("at least", 100)
    assert targets["202.gpu-utilization"] == ("at least", 0.80)
    assert targets["203.regions"] == ("at least", 3)
    assert targets["203.uptime"] == ("at least", 0.9995)
    assert targets["203.failover"] == ("below", 30)
    assert targets["203.replication-lag"] == ("below", 5)
    assert targets["203.cost-saving"] == ("at least", 0.15)
    assert targets["204.concurrency"] == ("at least", 50)
    assert targets["204.gpu-allocation"] == ("at least", 0.95)
    assert targets["204.scheduling-latency"] == ("below", 5)


def test_a_criterion_names_the_gpus_it_wants() -> None:
    wanted = {criterion.id: criterion.min_gpus for criterion in catalog.CRITERIA if criterion.min_gpus}
    assert wanted == {
        "201.scaling-efficiency": 4,
        "201.gpu-utilization": 1,
        "202.engine-speedup": 1,
        "202.llm-throughput": 1,
        "202.gpu-utilization": 1,
    }


def test_the_last_week_of_a_project_reviews_all_of_its_criteria() -> None:
    for project in catalog.PROJECTS:
        reviewed = {criterion.id for criterion in catalog.criteria_for(project.weeks[-1])}
        assert reviewed == {criterion.id for criterion in catalog.CRITERIA if criterion.project == project.id}


def test_an_earlier_week_shows_the_criteria_it_has_receipts_for() -> None:
    assert [criterion.id for criterion in catalog.criteria_for(1)] == ["201.gpu-utilization", "201.recovery"]
    assert catalog.criteria_for(0) == ()


def test_the_places_where_a_run_happens_need_only_this_machine() -> None:
    assert [place.id for place in catalog.PLACES] == ["sim", "local", "kind", "gpu", "cloud"]
    assert [place.id for place in catalog.PLACES if place.required] == ["sim", "local"]


@pytest.mark.parametrize(
    ("find", "wanted", "message"),
    [
        (catalog.week, 15, "week 15: not in the course; choose one of 0, 1"),
        (catalog.week, True, "week True"),
        (catalog.project, "205", "project '205': not in the course; choose one of 201, 202, 203, 204"),
        (catalog.learning_path, 5, "learning path 5"),
        (catalog.time_plan, "night", "choose one of full, part, weekend"),
        (catalog.criterion, "201.speed", "success criterion '201.speed'"),
        (catalog.criteria_for, -1, "week -1"),
    ],
)
def test_what_is_not_in_the_course_is_named_with_what_is(find, wanted, message) -> None:
    with pytest.raises(LabsError, match=re.escape(message)):
        find(wanted)


def test_an_entry_is_found_by_its_id() -> None:
    assert catalog.project("203").package == "regions"
    assert catalog.time_plan("part").hours_per_week == 20
    assert catalog.criterion("203.failover").project == "203"
