"""A function runs on ranks that meet in a group, and one that fails ends them all with its reason."""

from __future__ import annotations

import psutil
import pytest

from labsupport.errors import LabsError
from labsupport.training.communication.ranks import run_on_ranks


def fails_on_rank_1(rank, world_size):
    import torch.distributed as dist

    if rank == 1:
        raise ValueError("rank 1 has no data")
    dist.barrier()  # nobody comes


@pytest.mark.slow
def test_the_failure_of_one_rank_is_reported_and_nothing_is_left_running():
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(LabsError, match="rank 1 of 2 failed: ValueError: rank 1 has no data"):
        run_on_ranks(fails_on_rank_1, 2)
    left = [child for child in set(psutil.Process().children(recursive=True)) - before if "tracker" not in child.name()]
    assert [child for child in left if "spawn_main" in " ".join(child.cmdline())] == []


def test_no_rank_is_refused():
    with pytest.raises(LabsError, match="world_size is 0"):
        run_on_ranks(fails_on_rank_1, 0)
