"""Find the rank that is slow, from the step times that each rank measured before the all-reduce made them equal.

In synchronous training every rank waits for the slowest, so wall time per step is the same on all of them: only the
time until a rank enters the collective tells them apart. Each step compares the ranks among themselves (median and
median absolute deviation), so a slow epoch, which slows all of them, is none; and a rank is named only when it stays
behind over a window, so one page fault is none either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from labsupport.errors import LabsError

MAD_TO_SIGMA = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class StragglerPolicy:
    """When a rank counts as a straggler."""

    slower_by: float = 0.10
    """At least this share above the median of the ranks: less does not pay for a restart."""
    sigmas: float = 3.0
    """And at least so many robust standard deviations of the ranks' spread."""
    window: int = 20
    """Steps that are looked at."""
    share: float = 0.8
    """Share of the window in which the rank must have been behind."""


@dataclass(frozen=True)
class Straggler:
    """A rank that stays behind: since which step, and how much slower than the median rank."""

    rank: int
    step: int
    slowdown: float


class StragglerDetector:
    """Feed it one list of step times per step; it names a rank once, when it has become a straggler."""

    def __init__(self, world_size: int, policy: StragglerPolicy | None = None) -> None:
        if world_size < 3:
            raise LabsError(f"world_size is {world_size}: of two ranks nobody can say which is the slow one; use 3")
        self.policy = policy or StragglerPolicy()
        self._behind = [deque[bool](maxlen=self.policy.window) for _ in range(world_size)]
        self._ratios = [deque[float](maxlen=self.policy.window) for _ in range(world_size)]
        self._named: set[int] = set()

    def observe(self, step: int, seconds: Sequence[float]) -> tuple[Straggler, ...]:
        """Return the ranks that became stragglers with this step; one that recovered can be named again."""
        if len(seconds) != len(self._behind):
            raise LabsError(f"step {step} has the times of {len(seconds)} ranks, expected are {len(self._behind)}")
        middle = median(seconds)
        spread = MAD_TO_SIGMA * median(abs(value - middle) for value in seconds)
        limit = max(middle * (1 + self.policy.slower_by), middle + self.policy.sigmas * spread)
        found = []
        for rank, value in enumerate(seconds):
            self._behind[rank].append(value > limit)
            self._ratios[rank].append(value / middle if middle > 0 else 1.0)
            full = len(self._behind[rank]) == self.policy.window
            share = sum(self._behind[rank]) / self.policy.window
            if full and share >= self.policy.share and rank not in self._named:
                self._named.add(rank)
                found.append(Straggler(rank, step, median(self._ratios[rank])))
            elif share < self.policy.share / 2:
                self._named.discard(rank)
        return tuple(found)
