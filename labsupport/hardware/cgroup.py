"""What a container or a service manager lets this process use: CPU quota and memory limit of its control group.

A container on a 64-core host may own two of them; a benchmark that counts the host's cores then starts 64 threads on
two. Both hierarchies are read: v2 (`cpu.max`, `memory.max`) and v1 (`cpu.cfs_quota_us`, `memory.limit_in_bytes`). A
limit may sit on any ancestor, and the tightest one holds. Formats: the kernel's Documentation/admin-guide/cgroup-v2.rst
and cgroup-v1/memory.rst.

Limitations: hierarchies mounted elsewhere than /sys/fs/cgroup, and `memory.high`, which slows but does not stop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MOUNT = "/sys/fs/cgroup"
# v1 writes "no limit" as the largest page-aligned signed 64-bit number; no machine holds an exbibyte.
_UNLIMITED_BYTES = 2**60


@dataclass(frozen=True)
class Limits:
    """CPU quota in cores and memory in bytes; None where nothing limits."""

    cores: float | None = None
    memory_bytes: int | None = None


def parse_cpu_max(text: str) -> float | None:
    """Read a v2 `cpu.max`, "quota period" in microseconds or "max period", as cores."""
    quota, _, period = text.strip().partition(" ")
    return None if quota == "max" else int(quota) / int(period or 100_000)


def parse_cfs_quota(quota_us: str, period_us: str) -> float | None:
    """Read a v1 quota and period in microseconds as cores; a quota of -1 is none."""
    quota = int(quota_us)
    return quota / int(period_us) if quota > 0 else None


def parse_memory_limit(text: str) -> int | None:
    """Read `memory.max` or `memory.limit_in_bytes` in bytes."""
    limit = text.strip()
    return None if limit == "max" or int(limit) >= _UNLIMITED_BYTES else int(limit)


def limits(membership: str, read: Callable[[str], str | None]) -> Limits:
    """Return the tightest limits over all groups this process is in.

    Args:
        membership: the text of /proc/self/cgroup.
        read: returns the text of a file, or None if it is not there.
    """
    cores: list[float | None] = []
    memory: list[int | None] = []
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for group in _with_ancestors(path):
            if not controllers:
                cores.append(_cores_v2(f"{MOUNT}{group}", read))
                memory.append(_memory(f"{MOUNT}{group}/memory.max", read))
            if "cpu" in controllers.split(","):
                cores += [_cores_v1(f"{mount}{group}", read) for mount in _mounts_v1("cpu", controllers)]
            if "memory" in controllers.split(","):
                files = [f"{mount}{group}/memory.limit_in_bytes" for mount in _mounts_v1("memory", controllers)]
                memory += [_memory(file, read) for file in files]
    return Limits(
        cores=min((limit for limit in cores if limit is not None), default=None),
        memory_bytes=min((limit for limit in memory if limit is not None), default=None),
    )


def _with_ancestors(path: str) -> Iterator[str]:
    """Yield "/a/b", "/a", "": inside a container the path may be the host's, and only the root then exists."""
    while path.strip("/"):
        yield path.rstrip("/")
        path = path.rstrip("/").rpartition("/")[0]
    yield ""


def _mounts_v1(controller: str, controllers: str) -> Iterator[str]:
    """Yield where a v1 hierarchy may be mounted.

    The kernel lists its controllers in one order (`cpuacct,cpu`), a distribution names the mount in another
    (`cpu,cpuacct`), and most make a link for each controller by itself.
    """
    orders = itertools.permutations(controllers.split(","))
    yield from dict.fromkeys([f"{MOUNT}/{controller}", *(f"{MOUNT}/{','.join(order)}" for order in orders)])


def _cores_v2(group: str, read: Callable[[str], str | None]) -> float | None:
    text = read(f"{group}/cpu.max")
    return None if text is None else parse_cpu_max(text)


def _cores_v1(group: str, read: Callable[[str], str | None]) -> float | None:
    quota_us, period_us = read(f"{group}/cpu.cfs_quota_us"), read(f"{group}/cpu.cfs_period_us")
    return None if quota_us is None or period_us is None else parse_cfs_quota(quota_us, period_us)


def _memory(file: str, read: Callable[[str], str | None]) -> int | None:
    text = read(file)
    return None if text is None else parse_memory_limit(text)
