"""Where the workers of a lab compute, decided from the devices that are there, with the reason in words.

NCCL joins GPUs and puts no two ranks on one; gloo joins processes on CPU cores. So a lab that compares two workers with
one process needs two GPUs, or none; a lab that asks how fast one device is needs one.
"""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.hardware import usable_gpus

USUAL_WORKERS = 2  # the fewest that have something to agree on


@dataclass(frozen=True)
class Placement:
    """How many workers on which devices, and why."""

    num_workers: int
    gpus_per_worker: int
    reason: str

    @property
    def backend(self) -> str:
        """What joins the workers."""
        return "nccl" if self.gpus_per_worker else "gloo"

    def __str__(self) -> str:
        devices = "CPU cores" if not self.gpus_per_worker else "a GPU" if self.num_workers == 1 else "a GPU each"
        if self.num_workers == 1:
            return f"1 worker on {devices}: {self.reason}"
        return f"{self.num_workers} workers on {devices}, joined by {self.backend}: {self.reason}"


def place(num_workers: int | None = None, gpus_per_worker: int | None = None, *, fewer: bool = False) -> Placement:
    """Place the workers of a lab on this machine; see `decide`."""
    return decide(num_workers, gpus_per_worker, gpus=usable_gpus(), fewer=fewer)


def decide(num_workers: int | None, gpus_per_worker: int | None, *, gpus: int, fewer: bool = False) -> Placement:
    """Place workers on GPUs if there is one for each, else on CPU cores.

    Args:
        num_workers: None is two.
        gpus_per_worker: what the reader has set; None leaves it to the devices.
        gpus: how many can be used.
        fewer: whether fewer workers will do, since the lab asks for the speed of a device.
    """
    workers = num_workers or USUAL_WORKERS
    if gpus_per_worker is not None:
        return Placement(workers, gpus_per_worker, f"gpus_per_worker is set to {gpus_per_worker}")
    if not gpus:
        return Placement(workers, 0, "no GPU can be used here")
    if gpus >= workers:
        return Placement(workers, 1, f"{_count(gpus)} can be used here")
    if fewer:
        return Placement(gpus, 1, f"{_count(gpus)} can be used here, and no two workers can share one")
    return Placement(workers, 0, f"{_count(gpus)} can be used here, and {workers} workers need as many")


def _count(gpus: int) -> str:
    return "1 GPU" if gpus == 1 else f"{gpus} GPUs"
