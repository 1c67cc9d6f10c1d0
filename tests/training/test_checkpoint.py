"""A checkpoint is read back whole or refused by name."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
import torch

from labsupport.training.checkpoint import (
    FORMAT,
    RUN_STATE,
    SIDECAR,
    CheckpointError,
    IncompleteError,
    load_random_state,
    load_run_state,
    load_verified,
    newest_first,
    next_checkpoint_name,
    random_state,
    random_state_file,
    restore_random_state,
    save_checkpoint,
    save_verified,
    serial,
)

STATE = {"model": {}, "optimizer": {}, "position": {}, "step": 7, "accuracy": None, "world_size": 2, "spec": {}}


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


@pytest.mark.parametrize("part", ["run.pt", f"run.pt{SIDECAR}"])
def test_a_checkpoint_without_its_payload_or_its_sidecar_is_incomplete(tmp_path, part):
    save_verified({}, tmp_path / "run.pt")
    (tmp_path / part).unlink()
    with pytest.raises(IncompleteError, match=rf"{tmp_path}/{part}: No such file"):
        load_verified(tmp_path / "run.pt")


def test_a_file_that_cannot_be_read_is_damage_and_not_a_part_that_was_never_written(tmp_path):
    save_verified({}, tmp_path / "run.pt")
    (tmp_path / "run.pt").unlink()
    (tmp_path / "run.pt").mkdir()
    with pytest.raises(CheckpointError, match=r"run\.pt: Is a directory") as caught:
        load_verified(tmp_path / "run.pt")
    assert not isinstance(caught.value, IncompleteError)


def test_a_damaged_sidecar_refuses_the_checkpoint_as_a_damaged_payload_does(tmp_path):
    save_verified({}, tmp_path / "run.pt")
    sidecar = tmp_path / f"run.pt{SIDECAR}"
    sidecar.write_bytes(b"\xff" + sidecar.read_bytes()[1:])  # not UTF-8
    with pytest.raises(CheckpointError, match=r"run\.pt: sha256 differs") as caught:
        load_verified(tmp_path / "run.pt")
    assert not isinstance(caught.value, IncompleteError)


def test_a_checkpoint_cannot_run_code(tmp_path, capsys):
    class Payload:
        def __reduce__(self):
            return print, ("code from a checkpoint",)

    save_verified(Payload(), tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match=r"run\.pt: PyTorch cannot read it \(Weights only load failed"):
        load_verified(tmp_path / "run.pt")
    assert capsys.readouterr().out == ""


def test_bytes_that_are_no_checkpoint_are_refused_also_with_a_digest_of_their_own(tmp_path):
    (tmp_path / "run.pt").write_bytes(b"hello")
    (tmp_path / f"run.pt{SIDECAR}").write_text(hashlib.sha256(b"hello").hexdigest())
    with pytest.raises(CheckpointError, match=r"run\.pt: PyTorch cannot read it"):
        load_verified(tmp_path / "run.pt")


def test_each_rank_writes_its_random_state_and_one_of_them_the_state_of_the_run(tmp_path):
    save_checkpoint(tmp_path, rank=0, run_state=STATE)
    save_checkpoint(tmp_path, rank=1, run_state=None)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        name + ending for name in ("run.pt", "rank0.pt", "rank1.pt") for ending in ("", ".sha256")
    )
    assert load_run_state(tmp_path) == {"format": FORMAT, **STATE}
    assert load_random_state(tmp_path, 1).keys() == random_state().keys()


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"format": FORMAT + 1, **STATE}, rf"has format {FORMAT + 1}, and only {FORMAT} can be read"),
        (STATE, f"has format none, and only {FORMAT} can be read"),
        ([1, 2], "holds list and not the state of a run"),
        ({"format": FORMAT, **STATE, "world_size": "two"}, "has no world_size"),
        ({key: value for key, value in {"format": FORMAT, **STATE}.items() if key != "model"}, "has no model"),
    ],
)
def test_a_state_of_another_format_or_shape_is_refused_by_name(tmp_path, state, problem):
    save_verified(state, tmp_path / RUN_STATE)
    with pytest.raises(CheckpointError, match=rf"{tmp_path}/run\.pt: {problem}"):
        load_run_state(tmp_path)


def test_checkpoints_are_ordered_by_step_and_then_by_how_often_it_was_done():
    names = ["step_0000015", "notes", "step_0000015_10", "step_0000015_2", "step_0000005", "step_12345678", "step_15"]
    assert newest_first(names) == [
        "step_12345678", "step_0000015_10", "step_0000015_2", "step_0000015", "step_0000005",
    ]  # fmt: skip
    assert serial("step_0000015") == (15, 1)
    assert serial("step_0000015_2") == (15, 2)
    assert serial("step_0000015.old") is None


def test_a_step_that_is_done_again_never_takes_the_name_of_an_earlier_checkpoint():
    assert next_checkpoint_name(15, {"step_0000010"}) == "step_0000015"
    assert next_checkpoint_name(15, {"step_0000010", "step_0000015"}) == "step_0000015_2"
    assert next_checkpoint_name(15, {"step_0000015", "step_0000015_2"}) == "step_0000015_3"


def test_every_generator_continues_where_it_was_saved(tmp_path):
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.standard_normal()), float(torch.rand(1))

    np.random.standard_normal()  # leaves a cached second value, which must be kept, too
    save_verified(random_state(), tmp_path / random_state_file(0))
    expected = draw(), draw()
    restore_random_state(load_random_state(tmp_path, 0))
    assert (draw(), draw()) == expected
