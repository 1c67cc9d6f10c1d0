"""Runs in MLflow: one writer, everything retrievable, and no run that stays RUNNING after its driver was killed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from labsupport.training.loop import train_alone
from labsupport.training.spec import TrainSpec
from labsupport.training.tracking import EXPERIMENT, PID_TAG, RunTracker, client, sweep_stale_runs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow's imports warn about themselves

SPEC = TrainSpec(width=4, num_workers=1, max_steps=2, epochs=1)


def test_a_finished_run_gives_back_its_parameters_metrics_and_artifacts(tmp_path):
    tracker = RunTracker(SPEC, "small")
    result = train_alone(SPEC, tmp_path)
    for event in result.events:
        tracker.on_event(event)
    tracker.finish(result)
    run = client().get_run(tracker.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["model"] == "resnet18"
    assert run.data.metrics["accuracy"] == result.accuracy
    assert [item.path for item in client().list_artifacts(tracker.run_id, "events")] == ["events/rank0.jsonl"]


def test_a_run_whose_driver_was_killed_is_swept_and_a_living_one_is_not():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    living, dead = RunTracker(SPEC, "living"), RunTracker(SPEC, "dead")
    store = client()
    store.set_tag(dead.run_id, PID_TAG, str(gone.pid))
    swept = sweep_stale_runs(store, store.get_experiment_by_name(EXPERIMENT).experiment_id)
    assert swept == [dead.run_id]
    assert store.get_run(dead.run_id).info.status == "KILLED"
    assert store.get_run(living.run_id).info.status == "RUNNING"


def test_a_run_that_was_given_up_is_marked_failed():
    tracker = RunTracker(SPEC, "given up")
    tracker.fail()
    assert client().get_run(tracker.run_id).info.status == "FAILED"
