"""What a training run is, as data: one frozen dataclass, checked before any process starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from labsupport.errors import LabsError

DTYPES = ("float32", "float64")
NORMS = ("batch", "group")
POSITIVE = (
    "num_workers",
    "epochs",
    "global_batch",
    "base_batch",
    "checkpoint_every",
    "width",
    "sequence",
    "threads_per_worker",
)


@dataclass(frozen=True)
class TrainSpec:
    """One training run. The defaults train a small model on bundled data in about a minute on two CPU cores."""

    model: str = "resnet18"
    dataset: str = "digits"
    num_workers: int = 2
    """Processes, one model replica each."""
    epochs: int = 5
    max_steps: int | None = None
    """Stop after this many optimiser steps, even inside an epoch. None: the epochs decide."""
    global_batch: int = 64
    """Samples per optimiser step over all workers, so that the number of workers changes nothing but the time."""
    base_lr: float = 0.05
    """Learning rate at a global batch of `base_batch`; scaled linearly from there, see learning_rate.py."""
    base_batch: int = 64
    warmup_fraction: float = 0.1
    """Share of all steps with a rising rate."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    checkpoint_every: int = 20
    """Optimiser steps between checkpoints; every epoch ends with one, too."""
    checkpoints_to_keep: int = 3
    """At least 2, so that a damaged newest one leaves another."""
    max_failures: int = 3
    """Restarts of the worker group before the run is given up."""
    seed: int = 0
    dtype: str = "float32"
    norm: str = "batch"
    """Normalisation of the ResNets: batch, or group (whose result does not depend on how a batch is split)."""
    width: int = 64
    """Channels of the first ResNet stage: 64 in the paper, less for a quick run on a CPU."""
    image_size: int | None = None
    """Side of the images in pixels; None: as the data set has them."""
    sequence: int = 64
    """Tokens per sample of a language model."""
    dropout: float = 0.0
    gpus_per_worker: int = 0
    threads_per_worker: int = 1
    """One thread per worker keeps the sums of a step in one order: the same loss, bit for bit, on every run."""
    augment: bool = False
    """Shift and mirror the training images at random."""
    columns: Mapping[str, str] | None = None
    """For hf: data sets, which column is the "image" and the "label", or the "text"; None guesses from the schema."""
    data_root: str | None = None
    """Folder of the data set; None: `data` in the workspace."""

    def __post_init__(self) -> None:
        for name in POSITIVE:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise LabsError(f"{option(name)} is {value}: a whole number of at least 1 is needed")
        if self.max_steps is not None and self.max_steps < 1:
            raise LabsError(f"--max-steps is {self.max_steps}: a whole number of at least 1 is needed")
        if self.checkpoints_to_keep < 2:
            raise LabsError(
                f"--checkpoints-to-keep is {self.checkpoints_to_keep}: at least 2, or a damaged one ends a run"
            )
        if self.gpus_per_worker < 0 or self.max_failures < 0:
            raise LabsError("--gpus-per-worker and --max-failures cannot be negative")
        if self.dtype not in DTYPES:
            raise LabsError(f"--dtype {self.dtype!r} is unknown: one of {', '.join(DTYPES)}")
        if self.norm not in NORMS:
            raise LabsError(f"--norm {self.norm!r} is unknown: one of {', '.join(NORMS)}")
        if not 0 <= self.warmup_fraction < 1:
            raise LabsError(f"--warmup-fraction is {self.warmup_fraction}: at least 0 and below 1")

    def check_against(self, cores: int, gpus: int) -> None:
        """Refuse more workers than this machine has devices for, or than can share the global batch equally.

        Workers that wait for a core time each other, not the training.

        Raises:
            LabsError: names the wish, what is there, and a command that fits.
        """
        if self.gpus_per_worker:
            wanted = self.gpus_per_worker * self.num_workers
            if wanted > gpus:
                raise LabsError(
                    f"--num-workers {self.num_workers} x --gpus-per-worker {self.gpus_per_worker} needs {wanted} GPUs, "
                    f"this machine has {gpus}: leave --gpus-per-worker out to train on the CPU, or use fewer workers"
                )
        elif self.num_workers * self.threads_per_worker > cores:
            raise LabsError(
                f"--num-workers {self.num_workers} x --threads-per-worker {self.threads_per_worker} needs more than "
                f"the {cores} cores of this machine: use --num-workers {max(1, cores // self.threads_per_worker)}"
            )
        # Last: with a batch that suits too many workers they would be refused all the same.
        if self.global_batch % self.num_workers:
            raise LabsError(
                f"--global-batch {self.global_batch} cannot be shared equally by --num-workers {self.num_workers}: "
                f"choose a multiple, such as {-(-self.global_batch // self.num_workers) * self.num_workers}"
            )

    def data_options(self) -> dict[str, Any]:
        """Return what labsupport.training.data.load_dataset takes besides the name and the split."""
        return {
            "root": self.data_root,
            "image_size": self.image_size,
            "sequence": self.sequence,
            "columns": self.columns,
            "augment": self.augment,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for a log or a worker in another process."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainSpec:
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def option(field: str) -> str:
    """Return the command-line spelling of a field."""
    return "--" + field.replace("_", "-")
