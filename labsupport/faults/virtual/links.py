"""Links between nodes, one per direction: how long a message takes, and what faults do to it.

A healthy link keeps the order of its messages, as a TCP connection does, however their delays vary. The conditions
below `Link.delay` are set by faults and put back by their end; a message is judged when it is sent.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from labsupport.faults.plain import size_bytes

Delay = Callable[[random.Random], float]
"""Draws the seconds that one message takes."""


def constant(delay_s: float) -> Delay:
    """Return a delay that never varies."""
    return lambda _: delay_s


def uniform(shortest_s: float, longest_s: float) -> Delay:
    """Return a delay that is equally likely anywhere between two bounds."""
    return lambda draw: shortest_s + (longest_s - shortest_s) * draw.random()


def exponential(shortest_s: float, mean_extra_s: float) -> Delay:
    """Return a delay with an exponential tail above a floor."""
    return lambda draw: shortest_s - mean_extra_s * math.log(1.0 - draw.random())


def lognormal(median_s: float, sigma: float) -> Delay:
    """Return a delay with a heavy tail; sigma 1 puts the 99th percentile at ten times the median."""
    return lambda draw: draw.lognormvariate(math.log(median_s), sigma)


class Link:
    """One direction between two nodes."""

    def __init__(self, delay: Delay, draw: random.Random, fault_draw: random.Random) -> None:
        self.delay = delay
        self.bytes_per_s = math.inf
        self._draw = draw
        # Faults draw from a stream of their own: without the fault, every other message keeps its delay.
        self._fault_draw = fault_draw
        self.reset()

    def reset(self) -> None:
        """Put every condition that a fault sets back to healthy.

        Order starts anew, as with a new connection: what is still held up does not hold up what is sent from now on.
        """
        self._last_arrival_s = 0.0
        self._free_at_s = 0.0
        self.healthy = True
        self.blocked = False
        self.loss = 0.0
        self.duplicate = 0.0
        self.extra_s = 0.0
        self.jitter_s = 0.0
        self.reorder_s = 0.0
        self.throttle_bytes_per_s = math.inf

    def arrivals_s(self, now_s: float, message: Any, size: int | None) -> tuple[float, ...]:
        """Return when a message sent now arrives: once, twice where it is duplicated, or never."""
        took_s = self.delay(self._draw)
        if self.healthy and self.bytes_per_s == math.inf:
            return (self._in_order(now_s + took_s),)
        if self.blocked:
            return ()
        draw = self._fault_draw
        if self.loss and draw.random() < self.loss:
            return ()
        leaves_s = self._sent_at_s(now_s, message, size)
        took_s += self.extra_s
        if self.jitter_s:
            took_s += draw.expovariate(1.0 / self.jitter_s)
        arrives_s = leaves_s + took_s
        # A message held back by reordering does not hold back those behind it.
        arrives_s = arrives_s + self.reorder_s * draw.random() if self.reorder_s else self._in_order(arrives_s)
        if self.duplicate and draw.random() < self.duplicate:
            return arrives_s, arrives_s + took_s * draw.random()
        return (arrives_s,)

    def _in_order(self, arrives_s: float) -> float:
        self._last_arrival_s = max(self._last_arrival_s, arrives_s)
        return self._last_arrival_s

    def _sent_at_s(self, now_s: float, message: Any, size: int | None) -> float:
        """Return when the last byte has left, behind those that were sent before."""
        rate = min(self.bytes_per_s, self.throttle_bytes_per_s)
        if rate == math.inf:
            return now_s
        self._free_at_s = max(self._free_at_s, now_s) + (size_bytes(message) if size is None else size) / rate
        return self._free_at_s
