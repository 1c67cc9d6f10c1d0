"""Runs in MLflow: one writer, everything retrievable, and no run that stays RUNNING after its driver was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from labsupport.errors import LabsError
from labsupport.training import tracking
from labsupport.training.loop import train_alone
from labsupport.training.spec import TrainSpec
from labsupport.training.tracking import EXPERIMENT, LOCK_TAG, RunTracker, client, sweep_stale_runs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow's imports warn about themselves

SPEC = TrainSpec(width=4, num_workers=1, max_steps=2, epochs=1)
KILLED_DRIVER = """
import os, signal
from labsupport.training.spec import TrainSpec
from labsupport.training.tracking import RunTracker
print(RunTracker(TrainSpec(), "killed").run_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_run() -> str:
    """Return the id of a run whose driver was killed."""
    driver = subprocess.run([sys.executable, "-c", KILLED_DRIVER], capture_output=True, text=True, check=False)
    assert driver.returncode == -signal.SIGKILL, driver.stderr
    return driver.stdout.strip()


def experiment_id() -> str:
    return client().get_experiment_by_name(EXPERIMENT).experiment_id


def status(run_id: str) -> str:
    return client().get_run(run_id).info.status


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
    assert "samples_per_s" not in run.data.metrics  # two steps, both of them warm-up
    assert [item.path for item in client().list_artifacts(tracker.run_id, "events")] == ["events/rank0.jsonl"]


def test_a_run_whose_driver_was_killed_is_swept_and_a_living_one_is_not():
    living, dead = RunTracker(SPEC, "living"), killed_run()
    assert status(dead) == "RUNNING"
    assert sweep_stale_runs(client(), experiment_id()) == [dead]
    assert status(dead) == "KILLED"
    assert status(living.run_id) == "RUNNING"


def test_a_run_is_swept_also_where_its_process_id_belongs_to_somebody_else_by_now():
    dead = killed_run()
    client().set_tag(dead, "labs.pid", str(os.getpid()))  # what runs used to be known by
    assert RunTracker(SPEC, "next").swept == [dead]


@pytest.mark.parametrize("tag", [None, "0" * 32, "../receipts.jsonl"])
def test_a_run_of_another_workspace_is_left_alone(isolated, tag):
    isolated.mkdir(parents=True)
    (isolated / "receipts.jsonl").write_text("")
    tracker = RunTracker(SPEC, "next")
    foreign = client().create_run(experiment_id(), tags={LOCK_TAG: tag} if tag else None).info.run_id
    assert sweep_stale_runs(client(), experiment_id()) == []
    assert status(foreign) == status(tracker.run_id) == "RUNNING"
    assert (isolated / "receipts.jsonl").exists()


def test_a_run_that_ends_while_others_are_swept_keeps_its_status(tmp_path):
    tracker = RunTracker(SPEC, "ends")
    result, store = train_alone(SPEC, tmp_path), client()

    class Late:
        """A store whose search was answered before the run ended, with its lock file still there."""

        def search_runs(self, *arguments):
            found = store.search_runs(*arguments)
            name = found[0].data.tags[LOCK_TAG]
            tracker.finish(result)
            (tracking.workspace(tracking.LOCKS) / name).write_text("")
            return found

        def __getattr__(self, name):
            return getattr(store, name)

    assert sweep_stale_runs(Late(), experiment_id()) == []
    assert status(tracker.run_id) == "FINISHED"


def test_a_run_that_was_given_up_is_marked_failed_and_one_that_has_ended_is_not(tmp_path):
    given_up, ended = RunTracker(SPEC, "given up"), RunTracker(SPEC, "ended")
    ended.finish(train_alone(SPEC, tmp_path))
    given_up.fail()
    ended.fail()
    assert (status(given_up.run_id), status(ended.run_id)) == ("FAILED", "FINISHED")
    assert list(tracking.workspace(tracking.LOCKS).iterdir()) == []


def test_a_store_that_is_gone_at_the_end_is_one_line_and_the_run_is_swept_later(tmp_path, monkeypatch):
    tracker = RunTracker(SPEC, "loses its store")
    result = train_alone(SPEC, tmp_path)

    def gone(*_: object) -> None:
        raise ConnectionError("the server\nwent away")

    with monkeypatch.context() as patch:
        patch.setattr(tracker._client, "set_terminated", gone)
        with pytest.raises(LabsError, match="lacks the end of this training: the server went away"):
            tracker.finish(result)
        tracker.fail()
    assert status(tracker.run_id) == "RUNNING"
    lost = tracker.run_id
    del tracker  # as the end of the process would, this gives the lock back
    assert sweep_stale_runs(client(), experiment_id()) == [lost]


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("foo://x", "foo://x"),
        ("http://127.0.0.1:9", "127.0.0.1"),  # nothing listens on the discard port
        ("sqlite:///{tmp_path}", "unable to open database file"),
        ("sqlite:///{tmp_path}/notes.txt", "file is not a database"),
        ("postgresql://me:secret@127.0.0.1:9/runs", "me:***@127.0.0.1"),
    ],
)
@pytest.mark.timeout(60)
def test_a_store_that_cannot_be_used_is_one_line_at_once(tmp_path, monkeypatch, uri, reason):
    (tmp_path / "notes.txt").write_text("no database, " * 100)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(tmp_path=tmp_path))
    with pytest.raises(LabsError, match="--no-track") as refusal:
        RunTracker(SPEC, "refused")
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


