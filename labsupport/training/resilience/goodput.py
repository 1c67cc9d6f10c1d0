"""Goodput: the share of wall time that ends as training progress, and where the rest went.

Every second of a run belongs to exactly one category, so the categories sum to the wall time; a ledger that does not is
refused. The categories are those of Google's ml-goodput-measurement, in this course's words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from labsupport.errors import LabsError

TOLERANCE = 1e-3  # of the wall time: clocks are read at the edges of each piece


class Category(StrEnum):
    """Where a second of a run went."""

    PROGRESS = "progress"  # steps that count in the end
    WASTED_PROGRESS = "wasted progress"  # steps that a failure took back and that were done again
    STARTUP = "start-up"  # until the first worker runs the training loop
    DATA_LOADING = "data loading"  # steps that waited for their batch
    CHECKPOINT_SAVE = "checkpoint save"  # steps that waited for a checkpoint
    CHECKPOINT_RESTORE = "checkpoint restore"
    INFRASTRUCTURE_RECOVERY = "infrastructure recovery"  # from a failure until the workers are back
    EVALUATION = "evaluation"
    OTHER = "other"


@dataclass(frozen=True)
class GoodputLedger:
    """Seconds by category, which sum to `wall_s`.

    Raises:
        LabsError: a negative time, or a sum that is not the wall time.
    """

    wall_s: float
    seconds: Mapping[Category, float]

    def __post_init__(self) -> None:
        for category, value in self.seconds.items():
            if not (Category(category) and 0 <= value < math.inf):
                raise LabsError(f"{category} took {value} s: a time is 0 or more")
        total = math.fsum(self.seconds.values())
        if abs(total - self.wall_s) > TOLERANCE * max(self.wall_s, 1e-9):
            raise LabsError(
                f"the categories sum to {total:.3f} s of {self.wall_s:.3f} s: some time is lost or counted twice"
            )

    @property
    def goodput(self) -> float:
        """Progress over wall time."""
        return self.seconds.get(Category.PROGRESS, 0.0) / self.wall_s

    @property
    def badput(self) -> dict[Category, float]:
        """Each other category's share of the wall time, the largest first."""
        shares = {c: s / self.wall_s for c, s in self.seconds.items() if c is not Category.PROGRESS and s > 0}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))


def cost_per_useful_step(usd_per_hour: float, useful_steps: int, ledger: GoodputLedger) -> float:
    """Return dollars for each step that counts: what the fleet costs by the hour, good seconds or not."""
    if useful_steps < 1 or not 0 <= usd_per_hour < math.inf:
        raise LabsError(
            f"{usd_per_hour} USD per hour for {useful_steps} steps: a price of 0 or more and at least 1 step"
        )
    return usd_per_hour * ledger.wall_s / 3600 / useful_steps
