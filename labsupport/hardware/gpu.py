"""NVIDIA GPUs as NVML reports them: none is a normal answer, never an error.

Limitations: GPUs of other makers, and MIG slices (the whole device is named).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

UNNAMED = "GPU without a readable name"


@dataclass(frozen=True)
class Gpu:
    """One device; `memory_bytes` is None where it shares the host's memory and NVML names no size."""

    name: str
    memory_bytes: int | None
    driver: str


@contextlib.contextmanager
def nvml() -> Iterator[ModuleType | None]:
    """Open NVML for the block; None where the library or the driver is missing."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


@lru_cache(maxsize=1)
def gpus() -> tuple[Gpu, ...]:
    """List the GPUs of this machine; empty without one. They are looked up once."""
    with nvml() as library:
        return () if library is None else list_gpus(library)


def list_gpus(library: ModuleType) -> tuple[Gpu, ...]:
    """List what an open NVML sees; a device that it cannot open is left out, one whose name it garbles is unnamed."""
    found = []
    for index in range(count_devices(library)):
        with contextlib.suppress(library.NVMLError):
            device = library.nvmlDeviceGetHandleByIndex(index)
            name = _text(library, library.nvmlDeviceGetName, device)
            driver = _text(library, library.nvmlSystemGetDriverVersion)
            found.append(Gpu(name or UNNAMED, _memory_bytes(library, device), driver or "unknown"))
    return tuple(found)


def count_devices(library: ModuleType) -> int:
    """Count the devices that an open NVML sees; 0 when it cannot say."""
    try:
        return int(library.nvmlDeviceGetCount())
    except library.NVMLError:
        return 0


def _text(library: ModuleType, ask: Callable[..., object], *arguments: object) -> str:
    """Return what NVML answers as text, or "" where it has no answer or one that is no UTF-8."""
    try:
        answer = ask(*arguments)
        return answer.decode() if isinstance(answer, bytes) else str(answer)
    except (library.NVMLError, UnicodeDecodeError):
        return ""


def _memory_bytes(library: ModuleType, device: object) -> int | None:
    try:
        return int(library.nvmlDeviceGetMemoryInfo(device).total)
    except library.NVMLError:
        return None
