"""How busy a worker's GPU is, and with how much arithmetic: NVML's utilization beside MFU.

NVML calls a device busy while any kernel runs, however little of the device that kernel fills; so a utilization is only
half of the answer. MFU (model FLOPs utilization) is the other half: the FLOPs that the model needs, over those that the
device could have done.

Limitations: one GPU per worker. The FLOPs are those of the model's matrix products (labsupport.training.models.flops).
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from labsupport.hardware import GpuMeter
from labsupport.training.spec import TrainSpec

if TYPE_CHECKING:
    import torch

    from labsupport.training.data.info import DatasetInfo

PRODUCT_SIZE = 8192  # of a square matrix: 1.1 TFLOP a product, large enough that launching it costs nothing
PRODUCTS = 10


class UtilizationMeter:
    """Samples the utilization of a worker's GPU between two calls; on a CPU there is nothing to sample."""

    def __init__(self, device: torch.device) -> None:
        self._uuid = _uuid(device) if device.type == "cuda" else None
        self._meter: GpuMeter | None = None

    def begin(self) -> None:
        """Start sampling unless that is being done."""
        if self._uuid is not None and self._meter is None:
            self._meter = GpuMeter(uuid=self._uuid)
            self._meter.__enter__()

    def end(self) -> list[float]:
        """Stop sampling, and return the samples, 0 to 1."""
        meter, self._meter = self._meter, None
        if meter is None:
            return []
        meter.__exit__()
        # The first reading tells of the time before it.
        return [sample.utilization for sample in meter.samples[1:] if sample.utilization is not None]


def _uuid(device: torch.device) -> str:
    import torch

    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def arithmetic(spec: TrainSpec, info: DatasetInfo, sample: torch.Tensor, device: torch.device) -> dict[str, float]:
    """Return the FLOPs that training on one sample takes, and those per second of a large matrix product.

    The product is in bfloat16, the fastest type that every current GPU trains in, whatever the type of the run: an MFU
    tells what the device could do for the model. Nothing is returned where the device has no room for the matrices.
    """
    import torch

    from labsupport.training.models import build_model
    from labsupport.training.models.flops import count_flops

    with torch.device("meta"):
        model = build_model(spec.model, info, norm=spec.norm, width=spec.width).eval()  # batch norm takes one sample
        flops = count_flops(model, torch.empty(1, *sample.shape, dtype=sample.dtype), training=True)
    try:
        return {"flops_per_sample": float(flops), "device_flops_per_s": _product_flops_per_s(device)}
    except torch.OutOfMemoryError:
        return {}


def _product_flops_per_s(device: torch.device) -> float:
    import torch

    left, right = (torch.ones(PRODUCT_SIZE, PRODUCT_SIZE, dtype=torch.bfloat16, device=device) for _ in range(2))
    seconds = []
    for _ in range(PRODUCTS):
        torch.cuda.synchronize(device)
        began = time.perf_counter()
        left @ right
        torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return 2 * PRODUCT_SIZE**3 / median(seconds[2:])  # the first ones load the kernel
