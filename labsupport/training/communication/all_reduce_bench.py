"""Time all-reduce over message sizes: `labs bench allreduce`, with nccl-tests' conventions, on gloo or NCCL.

Every call starts at a barrier and its sum is checked. Sizes are visited in rounds, each round in another order, so that
a busy minute of the machine falls on all sizes alike.

Limitations: one process per device of this machine. On one machine the ranks of gloo talk over loopback, so latency and
bandwidth are those of its kernel and memory and say nothing of a network's.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from labsupport.errors import LabsError
from labsupport.training.communication.bandwidth import Collective, algorithm_bandwidth, bus_bandwidth

FLOAT_BYTES = 4
WARM_UP = 3  # calls of each size before the first that counts: buffers are made and connections opened
BARRIER_TIMEOUT_S = 60
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
    import torch.multiprocessing

    with tempfile.TemporaryDirectory(prefix="labs-allreduce-") as folder:
        arguments = (world_size, backend, tuple(sizes_bytes), rounds, seed, folder)
        try:
            torch.multiprocessing.spawn(_rank, args=arguments, nprocs=world_size)
        except (torch.multiprocessing.ProcessRaisedException, torch.multiprocessing.ProcessExitedException) as error:
            last = [line for line in str(error).splitlines() if line.strip()][-1]
            raise LabsError(f"the all-reduce of {world_size} ranks on {backend} failed: {last}") from error
        per_rank = [json.loads(Path(folder, f"rank{rank}.json").read_text()) for rank in range(world_size)]
    return [
        SizeTiming(size, world_size, tuple(map(max, zip(*(times[str(size)] for times in per_rank), strict=True))))
        for size in sorted(set(sizes_bytes))
    ]


def _rank(rank: int, world_size: int, backend: str, sizes: Sequence[int], rounds: int, seed: int, folder: str) -> None:
    """Be one rank: join the group, time every size, leave the times in a file."""
    from datetime import timedelta

    import torch
    import torch.distributed as dist

    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # loopback, whatever the machine's name resolves to
    torch.set_num_threads(1)
    device = torch.device("cuda", rank) if backend == "nccl" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    store = dist.FileStore(str(Path(folder, "store")), world_size)
    dist.init_process_group(
        backend, store=store, rank=rank, world_size=world_size, timeout=timedelta(seconds=BARRIER_TIMEOUT_S)
    )
    try:
        times: dict[int, list[float]] = {size: [] for size in sorted(set(sizes))}
        buffers = {size: torch.ones(size // FLOAT_BYTES, device=device) for size in times}
        for size in times:
            for _ in range(WARM_UP):
                _timed(buffers[size], world_size, device, dist, torch)
        order = list(times)
        for turn in range(rounds):
            random.Random(seed + turn).shuffle(order)  # noqa: S311 - the same order on every rank
            for size in order:
                times[size].append(_timed(buffers[size], world_size, device, dist, torch))
    finally:
        dist.destroy_process_group()
    Path(folder, f"rank{rank}.json").write_text(json.dumps(times))


def _timed(buffer: Any, world_size: int, device: Any, dist: Any, torch: Any) -> float:
    buffer.fill_(1)
    dist.barrier()
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    dist.all_reduce(buffer)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    if not bool((buffer == world_size).all()):
        raise AssertionError(f"the sum of {world_size} ones is {buffer.unique().tolist()}")
    return seconds
