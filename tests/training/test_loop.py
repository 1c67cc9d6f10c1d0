"""The loop of one worker: it learns, repeats itself to the bit, and resumes to the bit from any step."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch

from labsupport.errors import LabsError
from labsupport.training import loop
from labsupport.training.checkpoint import load_random_state, load_run_state
from labsupport.training.events import EventLog, losses, read_events
from labsupport.training.loop import Alone, Saved, run_worker, train_alone
from labsupport.training.spec import TrainSpec

SPEC = TrainSpec(
    model="resnet18",
    dataset="digits",
    norm="group",
    width=4,
    num_workers=1,
    global_batch=128,
    epochs=3,
    max_steps=14,
    checkpoint_every=1,
)
STEPS_PER_EPOCH = 11


class Stored(Alone):
    """A group of one that keeps every checkpoint in a folder, and starts from one of them."""

    def __init__(self, folder, resume_at: int | None = None) -> None:
        super().__init__()
        self.folder, self.resume_at = folder, resume_at

    def save(self, step, write) -> None:
        folder = self.folder / str(step)
        folder.mkdir(parents=True, exist_ok=True)
        write(folder)

    def saved(self):
        if self.resume_at is None:
            return Saved()
        folder = self.folder / str(self.resume_at)
        return Saved(load_run_state(folder), load_random_state(folder, rank=0))


def run(folder, replica, spec=SPEC) -> tuple[dict[int, float], str]:
    log = EventLog(folder, rank=0)
    outcome = run_worker(spec, replica, log)
    log.close()
    return losses(read_events(folder)), outcome.checksum


@pytest.mark.slow
def test_the_model_learns_the_digits(tmp_path):
    result = train_alone(replace(SPEC, width=8, global_batch=32, max_steps=None, base_lr=0.01, base_batch=32), tmp_path)
    assert result.accuracy > 0.8
    assert result.restarts == 0
    assert result.samples_per_s > 0


def test_the_same_spec_gives_the_same_bits(tmp_path):
    first, second = train_alone(SPEC, tmp_path / "1"), train_alone(SPEC, tmp_path / "2")
    assert (first.losses, first.checksum) == (second.losses, second.checksum)


def test_a_resume_draws_the_same_augmentations(tmp_path):
    spec = replace(SPEC, augment=True, max_steps=4)
    expected, checksum = run(tmp_path / "whole", Stored(tmp_path / "checkpoints"), spec)
    assert expected != run(tmp_path / "plain", Stored(tmp_path / "others"), replace(spec, augment=False))[0]
    resumed, again = run(tmp_path / "resumed", Stored(tmp_path / "checkpoints", resume_at=2), spec)
    assert (resumed, again) == ({step: loss for step, loss in expected.items() if step > 2}, checksum)


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_run_resumed_at_any_step_ends_with_the_same_bits(tmp_path, dropout, monkeypatch):
    monkeypatch.setattr(loop, "evaluate", lambda *_: 0.5)  # 6 CPU-s a run; the next test resumes over an evaluation
    spec = TrainSpec(
        model="llama-tiny", dataset="text", sequence=8, num_workers=1, global_batch=4, max_steps=6, epochs=1,
        checkpoint_every=1, base_lr=0.02, base_batch=4, dropout=dropout,
    )  # fmt: skip
    expected, checksum = run(tmp_path / "whole", Stored(tmp_path / "checkpoints"), spec)
    for step in range(1, 6):
        resumed, again = run(tmp_path / f"from-{step}", Stored(tmp_path / "checkpoints", resume_at=step), spec)
        assert resumed == {later: loss for later, loss in expected.items() if later > step}
        assert again == checksum


def test_a_resume_over_the_end_of_an_epoch_is_exact(tmp_path):
    expected, checksum = run(tmp_path / "whole", Stored(tmp_path / "checkpoints"))
    for step in (STEPS_PER_EPOCH - 1, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 1):
        resumed, again = run(tmp_path / f"from-{step}", Stored(tmp_path / "checkpoints", resume_at=step))
        assert resumed == {later: loss for later, loss in expected.items() if later > step}
        assert again == checksum


def test_threads_and_random_numbers_of_the_process_are_left_alone(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        before = torch.get_rng_state(), random.getstate()
        train_alone(replace(SPEC, max_steps=1), tmp_path)
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.get_rng_state(), before[0])
        assert random.getstate() == before[1]
    finally:
        torch.set_num_threads(threads)


def test_a_batch_that_batch_normalisation_cannot_normalise_is_refused_here_too(tmp_path):
    with pytest.raises(LabsError, match=r"global_batch 1 over num_workers 1 .* of at least 2, or norm group"):
        train_alone(replace(SPEC, norm="batch", global_batch=1), tmp_path)


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(LabsError, match="gpus_per_worker is 1: no GPU can be used here"):
        train_alone(replace(SPEC, gpus_per_worker=1), tmp_path)
    assert not (tmp_path / "events").exists()


def test_another_seed_is_another_run(tmp_path):
    first = train_alone(replace(SPEC, max_steps=2), tmp_path / "0")
    second = train_alone(replace(SPEC, max_steps=2, seed=1), tmp_path / "1")
    assert first.losses != second.losses
