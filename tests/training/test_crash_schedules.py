"""Under hundreds of seeded crashes nothing is lost or applied twice, and without any one part of the recovery it is."""

from __future__ import annotations

import pytest

from labsupport.training.crash_schedules import (
    MOST_CRASHES,
    WORKERS,
    Loss,
    Recovery,
    baseline,
    crash_schedule,
    failing_seeds,
    newest_only,
    survive,
)
from labsupport.training.sampler import GlobalBatches, shard

SEEDS = range(300)


def test_every_step_is_applied_once_and_in_order_on_every_seed():
    assert failing_seeds(SEEDS) == []


def test_the_schedules_crash_often_lose_checkpoints_repeat_steps_and_change_the_number_of_workers():
    survivals = [survive(seed) for seed in SEEDS]
    assert {survival.crashes for survival in survivals} == set(range(1, MOST_CRASHES + 1))
    assert sum(survival.repeated_steps for survival in survivals) > len(SEEDS)
    assert 0 < sum(survival.refused for survival in survivals) < len(SEEDS) / 5
    crashes = [crash for seed in SEEDS for crash in crash_schedule(seed)]
    assert any(crash.while_writing for crash in crashes)
    assert {crash.loss for crash in crashes} == set(Loss)
    assert {crash.workers for crash in crashes} == set(WORKERS)


def test_a_schedule_is_repeated_by_its_seed():
    assert crash_schedule(7) == crash_schedule(7)
    assert survive(7) == survive(7)


def test_the_baseline_leaves_the_incomplete_batch_of_each_epoch_out():
    assert baseline()[1] == 3 * (70 // 8)


def forgets_the_step(batches: GlobalBatches, state: dict) -> None:
    batches.load_state(state | {"step": 0})


def deals_anew_by_workers(num_samples, world_size, rank, *, epoch, seed, start=0):
    """Deal contiguous parts: another number of workers walks in another order."""
    rest = shard(num_samples, 1, 0, epoch=epoch, seed=seed, start=start)
    part = len(rest) // world_size
    return rest[rank * part : (rank + 1) * part]


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        (Recovery(resume=forgets_the_step), "applied other batches"),
        (Recovery(shard_fn=deals_anew_by_workers), "applied other batches"),
        (Recovery(verifies=False), "applied other batches"),
        (Recovery(choose=newest_only), "refused: step_"),
        (Recovery(remembers=False), "started again at step 0, although step "),
    ],
    ids=["position", "order", "digest", "fall back", "memory"],
)
def test_without_one_part_of_it_the_recovery_fails(missing, problem):
    problems = [survival.problem for survival in failing_seeds(SEEDS, missing)]
    assert any(found.startswith(problem) for found in problems)


def test_another_order_that_no_number_of_workers_changes_survives_as_well():
    def backwards(num_samples, world_size, rank, *, epoch, seed, start=0):
        return list(range(num_samples))[::-1][start:][rank::world_size]

    assert failing_seeds(SEEDS, Recovery(shard_fn=backwards)) == []
