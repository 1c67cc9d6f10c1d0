"""The four projects as the reference guide (v1.0, 25 October 2025) states them: hours and weeks.

Hours are the guide's estimates, not measurements. Its own week-by-week ranges do not sum to its project hours, so each
week of a project gets an even share. What a notebook really takes is measured when it runs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Project:
    """One project; `weeks` are those of path 1."""

    id: str
    hours: int
    weeks: tuple[int, ...]

    @property
    def hours_per_week(self) -> float:
        """Return the even share of the hours that each of its weeks gets."""
        return self.hours / len(self.weeks)


PROJECTS = (
    Project("201", hours=60, weeks=(1, 2, 3)),  # distributed training on Ray
    Project("202", hours=70, weeks=(4, 5, 6, 7)),  # high-performance model serving
    Project("203", hours=80, weeks=(8, 9, 10, 11)),  # multi-region ML platform
    Project("204", hours=65, weeks=(12, 13, 14)),  # Kubernetes operator
)
