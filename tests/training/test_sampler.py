"""A global order that depends neither on the number of workers nor on interruptions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labsupport.training.sampler import GlobalBatches, shard

sizes = st.integers(1, 200)
worlds = st.integers(1, 9)
seeds = st.integers(0, 1000)


@given(num_samples=sizes, world_size=worlds, epoch=st.integers(0, 5), seed=seeds)
def test_every_sample_is_dealt_exactly_once_and_the_shares_are_balanced(num_samples, world_size, epoch, seed):
    shares = [shard(num_samples, world_size, rank, epoch=epoch, seed=seed) for rank in range(world_size)]
    assert sorted(index for share in shares for index in share) == list(range(num_samples))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@given(data=st.data(), num_samples=sizes, before=worlds, after=worlds, seed=seeds)
def test_another_number_of_workers_goes_on_in_the_same_order(data, num_samples, before, after, seed):
    start = data.draw(st.integers(0, num_samples))
    order = shard(num_samples, 1, 0, epoch=2, seed=seed)
    for world_size, first in ((before, 0), (after, start)):
        shares = [shard(num_samples, world_size, rank, epoch=2, seed=seed, start=first) for rank in range(world_size)]
        in_turn = [share[i] for i in range(num_samples) for share in shares if i < len(share)]
        assert in_turn == order[first:]


def test_dealing_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    shard(100, 2, 0, epoch=0, seed=0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("rank", "start"), [(2, 0), (-1, 0), (0, 11), (0, -1)])
def test_an_impossible_rank_or_start_is_refused_by_value(rank, start):
    with pytest.raises(ValueError, match=r"rank|start"):
        shard(10, 2, rank, epoch=0, seed=0, start=start)


@given(world_size=st.sampled_from([1, 2, 4]), seed=seeds, stop=st.integers(0, 5))
def test_a_global_batch_holds_the_same_samples_for_every_number_of_workers(world_size, seed, stop):
    def batches(workers: int, done: int) -> list[set[int]]:
        ranks = [GlobalBatches(100, 16, rank, workers, seed=seed) for rank in range(workers)]
        for rank in ranks:
            rank.step = done
        return [set().union(*parts) for parts in zip(*ranks, strict=True)]

    assert batches(world_size, stop) == batches(1, 0)[stop:]


def test_every_step_gives_every_worker_an_equal_share():
    parts = [list(GlobalBatches(70, 12, rank, 3)) for rank in range(3)]
    assert {len(batch) for part in parts for batch in part} == {4}
    assert {len(part) for part in parts} == {70 // 12}


def test_a_saved_position_continues_exactly_there():
    whole = GlobalBatches(64, 8, seed=3)
    whole.next_epoch()
    expected = list(whole)
    resumed = GlobalBatches(64, 8, seed=3)
    resumed.load_state({**whole.state(), "step": 5})
    assert list(resumed) == expected[5:]


@pytest.mark.parametrize("changed", [{"num_samples": 65}, {"global_batch": 16}, {"seed": 4}])
def test_a_position_of_another_order_is_refused_by_name(changed):
    (name,) = changed
    with pytest.raises(ValueError, match=name):
        GlobalBatches(64, 8, seed=3).load_state({**GlobalBatches(64, 8, seed=3).state(), **changed})


@pytest.mark.parametrize(("global_batch", "world_size"), [(10, 3), (128, 2), (8, 0)])
def test_a_batch_that_cannot_be_shared_or_filled_is_refused(global_batch, world_size):
    with pytest.raises(ValueError, match="batch"):
        GlobalBatches(64, global_batch, 0, world_size)
