"""Recommend a learning path: the goal chooses it, the placement of the quiz says what to read first."""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.course.catalog import PATHS, LearningPath
from labsupport.errors import LabsError
from labsupport.introduction.quiz import BANDS, Placement


@dataclass(frozen=True)
class Recommendation:
    """The path that fits a goal, and the projects whose prerequisite reading comes first."""

    path: LearningPath
    reading_projects: tuple[str, ...]
    sentence: str


def recommend(placement: Placement, goal: str) -> Recommendation:
    """Return the path for a goal: complete, training, serving or platform.

    Raises:
        LabsError: there is no path for this goal.
    """
    by_goal = {path.goal: path for path in PATHS}
    if goal not in by_goal:
        raise LabsError(f"goal {goal!r}: no path has this goal; choose one of {', '.join(by_goal)}")
    path = by_goal[goal]
    reading = tuple(project for project in placement.reading_projects if project in path.projects)
    first = "the Engineer track, then " if placement.band is BANDS[0] else ""
    before = f", after the prerequisite reading of {', '.join(reading)}" if reading else ""
    return Recommendation(path, reading, f"{first}path {path.number}, {path.title}: {path.hours} h{before}")
