"""A slow rank is named within its window; a slow epoch, a hiccup and ordinary noise are not."""

from __future__ import annotations

import random

import pytest

from labsupport.errors import LabsError
from labsupport.training.resilience.stragglers import StragglerDetector, StragglerPolicy

WORLD_SIZE = 8


def noisy(draw: random.Random, slow: dict[int, float] | None = None, all_by: float = 1.0) -> list[float]:
    return [draw.gauss(0.1, 0.004) * all_by * (slow or {}).get(rank, 1.0) for rank in range(WORLD_SIZE)]


@pytest.mark.parametrize("seed", range(20))
def test_a_rank_that_is_a_quarter_slower_is_named_once_within_twenty_five_steps(seed):
    draw, detector = random.Random(seed), StragglerDetector(WORLD_SIZE)
    for step in range(100):
        assert detector.observe(step, noisy(draw)) == ()
    found = [one for step in range(100, 200) for one in detector.observe(step, noisy(draw, {3: 1.25}))]
    assert [one.rank for one in found] == [3]
    assert found[0].step <= 125
    assert found[0].slowdown == pytest.approx(1.25, abs=0.05)


def test_no_rank_is_named_in_ten_thousand_clean_steps():
    draw, detector = random.Random(0), StragglerDetector(WORLD_SIZE)
    assert [one for step in range(10_000) for one in detector.observe(step, noisy(draw))] == []


def test_a_slow_epoch_and_a_single_hiccup_name_nobody():
    draw, detector = random.Random(0), StragglerDetector(WORLD_SIZE)
    for step in range(200):
        slow = {5: 4.0} if step % 50 == 0 else None
        assert detector.observe(step, noisy(draw, slow, all_by=3.0 if 80 <= step < 160 else 1.0)) == ()


def test_a_rank_that_recovered_can_be_named_again():
    draw, detector = random.Random(1), StragglerDetector(WORLD_SIZE, StragglerPolicy(window=10))
    named = [
        one.rank
        for step in range(120)
        for one in detector.observe(step, noisy(draw, {2: 1.5} if step // 40 != 1 else None))
    ]
    assert named == [2, 2]


def test_two_ranks_and_missing_times_are_refused():
    with pytest.raises(LabsError, match="of two ranks nobody can say"):
        StragglerDetector(2)
    with pytest.raises(LabsError, match="step 7 has the times of 3 ranks, expected are 8"):
        StragglerDetector(8).observe(7, [0.1] * 3)
