"""What this computer is, which sizes suit it, and meters of what a block of code uses."""

from labsupport.hardware.gpu import Gpu
from labsupport.hardware.machine import Machine, machine
from labsupport.hardware.meters import CpuMeter, GpuMeter, GpuSample, RssMeter
from labsupport.hardware.profile import Profile, profile, usable_gpus

__all__ = [
    "CpuMeter",
    "Gpu",
    "GpuMeter",
    "GpuSample",
    "Machine",
    "Profile",
    "RssMeter",
    "machine",
    "profile",
    "usable_gpus",
]
