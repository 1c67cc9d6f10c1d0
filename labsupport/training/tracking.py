"""Write training runs to MLflow: one sqlite file and an artifact folder in the workspace.

One writer, the driver: the workers' events reach it through their logs, so a restarted worker cannot write a metric
twice. A driver that is killed leaves its run in state RUNNING for ever; the next one marks such runs KILLED. It knows
them by a lock that each driver holds, and that the kernel releases with the process, however it ends: a process id is
given to another process sooner or later.

Set MLFLOW_TRACKING_URI and the same calls go to a server, which keeps artifacts where it wants.

A workspace that was moved takes its artifacts along, and an experiment that was deleted in MLflow's UI is restored.

Limitations: runs of a driver of another workspace that was killed; only the next one there knows its locks.
"""

from __future__ import annotations

import logging
import math
import os
import shlex
import sqlite3
import textwrap
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from labsupport.errors import LabsError
from labsupport.workspace import workspace

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from labsupport.training.result import TrainResult
    from labsupport.training.spec import TrainSpec

log = logging.getLogger(__name__)

VARIABLE = "MLFLOW_TRACKING_URI"
EXPERIMENT = "training"
DELETED = "deleted"  # MLflow's lifecycle stage of what was deleted in its UI, and not yet for good
LOCK_TAG = "labs.lock"
LOCKS = "tracking"  # folder of the workspace
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # schemes of stores that have no place for artifacts
BUSY_S = 5  # how long another process may keep the sqlite file locked
RETRIES_VARIABLE = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
RETRIES = "3"  # 14 s; with MLflow's 7 a server that went away would hold up the end of a run for four minutes
REASON_CHARACTERS = 200  # MLflow's own sentences run on
ADVICE = f"; set {VARIABLE} to a server or a database, unset it for a file in the workspace, or train with --no-track"


def tracking_uri() -> str:
    """Return where runs are kept: MLFLOW_TRACKING_URI, else a sqlite file in the workspace."""
    return os.environ.get(VARIABLE) or _sqlite_uri(_database())


def _database() -> Path:
    return workspace() / "mlflow.db"


def _sqlite_uri(file: Path) -> str:
    """Return the address of a file, also of one whose path holds what has a meaning in an address, such as `?`."""
    escaped = quote(str(file))
    if escaped == str(file):
        return f"sqlite:///{file}"
    # The driver is named because of MLflow: it takes what follows a bare sqlite:/// for a path, and would make a folder
    # with the escapes in its name.
    return f"sqlite+pysqlite:///{escaped}"


def client() -> MlflowClient:
    """Return an MLflow client on `tracking_uri()`, which has answered.

    Raises:
        LabsError: MLflow is not installed, knows no such store, or the store does not answer.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault(RETRIES_VARIABLE, RETRIES)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # stdout may be JSON
    uri = tracking_uri()
    with _explained(f"MLflow at {_shown(uri)} cannot be used", ADVICE):
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):  # a new database announces each of its tables
            logging.getLogger(name).setLevel(logging.WARNING)
        with _failing_at_once(uri):
            store = MlflowClient(uri)
            store.search_experiments(max_results=1)
    return store


@contextmanager
def _explained(what: str, advice: str = "") -> Iterator[None]:
    """Say in one line what a store refuses: SQLAlchemy, a database's driver, requests and MLflow raise their own."""
    try:
        yield
    except Exception as error:
        raise LabsError(f"{what}: {_reason(error)}{advice}") from error


@contextmanager
def _failing_at_once(uri: str) -> Iterator[None]:
    """Let the first call say that a store is not there, without a second try."""
    scheme, _, rest = uri.partition(":///")
    file = Path(unquote(rest.partition("?")[0]))
    if scheme.partition("+")[0] == "sqlite" and file.parent.is_dir() and rest:
        with closing(sqlite3.connect(file, timeout=BUSY_S)) as database:
            database.execute("BEGIN IMMEDIATE")  # the lock of a writer; closing gives it back
    retries = os.environ[RETRIES_VARIABLE]
    os.environ[RETRIES_VARIABLE] = "0"
    try:
        yield
    finally:
        os.environ[RETRIES_VARIABLE] = retries


def _reason(error: Exception) -> str:
    return textwrap.shorten(str(error), REASON_CHARACTERS, placeholder=" ...") or type(error).__name__


