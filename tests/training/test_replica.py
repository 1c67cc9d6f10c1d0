"""Workers of a process group train what one process trains, and resume from what they saved. Real gloo, without Ray."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from labsupport.errors import LabsError
from labsupport.training import loop
from labsupport.training.checkpoint import load_run_state
from labsupport.training.data import load_dataset
from labsupport.training.events import EventLog, losses_in_hex, read_events, replays_that_differ
from labsupport.training.loop import Alone, digest, evaluate, run_worker, train_alone
from labsupport.training.models import build_model
from labsupport.training.replica import GroupReplica
from labsupport.training.result import largest_difference
from labsupport.training.spec import TrainSpec


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "bound"), [("single", 1e-5), ("double", 1e-10)])
def test_two_workers_have_the_losses_of_one_process(group_runs, precision, bound, tmp_path):
    distributed = group_runs[f"{precision} precision"]
    alone = train_alone(distributed.spec, tmp_path)
    assert len(alone.losses) == 30
    assert largest_difference(alone, distributed) <= bound
    assert alone.losses[30] < alone.losses[1] - 1


@pytest.mark.slow
def test_one_worker_goes_on_with_a_run_of_two_and_has_its_losses(group_runs):
    resumed = group_runs["resumed by one"]
    assert resumed.world_sizes == (2, 1)
    assert starts(resumed.folder) == [(0, []), (10, [])]
    assert len(resumed.losses) == 30
    assert largest_difference(resumed, group_runs["double precision"]) <= 1e-10
    assert sorted(path.name for path in (resumed.folder / "checkpoints").iterdir()) == [
        "step_0000020", "step_0000025", "step_0000030",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_workers_judge_one_model_although_batch_norm_gave_each_its_own_statistics(group_runs):
    result = group_runs["batch norm"]
    spec = result.spec
    saved = load_run_state(result.folder / "checkpoints" / "step_0000004")
    assert saved["accuracy"] == result.accuracy
    test_set, info = load_dataset(spec.dataset, "test", **spec.data_options())
    model = build_model(spec.model, info, norm=spec.norm, width=spec.width, seed=1)
    model.load_state_dict(saved["model"])
    assert result.accuracy == evaluate(model, test_set, spec, Alone())
    assert digest(model) == result.checksum


# One worker in this process, which is stopped and comes back. Dropout draws from the random state that is restored.
SMALL = TrainSpec(
    model="llama-tiny", dataset="text", sequence=8, num_workers=1, global_batch=4, max_steps=12, epochs=1,
    checkpoint_every=2, base_lr=0.02, base_batch=4, dropout=0.1,
)  # fmt: skip


class StoppedError(Exception):
    """The worker was killed."""


class Worker(GroupReplica):
    """A worker that may die before the last file of a checkpoint is written, or right after that."""

    def __init__(self, run: Path, dies: tuple[str, int] | None) -> None:
        super().__init__(run, SMALL, 0, 1, torch.device("cpu"))
        self.dies = dies
        self.folders_while_writing: list[str] = []

    def save(self, step, write):
        def write_and_die(folder):
            write(folder)
            self.folders_while_writing = sorted(os.listdir(folder.parent))
            if self.dies == ("writing", step):
                (folder / "run.pt.sha256").unlink()
                raise StoppedError

        super().save(step, write_and_die)
        if self.dies == ("written", step):
            raise StoppedError


class Log(EventLog):
    """A log whose process may die once the checkpoint of a step is in it."""

    def __init__(self, run: Path, dies: tuple[str, int] | None) -> None:
        super().__init__(run / "events", 0)
        self.dies = dies

    def emit(self, event, **facts):
        super().emit(event, **facts)
        if event == "checkpoint" and self.dies == ("logged", facts["step"]):
            raise StoppedError


def train(run: Path, dies: tuple[str, int] | None = None) -> str | None:
    """Start or resume the run; return the checksum of the model, or None where the worker died."""
    log = Log(run, dies)
    try:
        return run_worker(SMALL, Worker(run, dies), log).checksum
    except StoppedError:
        return None
    finally:
        log.close()


@pytest.fixture(autouse=True, scope="module")
def unjudged():
    """Leave the evaluation out, which costs more than all steps of a small run."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop, "evaluate", lambda *_: 0.5)
        yield


@pytest.fixture
def run(tmp_path) -> Path:
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def baseline(tmp_path_factory) -> tuple[dict[int, str], str]:
    """Losses and checksum of a run that nobody stopped."""
    run = tmp_path_factory.mktemp("baseline")
    (run / "checkpoints").mkdir()
    checksum = train(run)
    return losses_in_hex(read_events(run / "events")), checksum


def starts(run: Path) -> list[tuple[int, list[str]]]:
    return [(event["step"], event["skipped"]) for event in read_events(run / "events") if event["event"] == "start"]


def test_a_run_that_dies_four_times_and_loses_checkpoints_ends_with_the_same_bits(run, baseline):
    checkpoints = run / "checkpoints"
    assert train(run, ("writing", 4)) is None
    assert train(run, ("logged", 6)) is None
    payload = checkpoints / "step_0000006" / "run.pt"
    payload.write_bytes(payload.read_bytes()[:-1])
    assert train(run, ("written", 8)) is None
    assert train(run, ("logged", 10)) is None
    shutil.rmtree(checkpoints / "step_0000010")
    checksum = train(run)

    events = read_events(run / "events")
    assert (losses_in_hex(events), checksum) == baseline
    assert replays_that_differ(events) == []
    assert starts(run) == [
        (0, []),
        (2, [f"{checkpoints}/step_0000004/run.pt.sha256: No such file or directory"]),
        (4, [f"{checkpoints}/step_0000006/run.pt: sha256 differs from its sidecar; the file was altered or cut off"]),
        (8, []),
        (8, ["the checkpoint of step 10 is gone"]),
    ]
    assert sorted(path.name for path in checkpoints.iterdir()) == ["step_0000008", "step_0000010", "step_0000012"]


def test_a_checkpoint_that_cannot_be_used_is_never_written_over(run):
    assert train(run, ("logged", 8)) is None
    (run / "checkpoints" / "step_0000008" / "run.pt").write_bytes(b"")
    assert train(run, ("logged", 8)) is None
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
        "step_0000004", "step_0000006", "step_0000008", "step_0000008_2",
    ]  # fmt: skip
    assert (run / "checkpoints" / "step_0000008" / "run.pt").read_bytes() == b""


def test_the_checkpoints_of_a_run_are_complete_before_an_older_one_goes(run):
    log, worker = Log(run, None), Worker(run, ("written", 8))
    with pytest.raises(StoppedError):
        run_worker(SMALL, worker, log)
    log.close()
    assert worker.folders_while_writing == ["step_0000002", "step_0000004", "step_0000006", "step_0000008"]
    assert sorted(os.listdir(run / "checkpoints")) == ["step_0000004", "step_0000006", "step_0000008"]


def test_a_first_checkpoint_that_was_cut_off_is_named_when_the_run_starts_at_step_0_again(run, baseline):
    assert train(run, ("writing", 2)) is None
    assert train(run) == baseline[1]
    assert starts(run)[1:] == [(0, [f"{run}/checkpoints/step_0000002/run.pt.sha256: No such file or directory"])]


def test_a_run_that_has_lost_every_checkpoint_does_not_start(run):
    assert train(run, ("logged", 4)) is None
    for folder in (run / "checkpoints").iterdir():
        shutil.rmtree(folder)
    with pytest.raises(LabsError, match="the checkpoint of step 4 is gone"):
        train(run)
    assert starts(run) == [(0, [])]
