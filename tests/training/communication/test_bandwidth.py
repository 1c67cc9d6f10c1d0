"""Bus bandwidth is algorithm bandwidth times the share of the bytes that crosses a link."""

from __future__ import annotations

import pytest

from labsupport.errors import LabsError
from labsupport.training.communication.bandwidth import Collective, algorithm_bandwidth, bus_bandwidth, bus_factor


@pytest.mark.parametrize(
    ("collective", "factor"),
    [
        (Collective.ALL_REDUCE, 1.75),
        (Collective.ALL_GATHER, 0.875),
        (Collective.REDUCE_SCATTER, 0.875),
        (Collective.ALL_TO_ALL, 0.875),
        (Collective.BROADCAST, 1.0),
        (Collective.REDUCE, 1.0),
    ],
)
def test_the_factors_on_eight_ranks_are_those_of_nccl_tests(collective, factor):
    assert bus_factor(collective, 8) == factor
    assert bus_bandwidth(collective, 8e9, 2, 8) == 4e9 * factor


def test_every_collective_has_a_factor():
    assert [bus_factor(collective, 2) for collective in Collective] == [1.0, 0.5, 0.5, 0.5, 1.0, 1.0]


def test_one_rank_and_impossible_times_are_refused():
    with pytest.raises(LabsError, match="world_size is 1: a collective needs at least 2 ranks"):
        bus_factor(Collective.ALL_REDUCE, 1)
    for size, seconds in ((0, 1), (8, 0), (8, -1), (8, float("nan"))):
        with pytest.raises(LabsError, match="both must be above 0"):
            algorithm_bandwidth(size, seconds)
