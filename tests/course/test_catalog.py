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

PACKAGES = {"201": "training", "202": "serving", "203": "regions", "204": "trainingjobs"}
CONTENT_HOURS = sum(project.hours for project in catalog.PROJECTS)
REQUIREMENTS = [(item, part) for item in catalog.CRITERIA for part in item.requirements]


def test_the_four_projects_take_275_hours() -> None:
    assert [project.hours for project in catalog.PROJECTS] == [60, 70, 80, 65]
    assert CONTENT_HOURS == 275


def test_the_weeks_are_0_to_14_each_once() -> None:
    assert [week.number for week in catalog.WEEKS] == list(range(15))


def test_every_week_belongs_to_one_project_or_is_the_introduction() -> None:
    claimed = [(week, project.id) for project in catalog.PROJECTS for week in project.weeks]
    assert claimed == [(week.number, week.project) for week in catalog.WEEKS if week.number != catalog.INTRODUCTION]
    assert catalog.week(catalog.INTRODUCTION).project is None


def test_the_hours_of_the_weeks_sum_to_the_content() -> None:
    assert catalog.week(0).hours is None
    assert sum(week.hours or 0 for week in catalog.WEEKS) == pytest.approx(CONTENT_HOURS)


def test_path_1_implies_these_hours_per_week() -> None:
    assert [round(project.hours_per_week, 1) for project in catalog.PROJECTS] == [20, 17.5, 20, 21.7]


@pytest.mark.parametrize("path", catalog.PATHS, ids=lambda path: path.title)
def test_a_path_names_only_what_exists(path: catalog.LearningPath) -> None:
    assert set(path.projects) <= {project.id for project in catalog.PROJECTS}
    assert path.weeks[0] == catalog.INTRODUCTION
    assert {catalog.week(number).project for number in path.weeks[1:]} == set(path.projects)
    assert set(path.advanced.weeks if path.advanced else ()) <= set(path.weeks)


def test_the_paths_take_the_hours_that_the_guide_prints() -> None:
    assert [path.hours for path in catalog.PATHS] == [275, 140, 150, 145]


def test_the_guides_plans_leave_these_hours_of_buffer() -> None:
    calendars = [plan.calendar_weeks * plan.hours_per_week for plan in catalog.PLANS]
    assert calendars == [480, 320, 290]
    assert [hours - CONTENT_HOURS for hours in calendars] == [205, 45, 15]


def test_a_criterion_names_the_gpus_it_wants() -> None:
    wanted = {criterion.id: {part.min_gpus for part in criterion.requirements} for criterion in catalog.CRITERIA}
    assert {id: gpus for id, gpus in wanted.items() if gpus != {0}} == {
        "201.scaling-efficiency": {4},
        "201.gpu-utilization": {1},
        "202.engine-speedup": {1},
        "202.llm-throughput": {1},
        "202.gpu-utilization": {1},
    }


def test_only_the_training_path_has_advanced_topics() -> None:
    advanced = {path.number: path.advanced for path in catalog.PATHS if path.advanced}
    assert list(advanced) == [2]
    assert (advanced[2].hours, advanced[2].weeks) == (15, (2, 3, 13))


def test_a_path_keeps_the_numbers_of_the_labs() -> None:
    assert catalog.learning_path(4).weeks == (0, 8, 9, 10, 11, 12, 13, 14)
    assert "keep the numbers" in catalog.learning_path(4).note


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
    for metric in part.metrics:
        assert metric.package == PACKAGES[criterion.project]
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


def test_the_last_week_of_a_project_reviews_all_of_its_criteria() -> None:
    for project in catalog.PROJECTS:
        reviewed = {criterion.id for criterion in catalog.criteria_for(project.weeks[-1])}
        assert reviewed == {criterion.id for criterion in catalog.CRITERIA if criterion.project == project.id}


def test_an_earlier_week_shows_the_criteria_it_has_receipts_for() -> None:
    assert [criterion.id for criterion in catalog.criteria_for(1)] == ["201.gpu-utilization", "201.recovery"]
    assert catalog.criteria_for(0) == ()


@pytest.mark.parametrize(
    ("find", "wanted", "message"),
    [
        (catalog.week, 15, "week 15: not in the course; choose one of 0, 1"),
        (catalog.week, True, "week True"),
        (catalog.project, "205", "project '205': not in the course; choose one of 201, 202, 203, 204"),
        (catalog.learning_path, 5, "learning path 5"),
        (catalog.criterion, "201.speed", "success criterion '201.speed'"),
        (catalog.criteria_for, -1, "week -1"),
    ],
)
def test_what_is_not_in_the_course_is_named_with_what_is(find, wanted, message) -> None:
    with pytest.raises(LabsError, match=re.escape(message)):
        find(wanted)


def test_an_entry_is_found_by_its_id() -> None:
    assert catalog.project("203").hours == 80
    assert catalog.learning_path(3).projects == ("202", "203")
    assert catalog.criterion("203.failover").project == "203"
