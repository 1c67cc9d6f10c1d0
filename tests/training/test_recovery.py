"""Whatever of a run is lost: it resumes from the newest checkpoint that verifies, or is refused by name."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from labsupport.errors import LabsError
from labsupport.training import recovery
from labsupport.training.checkpoint import (
    RUN_STATE,
    SIDECAR,
    CheckpointError,
    IncompleteError,
    load_verified,
    save_checkpoint,
    save_verified,
)
from labsupport.training.events import EventLog
from labsupport.training.recovery import (
    LostRunError,
    find_starting_point,
    obsolete,
    remove_obsolete,
    starting_point,
)
from labsupport.training.spec import TrainSpec

SPEC = TrainSpec(width=8)
STEPS = (4, 8, 12)


def checkpoint(run: Path, step: int, *, spec: TrainSpec = SPEC, world_size: int = 2, name: str | None = None) -> Path:
    """Write a checkpoint of a run."""
    folder = run / "checkpoints" / (name or f"step_{step:07d}")
    folder.mkdir(parents=True)
    state = {
        "model": {}, "optimizer": {}, "position": {}, "step": step, "accuracy": None, "world_size": world_size,
        "spec": spec.as_dict(),
    }  # fmt: skip
    for rank in range(world_size):
        save_checkpoint(folder, rank, state if rank == 0 else None)
    return folder


def tell(run: Path, rank: int, *events: tuple[str, int]) -> None:
    log = EventLog(run / "events", rank)
    for event, step in events:
        log.emit(event, step=step)
    log.close()


@pytest.fixture
def run(tmp_path) -> Path:
    """A run of two workers that was killed after step 14."""
    for step in STEPS:
        checkpoint(tmp_path, step)
    for rank in (0, 1):
        tell(tmp_path, rank, ("start", 0), *(("checkpoint", step) for step in STEPS), ("step", 14))
    return tmp_path


def newest(run: Path) -> Path:
    return run / "checkpoints" / "step_0000012"


def delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def rewrite(folder: Path, **changes: object) -> None:
    save_verified(load_verified(folder / RUN_STATE) | changes, folder / RUN_STATE)


def with_a_folder_in_place_of_a_file(run: Path) -> None:
    (newest(run) / "rank1.pt").unlink()
    (newest(run) / "rank1.pt").mkdir()


def with_a_checkpoint_of_another_run(run: Path) -> None:
    checkpoint(run, 16, spec=replace(SPEC, seed=3))


def renamed(run: Path) -> None:
    newest(run).rename(run / "checkpoints" / "step_0000099")


DAMAGE = {
    "the newest folder deleted": (lambda run: delete(newest(run)), "the checkpoint of step 12 is gone"),
    "payload gone": (lambda run: delete(newest(run) / RUN_STATE), r"step_0000012/run\.pt: No such file"),
    "payload cut": (lambda run: cut(newest(run) / RUN_STATE), r"step_0000012/run\.pt: sha256 differs"),
    "payload empty": (lambda run: (newest(run) / RUN_STATE).write_bytes(b""), r"step_0000012/run\.pt: sha256 differs"),
    "sidecar gone": (lambda run: delete(newest(run) / f"rank0.pt{SIDECAR}"), r"rank0\.pt\.sha256: No such file"),
    "rank gone": (lambda run: delete(newest(run) / "rank1.pt"), r"step_0000012/rank1\.pt: No such file"),
    "rank cut": (lambda run: cut(newest(run) / "rank1.pt"), r"step_0000012/rank1\.pt: sha256 differs"),
    "folder for a file": (with_a_folder_in_place_of_a_file, r"step_0000012/rank1\.pt: Is a directory"),
    "another format": (lambda run: rewrite(newest(run), format=99), r"step_0000012/run\.pt: has format 99"),
    "another run": (with_a_checkpoint_of_another_run, r"step_0000016: is of another run, with seed 3 and not 0"),
    "renamed folder": (renamed, r"step_0000099: holds step 12"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_run_goes_on_from_the_newest_checkpoint_that_verifies_and_names_what_it_skipped(run, kind):
    damage, named = DAMAGE[kind]
    damage(run)
    start = find_starting_point(run, SPEC)
    assert start.checkpoint == ("step_0000012" if kind == "another run" else "step_0000008")
    (reason,) = start.skipped.values()
    assert re.search(named, reason)


def with_a_register_of_ray(run: Path) -> None:
    (run / "checkpoints" / "checkpoint_manager_snapshot.json").write_text("")


def with_the_rests_of_a_write(run: Path) -> None:
    (newest(run) / f"{RUN_STATE}.part").write_bytes(b"half")
    (run / "checkpoints" / "step_0000016").write_text("not a folder")


def with_the_events_of_one_rank_only(run: Path) -> None:
    delete(run / "events" / "rank0.jsonl")


def with_torn_events(run: Path) -> None:
    cut(run / "events" / "rank0.jsonl")
    (run / "events" / "rank1.jsonl").write_bytes(b"\xff\n[]\n{}\n")


HARMLESS = {
    "nothing": lambda run: None,
    "a register of Ray's that is empty": with_a_register_of_ray,
    "rests of a write": with_the_rests_of_a_write,
    "events of one rank gone": with_the_events_of_one_rank_only,
    "all events gone": lambda run: delete(run / "events"),
    "events torn": with_torn_events,
    "older checkpoints gone": lambda run: delete(run / "checkpoints" / "step_0000004"),
    "older checkpoints damaged": lambda run: cut(run / "checkpoints" / "step_0000008" / RUN_STATE),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_a_run_does_not_need_changes_nothing(run, kind):
    HARMLESS[kind](run)
    start = find_starting_point(run, SPEC)
    assert (start.checkpoint, dict(start.skipped)) == ("step_0000012", {})


def test_a_run_that_was_moved_goes_on_where_it_lies_now(run, tmp_path_factory):
    place = tmp_path_factory.mktemp("elsewhere") / "a run?"
    run.rename(place)
    assert find_starting_point(place, SPEC).checkpoint == "step_0000012"


def test_a_folder_with_a_name_of_its_own_is_named_and_left_alone(run):
    newest(run).rename(run / "checkpoints" / "best so far")
    start = find_starting_point(run, SPEC)
    assert start.checkpoint == "step_0000008"
    assert list(start.skipped.values()) == [
        "best so far: not the name of a checkpoint", "the checkpoint of step 12 is gone",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes", [{"num_workers": 1}, {"epochs": 9}, {"max_steps": 99}, {"data_root": "/data"}, {"checkpoint_every": 3}]
)
def test_a_checkpoint_is_of_the_same_run_also_with_other_workers_another_place_and_another_end(run, changes):
    assert find_starting_point(run, replace(SPEC, **changes)).checkpoint == "step_0000012"


def all_folders(run: Path, damage) -> None:
    for folder in (run / "checkpoints").iterdir():
        damage(folder)


LOST = {
    "the folder of all checkpoints": (lambda run: delete(run / "checkpoints"), "the checkpoint of step 12 is gone"),
    "every checkpoint's folder": (lambda run: all_folders(run, delete), "the checkpoint of step 12 is gone"),
    "every payload": (lambda run: all_folders(run, lambda folder: cut(folder / RUN_STATE)), r"4/run\.pt: sha256"),
    "every sidecar": (
        lambda run: all_folders(run, lambda folder: delete(folder / f"run.pt{SIDECAR}")), r"4/run\.pt\.sha256: No such",
    ),
    "every format": (lambda run: all_folders(run, lambda folder: rewrite(folder, format=0)), "has format 0"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LOST)
def test_a_run_that_has_lost_every_checkpoint_is_refused_by_name_and_never_starts_again_at_zero(run, kind):
    damage, named = LOST[kind]
    damage(run)
    with pytest.raises(LostRunError, match=rf"the run in {run} had saved .*{named}") as caught:
        find_starting_point(run, SPEC)
    assert "delete" not in str(caught.value)


def test_a_run_is_refused_also_when_only_the_rank_that_wrote_last_tells_of_its_checkpoints(tmp_path):
    tell(tmp_path, 1, ("start", 0), ("checkpoint", 4))  # of a time with two workers
    tell(tmp_path, 0, ("start", 4), ("checkpoint", 8))
    with pytest.raises(LostRunError, match="the checkpoint of step 8 is gone"):
        find_starting_point(tmp_path, SPEC)


def test_damage_of_the_only_checkpoint_is_refused_without_any_event(tmp_path):
    cut(checkpoint(tmp_path, 4) / RUN_STATE)
    with pytest.raises(LostRunError, match="sha256 differs"):
        find_starting_point(tmp_path, SPEC)


def test_a_first_checkpoint_that_a_crash_cut_off_lets_the_run_start_at_step_0_and_is_named(tmp_path):
    delete(checkpoint(tmp_path, 4) / "rank1.pt")
    tell(tmp_path, 0, ("start", 0), ("step", 4))
    start = find_starting_point(tmp_path, SPEC)
    assert start.checkpoint is None
    assert list(start.skipped) == ["step_0000004"]


def test_an_empty_folder_starts_at_step_0(tmp_path):
    start = find_starting_point(tmp_path, SPEC)
    assert (start.checkpoint, dict(start.skipped)) == (None, {})


def test_a_run_that_fell_back_does_not_miss_the_checkpoint_it_fell_back_from(run):
    delete(newest(run))
    tell(run, 0, ("start", 8))
    assert dict(find_starting_point(run, SPEC).skipped) == {}


def test_what_cannot_be_read_is_refused_by_name(run):
    delete(run / "events" / "rank0.jsonl")
    (run / "events" / "rank0.jsonl").mkdir()
    with pytest.raises(LabsError, match=rf"^{run}/events/rank0.jsonl: Is a directory"):
        find_starting_point(run, SPEC)
    delete(run / "checkpoints")
    (run / "checkpoints").touch()
    with pytest.raises(LabsError, match=rf"^{run}/checkpoints: Not a directory"):
        find_starting_point(run, SPEC)


def load_or_fail(name: str) -> None:
    if name in ("step_0000030", "step_0000020"):
        raise CheckpointError(f"{name}: sha256 differs")
    if name == "step_0000025":
        raise IncompleteError(f"{name}: No such file")


def test_older_checkpoints_than_the_one_that_is_used_are_not_read():
    read = []
    start = starting_point(["step_0000010", "step_0000005", "step_0000015"], read.append)
    assert start.checkpoint == "step_0000015"
    assert read == ["step_0000015"]


def test_without_a_word_that_something_had_been_saved_nothing_is_missed():
    assert starting_point([], read_nothing).checkpoint is None
    assert starting_point(["step_0000025"], load_or_fail).checkpoint is None
    with pytest.raises(LostRunError, match="the checkpoint of step 1 is gone"):
        starting_point([], read_nothing, saved_step=1)


def read_nothing(name: str) -> None:
    raise AssertionError(f"{name} was read")


def test_reasons_are_given_from_the_newest_checkpoint_on():
    start = starting_point(["step_0000010", "step_0000020", "step_0000030", "step_0000025"], load_or_fail, 30)
    assert start.checkpoint == "step_0000010"
    assert list(start.skipped) == ["step_0000030", "step_0000025", "step_0000020"]
    with pytest.raises(LostRunError, match=r"^step_0000030: sha256 differs; step_0000025: No such file$"):
        starting_point(["step_0000025", "step_0000030"], load_or_fail)


def test_the_newest_checkpoints_are_kept_and_the_skipped_ones_do_not_count():
    names = ["step_0000005", "step_0000010", "step_0000015", "step_0000015_2", "step_0000020", "notes"]
    assert obsolete(names, (), keep=3) == ["step_0000010", "step_0000005"]
    assert obsolete(names, {"step_0000020"}, keep=3) == ["step_0000005"]
    assert obsolete(names, {"step_0000015"}, keep=2) == ["step_0000015", "step_0000010", "step_0000005"]
    assert obsolete(names, (), keep=5) == []
    assert obsolete(names, (), keep=6) == []
    assert obsolete([], (), keep=2) == []


def test_a_checkpoint_that_cannot_be_removed_ends_no_training(run, monkeypatch):
    names = ["step_0000001", *(f"step_{step:07d}" for step in STEPS)]  # the first is gone by the time it is removed
    monkeypatch.setattr(recovery, "checkpoint_names", lambda run: names)
    remove_obsolete(run, (), keep=2)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step_0000008", "step_0000012"]


def test_obsolete_checkpoints_are_removed_and_nothing_else(run):
    (run / "checkpoints" / "notes").mkdir()
    remove_obsolete(run, (), keep=2)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["notes", "step_0000008", "step_0000012"]
