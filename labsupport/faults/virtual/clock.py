"""A node's own clocks: one that can be wrong and set back, and one that only runs too fast or too slow.

The difference is the one between `time.time()` and `time.monotonic()`. A lease that is measured on the first breaks
when somebody sets the clock; one that is measured on the second breaks only with drift.
"""

from __future__ import annotations


class Clock:
    """What a node reads as the time, given the world's."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        self._rate = 1.0
        self._since_s = 0.0  # world time at which the rate last changed
        self._monotonic_s = 0.0  # what the monotonic clock showed then

    @property
    def rate(self) -> float:
        """Seconds on this node's clocks per second of the world."""
        return self._rate

    def set_rate(self, rate: float, world_s: float) -> None:
        """Let both clocks run at another rate from now on; the wall clock is put right first."""
        self._monotonic_s, self._since_s, self._rate = self.monotonic_s(world_s), world_s, rate

    def wall_s(self, world_s: float) -> float:
        """Return what the wall clock shows: offset and drift included, and it jumps when either ends."""
        return world_s + self.offset_s + (world_s - self._since_s) * (self._rate - 1.0)

    def monotonic_s(self, world_s: float) -> float:
        """Return what the monotonic clock shows: it drifts and never jumps."""
        return self._monotonic_s + (world_s - self._since_s) * self._rate
