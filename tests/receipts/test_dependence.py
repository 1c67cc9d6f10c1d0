from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from labsupport.receipts.dependence import depends_on_the_work

Work = Callable[[int], int]


def count_to(limit: int) -> int:
    return sum(range(limit))


def nothing(limit: int) -> int:
    return 0


def test_a_random_scaling_efficiency_is_refused() -> None:
    def simulate_training(work: Work, seed: int) -> float:
        work(10)
        return 0.85 + 0.1 * random.random()

    dependence = depends_on_the_work(simulate_training, count_to, nothing, subject="scaling_efficiency")
    assert not dependence
    assert dependence.finding is not None
    assert dependence.finding.rule == "R20"
    assert dependence.finding.subject == "scaling_efficiency"
    assert all(0.85 <= value < 0.95 for value in dependence.values_without_work)


def test_a_seeded_random_number_is_refused() -> None:
    assert not depends_on_the_work(lambda work, seed: random.Random(seed).random(), count_to, nothing)


def test_a_constant_is_refused() -> None:
    assert not depends_on_the_work(lambda work, seed: 0.85, count_to, nothing)


def test_a_result_of_the_work_is_accepted() -> None:
    assert depends_on_the_work(lambda work, seed: float(work(10 + seed)), count_to, nothing)


def test_cpu_time_of_the_work_is_accepted() -> None:
    def cpu_s(work: Work, seed: int) -> float:
        start = time.process_time()
        work(500_000)
        return time.process_time() - start

    assert depends_on_the_work(cpu_s, count_to, nothing)


def test_a_measurement_that_fails_without_the_work_depends_on_it() -> None:
    assert depends_on_the_work(lambda work, seed: 1 / work(10), count_to, nothing)
    assert depends_on_the_work(lambda work, seed: 1.0 if work(10) else float("nan"), count_to, nothing)


def test_too_few_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        depends_on_the_work(lambda work, seed: 1.0, count_to, nothing, seeds=(1, 1, 2, 3))


def test_no_number_with_the_real_work_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        depends_on_the_work(lambda work, seed: float("nan"), count_to, nothing)
