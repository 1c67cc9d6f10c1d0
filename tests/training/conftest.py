"""Runs of two workers in a real process group, made once for all tests that look at one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from labsupport.training.events import read_events
from labsupport.training.result import TrainResult
from labsupport.training.spec import TrainSpec

# A smooth model: a ReLU network carries a rounding error across a kink and leaves single precision after 20 steps.
SINGLE = TrainSpec(
    model="llama-tiny",
    dataset="text",
    sequence=32,
    global_batch=16,
    base_batch=16,
    base_lr=0.005,  # at four times the rate some orders of samples leave single precision after 40 steps
    epochs=1,
    max_steps=30,
    checkpoint_every=5,
)
DOUBLE = replace(SINGLE, dtype="float64")
# Dropout draws from each rank's own stream: it is what an inexact restore of the random state would change.
DROPOUT = replace(SINGLE, dropout=0.1)
BATCH_NORM = TrainSpec(width=4, global_batch=128, epochs=1, max_steps=4, checkpoint_every=2)

JOBS = [
    ("single precision", SINGLE, 2),
    ("double precision", DOUBLE, 2),
    ("dropout", DROPOUT, 2),
    ("batch norm", BATCH_NORM, 2),
    ("resumed by one", replace(DOUBLE, max_steps=10), 2),
    ("resumed by one", DOUBLE, 1),
]


@pytest.fixture(scope="session")
def group_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainResult]:
    """Runs of two workers; the last was stopped after 10 steps and resumed by one worker."""
    folders = {name: tmp_path_factory.mktemp("run") for name, _, _ in JOBS}
    for folder in folders.values():
        (folder / "checkpoints").mkdir()
    jobs = tmp_path_factory.mktemp("jobs") / "jobs.json"
    jobs.write_text(
        json.dumps(
            [
                {"spec": spec.as_dict(), "run": str(folders[name]), "world_size": world_size}
                for name, spec, world_size in JOBS
            ]
        )
    )
    workers = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("group_worker.py")), str(rank), str(jobs)],
            env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for worker in workers:
        _, said = worker.communicate(timeout=250)
        assert worker.returncode == 0, said
    return {
        name: TrainResult(
            spec,
            folders[name],
            tuple(read_events(folders[name] / "events")),
            **json.loads((folders[name] / "returned.json").read_text()),
            began=0.0,
            wall_s=0.0,
        )
        for name, spec, _ in JOBS
    }


@pytest.fixture(scope="session")
def dropout_run(group_runs: dict[str, TrainResult]) -> TrainResult:
    """A run of two workers whose model draws random numbers."""
    return group_runs["dropout"]
