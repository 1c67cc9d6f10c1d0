"""The receipts of a training run: what was measured, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles
from typing import Any

from labsupport.receipts.ledger import record
from labsupport.receipts.receipt import Kind, Receipt
from labsupport.training.crash_schedules import Survival
from labsupport.training.drill import DrillResult
from labsupport.training.result import TrainResult
from labsupport.training.spec import TrainSpec

SHOWN_SEEDS = 5


def half_interquartile_range(values: list[float]) -> float | None:
    """Return half the distance between the quartiles, or None for fewer than two values."""
    if len(values) < 2:
        return None
    low, _, high = quantiles(values, n=4)
    return (high - low) / 2


def record_run(result: TrainResult) -> tuple[Receipt, ...]:
    """Record throughput, loss and accuracy of one run; the throughput is that of the median step."""
    spec = result.spec
    steps = max(result.losses)
    run: dict[str, Any] = {
        "where": "gpu" if spec.gpus_per_worker else "local",
        "workers": spec.num_workers,
        "model": spec.model,
        "dataset": spec.dataset,
        "global_batch": spec.global_batch,
        "seed": spec.seed,
        "run": result.folder.name,
        **_gpus(spec),
    }
    receipts = [
        record("training.loss", result.losses[steps], "nats", n=1, steps=steps, **run),
        record("training.accuracy", result.accuracy, "fraction", n=1, steps=steps, **run),
    ]
    if result.step_s:
        rates = [spec.global_batch / seconds for seconds in result.step_s]
        throughput = record(
            "training.throughput", result.samples_per_s, "samples/s", n=len(rates),
            spread=half_interquartile_range(rates), statistic="median", **run,
        )  # fmt: skip
        receipts.insert(0, throughput)
    return tuple(receipts)


def _gpus(spec: TrainSpec) -> dict[str, int]:
    """Name the GPUs that were used; a receipt without the word was measured without one."""
    return {"gpus": spec.gpus_per_worker * spec.num_workers} if spec.gpus_per_worker else {}


def record_drill(drill: DrillResult) -> tuple[Receipt, ...]:
    """Record how long a run took from the death of a worker to its next step, and what it lost."""
    spec = drill.interrupted.spec
    facts: dict[str, Any] = {
        "where": "gpu" if spec.gpus_per_worker else "local",
        "workers": spec.num_workers,
        "model": spec.model,
        "killed_rank": drill.rank,
        "killed_at_step": drill.killed_at_step,
        "seed": spec.seed,
        "run": drill.interrupted.folder.name,
        **_gpus(spec),
    }
    return (
        record("training.recovery_s", drill.recovery_s, "s", n=1, **facts),
        record("training.lost_steps", drill.lost_steps, "steps", n=1, **facts),
        record("training.resume_exact", float(drill.exact), "bool", n=1, **facts),
    )


def record_schedules(failing: Sequence[Survival], schedules: int) -> Receipt:
    """Record on how many seeded crash schedules a run lost or repeated something; virtual time, so simulated."""
    shown: dict[str, Any] = {"first_failing": [survival.seed for survival in failing[:SHOWN_SEEDS]]} if failing else {}
    return record("training.recovery.failing_seeds", len(failing), "seeds", Kind.SIMULATED, n=schedules,
                  where="sim", seed=0, seeds=f"0 to {schedules - 1}", **shown)  # fmt: skip
