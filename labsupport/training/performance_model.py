"""What a training step takes and holds, by formula: compute, all-reduce, pipeline bubble, and memory per ZeRO stage.

The model adds up what nobody can avoid. Compute is FLOPs over the rate that one device was measured to reach on this
model; the gradient all-reduce is a communication model (labsupport.training.communication.alpha_beta) less what hides
behind the backward pass; a pipeline adds its bubble; a fixed cost per step stands for what DDP does besides sending.
Every number in it is either measured here (a receipt) or quoted, and what comes out is *modelled*.

Memory follows ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054, section 3): with mixed precision and Adam a parameter
has 2 bytes of weight, 2 of gradient and 12 of optimiser state; stages 1 to 3 shard the state, then the gradients, then
the weights over the data-parallel ranks. Activations are an input: they depend on what is recomputed.

Limitations: one kind of device and one all-reduce per step; no overlap of pipeline sends with compute; stragglers,
failures and input pipelines are elsewhere (resilience).
"""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.errors import LabsError
from labsupport.training.communication.alpha_beta import TimeModel
from labsupport.training.models.llama_config import LlamaConfig, flops_per_token
from labsupport.training.parallel.pipeline_schedule import bubble_fraction

WEIGHT_BYTES, GRADIENT_BYTES, STATE_BYTES = 2, 2, 12  # of one parameter: bf16, bf16, fp32 master weight and two moments
ZERO_STAGES = (0, 1, 2, 3)


@dataclass(frozen=True)
class Layout:
    """How the ranks share the work: data x tensor x pipeline."""

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    micro_batches: int = 1
    """Of one pipeline step, on each data-parallel rank."""
    zero_stage: int = 0

    def __post_init__(self) -> None:
        for name in ("data", "tensor", "pipeline", "micro_batches"):
            if getattr(self, name) < 1:
                raise LabsError(f"{name} is {getattr(self, name)}: at least 1 is needed")
        if self.zero_stage not in ZERO_STAGES:
            raise LabsError(f"zero_stage is {self.zero_stage}: one of {', '.join(map(str, ZERO_STAGES))}")

    @property
    def devices(self) -> int:
        """Devices of the whole job."""
        return self.data * self.tensor * self.pipeline


@dataclass(frozen=True)
class Calibration:
    """What was measured on one device and between two, and goes into every prediction."""

    flops_per_s: float
    """Model FLOPs per second of one device in the forward and backward pass of this model."""
    all_reduce: TimeModel
    """Seconds of an all-reduce of some bytes over the data-parallel ranks."""
    overhead_s: float = 0.0
    """Per step: hooks, buckets and the optimiser, whatever the batch."""
    overlap: float = 0.0
    """Share of the all-reduce that hides behind the backward pass."""


@dataclass(frozen=True)
class StepTime:
    """One optimiser step in seconds, by cause."""

    compute_s: float
    bubble_s: float
    communication_s: float
    overhead_s: float

    @property
    def step_s(self) -> float:
        """All of it."""
        return self.compute_s + self.bubble_s + self.communication_s + self.overhead_s

    @property
    def efficiency(self) -> float:
        """Share of the step in which devices compute."""
        return self.compute_s / self.step_s


def step_time(
    config: LlamaConfig,
    layout: Layout,
    calibration: Calibration,
    *,
    global_batch: int,
    sequence: int,
    gradient_bytes: int = GRADIENT_BYTES,
) -> StepTime:
    """Predict one optimiser step of `global_batch` sequences.

    Raises:
        LabsError: the global batch cannot be shared equally by the data-parallel ranks.
    """
    if global_batch % layout.data:
        raise LabsError(f"global_batch {global_batch} cannot be shared equally by {layout.data} data-parallel ranks")
    flops = flops_per_token(config, sequence) * global_batch * sequence
    compute_s = flops / layout.devices / calibration.flops_per_s
    bubble = bubble_fraction(layout.pipeline, layout.micro_batches)
    communication_s = 0.0
    if layout.data > 1:
        sent = config.parameters * gradient_bytes / (layout.tensor * layout.pipeline)
        communication_s = calibration.all_reduce.time_s(sent) * (1 - calibration.overlap)
    return StepTime(compute_s, compute_s * bubble / (1 - bubble), communication_s, calibration.overhead_s)


def mfu(tokens_per_s: float, config: LlamaConfig, sequence: int, peak_flops_per_s: float, devices: int = 1) -> float:
    """Return the model FLOP/s utilization: FLOPs that the model needs over those that the devices could do."""
    if not (tokens_per_s > 0 and peak_flops_per_s > 0 and devices > 0):
        raise LabsError(f"{tokens_per_s} tokens/s, {devices} devices of {peak_flops_per_s} FLOP/s: must be above 0")
    return tokens_per_s * flops_per_token(config, sequence) / (peak_flops_per_s * devices)


@dataclass(frozen=True)
class Memory:
    """Bytes on one device, by kind."""

    weights: float
    gradients: float
    optimizer_state: float
    activations: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.gradients + self.optimizer_state + self.activations


def memory(config: LlamaConfig, layout: Layout, activation_bytes: float = 0.0) -> Memory:
    """Return what one device holds; `activation_bytes` are those of one micro-batch on one device of one stage."""
    mine = config.parameters / (layout.tensor * layout.pipeline)
    in_flight = min(layout.micro_batches, layout.pipeline)  # of the first stage under 1F1B
    return Memory(
        weights=mine * WEIGHT_BYTES / (layout.data if layout.zero_stage >= 3 else 1),
        gradients=mine * GRADIENT_BYTES / (layout.data if layout.zero_stage >= 2 else 1),
        optimizer_state=mine * STATE_BYTES / (layout.data if layout.zero_stage >= 1 else 1),
        activations=activation_bytes * in_flight,
    )
