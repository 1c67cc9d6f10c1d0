"""The receipts of a training run: what was measured, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import quantiles
from typing import Any

from labsupport.receipts.ledger import record
from labsupport.receipts.receipt import Kind, Receipt
from labsupport.training.crash_schedules import Survival
from labsupport.training.drill import DrillResult
from labsupport.training.result import TrainResult

SHOWN_SEEDS = 5


def half_interquartile_range(values: list[float]) -> float | None:
    """Return half the distance between the quartiles, or None for fewer than two values."""
    if len(values) < 2:
        return None
    low, _, high = quantiles(values, n=4)
    return (high - low) / 2


def record_run(result: TrainResult) -> tuple[Receipt, ...]:
    """Record throughput, loss and accuracy of one run; the throughput is that of the median step.

    A run that diverged has no loss to record, and one of a few steps no throughput.
    """
    spec = result.spec
    steps = max(result.losses)
    loss = result.losses[steps]
    run = {**_facts(result), "dataset": spec.dataset, "global_batch": spec.global_batch}
    receipts = [record("training.accuracy", result.accuracy, "fraction", n=1, steps=steps, **run)]
    if math.isfinite(loss):
        receipts.insert(0, record("training.loss", loss, "nats", n=1, steps=steps, **run))
    if result.step_s:
        rates = [spec.global_batch / seconds for seconds in result.step_s]
        throughput = record(
            "training.throughput", result.samples_per_s, "samples/s", n=len(rates),
            spread=half_interquartile_range(rates), statistic="median", **run,
        )  # fmt: skip
        receipts.insert(0, throughput)
    return tuple(receipts)


def _facts(result: TrainResult) -> dict[str, Any]:
    """Say what ran, from the events; a receipt without the word `gpus` was measured without one."""
    return {
        "where": "gpu" if result.gpus else "local",
        "workers": result.world_size,
        "model": result.spec.model,
        "seed": result.spec.seed,
        "run": result.folder.name,
        **({"gpus": result.gpus} if result.gpus else {}),
    }


def record_drill(drill: DrillResult) -> tuple[Receipt, ...]:
    """Record how long a run took from the death of a worker to its next step, and what it lost."""
    facts = {**_facts(drill.interrupted), "killed_rank": drill.rank, "killed_at_step": drill.killed_at_step}
    return (
        record("training.recovery_s", drill.recovery_s, "s", n=1, **facts),
        record("training.lost_steps", drill.lost_steps, "steps", n=1, statistic="count", **facts),
        record("training.resume_exact", float(drill.exact), "bool", n=1, **facts),
    )


def record_schedules(failing: Sequence[Survival], schedules: int) -> Receipt:
    """Record on how many seeded crash schedules a run lost or repeated something; virtual time, so simulated."""
    shown: dict[str, Any] = {"first_failing": [survival.seed for survival in failing[:SHOWN_SEEDS]]} if failing else {}
    return record("training.recovery.failing_seeds", len(failing), "seeds", Kind.SIMULATED, n=schedules,
                  where="sim", seed=0, seeds=f"0 to {schedules - 1}", **shown)  # fmt: skip
