"""A run's receipts are what was measured in it."""

from __future__ import annotations

import pytest

from labsupport.receipts.ledger import ledger
from labsupport.receipts.receipt import Kind
from labsupport.training.crash_schedules import Survival
from labsupport.training.loop import train_alone
from labsupport.training.receipts import half_interquartile_range, record_run, record_schedules
from labsupport.training.spec import TrainSpec


def test_the_receipts_of_a_run_are_in_the_ledger_with_their_run_and_spread(tmp_path):
    result = train_alone(TrainSpec(width=4, num_workers=1, max_steps=8, epochs=1), tmp_path / "a-run")
    throughput, loss, accuracy = record_run(result)
    assert throughput.value == pytest.approx(result.samples_per_s)
    assert (throughput.n, throughput.unit) == (5, "samples/s")
    assert throughput.spread is not None
    assert loss.value == result.losses[8]
    assert accuracy.value == result.accuracy
    assert {receipt.details["run"] for receipt in ledger().read().receipts} == {"a-run"}


def test_the_spread_is_half_the_distance_of_the_quartiles():
    assert half_interquartile_range([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(1.5)
    assert half_interquartile_range([1.0]) is None


def test_the_receipt_of_crash_schedules_is_simulated_and_names_the_seeds_that_failed():
    sound = record_schedules([], 200)
    assert (sound.value, sound.n, sound.kind) == (0, 200, Kind.SIMULATED)
    broken = record_schedules([Survival(3, 1, 2, "KeyError"), Survival(9, 1, 0, "KeyError")], 200)
    assert (broken.value, list(broken.details["first_failing"])) == (2, [3, 9])
