"""The worked example: the world finds what a lease does not prevent, and nothing once the store checks the token."""

from __future__ import annotations

import pytest

from labsupport.faults.examples.lease import LEASE_S, Lease, decide, failover
from labsupport.faults.virtual import FaultKind, pass_rate, shrink

SEEDS = range(1000)


def test_without_fencing_a_stale_write_is_found_and_its_schedule_made_small():
    scenario = failover(fenced=False)
    failing = next(scenario.failing(SEEDS))
    shrunk = shrink(scenario, failing)
    assert failing.failure.name == shrunk.failure.name == "one writer per epoch"
    assert shrunk.minimal
    assert len(shrunk.schedule.faults) <= 3 < len(failing.schedule.faults)
    assert "was accepted with epoch 1" in shrunk.failure.message


@pytest.mark.slow
def test_with_fencing_a_thousand_schedules_are_survived():
    assert [run.seed for run in failover(fenced=True).failing(SEEDS)] == []


def test_the_schedules_of_the_example_do_make_workers_change():
    scenario = failover(fenced=True)
    epochs = [max(accepted.epoch for accepted in scenario.run(seed).world.history.accepts) for seed in range(30)]
    assert sum(epoch > 1 for epoch in epochs) > 10
    kinds = {fault.kind for seed in range(30) for fault in scenario.schedule(seed).faults}
    assert kinds >= {FaultKind.CRASH, FaultKind.PAUSE, FaultKind.PARTITION, FaultKind.DELAY}


def test_the_pass_rate_tells_the_two_apart(tmp_path):
    seeds = range(20)
    assert not pass_rate(failover(fenced=False), seeds, folder=tmp_path)
    assert pass_rate(failover(fenced=True), seeds, folder=tmp_path)


@pytest.mark.parametrize(
    ("lease", "now_s", "action"),
    [(None, 0.0, "wait"), (Lease(1, LEASE_S), 1.9, "write"), (Lease(1, LEASE_S), LEASE_S, "wait")],
)
def test_the_decision_needs_no_world(lease, now_s, action):
    """One decision core: virtual time runs the same function as a process with a real clock would."""
    assert decide(lease, now_s) == action
