"""One flipped bit in one parameter of one rank is found and attributed, and clean replicas raise no alarm."""

from __future__ import annotations

import math
import random

import pytest
import torch

from labsupport.errors import LabsError
from labsupport.training.resilience.silent_corruption import LossMonitor, compare_ranks, parameter_digests


def replica() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {
        "embedding": torch.randn(16, 8, generator=draw),
        "norm": torch.ones(8, dtype=torch.bfloat16),
        "steps": torch.tensor(3),
        "transposed": torch.randn(4, 8, generator=draw).T,
    }


def flip(state: dict[str, torch.Tensor], draw: random.Random) -> str:
    name = draw.choice(sorted(state))
    tensor = state[name].contiguous()
    state[name] = tensor
    bytes_of = tensor.flatten().view(torch.uint8)
    bytes_of[draw.randrange(len(bytes_of))] ^= 1 << draw.randrange(8)
    return name


@pytest.mark.parametrize("world_size", [3, 4])
def test_one_flipped_bit_is_attributed_to_its_rank_and_parameter_on_every_seed(world_size):
    clean = parameter_digests(replica())
    for seed in range(100):
        draw = random.Random(seed)
        corrupt, state = draw.randrange(world_size), replica()
        name = flip(state, draw)
        ranks = [clean] * world_size
        ranks[corrupt] = parameter_digests(state)
        found = compare_ranks(seed, ranks)
        assert found is not None
        assert (found.step, found.ranks, found.parameters) == (seed, (corrupt,), (name,))


def test_clean_replicas_raise_no_alarm_also_where_their_memory_layout_differs():
    one, other = replica(), replica()
    other["transposed"] = other["transposed"].contiguous()
    assert compare_ranks(1, [parameter_digests(one), parameter_digests(other)] * 2) is None


def test_two_ranks_can_say_that_they_differ_but_not_who_is_right():
    state = replica()
    flip(state, random.Random(0))
    found = compare_ranks(5, [parameter_digests(replica()), parameter_digests(state)])
    assert found is not None
    assert found.ranks == ()
    assert "no majority to say which" in str(found)


def test_two_corrupt_ranks_of_five_are_both_named():
    first, second = replica(), replica()
    first["embedding"][0, 0] += 1
    second["norm"][0] += 1
    clean = parameter_digests(replica())
    found = compare_ranks(5, [clean, parameter_digests(first), clean, parameter_digests(second), clean])
    assert str(found) == "silent corruption at step 5: rank 1, 3, in embedding, norm"


def test_what_are_no_replicas_is_refused():
    clean = parameter_digests(replica())
    with pytest.raises(LabsError, match="at least 2 replicas"):
        compare_ranks(1, [clean])
    with pytest.raises(LabsError, match="rank 1 and rank 0 do not hold the same parameters, such as norm"):
        compare_ranks(1, [clean, {name: digest for name, digest in clean.items() if name != "norm"}])


def test_a_loss_that_is_no_number_or_a_spike_is_reported_and_does_not_become_usual():
    monitor = LossMonitor(factor=3.0, after=5)
    assert [monitor.observe(step, 2.0 - step / 100) for step in range(20)] == [None] * 20
    for step, loss in ((20, math.nan), (21, math.inf), (22, 9.0), (23, 9.0)):
        guard = monitor.observe(step, loss)
        assert guard is not None
        assert guard.median == pytest.approx(1.905)
    assert monitor.observe(24, 1.8) is None


def test_the_first_steps_of_a_run_may_fall_steeply_and_a_nan_among_them_is_seen():
    monitor = LossMonitor(after=5)
    assert [monitor.observe(step, loss) for step, loss in enumerate((10.0, 1.0, 9.0))] == [None] * 3
    assert monitor.observe(3, math.nan) is not None
