"""The four projects as the reference guide states them: hours, weeks, goal.

Hours are the guide's estimates, not measurements. Its own week-by-week ranges do not sum to its project hours; both are
kept, so that the difference can be shown. What a notebook really takes is measured when it runs.
"""

from __future__ import annotations

from dataclasses import dataclass

GUIDE = "reference guide v1.0, 25 October 2025"  # the source of every number marked as quoted
MARKS_OF_DIFFICULTY = 5  # the guide rates on five marks, and gives all four projects five


@dataclass(frozen=True)
class GuideHours:
    """The hours that the guide gives some weeks of a project, counted from the project's first week."""

    first_week: int
    last_week: int
    low: int
    high: int


@dataclass(frozen=True)
class Project:
    """One project: its hours and goal are quoted, `weeks` are those of path 1, `package` holds its code."""

    id: str
    title: str
    package: str
    hours: int
    weeks: tuple[int, ...]
    goal: str
    guide_hours: tuple[GuideHours, ...]
    difficulty: int = MARKS_OF_DIFFICULTY

    @property
    def hours_per_week(self) -> float:
        """The even share of the hours that each of its weeks gets; the guide has no finer estimate that sums."""
        return self.hours / len(self.weeks)

    @property
    def guide_hours_range(self) -> tuple[int, int]:
        """What the guide's own weeks sum to, from the low to the high end."""
        return sum(part.low for part in self.guide_hours), sum(part.high for part in self.guide_hours)


PROJECTS = (
    Project(
        id="201",
        title="Distributed training on Ray",
        package="training",
        hours=60,
        weeks=(1, 2, 3),
        goal="a fault-tolerant distributed training platform: Ray and PyTorch DDP on Kubernetes, NCCL tuning, "
        "hyperparameter search, experiment tracking, measured scaling",
        guide_hours=(GuideHours(1, 1, 20, 20), GuideHours(2, 2, 20, 20), GuideHours(3, 3, 20, 20)),
    ),
    Project(
        id="202",
        title="High-performance model serving",
        package="serving",
        hours=70,
        weeks=(4, 5, 6, 7),
        goal="optimised CNN inference (TensorRT), LLM serving (vLLM), a multi-model API with A/B testing, GPU-aware "
        "autoscaling and distributed tracing",
        guide_hours=(GuideHours(1, 1, 23, 24), GuideHours(2, 2, 23, 24), GuideHours(3, 4, 24, 24)),
    ),
    Project(
        id="203",
        title="Multi-region ML platform",
        package="regions",
        hours=80,
        weeks=(8, 9, 10, 11),
        goal="infrastructure as code for three regions, replicated data, global routing, automatic failover, federated "
        "monitoring, lower cost",
        guide_hours=(GuideHours(1, 2, 35, 40), GuideHours(3, 3, 20, 25), GuideHours(4, 4, 15, 20)),
    ),
    Project(
        id="204",
        title="Kubernetes operator",
        package="trainingjobs",
        hours=65,
        weeks=(12, 13, 14),
        goal="a Kopf operator managing a TrainingJob custom resource (trainingjobs.ml.example.com): child Jobs, "
        "Services, ConfigMaps, status, metrics, checkpoints, GPU allocation, recovery, secured and tested",
        guide_hours=(GuideHours(1, 2, 40, 45), GuideHours(3, 3, 20, 25)),
    ),
)

PROJECT_IDS = tuple(project.id for project in PROJECTS)
CONTENT_HOURS = sum(project.hours for project in PROJECTS)
