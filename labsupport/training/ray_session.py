"""Start Ray on this machine for a lab, a test or a command, and end everything it started.

What is set and why: `num_cpus` is logical and above the core count, because Ray Train's controller and a search's
trials each claim one and a small host would wait for itself; one thread per worker; no authentication token on
loopback; a short temporary folder, since Unix sockets allow 107 characters of path. Ray gives a node 30 s to start,
which a loaded host can miss, so the start is tried three times.

What is not covered: joining an existing cluster is `ray.init(address=...)`, which this module leaves alone when
RAY_ADDRESS is set.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
START_TRIES = 3
LOGICAL_CPUS = 8
OBJECT_STORE_BYTES = 200 * 2**20
ENVIRONMENT = {
    # Ray's switch for machines that are no cluster: GCS, raylet and workers then listen on loopback instead of on every
    # interface. It is read when ray is imported.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "disabled",  # the servers can be reached from this machine only
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",  # a dead worker and a checkpoint are noticed this soon; default 2
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # watches for cloud preemptions; one process less on a laptop
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # today's warning about CUDA_VISIBLE_DEVICES is not for CPU users
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
}
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
    "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0",  # gloo would take the host name's address
}


@dataclass(frozen=True)
class Session:
    """Where a started Ray can be seen."""

    gcs_address: str
    dashboard_url: str | None
    started_in_s: float
    folder: Path | None


def start(*, dashboard: bool = False) -> Session:
    """Start Ray (or join the cluster that RAY_ADDRESS names) and say where it can be seen; again is harmless."""
    _prepare_environment()
    import ray

    began = time.monotonic()
    if ray.is_initialized():
        return _session(ray.get_runtime_context(), None, 0.0)
    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level="ERROR", log_to_driver=False)
        return _session(ray.get_runtime_context(), None, time.monotonic() - began)
    for attempt in range(1, START_TRIES + 1):
        folder = Path(tempfile.mkdtemp(prefix="labs-ray-"))
        try:
            ray.init(
                address="local",
                # As many worker threads as cores are allowed: with fewer logical CPUs Ray would wait for ever.
                num_cpus=max(LOGICAL_CPUS, 2 * (os.cpu_count() or 1)),
                include_dashboard=dashboard,
                dashboard_host=LOOPBACK,
                log_to_driver=False,
                logging_level="ERROR",
                object_store_memory=OBJECT_STORE_BYTES,
                _temp_dir=str(folder),
                runtime_env={"env_vars": WORKER_ENVIRONMENT | _import_path()},
            )
        except Exception:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
            if attempt == START_TRIES:
                raise
            time.sleep(2)
        else:
            return _session(ray.get_runtime_context(), folder, time.monotonic() - began)
    raise AssertionError("unreachable: the last try returns or raises")


def _prepare_environment() -> None:
    """Set what Ray reads on import and passes to its processes; a cluster's own settings are left alone."""
    if not os.environ.get("RAY_ADDRESS"):
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)


def _import_path() -> dict[str, str]:
    """Let workers import what the driver can import: a checkout that is on PYTHONPATH but not installed."""
    path = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": path} if path else {}


def _session(context: Any, folder: Path | None, seconds: float) -> Session:
    import ray

    url = getattr(ray._private.worker._global_node, "webui_url", None) if ray._private.worker._global_node else None
    return Session(context.gcs_address, f"http://{url}" if url else None, seconds, folder)


def stop(session: Session | None = None) -> None:
    """End Ray and remove its temporary folder."""
    import ray

    ray.shutdown()
    if session is not None and session.folder is not None:
        shutil.rmtree(session.folder, ignore_errors=True)


@contextmanager
def running(*, dashboard: bool = False) -> Iterator[Session]:
    """Run a block with Ray; stop it afterwards unless it was already running."""
    _prepare_environment()
    import ray

    was_running = ray.is_initialized()
    session = start(dashboard=dashboard)
    try:
        yield session
    finally:
        if not was_running:
            stop(session)
