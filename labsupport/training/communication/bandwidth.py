"""Algorithm and bus bandwidth of a collective, as nccl-tests defines them.

Algorithm bandwidth is what the caller sees: bytes of the operation over its time. Bus bandwidth multiplies it by the
share of those bytes that has to cross each rank's link, so that the figure can be held against the link's own speed,
whatever the number of ranks.

Source: nccl-tests, doc/PERFORMANCE.md.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from labsupport.errors import LabsError


class Collective(StrEnum):
    """The collectives whose bus bandwidth nccl-tests defines."""

    ALL_REDUCE = "all_reduce"
    ALL_GATHER = "all_gather"
    REDUCE_SCATTER = "reduce_scatter"
    ALL_TO_ALL = "all_to_all"
    BROADCAST = "broadcast"
    REDUCE = "reduce"


_FACTORS: dict[Collective, Callable[[int], float]] = {
    Collective.ALL_REDUCE: lambda n: 2 * (n - 1) / n,
    Collective.ALL_GATHER: lambda n: (n - 1) / n,
    Collective.REDUCE_SCATTER: lambda n: (n - 1) / n,
    Collective.ALL_TO_ALL: lambda n: (n - 1) / n,
    Collective.BROADCAST: lambda n: 1.0,
    Collective.REDUCE: lambda n: 1.0,
}


def bus_factor(collective: Collective, world_size: int) -> float:
    """Return bus bandwidth over algorithm bandwidth.

    Raises:
        LabsError: fewer than two ranks, between which nothing moves.
    """
    if world_size < 2:
        raise LabsError(f"world_size is {world_size}: a collective needs at least 2 ranks")
    return _FACTORS[Collective(collective)](world_size)


def algorithm_bandwidth(size_bytes: float, seconds: float) -> float:
    """Return bytes per second as the caller of a collective sees them.

    `size_bytes` counts as nccl-tests counts: the bytes that one rank contributes, for all_gather and reduce_scatter the
    bytes of all ranks together.
    """
    if not (size_bytes > 0 and seconds > 0):
        raise LabsError(f"{size_bytes} bytes in {seconds} s: both must be above 0")
    return size_bytes / seconds


def bus_bandwidth(collective: Collective, size_bytes: float, seconds: float, world_size: int) -> float:
    """Return the bytes per second that cross each rank's link."""
    return algorithm_bandwidth(size_bytes, seconds) * bus_factor(collective, world_size)
