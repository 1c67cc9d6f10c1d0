"""Run one function on several ranks of this machine: a process each, joined in a process group, all of them ended.

The smallest launcher that is enough for a benchmark or a proof: no restart, no checkpoint (labsupport.training.trainer
has both). Ranks meet through a file and talk over loopback.

Limitations: the function must be importable by name, since each rank is a fresh interpreter; it returns tensors and
plain values.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from labsupport.errors import LabsError

GROUP_TIMEOUT_S = 60  # how long a rank waits for the others


def run_on_ranks(function: Callable[..., Any], world_size: int, *arguments: Any, backend: str = "gloo") -> list[Any]:
    """Return what `function(rank, world_size, *arguments)` returned on each rank, in their order.

    Raises:
        LabsError: there is no rank to run on, or one of them failed; the others are ended then.
    """
    if world_size < 1:
        raise LabsError(f"world_size is {world_size}: at least 1 rank is needed")
    import torch
    import torch.multiprocessing as multiprocessing

    with tempfile.TemporaryDirectory(prefix="labs-ranks-") as folder:
        try:
            multiprocessing.spawn(
                _rank, args=(world_size, backend, folder, function, arguments), nprocs=world_size, join=True
            )
        except (multiprocessing.ProcessRaisedException, multiprocessing.ProcessExitedException) as error:
            last = [line for line in str(error).splitlines() if line.strip()][-1]
            raise LabsError(f"rank {error.error_index} of {world_size} failed: {last}") from error
        return [torch.load(Path(folder, f"rank{rank}.pt"), weights_only=True) for rank in range(world_size)]


def _rank(
    rank: int, world_size: int, backend: str, folder: str, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    import torch
    import torch.distributed as dist

    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # loopback, whatever the machine's name resolves to
    torch.set_num_threads(1)
    if backend == "nccl":
        torch.cuda.set_device(rank)
    store = dist.FileStore(str(Path(folder, "store")), world_size)
    dist.init_process_group(
        backend, store=store, rank=rank, world_size=world_size, timeout=timedelta(seconds=GROUP_TIMEOUT_S)
    )
    try:
        returned = function(rank, world_size, *arguments)
    finally:
        dist.destroy_process_group()
    torch.save(returned, Path(folder, f"rank{rank}.pt"))
