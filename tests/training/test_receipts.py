"""A run's receipts are what was measured in it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from labsupport.course.catalog import criterion
from labsupport.course.grading.criteria import CriterionStatus, judge
from labsupport.errors import LabsError
from labsupport.receipts.ledger import ledger
from labsupport.receipts.physics import lint_receipts
from labsupport.receipts.receipt import Kind
from labsupport.training.crash_schedules import Survival
from labsupport.training.determinism import Cost
from labsupport.training.drill import DrillResult
from labsupport.training.loop import train_alone
from labsupport.training.receipts import (
    half_interquartile_range,
    record_deterministic_cost,
    record_drill,
    record_run,
    record_schedules,
)
from labsupport.training.result import TrainResult
from labsupport.training.spec import TrainSpec


def run(losses: list[float], *starts: tuple[int, str]) -> TrainResult:
    """Return a run of these losses; the last of its `starts` (world_size, device) repeats all steps but the first."""
    events = []
    for pid, (world_size, device) in enumerate(starts):
        events.append({"event": "start", "time": 10.0 * pid, "pid": pid, "step": min(pid, 1), "world_size": world_size,
                       "device": device, "skipped": ()})  # fmt: skip
        events += [
            {"event": "step", "time": 10.0 * pid + step, "pid": pid, "step": step, "loss": loss.hex(), "data_s": 0.1,
             "compute_s": 0.1}
            for step, loss in enumerate(losses, start=1) if step > pid
        ]  # fmt: skip
    return TrainResult(TrainSpec(num_workers=2, gpus_per_worker=2), Path("a-run"), tuple(events), 0.9, "", 0.0, 20.0)


def test_the_receipts_of_a_run_are_in_the_ledger_with_their_run_and_spread(tmp_path):
    result = train_alone(TrainSpec(width=4, num_workers=1, max_steps=8, epochs=1), tmp_path / "a-run")
    throughput, loss, accuracy, busy = record_run(result)
    assert throughput.value == pytest.approx(result.samples_per_s)
    assert (throughput.n, throughput.unit) == (5, "samples/s")
    assert throughput.spread is not None
    assert loss.value == result.losses[8]
    assert accuracy.value == result.accuracy
    assert 0 < busy.value <= 1
    assert (busy.name, busy.n) == ("training.busy_fraction", 5)
    assert {receipt.details["run"] for receipt in ledger().read().receipts} == {"a-run"}


def test_the_busy_fraction_is_that_of_the_median_step(tmp_path):
    *_, busy = record_run(run([1.0] * 8, (2, "cpu")))
    assert (busy.value, busy.spread, busy.n, busy.details["statistic"]) == (0.5, 0.0, 5, "median")


def sampled_on_a_gpu(*samples: float) -> TrainResult:
    on_gpu = run([1.0] * 8, (2, "cuda:0"))
    needed, possible = 1e9, 8e11  # 64 samples in 0.2 s on two GPUs: an MFU of 0.2
    return replace(
        on_gpu,
        events=(
            *on_gpu.events,
            {"event": "utilization", "step": 8, "samples": list(samples)},
            {"event": "end", "step": 8, "flops_per_sample": needed, "device_flops_per_s": possible},
        ),
    )


def test_a_run_that_was_sampled_on_a_gpu_says_how_it_used_it():
    receipts = {one.name: one for one in record_run(sampled_on_a_gpu(0.9, 0.8, 1.0, 0.5))}
    utilization, mfu = receipts["training.gpu_utilization"], receipts["training.mfu"]
    assert (utilization.value, utilization.n, utilization.details["gpus"]) == (pytest.approx(0.8), 4, 2)
    assert (mfu.value, mfu.n) == (pytest.approx(0.2), 5)
    assert utilization.details["deterministic"] is False
    names = [one.name for one in record_run(run([1.0] * 8, (2, "cuda:0")))]
    assert "training.gpu_utilization" not in names
    assert "training.mfu" not in names


def test_on_a_cpu_the_busy_fraction_makes_the_criterion_of_gpu_utilization_provisional():
    record_run(run([1.0] * 8, (2, "cpu")))
    judgement = judge(criterion("201.gpu-utilization"), ledger().read().receipts)
    assert judgement.status is CriterionStatus.PROVISIONAL
    record_run(sampled_on_a_gpu(*[0.9] * 5))
    assert judge(criterion("201.gpu-utilization"), ledger().read().receipts).status is CriterionStatus.MET


def test_the_spread_is_half_the_distance_of_the_quartiles():
    assert half_interquartile_range([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(1.5)
    assert half_interquartile_range([1.0]) is None


def test_what_deterministic_algorithms_cost_is_the_ratio_of_the_median_steps():
    receipt = record_deterministic_cost(Cost((2.0, 3.0, 9.0), (1.0, 2.0, 3.0)), TrainSpec(num_workers=2))
    assert (receipt.name, receipt.value, receipt.n) == ("training.deterministic_cost", 1.5, 3)
    assert (receipt.details["gpus"], receipt.details["samples_per_step"]) == (1, 32)


def test_the_receipt_of_crash_schedules_is_simulated_and_names_the_seeds_that_failed():
    sound = record_schedules([], 200)
    assert (sound.value, sound.n, sound.kind) == (0, 200, Kind.SIMULATED)
    broken = record_schedules([Survival(3, 1, 2, "KeyError"), Survival(9, 1, 0, "KeyError")], 200)
    assert (broken.value, list(broken.details["first_failing"])) == (2, [3, 9])


def test_workers_and_devices_are_those_that_ran_and_not_those_asked_for(tmp_path):
    alone = record_run(train_alone(TrainSpec(width=4, num_workers=2, max_steps=5, epochs=1), tmp_path))
    assert {receipt.details["workers"] for receipt in alone} == {1}
    for receipt in record_run(run([2.0, 1.0], (4, "cuda:0"), (3, "cuda:0"))):
        assert (receipt.details["workers"], receipt.details["gpus"], receipt.details["where"]) == (3, 3, "gpu")
    for receipt in record_run(run([2.0, 1.0], (2, "cpu"))):  # though the spec asks for GPUs
        assert (receipt.details["workers"], receipt.details["where"]) == (2, "local")
        assert "gpus" not in receipt.details


def test_a_run_that_diverged_keeps_what_it_has_numbers_of():
    names = [receipt.name for receipt in record_run(run([2.0, math.nan], (2, "cpu")))]
    assert names == ["training.accuracy"]


def test_an_accuracy_that_cannot_be_is_not_recorded():
    with pytest.raises(LabsError, match=r"it can only be at least 0 and at most 1, not 3\.7 fraction"):
        record_run(replace(run([2.0, 1.0], (2, "cpu")), accuracy=3.7))
    assert "training.accuracy" not in [receipt.name for receipt in ledger().read().receipts]


def test_of_the_receipts_of_a_drill_only_the_one_recovery_lacks_repeats():
    interrupted = run([2.0, 1.5, 1.0], (2, "cpu"), (2, "cpu"))
    receipts = record_drill(DrillResult(interrupted, interrupted, 1, killed_at=3.5, killed_at_step=3, corrupted=None))
    assert {receipt.name: receipt.value for receipt in receipts} == {
        "training.recovery_s": 8.5, "training.lost_steps": 2, "training.resume_exact": 1
    }  # fmt: skip
    (finding,) = lint_receipts(receipts)
    assert (finding.rule, finding.subject.split()[0]) == ("R19", "training.recovery_s")