class Store:
    """A store without an experiment, which notes where the artifacts of a new one shall go."""

    location: str | None = "not asked"

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name, artifact_location):
        self.location = artifact_location
        return "7"

    def search_runs(self, *_):
        return []

    def create_run(self, *_, **__):
        return SimpleNamespace(info=SimpleNamespace(run_id="abc"))

    def log_param(self, *_):
        pass


@pytest.mark.parametrize(
    ("uri", "own_folder", "place"),
    [
        ("http://mlflow.example:5000/", False, "http://mlflow.example:5000/#/experiments/7/runs/abc"),
        ("https://me:secret@mlflow.example", False, "https://me:***@mlflow.example/#/experiments/7/runs/abc"),
        ("postgresql+psycopg2://host/runs", True, "mlflow ui --backend-store-uri postgresql+psycopg2://host/runs"),
        ("sqlite:////a b/runs.db", True, "mlflow ui --backend-store-uri 'sqlite:////a b/runs.db'"),
    ],
)
def test_a_server_chooses_where_artifacts_go_and_a_database_is_given_a_folder(
    isolated, monkeypatch, uri, own_folder, place
):
    store = Store()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(tracking, "client", lambda: store)
    assert RunTracker(SPEC, "somewhere").place == place
    assert store.location == ((Path(isolated) / "mlartifacts" / EXPERIMENT).as_uri() if own_folder else None)


def tracked(result) -> str:
    """Return the id of a finished run."""
    tracker = RunTracker(SPEC, "tracked")
    tracker.finish(result)
    return tracker.run_id


def artifacts(run_id: str) -> list[str]:
    return [item.path for item in client().list_artifacts(run_id, "events")]


def test_a_workspace_that_was_moved_takes_its_runs_and_artifacts_along(tmp_path, monkeypatch):
    result = train_alone(SPEC, tmp_path / "run")
    monkeypatch.setenv("LABS_WORKSPACE", str(tmp_path / "old place"))
    before = tracked(result)
    (tmp_path / "old place").rename(tmp_path / "new")
    monkeypatch.setenv("LABS_WORKSPACE", str(tmp_path / "new"))
    after = tracked(result)
    assert not (tmp_path / "old place").exists()
    assert artifacts(before) == artifacts(after) == ["events/rank0.jsonl"]
    assert len(list((tmp_path / "new" / "mlartifacts").rglob("rank0.jsonl"))) == 2


def test_an_experiment_that_was_deleted_in_the_ui_is_restored_for_the_next_run(tmp_path):
    first = RunTracker(SPEC, "first").run_id
    client().delete_experiment(experiment_id())
    second = RunTracker(SPEC, "second").run_id
    assert client().get_experiment(experiment_id()).lifecycle_stage == "active"
    assert {first, second} <= {run.info.run_id for run in client().search_runs([experiment_id()])}


@pytest.mark.parametrize("name", ["a?b=c", "a%3Fb", "50% #1"])
def test_a_workspace_may_have_any_name(tmp_path, monkeypatch, name):
    monkeypatch.setenv("LABS_WORKSPACE", str(tmp_path / "in here" / name))
    run_id = RunTracker(SPEC, "named").run_id
    file = tmp_path / "file.txt"
    file.write_text("kept")
    client().log_artifact(run_id, str(file), "events")
    assert [path.name for path in (tmp_path / "in here").iterdir()] == [name], "nothing lies beside it"
    assert (tmp_path / "in here" / name / "mlflow.db").is_file()
    assert artifacts(run_id) == ["events/file.txt"]
