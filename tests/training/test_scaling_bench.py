"""An efficiency comes with its interval and its control, and a busy host gets no verdict."""

from __future__ import annotations

import random

import pytest

from labsupport.errors import LabsError
from labsupport.training.scaling_bench import ScalingPoint, Workload, measure_scaling, median_interval

ROUNDS = 8


def point(solo: float, alone: float, together: float, noise: float = 0.01) -> ScalingPoint:
    draw = random.Random(0)
    return ScalingPoint(
        2, *(tuple(draw.gauss(seconds, noise * seconds) for _ in range(ROUNDS)) for seconds in (solo, alone, together))
    )


def test_what_the_communication_costs_is_told_from_what_the_host_costs():
    one = point(solo=0.100, alone=0.100, together=0.125)
    assert one.communication_efficiency.median == pytest.approx(0.8, abs=0.02)
    assert one.control.median == pytest.approx(1.0, abs=0.02)
    assert one.refusal == ""


def test_ranks_that_slow_each_other_down_without_sending_anything_get_no_verdict():
    one = point(solo=0.100, alone=0.150, together=0.180)
    assert one.raw_efficiency.median < 0.6
    assert one.refusal.startswith("without any communication 2 ranks reach 0.6")


def test_a_control_that_is_right_in_the_median_and_scatters_widely_gets_no_verdict_either():
    assert "the host is shared or busy" in point(0.1, 0.1, 0.12, noise=0.3).refusal


def test_too_few_rounds_have_no_interval():
    assert ScalingPoint(2, (1.0,) * 5, (1.0,) * 5, (1.0,) * 5).refusal == "5 rounds: an interval needs at least 6"


@pytest.mark.parametrize(("count", "low", "high"), [(1, 1, 1), (5, 1, 5), (6, 1, 6), (8, 1, 8), (9, 2, 8), (20, 6, 15)])
def test_the_interval_of_a_median_is_that_of_the_order_statistics(count, low, high):
    interval = median_interval([float(value) for value in range(count, 0, -1)])
    assert (interval.low, interval.high) == (low, high)
    assert interval.median == (count + 1) / 2


def test_the_interval_holds_the_true_median_at_least_as_often_as_it_says():
    draw = random.Random(0)
    held = 0
    for _ in range(2000):
        interval = median_interval([draw.expovariate(1) for _ in range(ROUNDS)])
        held += interval.low <= 0.6931 <= interval.high
    assert held / 2000 >= 0.95


@pytest.mark.slow
def test_two_real_ranks_measure_every_variant_in_every_round():
    (one,) = measure_scaling(Workload(batch_per_rank=2, sequence=8), [1, 2], rounds=2, steps_per_round=1)
    assert one.world_size == 2
    for seconds in (one.solo_s, one.no_communication_s, one.synchronised_s):
        assert len(seconds) == 2
        assert min(seconds) > 0


@pytest.mark.parametrize(
    ("world_sizes", "said"),
    [([], "at least 1 are needed"), ([0, 2], r"world_sizes is \[0, 2\]"), ([1], "add 2 or more")],
)
def test_worker_lists_that_cannot_be_compared_are_refused(world_sizes, said):
    with pytest.raises(LabsError, match=said):
        measure_scaling(Workload(), world_sizes)
    with pytest.raises(LabsError, match="at least 1 of each"):
        measure_scaling(Workload(), [1, 2], rounds=0)
