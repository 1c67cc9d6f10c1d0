"""The course as data: weeks, projects, learning paths, time plans and success criteria.

Every number is quoted from the reference guide (v1.0, 25 October 2025) or computed from one that is. Nothing here is a
result: hours are estimates, criteria are targets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from labsupport.course.catalog.criteria import CRITERIA
from labsupport.course.catalog.paths import PATHS, AdvancedTopics, LearningPath
from labsupport.course.catalog.plans import PLANS, TimePlan
from labsupport.course.catalog.projects import PROJECTS, Project
from labsupport.course.catalog.success import Compare, Named, Requirement, SuccessCriterion
from labsupport.course.catalog.weeks import INTRODUCTION, WEEKS, Week
from labsupport.errors import LabsError

__all__ = [
    "CRITERIA",
    "INTRODUCTION",
    "PATHS",
    "PLANS",
    "PROJECTS",
    "WEEKS",
    "AdvancedTopics",
    "Compare",
    "LearningPath",
    "Named",
    "Project",
    "Requirement",
    "SuccessCriterion",
    "TimePlan",
    "Week",
    "criteria_for",
    "criterion",
    "learning_path",
    "project",
    "week",
]

Entry = TypeVar("Entry")


def week(number: int) -> Week:
    """Return a week.

    Raises:
        LabsError: there is no such week.
    """
    return _find("week", number, ((item.number, item) for item in WEEKS))


def project(project_id: str) -> Project:
    """Return a project, such as "201".

    Raises:
        LabsError: there is no such project.
    """
    return _find("project", project_id, ((item.id, item) for item in PROJECTS))


def learning_path(number: int) -> LearningPath:
    """Return a learning path, 1 to 4.

    Raises:
        LabsError: there is no such path.
    """
    return _find("learning path", number, ((item.number, item) for item in PATHS))


def criterion(criterion_id: str) -> SuccessCriterion:
    """Return a success criterion, such as "201.recovery".

    Raises:
        LabsError: there is no such criterion.
    """
    return _find("success criterion", criterion_id, ((item.id, item) for item in CRITERIA))


def criteria_for(number: int) -> tuple[SuccessCriterion, ...]:
    """Return the criteria that a week's receipts can settle; a project's last week reviews all of its criteria.

    Raises:
        LabsError: there is no such week.
    """
    project_id = week(number).project
    reviewed = project_id if project_id and project(project_id).weeks[-1] == number else None
    return tuple(item for item in CRITERIA if number in item.weeks or item.project == reviewed)


def _find(what: str, wanted: object, entries: Iterable[tuple[object, Entry]]) -> Entry:
    found = dict(entries)
    # True is 1 to a dictionary, and no week.
    if isinstance(wanted, bool) or wanted not in found:
        raise LabsError(f"{what} {wanted!r}: not in the course; choose one of {', '.join(map(str, found))}")
    return found[wanted]
