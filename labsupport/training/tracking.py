"""Write training runs to MLflow: one sqlite file and an artifact folder in the workspace.

One writer, the driver: the workers' events reach it through their logs, so a restarted worker cannot write a metric
twice. A driver that is killed leaves its run in state RUNNING for ever; the next one finds such runs by the process
id they carry and marks them KILLED. Look at the runs with `mlflow ui --backend-store-uri <uri>` (`labs train` prints
the whole command).

What is not covered: an MLflow server. Set MLFLOW_TRACKING_URI and the same calls go there.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labsupport.workspace import workspace

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from labsupport.training.spec import TrainSpec
    from labsupport.training.trainer import TrainResult

EXPERIMENT = "training"
PID_TAG, HOST_TAG = "labs.pid", "labs.host"


def tracking_uri() -> str:
    """Return where runs are kept: MLFLOW_TRACKING_URI, else a sqlite file in the workspace."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace() / 'mlflow.db'}"


def client() -> MlflowClient:
    """Return an MLflow client on `tracking_uri()`."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):  # a new database announces each of its tables
        logging.getLogger(name).setLevel(logging.WARNING)

    return MlflowClient(tracking_uri())


class RunTracker:
    """One MLflow run of one training run. `on_event` fits `train(..., on_event=)`."""

    def __init__(self, spec: TrainSpec, name: str) -> None:
        self._client = client()
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            location = (workspace("mlartifacts") / EXPERIMENT).as_uri()
            experiment_id = self._client.create_experiment(EXPERIMENT, artifact_location=location)
        else:
            experiment_id = experiment.experiment_id
        self.swept = sweep_stale_runs(self._client, experiment_id)
        tags = {PID_TAG: str(os.getpid()), HOST_TAG: os.uname().nodename}
        self.run_id: str = self._client.create_run(experiment_id, run_name=name, tags=tags).info.run_id
        for parameter, value in spec.as_dict().items():
            self._client.log_param(self.run_id, parameter, value)

    def on_event(self, event: dict[str, Any]) -> None:
        """Log loss and accuracy at the end of each epoch."""
        if event["event"] == "epoch":
            self._client.log_metric(self.run_id, "loss", float.fromhex(event["loss"]), step=event["step"])
            self._client.log_metric(self.run_id, "accuracy", event["accuracy"], step=event["step"])

    def finish(self, result: TrainResult) -> None:
        """Log the throughput and the event files, and close the run."""
        self._client.log_metric(self.run_id, "samples_per_s", result.samples_per_s, step=max(result.losses))
        self._client.log_metric(self.run_id, "restarts", result.restarts, step=max(result.losses))
        for path in sorted((result.folder / "events").glob("*.jsonl")):
            self._client.log_artifact(self.run_id, str(path), "events")
        self._client.set_terminated(self.run_id, "FINISHED")

    def fail(self) -> None:
        """Close the run as failed."""
        self._client.set_terminated(self.run_id, "FAILED")


def sweep_stale_runs(store: MlflowClient, experiment_id: str) -> list[str]:
    """Mark runs KILLED that are RUNNING by a process of this machine which is gone; return their ids."""
    host = os.uname().nodename
    running = store.search_runs([experiment_id], f"attributes.status = 'RUNNING' and tags.`{HOST_TAG}` = '{host}'")
    stale = [run.info.run_id for run in running if not _is_alive(int(run.data.tags[PID_TAG]))]
    for run_id in stale:
        store.set_terminated(run_id, "KILLED")
    return stale


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() if Path("/proc").exists() else True
