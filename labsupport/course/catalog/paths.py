"""The four learning paths: which projects, in which order.

A path keeps the numbers of the labs: path 4 begins with week 8. Labs of one project never need what a learner wrote in
another, so any path can be taken from its first lab.
"""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.course.catalog.projects import PROJECTS
from labsupport.course.catalog.weeks import INTRODUCTION

LABS_KEEP_THEIR_NUMBERS = "labs keep the numbers of path 1; this path takes them in its own order"


@dataclass(frozen=True)
class AdvancedTopics:
    """Optional notebooks beside the projects, and the weeks they are attached to."""

    hours: int
    weeks: tuple[int, ...]


@dataclass(frozen=True)
class LearningPath:
    """One path; `goal` is the word that asks for it."""

    number: int
    title: str
    goal: str
    projects: tuple[str, ...]
    advanced: AdvancedTopics | None = None
    note: str = LABS_KEEP_THEIR_NUMBERS

    @property
    def hours(self) -> int:
        """Return the hours of its projects and advanced topics."""
        own = sum(project.hours for project in PROJECTS if project.id in self.projects)
        return own + (self.advanced.hours if self.advanced else 0)

    @property
    def weeks(self) -> tuple[int, ...]:
        """Return the numbers of its labs in the order they are taken; every path begins with the introduction."""
        in_order = {project.id: project.weeks for project in PROJECTS}
        return (INTRODUCTION, *(week for project in self.projects for week in in_order[project]))


PATHS = (
    LearningPath(1, "Complete", "complete", ("201", "202", "203", "204"), note="labs in the order of their numbers"),
    LearningPath(
        2, "Training specialist", "training", ("201", "204"),
        # NCCL profiling, topology and GPU affinity, advanced checkpointing, training cost
        advanced=AdvancedTopics(hours=15, weeks=(2, 3, 13)),
    ),
    LearningPath(3, "Serving specialist", "serving", ("202", "203")),
    LearningPath(4, "Platform engineer", "platform", ("203", "204")),
)  # fmt: skip
