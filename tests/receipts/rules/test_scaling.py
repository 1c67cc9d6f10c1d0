from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.receipts.rules.scaling import (
    efficiency_does_not_rise,
    serial_fraction,
    serial_fraction_does_not_fall,
    speedup_obeys_amdahl,
)


def amdahl(serial: float, workers: int) -> float:
    return 1 / (serial + (1 - serial) / workers)


counts = st.lists(st.integers(1, 4096), min_size=2, max_size=8, unique=True)


@given(serial=st.floats(0, 1), workers=counts)
def test_a_job_that_obeys_amdahl_never_breaks_r5(serial: float, workers: list[int]) -> None:
    efficiencies = tuple(amdahl(serial, count) / count for count in workers)
    assert efficiency_does_not_rise(tuple(workers), efficiencies) is None
    assert serial_fraction_does_not_fall(tuple(workers), efficiencies, "strong") is None
    assert all(speedup_obeys_amdahl(amdahl(serial, count), count, serial) is None for count in workers)


@given(serial=st.floats(0.001, 1), workers=st.integers(2, 4096))
def test_karp_and_flatt_find_the_serial_fraction_of_amdahl(serial: float, workers: int) -> None:
    assert serial_fraction(amdahl(serial, workers), workers) == pytest.approx(serial)


@given(step_s=st.floats(0.01, 10), exchange_s=st.floats(0, 10), workers=counts)
def test_a_ring_all_reduce_in_weak_scaling_never_breaks_r5(
    step_s: float, exchange_s: float, workers: list[int]
) -> None:
    efficiencies = tuple(step_s / (step_s + exchange_s * (count - 1) / count) for count in workers)
    assert efficiency_does_not_rise(tuple(workers), efficiencies) is None
    assert serial_fraction_does_not_fall(tuple(workers), efficiencies, "weak") is None