def _shown(uri: str) -> str:
    """Return a URI without the password in it."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":***@") if password else uri


class RunTracker:
    """One MLflow run of one training run. `on_event` fits `train(..., on_event=)`.

    The run ends with `finish`, after its receipts are written, or with `fail`; a process that dies before leaves it
    RUNNING, and the next tracker marks it KILLED.
    """

    def __init__(self, spec: TrainSpec, name: str) -> None:
        self._ended = False
        self._client = client()
        with _explained(f"MLflow at {_shown(tracking_uri())} takes no run", ADVICE):
            self._experiment_id = _experiment(self._client)
            self.swept = sweep_stale_runs(self._client, self._experiment_id)
            self._lock = _Lock()
            tags = {LOCK_TAG: self._lock.name}
            self.run_id: str = self._client.create_run(self._experiment_id, run_name=name, tags=tags).info.run_id
            for parameter, value in spec.as_dict().items():
                self._client.log_param(self.run_id, parameter, value)

    @property
    def place(self) -> str:
        """Where a person can look at the run: an address, or the command that serves one."""
        uri = tracking_uri()
        if urlsplit(uri).scheme in ("http", "https"):
            return f"{_shown(uri).rstrip('/')}/#/experiments/{self._experiment_id}/runs/{self.run_id}"
        return f"mlflow ui --backend-store-uri {shlex.quote(_shown(uri))}"

    def on_event(self, event: dict[str, Any]) -> None:
        """Log loss and accuracy at the end of each epoch."""
        if event["event"] == "epoch":
            self._client.log_metric(self.run_id, "loss", float.fromhex(event["loss"]), step=event["step"])
            self._client.log_metric(self.run_id, "accuracy", event["accuracy"], step=event["step"])

    def finish(self, result: TrainResult) -> None:
        """Log the throughput and the event files, and close the run.

        Raises:
            LabsError: the store takes no more; the run stays RUNNING there and is marked KILLED later.
        """
        steps = result.steps
        with _explained(f"MLflow run {self.run_id} lacks the end of this training"):
            if math.isfinite(result.samples_per_s):
                self._client.log_metric(self.run_id, "samples_per_s", result.samples_per_s, step=steps)
            self._client.log_metric(self.run_id, "restarts", result.restarts, step=steps)
            for path in sorted((result.folder / "events").glob("*.jsonl")):
                self._client.log_artifact(self.run_id, str(path), "events")
            self._client.set_terminated(self.run_id, "FINISHED")
        self._ended = True
        self._lock.release()

    def fail(self) -> None:
        """Close the run as failed unless it has ended; a store that is gone hides nothing of what failed before."""
        if self._ended:
            return
        try:
            self._client.set_terminated(self.run_id, "FAILED")
        except Exception as error:  # as in `_explained`
            log.warning("MLflow run %s stays RUNNING until the next one: %s", self.run_id, _reason(error))
        else:
            self._lock.release()


def _experiment(store: MlflowClient) -> str:
    database = urlsplit(tracking_uri()).scheme.partition("+")[0] in DATABASES
    location = (workspace("mlartifacts") / EXPERIMENT).as_uri() if database else None
    found = store.get_experiment_by_name(EXPERIMENT)
    if found is None:
        return str(store.create_experiment(EXPERIMENT, artifact_location=location))
    if found.lifecycle_stage == DELETED:
        store.restore_experiment(found.experiment_id)
        log.warning("MLflow experiment %s had been deleted; it was restored for this run", EXPERIMENT)
    if location and not os.environ.get(VARIABLE) and found.artifact_location != location:
        _move_artifacts(found.experiment_id, found.artifact_location, location)
    return str(found.experiment_id)


def _move_artifacts(experiment_id: str, before: str, location: str) -> None:
    """Let the experiment and its runs name the present workspace.

    MLflow keeps absolute addresses and has no call to change them: a run would write into the place that the workspace
    was moved away from, and make it anew.
    """
    with closing(sqlite3.connect(_database(), timeout=BUSY_S)) as database, database:
        database.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (location, experiment_id)
        )
        database.execute(
            "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
            "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
            (location, len(before) + 1, experiment_id, len(before), before),
        )


def sweep_stale_runs(store: MlflowClient, experiment_id: str) -> list[str]:
    """Mark runs KILLED that are RUNNING by a driver of this workspace which is gone; return their ids."""
    swept = []
    for run in store.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        name = run.data.tags.get(LOCK_TAG, "")
        if not name.isalnum():
            continue  # not a run of ours, and no name to look up in a folder
        with _taken_over(workspace(LOCKS) / name) as is_gone:
            # Looked up again: its driver may have ended it between the search and the lock.
            if is_gone and store.get_run(run.info.run_id).info.status == "RUNNING":
                store.set_terminated(run.info.run_id, "KILLED")
                swept.append(run.info.run_id)
    return swept


class _Lock:
    """Held while a run is tracked; nobody knows its name before it is held."""

    def __init__(self) -> None:
        from filelock import FileLock

        self.name = uuid.uuid4().hex
        self._path = workspace(LOCKS) / self.name
        self._lock = FileLock(self._path)
        self._lock.acquire()

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        self._lock.release()


@contextmanager
def _taken_over(path: Path) -> Iterator[bool]:
    """Take the lock of a driver and tell whether it is gone; without the file it is one of another workspace."""
    from filelock import FileLock, Timeout

    if not path.exists():
        yield False
        return
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
        path.unlink(missing_ok=True)
    finally:
        lock.release()
