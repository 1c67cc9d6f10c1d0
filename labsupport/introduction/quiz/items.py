"""The 19 items of the self-assessment, their groups, and the bands of its score.

The reference guide rates 19 items from 1 to 5, which gives 19 to 95 points, and ends its bands at 80. The bands here
cover every score. The guide's thresholds of 45 and 60 are kept as scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labsupport.errors import LabsError

LOWEST, HIGHEST = 1, 5  # novice, expert


@dataclass(frozen=True)
class Item:
    """One thing to rate oneself on; an item that is not required counts in the total and decides nothing else."""

    id: str
    text: str
    required: bool = True


@dataclass(frozen=True)
class Group:
    """Items of one field, and the projects whose prerequisite reading a weak rating points to."""

    id: str
    title: str
    items: tuple[Item, ...]
    projects: tuple[str, ...]

    @property
    def maximum(self) -> int:
        """The most points of the group."""
        return HIGHEST * len(self.items)

    @property
    def hole_below(self) -> int:
        """The points below which the group lies under half of its maximum."""
        return math.ceil(self.maximum / 2)


@dataclass(frozen=True)
class Band:
    """Scores from `low` to `high` and where they place a learner."""

    id: str
    low: int
    high: int
    placement: str


GROUPS = (
    Group(
        "infrastructure",
        "Infrastructure",
        (
            Item("kubernetes", "Kubernetes (CRDs, operators, GPU scheduling)"),
            Item("containers", "Docker and containers"),
            Item("infrastructure-as-code", "Infrastructure as code (Terraform)"),
            Item("ci-cd", "CI/CD pipelines"),
            Item("observability", "Monitoring and observability"),
        ),
        projects=("203", "204"),
    ),
    Group(
        "distributed-systems",
        "Distributed systems",
        (
            Item("frameworks", "Distributed computing frameworks"),
            Item("network", "Network programming and tuning"),
            Item("multi-region", "Multi-region architectures"),
            Item("fault-tolerance", "Fault-tolerance patterns"),
            Item("load-balancing", "Load balancing and traffic management"),
        ),
        projects=("201", "203"),
    ),
    Group(
        "ml",
        "ML/AI",
        (
            Item("training", "Training concepts"),
            Item("serving", "Serving and inference"),
            Item("gpu", "GPU computing basics"),
            Item("ml-frameworks", "Frameworks (PyTorch/TensorFlow)"),
            Item("mlops", "MLOps and experiment tracking"),
        ),
        projects=("201", "202"),
    ),
    Group(
        "programming",
        "Programming",
        (
            Item("python", "Python (advanced)"),
            Item("go", "Go (intermediate)", required=False),  # no lab and no project uses it: the operator is Python
            Item("bash", "Bash"),
            Item("formats", "YAML/HCL/JSON"),
        ),
        projects=("201", "202", "203", "204"),
    ),
)

ITEMS = tuple(item for group in GROUPS for item in group.items)
MINIMUM, MAXIMUM = LOWEST * len(ITEMS), HIGHEST * len(ITEMS)

BANDS = (
    Band("engineer-track", MINIMUM, 44, "Engineer track first"),
    Band("recommended", 45, 59, "recommended, with the prerequisite reading of the weakest group"),
    Band("ready", 60, 80, "ready"),
    Band(
        "fast-route",
        81,
        MAXIMUM,
        "ready; fast route: try each week's checks first, skip the explanation of those that pass",
    ),
)

FOOTNOTE = (
    f"The reference guide ends its bands at 80, but {len(ITEMS)} items give {MINIMUM} to {MAXIMUM} points; the band "
    "from 81 is this course's. Its thresholds 45 and 60 are kept as scores (47 % and 63 % of 95). Had they been meant "
    "for a scale of 80 points they would be 56 % and 75 %, which is 53 and 71 of 95; that is not used."
)


def band_of(score: int) -> Band:
    """Return the band of a score.

    Raises:
        LabsError: no 19 answers give this score.
    """
    for band in BANDS:
        if band.low <= score <= band.high:
            return band
    raise LabsError(f"score {score}: {len(ITEMS)} answers of {LOWEST} to {HIGHEST} give {MINIMUM} to {MAXIMUM}")
