"""Which sizes a lab runs with: smoke for CI, cpu for a laptop, gpu where CUDA can be used.

`LABS_PROFILE` decides; without it the machine does. The profile sets sizes only: where a number came from is said by
its receipt.
"""

from __future__ import annotations

import importlib.metadata
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
    """A size switch and the reason it stands where it does."""

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
    try:
        torch_version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch_version = None
    return choose(os.environ, gpus(), torch_version)


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
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if hidden in ("", "-1"):
        return Profile("cpu", f"CUDA_VISIBLE_DEVICES={hidden!r} hides {devices[0].name}")
    if torch_version is not None and torch_version.endswith("+cpu"):
        return Profile("cpu", f"{devices[0].name} is there, but torch {torch_version} is a CPU build")
    return Profile("gpu", f"NVML finds {devices[0].name}")
