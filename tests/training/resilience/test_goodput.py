"""A ledger whose categories do not sum to the wall time is refused."""

from __future__ import annotations

import pytest

from labsupport.errors import LabsError
from labsupport.training.resilience.goodput import Category, GoodputLedger, cost_per_useful_step

LEDGER = GoodputLedger(
    100, {Category.PROGRESS: 80, Category.STARTUP: 5, Category.WASTED_PROGRESS: 15, Category.EVALUATION: 0}
)


def test_goodput_is_progress_over_wall_time_and_the_rest_is_listed_largest_first():
    assert LEDGER.goodput == 0.8
    assert list(LEDGER.badput.items()) == [(Category.WASTED_PROGRESS, 0.15), (Category.STARTUP, 0.05)]


@pytest.mark.parametrize("seconds", [79.0, 81.0])
def test_seconds_that_are_lost_or_counted_twice_are_refused(seconds):
    with pytest.raises(LabsError, match="some time is lost or counted twice"):
        GoodputLedger(100, {Category.PROGRESS: seconds, Category.OTHER: 20})


def test_a_negative_time_is_refused_even_where_the_sum_is_right():
    with pytest.raises(LabsError, match="other took -20 s"):
        GoodputLedger(100, {Category.PROGRESS: 120, Category.OTHER: -20})


def test_a_useful_step_costs_all_of_the_wall_time():
    assert cost_per_useful_step(36.0, 10, LEDGER) == pytest.approx(0.1)
    with pytest.raises(LabsError, match="at least 1 step"):
        cost_per_useful_step(36.0, 0, LEDGER)
