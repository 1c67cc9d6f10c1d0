"""The fifteen weeks.

Weeks are numbered by the calendar of path 1; other paths keep these numbers and reorder. Whether a week's lab exists is
for the folder of labs to say, not for this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.course.catalog.projects import PROJECTS

INTRODUCTION = 0  # the one week that belongs to no project


@dataclass(frozen=True)
class Week:
    """One week, and the project that it belongs to."""

    number: int
    title: str
    project: str | None

    @property
    def hours(self) -> float | None:
        """Return its even share of the project's hours; None for the introduction, which the guide gives no hours."""
        return next((project.hours_per_week for project in PROJECTS if project.id == self.project), None)


WEEKS = (
    Week(INTRODUCTION, "Self-assessment and environment", None),
    Week(1, "Ray and architecture", "201"),
    Week(2, "DDP and NCCL", "201"),
    Week(3, "Tune, MLflow, production", "201"),
    Week(4, "TensorRT", "202"),
    Week(5, "vLLM", "202"),
    Week(6, "Multi-model API and A/B tests", "202"),
    Week(7, "Autoscaling and tracing", "202"),
    Week(8, "Terraform", "203"),
    Week(9, "Network and replication", "203"),
    Week(10, "Failover", "203"),
    Week(11, "Monitoring and optimisation", "203"),
    Week(12, "CRD and controller", "204"),
    Week(13, "Status and tests", "204"),
    Week(14, "Production", "204"),
)
