"""What a model, a report and a reader need to know of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """What a model is asked to do with a sample."""

    CLASSIFICATION = "classification"  # an image (C, H, W) float32 -> its class, int64
    LANGUAGE_MODELLING = "language-modelling"  # tokens (T,) int64 -> the T next tokens


@dataclass(frozen=True)
class DatasetInfo:
    """The facts of one split of a data set; what does not apply to its task is None."""

    name: str
    task: Task
    num_samples: int
    source: str
    """Where the data come from: an address, a package, or a folder."""
    licence: str
    num_classes: int | None = None
    channels: int | None = None
    image_size: int | None = None
    """Side of the square images, pixels."""
    vocabulary: int | None = None
    """Number of different tokens."""
