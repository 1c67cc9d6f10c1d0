"""A run's folder says what it is, and lets only the same run go on in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labsupport.errors import FieldError, LabsError
from labsupport.training import run_folder
from labsupport.training.events import EventLog
from labsupport.training.spec import RESUMABLE, TrainSpec

SPEC = TrainSpec(dataset="hf:owner/name", columns={"image": "img", "label": "fine_label"})


def test_a_folder_is_named_after_the_run_and_lies_in_the_workspace(isolated):
    folder = run_folder.make_for(SPEC)
    assert folder.parent == isolated / "runs"
    assert "train-resnet18-hf-owner-name" in folder.name
    assert run_folder.make_for(SPEC) != folder


def test_the_spec_of_an_interrupted_run_is_read_back(tmp_path):
    for _ in ("started", "resumed"):
        with run_folder.claimed(tmp_path / "new" / "run", SPEC):
            pass
    assert run_folder.unfinished(tmp_path / "new" / "run") == SPEC


def test_a_folder_is_trained_into_by_one_run_at_a_time(tmp_path):
    with (
        run_folder.claimed(tmp_path, SPEC),
        pytest.raises(LabsError, match="is being trained by another process"),
        run_folder.claimed(tmp_path, SPEC),
    ):
        pass
    with run_folder.claimed(tmp_path, SPEC):
        pass


def test_a_spec_of_before_a_new_field_is_still_the_same_run(tmp_path):
    older = SPEC.as_dict()
    del older["augment"]
    (tmp_path / run_folder.SPEC_FILE).write_text(json.dumps(older))
    with run_folder.claimed(tmp_path, SPEC):
        assert run_folder.unfinished(tmp_path) == SPEC


def test_a_spec_with_a_field_that_has_been_renamed_is_refused_by_file_and_field(tmp_path):
    (tmp_path / run_folder.SPEC_FILE).write_text(json.dumps({**SPEC.as_dict(), "learning_rate": 0.1}))
    with pytest.raises(LabsError, match=rf"{tmp_path}/spec.json: TrainSpec has no field 'learning_rate'"):
        run_folder.unfinished(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(LabsError, match=rf"run folder {tmp_path}/file/run: cannot be written"),
        run_folder.claimed(tmp_path / "file" / "run", SPEC),
    ):
        pass


@pytest.mark.parametrize(
    "changed", [{"seed": 1}, {"model": "resnet34"}, {"global_batch": 32}, {"epochs": 9}, {"max_steps": 3}]
)
def test_what_decides_the_result_is_refused_by_field_and_the_first_spec_kept(tmp_path, changed):
    with run_folder.claimed(tmp_path, SPEC):
        pass
    ((field, value),) = changed.items()
    line = rf"{field} is {value!r}, and the run in {tmp_path} was started with {getattr(SPEC, field)!r}: leave it"
    with pytest.raises(LabsError, match=line), run_folder.claimed(tmp_path, replace(SPEC, **changed)):
        pass
    with pytest.raises(FieldError, match=line):
        run_folder.unfinished(tmp_path, changed)
    assert run_folder.unfinished(tmp_path) == SPEC


HOW_IT_RUNS = {
    "num_workers": 1, "gpus_per_worker": 1, "threads_per_worker": 2, "checkpoint_every": 7, "checkpoints_to_keep": 5,
    "max_failures": 0, "data_root": "/data",
}  # fmt: skip


def test_how_and_where_a_run_is_done_can_be_set_otherwise_when_it_is_resumed(tmp_path):
    with run_folder.claimed(tmp_path, SPEC):
        pass
    resumed = run_folder.unfinished(tmp_path, HOW_IT_RUNS | {"seed": SPEC.seed})
    assert resumed == replace(SPEC, **HOW_IT_RUNS)
    assert set(HOW_IT_RUNS) == RESUMABLE
    with run_folder.claimed(tmp_path, resumed):
        pass
    assert run_folder.unfinished(tmp_path) == SPEC


def test_a_claimed_folder_has_its_parts_and_the_names_of_new_folders_are_on_the_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(run_folder, "sync_folder", synced.append)
    for _ in range(2):
        with run_folder.claimed(tmp_path / "run", SPEC):
            assert {path.name for path in (tmp_path / "run").iterdir()} == {
                "checkpoints",
                "events",
                "lock",
                "spec.json",
            }
    assert synced == [tmp_path]


@pytest.mark.parametrize("part", ["checkpoints", "events", "lock"])
def test_a_part_of_the_folder_that_is_of_the_wrong_kind_is_named(tmp_path, part):
    (tmp_path / part).mkdir() if part == "lock" else (tmp_path / part).touch()
    with (
        pytest.raises(LabsError, match=rf"run folder {tmp_path}: cannot be written \(.*{part}\); use another one"),
        run_folder.claimed(tmp_path, SPEC),
    ):
        pass


def test_a_run_that_has_ended_is_not_resumed(tmp_path):
    with run_folder.claimed(tmp_path, SPEC):
        pass
    log = EventLog(tmp_path / "events", rank=0)
    log.emit("end", step=1)
    log.close()
    with pytest.raises(LabsError, match="has ended"):
        run_folder.unfinished(tmp_path)


@pytest.mark.parametrize("text", [None, "", "[1]", '{"model": "resn'])
def test_a_folder_without_a_readable_spec_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / run_folder.SPEC_FILE).write_text(text)
    with pytest.raises(
        LabsError, match=rf"{tmp_path}: no run can be resumed there, since spec\.json cannot be read \(.+\); put"
    ):
        run_folder.unfinished(tmp_path)
