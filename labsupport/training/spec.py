"""What a training run is, as data: one frozen dataclass, checked before any process starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labsupport.errors import FieldError
from labsupport.spec import Spec, setting
from labsupport.training.models import NORMS

DTYPES = ("float32", "float64")
ROLES = ("image", "label", "text")  # what a column of a Hugging Face data set can be
# NumPy seeds with 32 bits, and each rank adds its own number to the seed.
LARGEST_SEED = 2**31 - 1
# These say how and where a run is done, and may be others when it is resumed; every other field decides its result.
RESUMABLE = frozenset(
    {
        "num_workers", "gpus_per_worker", "threads_per_worker", "checkpoint_every", "checkpoints_to_keep",
        "max_failures", "data_root",
    }
)  # fmt: skip


@dataclass(frozen=True)
class TrainSpec(Spec):
    """One training run. The defaults train a small model on bundled data in about a minute on two CPU cores."""

    model: str = setting("resnet18", "resnet18, resnet34, resnet50, llama-tiny, ...")
    dataset: str = setting(
        "digits", "digits and text are bundled; cifar10, imagenet and hf:<name> load the data of that name"
    )
    num_workers: int = setting(2, "processes, one model replica each", at_least=1)
    epochs: int = setting(5, "passes over the training data", at_least=1)
    max_steps: int | None = setting(None, "stop after this many optimiser steps", at_least=1)
    """Even inside an epoch. None: the epochs decide."""
    global_batch: int = setting(64, "samples per step over all workers", at_least=1)
    """Over all workers, so that the number of workers changes nothing but the time."""
    base_lr: float = setting(0.05, "learning rate at the base batch; scaled linearly with the global batch", above=0)
    """See learning_rate.py."""
    base_batch: int = setting(64, "global batch that the base learning rate is meant for", at_least=1)
    warmup_fraction: float = setting(0.1, "share of all steps in which the learning rate rises", at_least=0, below=1)
    momentum: float = setting(0.9, "momentum of SGD", at_least=0, below=1)
    weight_decay: float = setting(5e-4, "weight decay of SGD", at_least=0)
    gpus_per_worker: int = setting(0, "0 trains on CPU cores with gloo, 1 on a GPU with NCCL", at_least=0)
    threads_per_worker: int = setting(1, "CPU threads of each worker", at_least=1)
    """One thread per worker keeps the sums of a step in one order: the same loss, bit for bit, on every run."""
    deterministic: bool = setting(True, "on a GPU, use only kernels that repeat their result bit for bit")
    """Without it a run on a GPU cannot be resumed exactly. What it costs: labsupport.training.determinism."""
    checkpoint_every: int = setting(20, "steps between checkpoints; each epoch ends with one, too", at_least=1)
    checkpoints_to_keep: int = setting(3, "newest checkpoints that are kept", at_least=2)
    """At least 2, so that a damaged newest one leaves another."""
    max_failures: int = setting(3, "restarts of the workers before the run is given up", at_least=0)
    width: int = setting(64, "channels of the first ResNet stage", at_least=1, at_most=4096)
    """64 in the paper, less for a quick run on a CPU."""
    norm: str = setting("batch", "normalisation of a ResNet", choices=NORMS)
    """The result of group normalisation does not depend on how a batch is split."""
    dropout: float = setting(0.0, "share of values that a language model drops in training", at_least=0, below=1)
    sequence: int = setting(64, "tokens per sample of a language model", at_least=1)
    image_size: int | None = setting(None, "side of the images in pixels", at_least=1)
    """None: as the data set has them."""
    dtype: str = setting("float32", "type of weights and gradients", choices=DTYPES)
    seed: int = setting(0, "decides weights, order of samples and dropout", at_least=0, at_most=LARGEST_SEED)
    augment: bool = setting(False, "shift and mirror the training images at random")
    columns: Mapping[str, str] | None = setting(
        None, "for hf: data sets: the columns as image=<name> and label=<name>, or as text=<name>"
    )
    """None: guessed from the schema."""
    data_root: str | None = setting(None, "folder of the data set")
    """None: `data` in the workspace."""

    def __post_init__(self) -> None:
        super().__post_init__()
        wrong = next((f"{role}={column}" for role, column in (self.columns or {}).items() if role not in ROLES), None)
        if wrong:
            raise FieldError(lambda name: f"{name('columns')} {wrong}: the roles are {', '.join(ROLES)}")

    def assert_fits(self, cores: int, gpus: int) -> None:
        """Refuse more workers than a machine has devices for, or than can share the global batch equally.

        Workers that wait for a core time each other, not the training.

        Raises:
            FieldError: says what is asked for, what is there, and what would fit.
        """
        workers, threads, wanted = self.num_workers, self.threads_per_worker, self.gpus_per_worker * self.num_workers
        if wanted > gpus:
            raise FieldError(
                lambda name: (
                    f"{name('num_workers')} {workers} x {name('gpus_per_worker')} {self.gpus_per_worker} needs "
                    f"{wanted} GPUs, {gpus or 'none'} can be used here: use fewer workers, or train on the CPU with "
                    f"{name('gpus_per_worker')} 0"
                )
            )
        if not wanted and workers * threads > cores:
            fitting = {"num_workers": max(1, cores // threads), "threads_per_worker": min(threads, cores)}
            raise FieldError(
                lambda name: (
                    f"{name('num_workers')} {workers} x {name('threads_per_worker')} {threads} needs more than the "
                    f"{cores} cores of this machine: use "
                    + " and ".join(
                        f"{name(field)} {value}" for field, value in fitting.items() if value != getattr(self, field)
                    )
                )
            )
        # Last: with a batch that suits too many workers they would be refused all the same.
        if self.global_batch % workers:
            multiple = -(-self.global_batch // workers) * workers
            raise FieldError(
                lambda name: (
                    f"{name('global_batch')} {self.global_batch} cannot be shared equally by {name('num_workers')} "
                    f"{workers}: choose a multiple, such as {multiple}"
                )
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
