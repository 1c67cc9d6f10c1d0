"""Time all-reduce over message sizes: `labs bench allreduce`, with nccl-tests' conventions, on gloo or NCCL.

Every call starts at a barrier and its sum is checked. Sizes are visited in rounds, each round in another order, so that
a busy minute of the machine falls on all sizes alike.

Limitations: one process per device of this machine. On one machine the ranks of gloo talk over loopback, so latency and
bandwidth are those of its kernel and memory and say nothing of a network's.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from labsupport.errors import LabsError
from labsupport.training.communication.bandwidth import Collective, algorithm_bandwidth, bus_bandwidth
from labsupport.training.communication.ranks import run_on_ranks

if TYPE_CHECKING:
    import torch

FLOAT_BYTES = 4
WARM_UP = 3  # calls of each size before the first that counts: buffers are made and connections opened
DEFAULT_SIZES = tuple(2**power for power in range(10, 25))  # 1 KiB to 16 MiB


@dataclass(frozen=True)
class SizeTiming:
    """The seconds of every counted call of one size, as the slowest rank saw them."""

    size_bytes: int
    world_size: int
    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The median call."""
        return median(self.seconds)

    @property
    def algorithm_bytes_per_s(self) -> float:
        """Algorithm bandwidth of the median call."""
        return algorithm_bandwidth(self.size_bytes, self.median_s)

    @property
    def bus_bytes_per_s(self) -> float:
        """Bus bandwidth of the median call."""
        return bus_bandwidth(Collective.ALL_REDUCE, self.size_bytes, self.median_s, self.world_size)


def measure_all_reduce(
    world_size: int,
    sizes_bytes: Sequence[int] = DEFAULT_SIZES,
    *,
    backend: str = "gloo",
    rounds: int = 10,
    seed: int = 0,
) -> list[SizeTiming]:
    """Return the timings of an all-reduce of float32 values, smallest size first.

    Raises:
        LabsError: fewer than two ranks, a size that holds no whole number of values, or a rank that failed.
    """
    if world_size < 2:
        raise LabsError(f"world_size is {world_size}: an all-reduce needs at least 2 ranks")
    for size in sizes_bytes:
        if size < FLOAT_BYTES or size % FLOAT_BYTES:
            raise LabsError(f"a message of {size} bytes: float32 needs a positive multiple of {FLOAT_BYTES}")
    if rounds < 1:
        raise LabsError(f"rounds is {rounds}: at least 1 is needed")
    per_rank = run_on_ranks(_rank, world_size, tuple(sizes_bytes), rounds, seed, backend=backend)
    return [
        SizeTiming(size, world_size, tuple(map(max, zip(*(times[size] for times in per_rank), strict=True))))
        for size in sorted(set(sizes_bytes))
    ]


def _rank(rank: int, world_size: int, sizes: Sequence[int], rounds: int, seed: int) -> dict[int, list[float]]:
    """Be one rank: time every size, and return the seconds of each call."""
    import torch
    import torch.distributed as dist

    device = torch.device("cuda", rank) if dist.get_backend() == "nccl" else torch.device("cpu")
    times: dict[int, list[float]] = {size: [] for size in sorted(set(sizes))}
    buffers = {size: torch.ones(size // FLOAT_BYTES, device=device) for size in times}
    for size in times:
        for _ in range(WARM_UP):
            _timed(buffers[size], world_size)
    order = list(times)
    for turn in range(rounds):
        random.Random(seed + turn).shuffle(order)  # noqa: S311 - the same order on every rank
        for size in order:
            times[size].append(_timed(buffers[size], world_size))
    return times


def _timed(buffer: torch.Tensor, world_size: int) -> float:
    import torch
    import torch.distributed as dist

    buffer.fill_(1)
    dist.barrier()
    if buffer.is_cuda:
        torch.cuda.synchronize()
    began = time.perf_counter()
    dist.all_reduce(buffer)
    if buffer.is_cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    if not bool((buffer == world_size).all()):
        raise AssertionError(f"the sum of {world_size} ones is {buffer.unique().tolist()}")
    return seconds
