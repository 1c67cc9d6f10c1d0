"""Ring all-reduce is correct for every world size, and costs what its paper says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.training.collectives import RingError, average_gradients, ring_all_reduce, run_in_lockstep

worlds = st.integers(1, 9)
lengths = st.integers(0, 40)


def arrays(world_size: int, length: int, dtype: str = "float64") -> list[np.ndarray]:
    return [
        np.random.default_rng([world_size, length, rank]).standard_normal(length).astype(dtype)
        for rank in range(world_size)
    ]


@given(world_size=worlds, length=lengths)
def test_every_rank_ends_with_the_same_sum_in_2_n_minus_1_steps(world_size, length):
    run = run_in_lockstep(ring_all_reduce, arrays(world_size, length))
    assert run.steps == 2 * (world_size - 1)
    for output in run.outputs:
        np.testing.assert_allclose(output, sum(arrays(world_size, length)), atol=1e-12)
    assert len({output.tobytes() for output in run.outputs}) == 1


@given(world_size=worlds, length=lengths)
def test_a_rank_sends_2_n_minus_1_of_n_parts_of_the_data(world_size, length):
    run = run_in_lockstep(ring_all_reduce, arrays(world_size, length))
    assert max(run.bytes_sent) <= 2 * (world_size - 1) * math.ceil(length / world_size) * 8
    assert sum(run.bytes_sent) == 2 * (world_size - 1) * length * 8


def test_ranks_that_do_not_fit_together_are_reported_not_hung():
    def stops_early(rank, world_size, values):
        if rank:
            yield values
        return values

    with pytest.raises(RingError, match="rank 0 of 3 has finished and rank 1 still sends"):
        run_in_lockstep(stops_early, arrays(3, 4))


def test_a_message_that_is_no_array_is_refused():
    def sends_a_list(rank, world_size, values):
        yield list(values)
        return values

    with pytest.raises(RingError, match="sent list in step 0"):
        run_in_lockstep(sends_a_list, arrays(2, 4))


def test_a_receiver_never_sees_what_the_sender_writes_later():
    def writes_after_sending(rank, world_size, values):
        own = values.copy()
        received = yield own
        own[:] = -1
        received_later = yield own
        return received if rank == 0 else received_later

    run = run_in_lockstep(writes_after_sending, arrays(2, 4))
    np.testing.assert_array_equal(run.outputs[0], arrays(2, 4)[1])


@given(counts=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any), seed=st.integers(0, 99))
def test_unequal_shares_average_to_the_big_batch(counts, seed):
    samples = np.random.default_rng(seed).standard_normal((sum(counts), 3))
    shares = np.split(samples, np.cumsum(counts)[:-1])
    means = [share.mean(axis=0) if len(share) else np.full(3, np.nan) for share in shares]
    np.testing.assert_allclose(average_gradients(means, counts), samples.mean(axis=0), atol=1e-12)


def test_no_samples_and_unequal_lists_are_refused():
    with pytest.raises(ValueError, match="no samples"):
        average_gradients([np.zeros(1)], [0])
    with pytest.raises(ValueError, match="1 gradients and 2 counts"):
        average_gradients([np.zeros(1)], [1, 2])
