"""What a success criterion is: the metrics that judge it, and what is asked of each.

A criterion is met by receipts alone. Its text is the guide's; how it is judged, and every requirement beside the number
that the guide prints, is this course's: a target that a broken system can reach is not a target.

Details of a receipt that decide whether it can settle a criterion: `gpus`, the GPUs that the run used (none where it
says nothing), and `parameters`, those of the model.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from labsupport.receipts.metric import Metric
from labsupport.receipts.receipt import Kind


class Compare(StrEnum):
    """How a value is held against its target."""

    AT_LEAST = "at least"
    ABOVE = "above"
    AT_MOST = "at most"
    BELOW = "below"
    EXACTLY = "exactly"

    def holds(self, value: float, target: float) -> bool:
        """Say whether a value is on target."""
        return _OPERATORS[self](value, target)


_OPERATORS: dict[Compare, Callable[[float, float], bool]] = {
    Compare.AT_LEAST: operator.ge,
    Compare.ABOVE: operator.gt,
    Compare.AT_MOST: operator.le,
    Compare.BELOW: operator.lt,
    Compare.EXACTLY: operator.eq,
}

MEASURED = frozenset({Kind.MEASURED})
MODELLED = frozenset({Kind.MODELLED})
# An invariant holds on every seed of the virtual-time world; a count over real runs shows the same with fewer of them.
OVER_SEEDS = frozenset({Kind.MEASURED, Kind.SIMULATED})
SEEDS = 20  # what "over many seeds" means at least: the public seeds of a check

SEVEN_BILLION = 6.5e9  # what rounds to "7B"; Llama 2 7B has 6.74e9 parameters


@dataclass(frozen=True)
class Named:
    """Hardware or scale that a criterion names: the detail of a receipt that states it, and how much is asked."""

    detail: str
    at_least: float
    words: str


def gpus(count: int) -> Named:
    """Name that many GPUs."""
    return Named("gpus", count, f"{count} GPU" if count == 1 else f"{count} GPUs")


@dataclass(frozen=True)
class Requirement:
    """One number that a criterion asks for; `kinds` are those that can settle it.

    `stand_ins` are metrics that speak to the same question where the named hardware is missing. They can make a
    criterion provisional, never met.
    """

    metric: Metric
    compare: Compare
    target: float
    kinds: frozenset[Kind] = MEASURED
    named: tuple[Named, ...] = ()
    stand_ins: tuple[Metric, ...] = ()
    min_n: int = 1

    @property
    def min_gpus(self) -> int:
        """Return how many GPUs it names; 0 for none."""
        return int(max((part.at_least for part in self.named if part.detail == "gpus"), default=0))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Return every metric that says something about it, the deciding one first."""
        return (self.metric, *self.stand_ins)


@dataclass(frozen=True)
class SuccessCriterion:
    """One success criterion: met when every requirement is.

    `weeks` are those whose labs write its receipts; the last week of its project reviews all of them.
    """

    id: str
    project: str
    text: str
    requirements: tuple[Requirement, ...]
    weeks: tuple[int, ...]
