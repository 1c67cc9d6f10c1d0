"""CIFAR-10 (Krizhevsky 2009) from its *binary* version: 60,000 colour images of 32x32 pixels in ten classes.

The publisher's Python version is a set of pickles, and unpickling runs what the file says; the binary version is
plain bytes: records of one label and 3,072 pixels, red, green and blue one after the other.

CIFAR-100 is `hf:uoft-cs/cifar100`.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch

from labsupport.errors import LabsError
from labsupport.training.data.download import Published, exclusive, fetch
from labsupport.training.data.info import DatasetInfo, Task
from labsupport.training.data.samples import ImageTensors
from labsupport.workspace import workspace

# https://www.cs.toronto.edu/~kriz/cifar.html, digest as given there
ARCHIVE = Published("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")
PYTHON_VERSION = ("cifar-10-python.tar.gz", "cifar-10-batches-py")
FOLDER = "cifar-10-batches-bin"
FILES = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
CLASSES = 10
SIDE, CHANNELS = 32, 3
RECORD_BYTES = 1 + CHANNELS * SIDE * SIDE
RECORDS_PER_FILE = 10_000  # a file that was cut between two records would pass as a smaller data set
# Of the 50,000 training images on the scale 0 to 1, per channel; the values that public recipes use.
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def load_cifar10(
    split: str, folder: Path, image_size: int | None = None, archive: Published = ARCHIVE
) -> tuple[ImageTensors, DatasetInfo]:
    """Return 50,000 training or 10,000 test images from `folder`, unpacked and downloaded there first if need be.

    From a folder that cannot be written the archive is unpacked into the workspace.

    Raises:
        LabsError: not there and not to be downloaded, or a damaged file.
    """
    unpacked = folder / FOLDER
    if not unpacked.is_dir():
        place = folder if _can_be_written(folder) else workspace("data")
        unpacked = place / FOLDER
        if not unpacked.is_dir():
            with exclusive(place, "cifar-10"):
                if not unpacked.is_dir():  # while this process waited, another may have done it
                    _provide(folder, place, archive)
    images, labels = read_batches([unpacked / name for name in FILES[split]])
    samples = ImageTensors(
        images, labels, full_scale=255.0, mean=torch.tensor(MEAN), std=torch.tensor(STD), image_size=image_size
    )
    return samples, DatasetInfo(
        name="cifar10",
        task=Task.CLASSIFICATION,
        num_samples=len(samples),
        source=archive.url,
        licence="none stated; the publisher asks to cite Krizhevsky 2009",
        num_classes=CLASSES,
        channels=CHANNELS,
        image_size=image_size or SIDE,
    )


def _can_be_written(folder: Path) -> bool:
    """Try it: permissions do not tell for root, nor on a file system that is mounted read-only."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def read_batches(paths: list[Path]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images (N, 3, 32, 32) uint8 and labels (N,) int64 of batch files, in order.

    Raises:
        LabsError: a file is missing, has another length than it was published with, or holds a label above 9.
    """
    batches = []
    for path in paths:
        if not path.is_file():
            raise LabsError(f"data set cifar10: {path} is missing: delete {path.parent}, it will be unpacked again")
        content = np.fromfile(path, dtype=np.uint8)
        if content.size != RECORDS_PER_FILE * RECORD_BYTES:
            raise LabsError(
                f"data set cifar10: {path} has {content.size:,} bytes, {RECORDS_PER_FILE * RECORD_BYTES:,} were "
                f"published: delete {path.parent}, it will be unpacked again"
            )
        records = content.reshape(-1, RECORD_BYTES)
        if (highest := records[:, 0].max()) >= CLASSES:
            raise LabsError(
                f"data set cifar10: {path} has label {highest}, 0 to 9 are possible: it is another data set"
            )
        batches.append(records)
    records = np.concatenate(batches)
    images = np.ascontiguousarray(records[:, 1:]).reshape(-1, CHANNELS, SIDE, SIDE)
    return torch.from_numpy(images), torch.from_numpy(records[:, 0].astype(np.int64))


def _provide(folder: Path, place: Path, archive: Published) -> None:
    """Unpack the archive that is in `folder` into `place`, or download it there first."""
    try:
        path = fetch(archive, folder if (folder / archive.file_name).exists() else place)
    except LabsError as error:
        if place != folder:
            raise LabsError(f"{folder} holds no {archive.file_name} and cannot be written: {error}") from error
        for name in PYTHON_VERSION:
            if (folder / name).exists():
                raise LabsError(
                    f"{error}. {name}, which is there, is the version made of pickles and is not opened: unpickling "
                    "runs code"
                ) from error
        raise
    unpack(path, place)


def unpack(archive: Path, folder: Path) -> None:
    """Write the batch files of an archive to `folder`, all or none.

    Only the files this module knows are read, by name, so that nothing in an archive decides where anything goes.

    Raises:
        LabsError: the archive cannot be read or lacks a file.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as scratch:
        complete = Path(scratch) / FOLDER
        complete.mkdir()
        try:
            with tarfile.open(archive, "r:gz") as tar:
                for name in (*FILES["train"], *FILES["test"]):
                    content = tar.extractfile(f"{FOLDER}/{name}")
                    if content is None:
                        raise KeyError(f"{FOLDER}/{name} is not a file")
                    with content, (complete / name).open("wb") as file:
                        shutil.copyfileobj(content, file)
        except (KeyError, tarfile.TarError, EOFError, OSError) as error:
            raise LabsError(
                f"data set cifar10: {archive} cannot be unpacked ({error}): delete it and try again"
            ) from error
        os.replace(complete, folder / FOLDER)
