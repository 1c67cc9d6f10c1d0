"""The processes of a running Ray, seen from outside: what a lab shows and a drill may kill.

Their roles are read from the command lines of this process's descendants. Ray's own state API shows tasks and actors,
but not the processes that keep Ray itself going, which an operator has to know.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

# What a command line contains -> role, and what the process is for. The first match counts.
ROLES = (
    ("gcs/gcs_server", "gcs_server", "global control service: directory of nodes, actors, placement groups"),
    ("raylet/raylet", "raylet", "one per node: leases workers to tasks, holds the object store"),
    ("dashboard/dashboard.py", "dashboard", "web page, state API and Jobs API"),
    ("ray::DashboardAgent", "dashboard agent", "one per node: metrics and logs for the dashboard"),
    ("ray::RuntimeEnvAgent", "runtime env agent", "one per node: prepares environments of workers"),
    ("_private/log_monitor.py", "log monitor", "one per node: forwards log lines to drivers"),
    ("_private/monitor.py", "autoscaler", "asks for nodes when work waits for resources"),
    ("ray::", "worker", "runs tasks, or one actor"),
)


@dataclass(frozen=True)
class RayProcess:
    """One process of a running Ray. Memory is resident and counts shared pages in every process that maps them."""

    role: str
    name: str
    pid: int
    cpu_s: float
    rss_mib: int
    purpose: str


def processes() -> list[RayProcess]:
    """Return the driver (this process) and every process of the Ray that it started, in the order of `ROLES`."""
    driver = psutil.Process()
    found = [_describe(driver, "driver", "this notebook", "owns what it creates: actors, tasks, objects")]
    order = [role for _, role, _ in ROLES]
    ours = list(_classified(driver.children(recursive=True)))
    return found + sorted(ours, key=lambda process: (order.index(process.role), process.pid))


def find(role: str) -> int:
    """Return the process id of the first process with this role.

    Raises:
        LookupError: Ray has no such process here.
    """
    for process in processes():
        if process.role == role:
            return process.pid
    raise LookupError(f"no process with role {role!r} among the children of process {os.getpid()}")


def _classified(children: list[psutil.Process]) -> Iterator[RayProcess]:
    for child in children:
        try:
            words = child.cmdline()
            line = " ".join(words)
            for part, role, purpose in ROLES:
                if part in line:
                    yield _describe(child, role, words[0] if part.startswith("ray::") else role, purpose)
                    break
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue  # it ended in between


def _describe(process: psutil.Process, role: str, name: str, purpose: str) -> RayProcess:
    with process.oneshot():
        times, memory = process.cpu_times(), process.memory_info()
    return RayProcess(role, name, process.pid, round(times.user + times.system, 1), memory.rss >> 20, purpose)
