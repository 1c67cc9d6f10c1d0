"""Measure scaling against a control that communicates nothing: `labs bench scaling`.

A raw efficiency mixes three causes: the collective, DDP's own work, and ranks that share the machine's memory and
cores. Each round therefore measures, in turn and in another order:

* solo: rank 0 computes alone, the others wait;
* no communication: every rank computes, nothing is sent;
* synchronised: DDP, as in training.

Per round, solo / synchronised is the raw efficiency, no communication / synchronised what the communication leaves,
and solo / no communication what sharing the host leaves. Ratios are formed within a round, so that a slow minute falls
on both sides, and reported as the median over rounds with a distribution-free interval. Where the ranks already slow
each other down without sending anything there is no verdict: the number would be the host's.

Weak scaling: every rank has its own batch of the same size.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from labsupport.errors import LabsError
from labsupport.training.communication.ranks import run_on_ranks

VARIANTS = ("solo", "no communication", "synchronised")
WARM_UP_STEPS = 3
MIN_ROUNDS = 6  # from six rounds on the interval from the least to the largest covers the median with 96.9 %
CONFIDENCE = 0.95
CONTROL_NEAR_ONE = 0.10  # how far the control may be from 1 before the host, not the trainer, decides


@dataclass(frozen=True)
class Interval:
    """A median over rounds and the interval that holds the true one with at least 95 %."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class ScalingPoint:
    """One number of ranks: for each round the median seconds per step of each variant."""

    world_size: int
    solo_s: tuple[float, ...]
    no_communication_s: tuple[float, ...]
    synchronised_s: tuple[float, ...]

    @property
    def raw_efficiency(self) -> Interval:
        """Solo over synchronised."""
        return _ratio(self.solo_s, self.synchronised_s)

    @property
    def communication_efficiency(self) -> Interval:
        """No communication over synchronised: what DDP and the collective leave."""
        return _ratio(self.no_communication_s, self.synchronised_s)

    @property
    def control(self) -> Interval:
        """Solo over no communication: 1 where the ranks do not disturb each other."""
        return _ratio(self.solo_s, self.no_communication_s)

    @property
    def refusal(self) -> str:
        """Why there is no verdict on this point, or ""."""
        if len(self.solo_s) < MIN_ROUNDS:
            return f"{len(self.solo_s)} rounds: an interval needs at least {MIN_ROUNDS}"
        control = self.control
        if not (control.low >= 1 - CONTROL_NEAR_ONE and control.high <= 1 + CONTROL_NEAR_ONE):
            return (
                f"without any communication {self.world_size} ranks reach {control} of one rank's speed: the host is "
                "shared or busy, and the efficiency would be its own"
            )
        return ""


def median_interval(values: Sequence[float]) -> Interval:
    """Return the median and its distribution-free interval from order statistics.

    The k-th smallest and k-th largest of n values enclose the true median with 1 - 2 P(Bin(n, 1/2) < k); k is the
    largest that keeps 95 %.
    """
    ordered, count = sorted(values), len(values)
    k, tail = 0, 0.0
    while 2 * (tail + math.comb(count, k) / 2**count) <= 1 - CONFIDENCE:
        tail += math.comb(count, k) / 2**count
        k += 1
    k = max(k, 1)  # below six values the extremes, which cover less
    return Interval(median(ordered), ordered[k - 1], ordered[-k])


def _ratio(above: Sequence[float], below: Sequence[float]) -> Interval:
    return median_interval([a / b for a, b in zip(above, below, strict=True)])


@dataclass(frozen=True)
class Workload:
    """What every rank computes in a step."""

    model: str = "llama-tiny"
    dataset: str = "text"
    batch_per_rank: int = 16
    sequence: int = 64
    width: int = 16


def measure_scaling(
    workload: Workload, world_sizes: Sequence[int], *, rounds: int = 8, steps_per_round: int = 5, seed: int = 0
) -> list[ScalingPoint]:
    """Return one point per number of ranks above 1, smallest first.

    Raises:
        LabsError: no number of ranks above 1, or one below 1; too few rounds or steps; a rank that failed.
    """
    wanted = sorted(set(world_sizes))
    if not wanted or wanted[0] < 1:
        raise LabsError(f"world_sizes is {list(world_sizes)}: numbers of workers of at least 1 are needed")
    if wanted[-1] < 2:
        raise LabsError("world_sizes is [1]: scaling compares one worker with several; add 2 or more")
    if rounds < 1 or steps_per_round < 1:
        raise LabsError(f"rounds {rounds} and steps_per_round {steps_per_round}: at least 1 of each is needed")
    points = []
    for world_size in (size for size in wanted if size > 1):
        per_rank = run_on_ranks(_rank, world_size, vars(workload), rounds, steps_per_round, seed)
        # Of ranks that run side by side the slowest decides; solo ran on rank 0 only.
        slowest = {
            name: tuple(max(rank[name][turn] for rank in per_rank) for turn in range(rounds)) for name in VARIANTS[1:]
        }
        points.append(ScalingPoint(world_size, tuple(per_rank[0]["solo"]), slowest[VARIANTS[1]], slowest[VARIANTS[2]]))
    return points


def _rank(
    rank: int, world_size: int, workload: dict[str, Any], rounds: int, steps_per_round: int, seed: int
) -> dict[str, list[float]]:
    """Be one rank: build the model twice, plain and under DDP, and time the variants round by round."""
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    plain = _step_of(Workload(**workload), rank, wrap=lambda model: model)
    synchronised = _step_of(Workload(**workload), rank, wrap=DistributedDataParallel)
    work: dict[str, Callable[[], None]] = {
        "solo": plain if rank == 0 else _wait, "no communication": plain, "synchronised": synchronised,
    }  # fmt: skip
    for _ in range(WARM_UP_STEPS):
        plain()
        synchronised()
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    order = list(VARIANTS)
    for turn in range(rounds):
        random.Random(seed + turn).shuffle(order)  # noqa: S311 - the same order on every rank
        for name in order:
            dist.barrier()
            seconds[name].append(median(_timed(work[name]) for _ in range(steps_per_round)))
    return seconds


def _wait() -> None:
    """Leave the machine to rank 0."""


def _timed(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def _step_of(workload: Workload, rank: int, wrap: Callable[[Any], Any]) -> Callable[[], None]:
    import torch

    from labsupport.training.data import load_dataset
    from labsupport.training.models import build_model, loss_function

    dataset, info = load_dataset(workload.dataset, "train", sequence=workload.sequence)
    model = wrap(build_model(workload.model, info, norm="group", width=workload.width, seed=0))
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
    loss_of = loss_function(info.task)
    samples = [dataset[(rank * workload.batch_per_rank + i) % len(dataset)] for i in range(workload.batch_per_rank)]
    inputs = torch.stack([sample[0] for sample in samples])
    targets = torch.stack([torch.as_tensor(sample[1]) for sample in samples])

    def step() -> None:
        loss_of(model(inputs), targets).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
