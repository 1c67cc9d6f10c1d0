"""1,797 handwritten digits of 8x8 pixels, bundled with scikit-learn: real images without a download.

The 60,000 larger images of MNIST are `hf:ylecun/mnist`.
"""

from __future__ import annotations

import torch

from labsupport.errors import FieldError
from labsupport.training.data.info import DatasetInfo, Task
from labsupport.training.data.samples import ImageTensors

IMAGE_SIZES = (8, 16, 32)  # 8 as scanned; larger ones are upsampled, for a network that halves the resolution often
TEST_SAMPLES = 360  # a fifth
WHITE = 16.0  # each value counts the set pixels of a 4x4 square


def load_digits(split: str, image_size: int | None = None) -> tuple[ImageTensors, DatasetInfo]:
    """Return 1,437 training or 360 test digits, the same split every time, with equal shares of the classes."""
    from sklearn.datasets import load_digits as bundled
    from sklearn.model_selection import train_test_split

    size = IMAGE_SIZES[0] if image_size is None else image_size
    if size not in IMAGE_SIZES:
        raise FieldError(
            lambda field: f"{field('image_size')} is {size}: data set digits has {', '.join(map(str, IMAGE_SIZES))}"
        )
    images, labels = bundled(return_X_y=True)
    train, test = train_test_split(range(len(labels)), test_size=TEST_SAMPLES, stratify=labels, random_state=0)
    pixels = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8)
    of_train = pixels[train] / WHITE
    chosen = train if split == "train" else test
    samples = ImageTensors(
        pixels[chosen],
        torch.tensor(labels[chosen], dtype=torch.int64),
        full_scale=WHITE,
        mean=of_train.mean().view(1),
        std=of_train.std().view(1),
        image_size=size,
    )
    return samples, DatasetInfo(
        name="digits",
        task=Task.CLASSIFICATION,
        num_samples=len(samples),
        source="scikit-learn load_digits: UCI, Optical Recognition of Handwritten Digits (Alpaydin & Kaynak 1998)",
        licence="CC BY 4.0",
        num_classes=10,
        channels=1,
        image_size=size,
    )
