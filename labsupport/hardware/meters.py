"""Meters: context managers that measure what this process and all its descendants use in a block.

Each is read after its block:

    with CpuMeter() as cpu, RssMeter() as rss:
        work()
    cpu.busy_fraction, rss.peak_bytes

CPU busy is not GPU utilization, and GPU utilization is only the part of the time in which *some* kernel ran: it says
nothing of how much of the device that kernel filled.

Limitations: processes that leave the tree before they are seen are missed (inside `processes.supervised` orphans stay
in it), and so is a peak between two samples.
"""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Self

from labsupport.hardware.gpu import count_devices, nvml
from labsupport.hardware.machine import machine

if TYPE_CHECKING:
    import psutil


class CpuMeter:
    """CPU seconds of the process tree beside wall seconds; read after the block.

    The CPU time of a process that has ended is added to its parent's. For live children the kernel reports hundredths
    of a second. `busy_fraction` is relative to `threads`, by default the cores that we may use.
    """

    cpu_s: float
    wall_s: float

    def __init__(self, threads: float | None = None) -> None:
        self.threads = machine().usable_cores if threads is None else threads

    @property
    def busy_fraction(self) -> float:
        """CPU seconds / (wall seconds x threads)."""
        return self.cpu_s / (self.wall_s * self.threads)

    def __enter__(self) -> Self:
        self._children = {process: _cpu_s(process) for process in _descendants()}
        self._own_s = _own_cpu_s()
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.perf_counter() - self._started
        used_s = _own_cpu_s() - self._own_s
        # The whole CPU time of a process that has been waited for since the start is now part of its parent's.
        for process in self._children.keys() | set(_descendants()):
            used_s += _cpu_s(process) - self._children.get(process, 0.0)
        self.cpu_s = max(0.0, used_s)  # a parent that ignores SIGCHLD loses its children's time


class RssMeter:
    """Peak resident memory of the process tree, sampled; read after the block.

    Pages that processes share are counted once for each of them, so a forked tree reads high. A sample walks the
    process table, which takes CPU milliseconds: a much shorter interval disturbs what it measures.
    """

    peak_bytes: int
    samples: int

    def __init__(self, interval_s: float = 0.1) -> None:
        self._sampler = _Sampler(self._sample, interval_s)

    def __enter__(self) -> Self:
        self.peak_bytes, self.samples = 0, 0
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._sampler.stop()

    def _sample(self) -> None:
        import psutil

        total = 0
        for process in [psutil.Process(), *_descendants()]:
            with contextlib.suppress(psutil.Error):  # it ended since it was listed
                total += process.memory_info().rss
        self.peak_bytes = max(self.peak_bytes, total)
        self.samples += 1


@dataclass(frozen=True)
class GpuSample:
    """One reading of one device; a value that the device does not offer is None."""

    at_s: float
    """Seconds since the block began."""
    device: int
    utilization: float | None
    """Part (0 to 1) of NVML's sample period, 1/6 to 1 s by product, in which a kernel was running."""
    memory_bytes: int | None
    """Device memory in use, by everybody."""


class GpuMeter:
    """GPU utilization and memory through NVML, sampled; read after the block.

    Without a GPU `available` is False, `samples` is empty and the figures are None. With `uuid`, as NVML spells it, one
    device is sampled, else all.
    """

    available: bool
    samples: tuple[GpuSample, ...]

    def __init__(
        self,
        interval_s: float = 0.2,
        *,
        uuid: str | None = None,
        library: Callable[[], contextlib.AbstractContextManager[ModuleType | None]] = nvml,
    ) -> None:
        self._open, self._uuid = library, uuid
        self._sampler = _Sampler(self._sample, interval_s)

    @property
    def mean_utilization(self) -> float | None:
        """Mean over all samples and devices, 0 to 1."""
        known = [one.utilization for one in self.samples if one.utilization is not None]
        return sum(known) / len(known) if known else None

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most that any one device held."""
        return max((one.memory_bytes for one in self.samples if one.memory_bytes is not None), default=None)

    def __enter__(self) -> Self:
        self.samples = ()
        self._readings: list[GpuSample] = []
        self._started = time.perf_counter()
        self._stack = contextlib.ExitStack()
        self._library = self._stack.enter_context(self._open())
        self._devices = () if self._library is None else self._chosen(self._library)
        self.available = bool(self._devices)
        if self.available:
            self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            if self.available:
                self._sampler.stop()
            self.samples = tuple(self._readings)

    def _chosen(self, library: ModuleType) -> tuple[int, ...]:
        indices = range(count_devices(library))
        if self._uuid is None:
            return tuple(indices)
        found = []
        for index in indices:
            with contextlib.suppress(library.NVMLError):
                if library.nvmlDeviceGetUUID(library.nvmlDeviceGetHandleByIndex(index)) == self._uuid:
                    found.append(index)
        return tuple(found)

    def _sample(self) -> None:
        library = self._library
        assert library is not None
        at_s = time.perf_counter() - self._started
        for index in self._devices:
            utilization = memory_bytes = None
            with contextlib.suppress(library.NVMLError):
                device = library.nvmlDeviceGetHandleByIndex(index)
                with contextlib.suppress(library.NVMLError):  # a device cut into MIG slices has none
                    utilization = library.nvmlDeviceGetUtilizationRates(device).gpu / 100
                memory_bytes = int(library.nvmlDeviceGetMemoryInfo(device).used)
            self._readings.append(GpuSample(at_s, index, utilization, memory_bytes))


class _Sampler:
    """Call a function at an interval, in a thread that ends with `stop`, and at both ends of the time between."""

    def __init__(self, sample: Callable[[], None], interval_s: float) -> None:
        self._sample = sample
        self._interval_s = interval_s
        self._ending = threading.Event()

    def start(self) -> None:
        self._ending.clear()
        self._sample()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        while not self._ending.wait(self._interval_s):
            self._sample()


def _descendants() -> list[psutil.Process]:
    import psutil

    return psutil.Process().children(recursive=True)


def _own_cpu_s() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process and of the children it has waited for; 0 once it is gone."""
    import psutil

    with contextlib.suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system + times.children_user + times.children_system
    return 0.0
