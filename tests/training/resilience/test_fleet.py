"""A simulated fleet accounts for every second, and an asynchronous save is what 90 % at MTBF 300 s asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.errors import LabsError
from labsupport.training.resilience.fleet import Policy, mean_goodput, simulate
from labsupport.training.resilience.goodput import Category

WORK = {"work_s": 36_000.0, "mtbf_s": 300.0, "restart_s": 5.0}


@given(seed=st.integers(0, 10_000), interval_s=st.floats(5, 200), stall_s=st.floats(0, 5), more_s=st.floats(0, 30))
def test_every_second_has_one_category_whatever_fails_when(seed, interval_s, stall_s, more_s):
    ledger = simulate(Policy(interval_s, stall_s, stall_s + more_s), **WORK | {"work_s": 3000.0}, seed=seed)
    assert ledger.seconds[Category.PROGRESS] == 3000.0
    assert sum(ledger.seconds.values()) == pytest.approx(ledger.wall_s)


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    policy = Policy(30, 2, 2)
    assert simulate(policy, **WORK, seed=1) == simulate(policy, **WORK, seed=1)
    assert simulate(policy, **WORK, seed=1) != simulate(policy, **WORK, seed=2)


def test_without_failures_only_the_saves_cost_time():
    ledger = simulate(Policy(100, 2, 2), work_s=1000, mtbf_s=1e12, restart_s=5, seed=0)
    assert ledger.wall_s == pytest.approx(1018), "ten intervals, nine saves between them"
    assert ledger.badput == {Category.CHECKPOINT_SAVE: pytest.approx(18 / 1018)}


def test_at_a_failure_every_five_minutes_only_a_short_stall_reaches_ninety_percent():
    synchronous = mean_goodput(Policy(33.3, 2, 2), range(20), **WORK)
    asynchronous = mean_goodput(Policy(20, 0.2, 2), range(20), **WORK)
    assert synchronous < 0.90 < asynchronous


def test_a_checkpoint_that_is_not_yet_durable_is_lost_with_the_failure():
    late = mean_goodput(Policy(20, 0.2, 40), range(20), **WORK)
    soon = mean_goodput(Policy(20, 0.2, 0.2), range(20), **WORK)
    assert late < soon - 0.03


def test_a_save_waits_for_the_one_before():
    ledger = simulate(Policy(10, 1, 30), work_s=100, mtbf_s=1e12, restart_s=0, seed=0)
    # The first of nine saves stalls for its own second, each later one also for what is left of 30 s since the last.
    assert ledger.seconds[Category.CHECKPOINT_SAVE] == pytest.approx(1 + 8 * (30 - 1 - 10 + 1))


def test_a_policy_under_which_nothing_gets_done_is_refused():
    with pytest.raises(LabsError, match="hardly ever ends"):
        simulate(Policy(1e6, 1, 1), work_s=1e6, mtbf_s=10, restart_s=0, seed=0)


@pytest.mark.parametrize("policy", [(0, 1, 1), (10, 2, 1), (10, -1, 1)])
def test_an_impossible_policy_is_refused(policy):
    with pytest.raises(LabsError, match="interval must be above 0"):
        Policy(*policy)
