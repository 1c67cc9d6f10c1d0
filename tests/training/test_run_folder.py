"""A run's folder says what it is, and lets only the same run go on in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labsupport.errors import LabsError
from labsupport.training import run_folder
from labsupport.training.events import EventLog
from labsupport.training.spec import TrainSpec

SPEC = TrainSpec(dataset="hf:owner/name", columns={"image": "img", "label": "fine_label"})


def test_a_folder_is_named_after_the_run_and_lies_in_the_workspace(isolated):
    folder = run_folder.make_for(SPEC)
    assert folder.parent == isolated / "runs"
    assert "train-resnet18-hf-owner-name" in folder.name
    assert run_folder.make_for(SPEC) != folder


def test_the_spec_of_an_interrupted_run_is_read_back(tmp_path):
    for _ in ("started", "continued"):
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


def test_another_spec_is_refused_and_the_first_one_kept(tmp_path):
    with run_folder.claimed(tmp_path, SPEC):
        pass
    with pytest.raises(LabsError, match="another spec"), run_folder.claimed(tmp_path, replace(SPEC, seed=1)):
        pass
    assert run_folder.unfinished(tmp_path) == SPEC


def test_a_run_that_has_ended_is_not_continued(tmp_path):
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
    with pytest.raises(LabsError, match=rf"{tmp_path} holds no training run: spec\.json"):
        run_folder.unfinished(tmp_path)
