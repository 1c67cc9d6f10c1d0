"""A checkpoint is read back whole or refused by name."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from labsupport.training.checkpoint import (
    SIDECAR,
    CheckpointError,
    load_verified,
    newest_valid,
    next_checkpoint_name,
    random_state,
    restore_random_state,
    save_verified,
)


def test_what_was_saved_is_read_back(tmp_path):
    save_verified({"weights": torch.arange(4.0), "step": 7}, tmp_path / "run.pt")
    state = load_verified(tmp_path / "run.pt")
    assert state["step"] == 7
    assert torch.equal(state["weights"], torch.arange(4.0))


def test_a_flipped_byte_anywhere_in_the_file_is_noticed(tmp_path):
    path = tmp_path / "run.pt"
    save_verified({"weights": torch.zeros(8)}, path)
    payload = path.read_bytes()
    for position in range(0, len(payload), 97):
        damaged = bytearray(payload)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="sha256"):
            load_verified(path)


def test_a_payload_without_its_sidecar_was_never_committed(tmp_path):
    save_verified({}, tmp_path / "run.pt")
    (tmp_path / f"run.pt{SIDECAR}").unlink()
    with pytest.raises(CheckpointError, match=r"run\.pt\.sha256"):
        load_verified(tmp_path / "run.pt")


def test_a_damaged_sidecar_refuses_the_checkpoint_as_a_damaged_payload_does(tmp_path):
    save_verified({}, tmp_path / "run.pt")
    sidecar = tmp_path / f"run.pt{SIDECAR}"
    sidecar.write_bytes(b"\xff" + sidecar.read_bytes()[1:])  # no UTF-8
    with pytest.raises(CheckpointError, match=r"run\.pt: sha256 differs"):
        load_verified(tmp_path / "run.pt")


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Payload:
        def __reduce__(self):
            return print, ("code from a checkpoint",)

    save_verified(Payload(), tmp_path / "run.pt")
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        load_verified(tmp_path / "run.pt")


def load_or_fail(name: str) -> None:
    if name.startswith("bad"):
        raise CheckpointError(f"{name}: sha256 differs")


def test_the_newest_usable_checkpoint_is_taken_and_the_skipped_ones_are_named():
    index, skipped = newest_valid(["bad-3", "bad-2", "good-1"], load_or_fail)
    assert (index, skipped) == (2, ["bad-3: sha256 differs", "bad-2: sha256 differs"])


def test_a_run_never_starts_again_at_zero_when_every_checkpoint_is_damaged():
    with pytest.raises(CheckpointError, match="bad-1"):
        newest_valid(["bad-1"], load_or_fail)


def test_a_step_that_is_done_again_after_a_fall_back_never_takes_the_name_of_the_damaged_checkpoint():
    assert next_checkpoint_name(15, {"step_0000010"}) == "step_0000015"
    assert next_checkpoint_name(15, {"step_0000010", "step_0000015"}) == "step_0000015_2"
    assert next_checkpoint_name(15, {"step_0000015", "step_0000015_2"}) == "step_0000015_3"


def test_every_generator_continues_where_it_was_saved(tmp_path):
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.standard_normal()), float(torch.rand(1))

    np.random.standard_normal()  # leaves a cached second value, which must be kept, too
    save_verified(random_state(), tmp_path / "rank0.pt")
    expected = draw(), draw()
    restore_random_state(load_verified(tmp_path / "rank0.pt"))
    assert (draw(), draw()) == expected
