"""Young's and Daly's intervals are near the numerical optimum, and the expectation is that of the simulated fleet."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.errors import LabsError
from labsupport.training.resilience.checkpoint_interval import (
    best_interval_s,
    daly_interval_s,
    expected_goodput,
    young_interval_s,
)
from labsupport.training.resilience.fleet import Policy, mean_goodput

saves = st.floats(0.1, 30)
gaps = st.floats(300, 30_000)


def test_the_figures_of_a_fleet_that_fails_every_five_minutes():
    assert young_interval_s(2, 300) == pytest.approx(34.64, abs=0.01)
    assert daly_interval_s(2, 300) == pytest.approx(33.32, abs=0.01)
    assert expected_goodput(best_interval_s(2, 300), 2, 300, 5) == pytest.approx(0.874, abs=0.001)
    assert expected_goodput(best_interval_s(1, 300), 1, 300, 5) == pytest.approx(0.905, abs=0.001)


@given(save_s=saves, mtbf_s=gaps)
def test_daly_is_closer_to_the_optimum_than_young_and_no_interval_beats_it_by_a_thousandth(save_s, mtbf_s):
    best = best_interval_s(save_s, mtbf_s)
    daly, young = daly_interval_s(save_s, mtbf_s), young_interval_s(save_s, mtbf_s)
    assert abs(daly - best) <= abs(young - best)
    top = expected_goodput(best, save_s, mtbf_s, 0)
    assert expected_goodput(daly, save_s, mtbf_s, 0) >= top - 1e-3
    assert expected_goodput(best * 2, save_s, mtbf_s, 0) < top > expected_goodput(best / 2, save_s, mtbf_s, 0)


@given(save_s=saves, mtbf_s=gaps, restart_s=st.floats(0, 60))
def test_a_restart_costs_goodput_and_moves_no_optimum(save_s, mtbf_s, restart_s):
    without, with_restart = best_interval_s(save_s, mtbf_s), best_interval_s(save_s, mtbf_s, restart_s)
    assert with_restart == pytest.approx(without, rel=1e-3)
    assert expected_goodput(without, save_s, mtbf_s, restart_s) <= expected_goodput(without, save_s, mtbf_s, 0)


@pytest.mark.parametrize("save_s", [0.5, 2.0, 10.0])
def test_the_expectation_is_the_mean_of_the_simulated_fleet(save_s):
    interval = best_interval_s(save_s, 300)
    simulated = mean_goodput(Policy(interval, save_s, save_s), range(20), work_s=36_000, mtbf_s=300, restart_s=5)
    assert simulated == pytest.approx(expected_goodput(interval, save_s, 300, 5), abs=0.01)


def test_a_save_that_costs_more_than_two_failures_is_written_once_per_failure():
    assert daly_interval_s(700, 300) == 300
    assert expected_goodput(1e6, 2, 300, 5) == 0.0, "no interval of that length is ever completed"


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
def test_times_that_are_none_are_refused_by_name(bad):
    for call in (lambda: young_interval_s(bad, 300), lambda: daly_interval_s(bad, 300)):
        with pytest.raises(LabsError, match="save_s is"):
            call()
    with pytest.raises(LabsError, match="mtbf_s is"):
        best_interval_s(2, bad)
    with pytest.raises(LabsError, match="interval_s is"):
        expected_goodput(bad, 2, 300, 5)
    assert expected_goodput(30, 2, 300, 0) > 0
    with pytest.raises(LabsError, match="restart_s is -1"):
        expected_goodput(30, 2, 300, -1)
