"""Start Ray on this machine for a lab, a test or a command, and end everything it started.

What is set and why: `num_cpus` is logical and above the core count, because every worker, task and trial of a lab
claims one or more, and on a small host they would wait for one another for ever; one thread per worker; no
authentication token on loopback; a short temporary folder, since Unix sockets allow 107 characters of path. Ray gives a
node 30 s to start, which a loaded host can miss, so the start is tried three times.

A cluster that RAY_ADDRESS names is joined as it is.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labsupport.errors import LabsError

LOOPBACK = "127.0.0.1"
START_TRIES = 3
REACHABLE_WITHIN_S = 5
LOGICAL_CPUS = 8
OBJECT_STORE_BYTES = 200 * 2**20
ENVIRONMENT = {
    # Ray's switch for machines that are no cluster: GCS, raylet and workers then listen on loopback instead of on every
    # interface. Ray reads it when it is imported; `_stay_on_loopback` does where it had been imported before.
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


# The path of a Unix socket has at most 107 characters. Ray puts /session_<date>_<time>_<microseconds>_<pid> and
# /sockets/plasma_store.<n> behind its folder, 66 characters in all; the name of our folder takes 18.
LONGEST_PLACE = 107 - 66 - 18
SHORT_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a private folder is made inside


@dataclass(frozen=True)
class Session:
    """Where a started Ray can be seen."""

    gcs_address: str
    dashboard_url: str | None
    started_in_s: float
    folder: Path | None


_started: Session | None = None  # what this process started and has not stopped


def start(*, dashboard: bool = False) -> Session:
    """Start Ray (or join the cluster that RAY_ADDRESS names) and say where it can be seen; again is harmless.

    Raises:
        LabsError: Ray does not start, or nothing listens at RAY_ADDRESS.
    """
    global _started
    _prepare_environment()
    import ray

    began = time.monotonic()
    if ray.is_initialized():
        return _started or _session(ray.get_runtime_context(), None, 0.0)
    if address := os.environ.get("RAY_ADDRESS"):
        _refuse_unreachable(address)
        ray.init(logging_level="ERROR", log_to_driver=False)
        return _session(ray.get_runtime_context(), None, time.monotonic() - began)
    _stay_on_loopback()
    for attempt in range(1, START_TRIES + 1):
        folder = _session_folder()
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
        except Exception as error:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
            if attempt == START_TRIES:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise LabsError(f"Ray does not start, tried {START_TRIES} times: {reason}") from error
            time.sleep(2)
        else:
            _started = _session(ray.get_runtime_context(), folder, time.monotonic() - began)
            return _started
    raise AssertionError("unreachable: the last try returns or raises")


def _session_folder() -> Path:
    """Make a folder for Ray's files, in a place whose path leaves room for the names of Ray's sockets.

    Batch systems set TMPDIR to a folder of the job, many levels deep.

    Raises:
        LabsError: no such place can be written.
    """
    chosen = tempfile.gettempdir()
    for place in (chosen, *SHORT_PLACES):
        if len(os.path.abspath(place)) <= LONGEST_PLACE and os.access(place, os.W_OK | os.X_OK):
            return Path(tempfile.mkdtemp(prefix="labs-ray-", dir=place))
    raise LabsError(
        f"TMPDIR={chosen}: its path is too long for Ray's sockets, at most {LONGEST_PLACE} characters fit, and none of "
        f"{', '.join(SHORT_PLACES)} can be written; set TMPDIR to a shorter folder"
    )


def _refuse_unreachable(address: str) -> None:
    """Raise LabsError where nothing listens: Ray would go on trying for minutes and say so in a dozen lines."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdigit():
        return  # "auto" and the like: Ray finds the address itself
    try:
        socket.create_connection((host, int(port)), timeout=REACHABLE_WITHIN_S).close()
    except OSError as error:
        raise LabsError(
            f"RAY_ADDRESS={address}: nothing answers there ({error}); unset it to start Ray on this machine"
        ) from error


def _prepare_environment() -> None:
    """Set what Ray reads on import and passes to its processes; a cluster's own settings are left alone."""
    if not os.environ.get("RAY_ADDRESS"):
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)


def _stay_on_loopback() -> None:
    """Let the switch for loopback hold also where ray was imported before it was set."""
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"].lower() in ("1", "true")


def _import_path() -> dict[str, str]:
    """Let workers import what the driver can import: a checkout that is on PYTHONPATH but not installed."""
    path = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": path} if path else {}


def _session(context: Any, folder: Path | None, seconds: float) -> Session:
    import ray

    url = getattr(ray._private.worker._global_node, "webui_url", None) if ray._private.worker._global_node else None
    return Session(context.gcs_address, f"http://{url}" if url else None, seconds, folder)


def stop(session: Session | None = None) -> None:
    """End Ray and remove the temporary folder of what was started here."""
    global _started
    import ray

    ray.shutdown()
    for ended in (session, _started):
        if ended is not None and ended.folder is not None:
            shutil.rmtree(ended.folder, ignore_errors=True)
    _started = None


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
