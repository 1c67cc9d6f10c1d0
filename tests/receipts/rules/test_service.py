from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from labsupport.receipts.rules.service import best_detection_s, worst_failover_s


@given(
    interval_s=st.floats(0.1, 60),
    threshold=st.integers(1, 10),
    timeout_s=st.floats(0, 5),
    propagation_s=st.floats(0, 300),
    promotion_s=st.floats(0, 60),
    seed=st.integers(0, 2**32),
)
def test_a_failover_takes_between_the_best_detection_and_the_worst_case(
    interval_s: float, threshold: int, timeout_s: float, propagation_s: float, promotion_s: float, seed: int
) -> None:
    chance = random.Random(seed)
    first_failed_check_s = chance.uniform(0, interval_s)  # the fault falls somewhere between two checks
    detected_s = first_failed_check_s + (threshold - 1) * interval_s + chance.uniform(0, timeout_s)
    failover_s = detected_s + chance.uniform(0, propagation_s) + chance.uniform(0, promotion_s)
    worst = worst_failover_s(interval_s, threshold, timeout_s, propagation_s, promotion_s)
    assert best_detection_s(interval_s, threshold) <= failover_s * (1 + 1e-9)
    assert failover_s <= worst * (1 + 1e-9)
