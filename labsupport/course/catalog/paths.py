"""The four learning paths: which projects, in which order, for whom.

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
    topics: tuple[str, ...]
    weeks: tuple[int, ...]


@dataclass(frozen=True)
class LearningPath:
    """One path: `quoted_hours`, `length` and `outcome` are the guide's, `hours` is what its parts sum to."""

    number: int
    title: str
    goal: str
    """The one word that asks for this path."""
    projects: tuple[str, ...]
    quoted_hours: int
    length: str
    focus: str
    extra_topics: tuple[tuple[str, str], ...]
    """Project and what this path adds to it."""
    outcome: str
    done_when: tuple[str, ...] = ()
    advanced: AdvancedTopics | None = None
    note: str = LABS_KEEP_THEIR_NUMBERS

    @property
    def hours(self) -> int:
        """The hours of its projects and advanced topics."""
        own = sum(project.hours for project in PROJECTS if project.id in self.projects)
        return own + (self.advanced.hours if self.advanced else 0)

    @property
    def weeks(self) -> tuple[int, ...]:
        """The numbers of its labs in the order they are taken; every path begins with the introduction."""
        in_order = {project.id: project.weeks for project in PROJECTS}
        return (INTRODUCTION, *(week for project in self.projects for week in in_order[project]))


PATHS = (
    LearningPath(
        number=1,
        title="Complete",
        goal="complete",
        projects=("201", "202", "203", "204"),
        quoted_hours=275,
        length="12-16 weeks at 20-25 h/week",
        focus="all domains",
        extra_topics=(),
        outcome="broad expertise",
        done_when=(
            "4 projects deployed and running",
            "all benchmarks reproduced and validated",
            "production deployments tested",
            "portfolio documented",
        ),
        note="labs in the order of their numbers",
    ),
    LearningPath(
        number=2,
        title="Training specialist",
        goal="training",
        projects=("201", "204"),
        quoted_hours=140,
        length="8-10 weeks",
        focus="distributed training, GPU optimisation, orchestration",
        extra_topics=(
            ("201", "all phases, NCCL in depth, advanced Ray Tune, scaling analysis"),
            ("204", "full operator, training-specific features, multi-tenancy and quotas, hardening"),
        ),
        outcome="training-platform engineer",
        advanced=AdvancedTopics(
            hours=15,
            topics=(
                "profiling and debugging NCCL",
                "topology and GPU affinity",
                "advanced checkpointing",
                "training cost",
            ),
            weeks=(2, 3, 13),
        ),
    ),
    LearningPath(
        number=3,
        title="Serving specialist",
        goal="serving",
        projects=("202", "203"),
        quoted_hours=150,
        length="8-10 weeks",
        focus="high-performance serving, multi-region",
        extra_topics=(
            ("202", "all phases, TensorRT in depth, advanced vLLM, autoscaling and traffic, monitoring and tracing"),
            ("203", "full deployment, global traffic, replication strategies, disaster recovery, cost"),
        ),
        outcome="ML platform / serving engineer",
    ),
    LearningPath(
        number=4,
        title="Platform engineer",
        goal="platform",
        projects=("203", "204"),
        quoted_hours=145,
        length="8-10 weeks",
        focus="IaC, Kubernetes automation, multi-region platforms",
        extra_topics=(
            ("203", "multi-cloud Terraform, advanced networking, global observability, cost and capacity planning"),
            ("204", "full operator, custom-resource patterns, multi-cluster management, platform automation"),
        ),
        outcome="staff platform engineer",
    ),
)
