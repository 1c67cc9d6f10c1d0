"""The receipts of a training run: what was measured, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median, quantiles
from typing import Any

from labsupport.receipts.ledger import record
from labsupport.receipts.metric import Metric
from labsupport.receipts.receipt import Kind, Receipt
from labsupport.training import metrics
from labsupport.training.crash_schedules import Survival
from labsupport.training.determinism import Cost
from labsupport.training.drill import DrillResult
from labsupport.training.result import TrainResult
from labsupport.training.spec import TrainSpec

SHOWN_SEEDS = 5


def half_interquartile_range(values: Sequence[float]) -> float | None:
    """Return half the distance between the quartiles, or None for fewer than two values."""
    if len(values) < 2:
        return None
    low, _, high = quantiles(values, n=4)
    return (high - low) / 2


def record_run(result: TrainResult) -> tuple[Receipt, ...]:
    """Record throughput, loss, accuracy and busy fraction of one run, and how it used the GPU where it had one.

    A run that diverged, or whose events were lost, has no loss to record, and one of a few steps no throughput.
    """
    spec = result.spec
    steps = result.steps
    loss = result.losses.get(steps, math.nan)
    run = {**_facts(result), "dataset": spec.dataset, "global_batch": spec.global_batch}
    receipts = []
    if result.step_s:
        rates = [spec.global_batch / seconds for seconds in result.step_s]
        receipts.append(_median(metrics.THROUGHPUT, rates, **run))
    if math.isfinite(loss):
        receipts.append(record(metrics.LOSS, loss, n=1, steps=steps, **run))
    receipts.append(record(metrics.ACCURACY, result.accuracy, n=1, steps=steps, **run))
    if result.step_s:
        busy = [1 - data_s / step_s for data_s, step_s in zip(result.data_s, result.step_s, strict=True)]
        receipts.append(_median(metrics.BUSY_FRACTION, busy, **run))
    if result.gpu_utilization:
        # Each sample is the share of a short while, so the share of the whole time is their mean.
        receipts.append(
            record(
                metrics.GPU_UTILIZATION, fmean(result.gpu_utilization), n=len(result.gpu_utilization),
                spread=half_interquartile_range(result.gpu_utilization), statistic="mean", **run,
            )
        )  # fmt: skip
    if result.mfu:
        receipts.append(_median(metrics.MFU, result.mfu, **run))
    return tuple(receipts)


def _median(metric: Metric, values: Sequence[float], **details: Any) -> Receipt:
    return record(
        metric, median(values), n=len(values), spread=half_interquartile_range(values), statistic="median", **details
    )


def _facts(result: TrainResult) -> dict[str, Any]:
    """Say what ran, from the events; a receipt without the word `gpus` was measured without one."""
    return {
        "where": "gpu" if result.gpus else "local",
        "workers": result.world_size,
        "model": result.spec.model,
        "seed": result.spec.seed,
        "run": result.folder.name,
        **({"gpus": result.gpus, "deterministic": result.deterministic} if result.gpus else {}),
    }


def record_drill(drill: DrillResult) -> tuple[Receipt, ...]:
    """Record how long a run took from the death of a worker to its next step, and what it lost."""
    facts = {**_facts(drill.interrupted), "killed_rank": drill.rank, "killed_at_step": drill.killed_at_step}
    return (
        record(metrics.RECOVERY_S, drill.recovery_s, n=1, **facts),
        record(metrics.LOST_STEPS, drill.lost_steps, n=1, **facts),
        record(metrics.RESUME_EXACT, float(drill.exact), n=1, **facts),
    )


def record_deterministic_cost(cost: Cost, spec: TrainSpec) -> Receipt:
    """Record how many times as long the steps of one worker take with deterministic algorithms, on its GPU."""
    ratios = [with_s / without_s for with_s, without_s in zip(cost.with_s, cost.without_s, strict=True)]
    return record(
        metrics.DETERMINISTIC_COST, cost.ratio, n=len(ratios), spread=half_interquartile_range(ratios),
        statistic="ratio of medians", where="gpu", gpus=1, workers=1, model=spec.model, dataset=spec.dataset,
        samples_per_step=spec.global_batch // spec.num_workers,
    )  # fmt: skip


def record_schedules(failing: Sequence[Survival], schedules: int) -> Receipt:
    """Record on how many seeded crash schedules a run lost or repeated something; virtual time, so simulated."""
    shown: dict[str, Any] = {"first_failing": [survival.seed for survival in failing[:SHOWN_SEEDS]]} if failing else {}
    return record(
        metrics.RECOVERY_FAILING_SEEDS, len(failing), Kind.SIMULATED, n=schedules, where="sim", seed=0,
        seeds=f"0 to {schedules - 1}", **shown,
    )  # fmt: skip
