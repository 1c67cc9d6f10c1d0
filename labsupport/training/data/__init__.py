"""Data sets by name, each as samples that any worker can load for itself and finds the same.

`digits` and `text` come with packages that are installed anyway. The others load the real thing, from a folder or over
the network, and say in one line what to do where that is not possible. Importing this module does not import torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from labsupport.errors import FieldError, LabsError
from labsupport.training.data.info import DatasetInfo, Task
from labsupport.workspace import workspace

if TYPE_CHECKING:
    from labsupport.training.data.samples import Samples

__all__ = ["DATASETS", "DatasetInfo", "Task", "load_dataset"]

DATASETS = ("digits", "text", "cifar10", "imagenet")
HUB = "hf:"
SPLITS = ("train", "test")
SHIFT_SHARE = 8  # augmentation shifts by up to an eighth of the side: the 4 of 32 pixels usual for CIFAR-10


def load_dataset(
    name: str,
    split: str = "train",
    *,
    root: str | Path | None = None,
    image_size: int | None = None,
    sequence: int = 64,
    columns: Mapping[str, str] | None = None,
    augment: bool = False,
) -> tuple[Samples, DatasetInfo]:
    """Return one split of a data set and the facts about it.

    Samples are pairs of tensors: an image (C, H, W) float32 and its class, or `sequence` tokens and the tokens that
    follow them.

    Args:
        name: one of `DATASETS`, or hf:<owner>/<name>[:<configuration>] of the Hugging Face hub, hf:/<folder>, or a
            file format ("hf:json") whose files are in `root`.
        root: folder of the data; None is `data` in the workspace.
        image_size: side of the images in pixels; None is the data set's own.
        sequence: tokens per sample of a text.
        columns: for hf: only, which column is the "image" and the "label", or the "text"; None guesses.
        augment: shift and mirror the images of the train split at random (labsupport.training.data.augment).

    Raises:
        LabsError: an unknown name or split, or data that are not there, cannot be fetched or are damaged.
    """
    if split not in SPLITS:
        raise LabsError(f"split {split!r} is unknown: one of {', '.join(SPLITS)}")
    if root is not None and not Path(root).is_dir():
        raise FieldError(
            lambda field: (
                f"{field('data_root')} {root} is not a folder: make it first, or leave it out to use the workspace"
            )
        )
    if image_size is not None and image_size < 1:
        raise FieldError(lambda field: f"{field('image_size')} is {image_size}: at least 1 pixel is needed")
    if columns is not None and not name.startswith(HUB):
        raise FieldError(lambda field: f"{field('columns')} is for hf: data sets only, not for {name}")
    samples, info = _load(name, split, Path(root) if root is not None else None, image_size, sequence, columns)
    if augment and info.task != Task.CLASSIFICATION:
        raise FieldError(lambda field: f"{field('augment')} is for images, data set {name} is for {info.task}")
    if augment and split == "train":
        from labsupport.training.data.augment import Augmented

        assert info.image_size is not None, "an image data set says its size"
        samples = Augmented(samples, padding=max(1, info.image_size // SHIFT_SHARE), mirror=name != "digits")
    return samples, info


def _load(
    name: str, split: str, root: Path | None, image_size: int | None, sequence: int, columns: Mapping[str, str] | None
) -> tuple[Samples, DatasetInfo]:
    if name == "digits":
        from labsupport.training.data.digits import load_digits

        return load_digits(split, image_size)
    if name == "text":
        from labsupport.training.data.text import load_text

        return load_text(split, sequence)
    if name == "cifar10":
        from labsupport.training.data.cifar10 import load_cifar10

        return load_cifar10(split, root or workspace("data"), image_size)
    if name == "imagenet":
        from labsupport.training.data.imagenet import load_imagenet

        return load_imagenet(split, root or workspace("data") / "imagenet", image_size)
    if name.startswith(HUB):
        from labsupport.training.data.hub import load_hub

        return load_hub(name.removeprefix(HUB), split, root, image_size, sequence, columns)
    close = difflib.get_close_matches(name, DATASETS, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise FieldError(
        lambda field: (
            f"{field('dataset')} {name!r} is unknown: {hint}The data sets are {', '.join(DATASETS)} and hf:<name>"
        )
    )
