"""Which sizes a lab runs with: smoke for CI, cpu for a laptop, gpu where CUDA can be used.

`LABS_PROFILE` decides; without it the machine does. The profile sets sizes only: a receipt says where its number was
measured, and labsupport.training.placement which devices a run uses.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from labsupport.errors import LabsError
from labsupport.hardware.gpu import Gpu, gpus

VARIABLE = "LABS_PROFILE"
NAMES = ("smoke", "cpu", "gpu")

T = TypeVar("T")


@dataclass(frozen=True)
class Profile:
    """The name of the sizes in force, and why these."""

    name: str
    why: str

    def pick(self, *, smoke: T, cpu: T, gpu: T | None = None) -> T:
        """Return the value for this profile; without one for gpu, the one for cpu."""
        if self.name == "smoke":
            return smoke
        return gpu if self.name == "gpu" and gpu is not None else cpu


def profile() -> Profile:
    """Return the profile in force.

    Raises:
        LabsError: LABS_PROFILE is set to something else.
    """
    if os.environ.get(VARIABLE):  # asked first: looking for GPUs takes time and would not change the answer
        return choose(os.environ, (), None)
    return choose(os.environ, gpus(), _torch_version())


def usable_gpus() -> int:
    """Count the GPUs of this machine that PyTorch can compute on in this process."""
    return count_usable(os.environ, len(gpus()), _torch_version())


def count_usable(environment: Mapping[str, str], devices: int, torch_version: str | None) -> int:
    """Count the devices that CUDA_VISIBLE_DEVICES leaves; none if torch is the CPU build.

    As CUDA does, stop at the first entry that names no device.
    """
    if _is_cpu_build(torch_version):
        return 0
    setting = environment.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return devices
    names = (name.strip() for name in setting.split(","))
    return min(devices, len(list(itertools.takewhile(lambda name: _names_device(name, devices), names))))


def _names_device(name: str, devices: int) -> bool:
    return name.startswith(("GPU-", "MIG-")) or (name.isdigit() and int(name) < devices)


def _torch_version() -> str | None:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_cpu_build(torch_version: str | None) -> bool:
    return torch_version is not None and torch_version.endswith("+cpu")


def choose(environment: Mapping[str, str], devices: Sequence[Gpu], torch_version: str | None) -> Profile:
    """Decide from the environment, the GPUs and the installed torch.

    A GPU alone is not enough: every lab would fail at its first tensor if torch is the CPU build.
    """
    setting = environment.get(VARIABLE)
    if setting:
        if setting not in NAMES:
            raise LabsError(f"{VARIABLE}={setting!r}: not a profile; set one of {', '.join(NAMES)}, or unset it")
        return Profile(setting, f"{VARIABLE}={setting}")
    if not devices:
        return Profile("cpu", "NVML finds no GPU")
    if _is_cpu_build(torch_version):
        return Profile("cpu", f"{devices[0].name} is there, but torch {torch_version} is a CPU build")
    if not count_usable(environment, len(devices), torch_version):
        hidden = environment["CUDA_VISIBLE_DEVICES"]
        return Profile("cpu", f"CUDA_VISIBLE_DEVICES={hidden!r} hides {devices[0].name}")
    return Profile("gpu", f"NVML finds {devices[0].name}")
