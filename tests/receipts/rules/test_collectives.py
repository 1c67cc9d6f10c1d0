from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.receipts.rules.collectives import bus_bandwidth


@given(workers=st.integers(2, 64), gigabytes=st.floats(0.001, 10), link=st.floats(1e6, 1e12))
def test_a_perfect_ring_runs_at_the_speed_of_its_link(workers: int, gigabytes: float, link: float) -> None:
    chunk = gigabytes * 1e9 / workers
    rounds = 2 * (workers - 1)  # reduce-scatter, then all-gather; each round moves one chunk over every link
    assert bus_bandwidth(gigabytes * 1e9, rounds * chunk / link, workers) == pytest.approx(link)


def test_one_worker_moves_nothing() -> None:
    assert bus_bandwidth(1e9, 1.0, 1) == 0
