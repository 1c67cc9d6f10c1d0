"""Ray workers train what one process trains, and lose nothing when one of them is killed. Real Ray, real SIGKILL.

One Ray session and few runs, since a run of two workers costs about 20 s on two cores, most of it imports.
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from labsupport.errors import LabsError
from labsupport.training import ray_session, run_folder
from labsupport.training.checkpoint import load_verified
from labsupport.training.data import load_dataset
from labsupport.training.drill import resume_drill
from labsupport.training.loop import RUN_STATE, Alone, digest, evaluate, train_alone
from labsupport.training.models import build_model
from labsupport.training.receipts import record_drill, record_run
from labsupport.training.result import largest_difference
from labsupport.training.spec import TrainSpec
from labsupport.training.trainer import train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.filterwarnings("ignore::ResourceWarning")]

# A smooth model: a ReLU network carries a rounding error across a kink and leaves single precision after 20 steps.
SPEC = TrainSpec(
    model="llama-tiny",
    dataset="text",
    sequence=32,
    global_batch=16,
    base_batch=16,
    base_lr=0.005,  # at four times the rate some orders of samples leave single precision after 40 steps
    epochs=1,
    max_steps=50,
    checkpoint_every=5,
)


@pytest.fixture(scope="module", autouse=True)
def session():
    with ray_session.running():
        yield


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-5), ("float64", 1e-10)])
def test_two_workers_have_the_losses_of_one_process(dtype, bound, tmp_path):
    spec = replace(SPEC, dtype=dtype)
    distributed, alone = train(spec), train_alone(spec, tmp_path)
    assert len(alone.losses) == 50
    assert largest_difference(alone, distributed) <= bound
    assert alone.losses[50] < alone.losses[1] - 1
    assert {receipt.name for receipt in record_run(distributed)} == {
        "training.throughput",
        "training.loss",
        "training.accuracy",
    }


def test_nothing_is_lost_when_a_worker_is_killed_even_if_the_newest_checkpoint_is_damaged():
    # Dropout draws from each rank's own stream: it is what an inexact restore of the random state would change.
    spec = replace(SPEC, dropout=0.1)
    baseline = train(spec)
    killed = resume_drill(spec, rank=1, kill_at_step=13, baseline=baseline)
    assert killed.interrupted.restarts == 1
    assert 0 < killed.resumed_at_step <= killed.killed_at_step
    assert killed.exact
    damaged = resume_drill(spec, rank=0, kill_at_step=18, corrupt=True, baseline=baseline)
    assert damaged.resumed_at_step < int(damaged.corrupted.removeprefix("step_"))
    assert [reason.split(": ")[1:] for reason in damaged.skipped] == [
        ["sha256 differs from its sidecar; the file was altered or cut off"]
    ]
    assert f"/{damaged.corrupted}/" in damaged.skipped[0]
    assert damaged.exact
    recovery, lost, exact = record_drill(killed)
    assert (recovery.name, lost.value, exact.value) == ("training.recovery_s", killed.lost_steps, 1.0)


def test_a_worker_that_raises_is_named_with_its_error_in_one_line():
    def fails_on_rank_1(num_samples, world_size, rank, **position):
        if rank == 1:
            raise RuntimeError("disk on fire")
        return list(range(num_samples))[rank::world_size]

    folder = run_folder.make("failing")
    with pytest.raises(LabsError, match=r"rank 1: RuntimeError: disk on fire") as caught:
        train(replace(SPEC, max_failures=0, max_steps=3), folder=folder, shard_fn=fails_on_rank_1)
    assert "\n" not in str(caught.value)


def test_the_workers_judge_one_model_although_batch_norm_gave_each_its_own_statistics():
    spec = TrainSpec(width=4, global_batch=128, epochs=1, max_steps=4, checkpoint_every=2)
    result = train(spec)
    (reported,) = sorted((result.folder / "checkpoints").glob("step_0000004"))
    assert load_verified(reported / RUN_STATE)["accuracy"] == result.accuracy
    model, test_set = trained(spec, reported)
    assert result.accuracy == evaluate(model, test_set, spec, Alone())
    assert digest(model) == result.checksum


def trained(spec, checkpoint):
    test_set, info = load_dataset(spec.dataset, "test", **spec.data_options())
    model = build_model(spec.model, info, norm=spec.norm, width=spec.width, seed=1)
    model.load_state_dict(load_verified(checkpoint / RUN_STATE)["model"])
    return model, test_set


def test_a_listener_that_fails_is_logged_and_the_training_goes_on(caplog):
    def fails(event):
        raise OSError("the terminal is gone")

    result = train(replace(SPEC, max_steps=3), on_event=fails)
    assert len(result.losses) == 3
    assert [record.message for record in caplog.records if record.name == "labsupport.training.trainer"] == [
        "on_event raised OSError: the terminal is gone; it gets no more events of this run"
    ]


def test_an_interrupted_run_goes_on_in_its_folder_and_ends_with_the_losses_of_one_that_was_not():
    # Long enough that a fast machine, on which Ray takes a second to end the workers, is not done by then.
    spec, sent, handler = replace(SPEC, max_steps=200), [], signal.getsignal(signal.SIGINT)

    def interrupt(event):
        if event["event"] == "step" and event["step"] == 12 and not sent:
            sent.append(event)
            os.kill(os.getpid(), signal.SIGINT)

    folder = run_folder.make_for(spec)
    with pytest.raises(KeyboardInterrupt):
        train(spec, folder=folder, on_event=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler, "Ray's own handler would end a notebook's kernel"
    resumed = train(run_folder.unfinished(folder), folder=folder)
    assert resumed.restarts == 1
    assert 0 < resumed.time_to_first_step_s < resumed.wall_s
    assert [event["step"] for event in resumed.events if event["event"] == "start"][1] >= 5
    assert resumed.losses == train(spec).losses


def test_the_kill_must_come_after_the_first_checkpoint():
    with pytest.raises(ValueError, match="before the checkpoint of step 5"):
        resume_drill(SPEC, kill_at_step=5)
    with pytest.raises(ValueError, match="rank 2"):
        resume_drill(SPEC, rank=2, kill_at_step=13)
