"""The same bits on every run: what that takes on a GPU, and what it costs.

The order in which a GPU adds is not fixed: some kernels add with atomics, cuBLAS chooses its algorithm by what else the
device does, and cuDNN by measuring. A run that is resumed then parts from the one that was not interrupted. With
PyTorch's deterministic algorithms and a fixed workspace for cuBLAS it does not. A CPU with a fixed number of threads
adds in one order anyway.

Limitations: the same bits on the same model of GPU, driver and version of PyTorch only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from labsupport.errors import FieldError
from labsupport.training.spec import TrainSpec

if TYPE_CHECKING:
    import torch

VARIABLE = "CUBLAS_WORKSPACE_CONFIG"
WORKSPACE = ":4096:8"  # eight buffers of 4096 KiB; NVIDIA's documentation of cuBLAS, section "Results reproducibility"
SAME_BITS = (WORKSPACE, ":16:8")
LACKS = " does not have a deterministic implementation"  # how PyTorch says so, after the name of the operation
ENVIRONMENT = {VARIABLE: WORKSPACE}  # of a process that is to use a GPU: cuBLAS reads it when CUDA starts


@contextmanager
def repeatable(on: bool, device: torch.device) -> Iterator[None]:
    """Let PyTorch use deterministic algorithms only, or any, in one block; afterwards its settings are as they were.

    Raises:
        FieldError: CUDA was started in this process without the workspace that makes cuBLAS repeat its results, or the
            block needs an operation that has no deterministic algorithm.
    """
    import torch

    if on and device.type == "cuda":
        _fix_workspace()
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic  # its one setting is not in its annotations
    benchmark, fills = torch.backends.cudnn.benchmark, memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(on)
    torch.backends.cudnn.benchmark = False  # it would choose the fastest convolution of the moment
    memory.fill_uninitialized_memory = False  # nothing here reads memory that nobody wrote
    try:
        yield
    except RuntimeError as error:
        operation, lacks, _ = str(error).partition(LACKS)
        if not lacks:
            raise
        raise FieldError(
            lambda name: (
                f"{operation}{lacks}: set {name('deterministic')} to False; the run cannot be resumed exactly then"
            )
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark
        memory.fill_uninitialized_memory = fills


def _fix_workspace() -> None:
    """Set cuBLAS' workspace for this process, for good: the cuBLAS that is started with it keeps it."""
    import torch

    if os.environ.get(VARIABLE) in SAME_BITS:
        return
    if torch.cuda.is_initialized():
        raise FieldError(
            lambda name: (
                f"{name('deterministic')} needs {VARIABLE}={WORKSPACE} before CUDA starts, and this process has "
                "started it without: set it and start the process (of a notebook, the kernel) again"
            )
        )
    os.environ[VARIABLE] = WORKSPACE


@dataclass(frozen=True)
class Cost:
    """Seconds of the same steps with deterministic algorithms and with any."""

    with_s: tuple[float, ...]
    without_s: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times as long a deterministic step takes."""
        return median(self.with_s) / median(self.without_s)


def measure_cost(spec: TrainSpec, device: torch.device, *, rounds: int = 5, steps: int = 10) -> Cost:
    """Time the steps of one worker on one batch that is on the device, with and without in turn.

    Raises:
        LabsError: the spec names no model or data set, or CUDA was started without cuBLAS' workspace.
    """
    import torch

    from labsupport.training.data import load_dataset
    from labsupport.training.models import build_model, loss_function

    taken: dict[bool, list[float]] = {True: [], False: []}
    with repeatable(True, device), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        dataset, info = load_dataset(spec.dataset, "train", **spec.data_options())
        pairs = [dataset[index] for index in range(spec.global_batch // spec.num_workers)]
        inputs = torch.stack([pair[0] for pair in pairs]).to(device)
        targets = torch.stack([torch.as_tensor(pair[1]) for pair in pairs]).to(device)
        dtype = getattr(torch, spec.dtype)
        inputs = inputs.to(dtype) if inputs.is_floating_point() else inputs
        model = build_model(
            spec.model, info, norm=spec.norm, dtype=dtype, seed=spec.seed, width=spec.width, dropout=spec.dropout
        ).to(device)
        optimizer, loss_of = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9), loss_function(info.task)

        def step_s() -> float:
            began = time.perf_counter()
            for _ in range(steps):
                loss_of(model(inputs), targets).backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            return (time.perf_counter() - began) / steps

        for round_ in range(-1, rounds):  # the round before the first allocates memory and loads kernels
            for on in (True, False) if round_ % 2 else (False, True):
                with repeatable(on, device):
                    seconds = step_s()
                if round_ >= 0:
                    taken[on].append(seconds)
    return Cost(tuple(taken[True]), tuple(taken[False]))
