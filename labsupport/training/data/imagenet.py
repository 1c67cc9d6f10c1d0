"""Images in one folder per class, the layout of ImageNet (ILSVRC 2012): train/<class>/*.JPEG and val/<class>/*.JPEG.

Any images laid out so will do. ImageNet itself must be asked for at image-net.org; its validation images come in one
flat folder and must first be moved into folders named like those of train.

Hidden files are left out: macOS leaves a `._x.JPEG` beside each x.JPEG on foreign disks, which holds no picture.

Limitations: archives are not read without unpacking, and nothing is decoded on a GPU.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from PIL import Image

from labsupport.errors import FieldError, LabsError
from labsupport.training.data.info import DatasetInfo, Task
from labsupport.training.data.pictures import DECODING_ERRORS, DEFAULT_SIZE, to_tensor
from labsupport.training.data.samples import Sample, Samples

EXTENSIONS = (".jpeg", ".jpg", ".png")  # in any case: ImageNet writes .JPEG
FOLDERS = {"train": "train", "test": "val"}  # the labels of ImageNet's own test split were never published
MARGIN = 256 / 224  # resize to 256, cut out 224 (Krizhevsky et al. 2012), in proportion at other sizes


class ImageFiles(Samples):
    """Images read and decoded when they are asked for."""

    def __init__(self, files: list[tuple[str, int]], image_size: int) -> None:
        self.files, self.image_size = files, image_size  # files: path and class

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        path, label = self.files[index]
        try:
            with Image.open(path) as picture:
                pixels = to_tensor(picture, self.image_size, margin=MARGIN)
        except DECODING_ERRORS as error:
            raise LabsError(f"data set imagenet: {path} cannot be decoded ({error}): replace or delete it") from error
        return pixels, torch.tensor(label)


def load_imagenet(split: str, root: Path, image_size: int | None = None) -> tuple[ImageFiles, DatasetInfo]:
    """Return the images below `root`; classes are numbered in the order of their names in train/.

    Raises:
        LabsError: no such folder, a class without images, or a class of val/ that train/ does not have.
    """
    size = image_size or DEFAULT_SIZE
    classes = {name: index for index, name in enumerate(_class_names(root / FOLDERS["train"]))}
    folder = root / FOLDERS[split]
    files: list[tuple[str, int]] = []
    for name in _class_names(folder):
        if name not in classes:
            raise LabsError(f"data set imagenet: class {name} of {folder} is not in {root / FOLDERS['train']}")
        images = sorted(entry.path for entry in os.scandir(folder / name) if _is_image(entry))
        if not images:
            raise LabsError(
                f"data set imagenet: {folder / name} has no {', '.join(EXTENSIONS)} files: add some or delete it"
            )
        files.extend((path, classes[name]) for path in images)
    samples = ImageFiles(files, size)
    return samples, DatasetInfo(
        name="imagenet",
        task=Task.CLASSIFICATION,
        num_samples=len(samples),
        source=str(folder.resolve()),
        licence="ImageNet: non-commercial research, terms at image-net.org; else that of the folder's images",
        num_classes=len(classes),
        channels=3,
        image_size=size,
    )


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry counts as an image; a link that leads nowhere does, and is reported when it is read."""
    return entry.name.lower().endswith(EXTENSIONS) and not entry.name.startswith(".") and not entry.is_dir()


def _class_names(folder: Path) -> list[str]:
    """Return the names of the class folders, sorted, hidden ones left out."""
    if not folder.is_dir():
        raise FieldError(
            lambda field: (
                f"data set imagenet: {folder} does not exist: name with {field('data_root')} the folder that holds "
                "train/<class>/*.JPEG and val/<class>/*.JPEG; ImageNet can be asked for at image-net.org"
            )
        )
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise LabsError(f"data set imagenet: {folder} has no folders: put each image into a folder named as its class")
    return names
