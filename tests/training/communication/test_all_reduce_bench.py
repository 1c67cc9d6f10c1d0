"""The all-reduce benchmark times every size on real processes and refuses what it cannot time."""

from __future__ import annotations

import pytest

from labsupport.errors import LabsError
from labsupport.training.communication.all_reduce_bench import SizeTiming, measure_all_reduce


@pytest.mark.slow
def test_two_processes_time_every_size_as_often_as_asked():
    timings = measure_all_reduce(2, [4096, 1024], rounds=3)
    assert [(one.size_bytes, one.world_size, len(one.seconds)) for one in timings] == [(1024, 2, 3), (4096, 2, 3)]
    assert all(seconds > 0 for one in timings for seconds in one.seconds)


def test_the_bus_bandwidth_is_that_of_the_median_call():
    timing = SizeTiming(1000, 4, (1.0, 2.0, 50.0))
    assert (timing.median_s, timing.algorithm_bytes_per_s, timing.bus_bytes_per_s) == (2.0, 500.0, 750.0)


@pytest.mark.parametrize(
    ("world_size", "sizes", "rounds", "said"),
    [
        (1, [1024], 1, "world_size is 1"),
        (2, [1022], 1, "1022 bytes: float32 needs a positive multiple of 4"),
        (2, [0], 1, "0 bytes"),
        (2, [1024], 0, "rounds is 0"),
    ],
)
def test_bad_input_is_refused_before_any_process_starts(world_size, sizes, rounds, said):
    with pytest.raises(LabsError, match=said):
        measure_all_reduce(world_size, sizes, rounds=rounds)
