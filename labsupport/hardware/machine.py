"""What this computer is, as one frozen fact that goes with every number measured on it.

Limitations: no clock speed, cache sizes or memory bandwidth (a lab that needs them measures them), and no NUMA.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from labsupport.hardware import cgroup
from labsupport.hardware.cpuinfo import CpuInfo, parse_cpuinfo
from labsupport.hardware.gpu import Gpu, gpus

GIB = 2**30


@dataclass(frozen=True)
class Machine:
    """The computer as this process may use it."""

    cpu_model: str
    logical_cores: int
    """Hardware threads of the machine."""
    physical_cores: int | None
    """Cores, hyper-threads counted once; None where the system does not say."""
    usable_cores: float
    """The smaller of the CPU affinity and the control group's quota; may be a fraction."""
    isa: tuple[str, ...]
    """The instruction sets of `cpuinfo.ISA_FLAGS` that this CPU has; empty off Linux and on ARM."""
    memory_bytes: int
    memory_limit_bytes: int | None
    """The control group's limit; None where there is none below the machine's memory."""
    gpus: tuple[Gpu, ...]
    os: str
    python: str
    load_average: tuple[float, float, float] | None
    """Runnable processes over 1, 5 and 15 minutes at the time of asking: how quiet the machine was."""

    @property
    def cores(self) -> int:
        """Whole cores that threads may be started on; at least one."""
        return max(1, int(self.usable_cores))

    @property
    def usable_memory_bytes(self) -> int:
        """The machine's memory, or the control group's part of it."""
        return self.memory_bytes if self.memory_limit_bytes is None else self.memory_limit_bytes

    @property
    def summary(self) -> str:
        """One line for a receipt, as in "AMD EPYC, 2 cores, 23 GiB, no GPU, Linux x86_64"."""
        cores = f"{self.usable_cores:.3g}"
        if self.usable_cores != self.logical_cores:
            cores += f" of {self.logical_cores}"
        plural = "" if cores == "1" else "s"
        memory_gib = self.usable_memory_bytes // GIB
        devices = " + ".join(f"{count}x {name}" for name, count in Counter(one.name for one in self.gpus).items())
        return f"{self.cpu_model}, {cores} core{plural}, {memory_gib} GiB, {devices or 'no GPU'}, {self.os}"


def machine() -> Machine:
    """Describe this computer; what cannot change while we run is looked up once."""
    import psutil

    cpu = _cpu()
    logical_cores = cpu.logical_cores or os.cpu_count() or 1
    membership = _read("/proc/self/cgroup") or ""
    limits = cgroup.limits(membership, _read)
    memory_bytes = psutil.virtual_memory().total
    limited = limits.memory_bytes is not None and limits.memory_bytes < memory_bytes
    return Machine(
        cpu_model=cpu.model,
        logical_cores=logical_cores,
        physical_cores=cpu.physical_cores or psutil.cpu_count(logical=False),
        usable_cores=min(_affinity(logical_cores), limits.cores or logical_cores),
        isa=cpu.isa,
        memory_bytes=memory_bytes,
        memory_limit_bytes=limits.memory_bytes if limited else None,
        gpus=gpus(),
        os=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        load_average=_load_average(),
    )


@lru_cache(maxsize=1)
def _cpu() -> CpuInfo:
    text = _read("/proc/cpuinfo")
    if text is not None:
        return parse_cpuinfo(text)
    return CpuInfo(platform.processor() or "unknown CPU", (), os.cpu_count() or 1, None)


def _affinity(otherwise: int) -> int:
    # Linux only; elsewhere every core may be used.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else otherwise


def _load_average() -> tuple[float, float, float] | None:
    with contextlib.suppress(OSError, AttributeError):  # a sandbox without /proc/loadavg; Windows
        return os.getloadavg()
    return None


def _read(file: str) -> str | None:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
