"""What every data set is to a training loop: samples by index, as tensors, always the same for the same index."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch.nn import functional as F  # noqa: N812 - the name PyTorch's own documentation uses
from torch.utils.data import Dataset

Sample = tuple[torch.Tensor, torch.Tensor]


class Samples(Dataset[Sample]):
    """A map-style data set of known length: exact resume needs to ask for any sample by its index."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Return input and target.

        Raises:
            IndexError: the index is not in [0, len).
        """


class ImageTensors(Samples):
    """Images held in memory, in the type they came in; each is scaled and normalised when it is asked for.

    Args:
        images: (N, C, H, W), bytes or floats.
        labels: (N,) int64.
        full_scale: the value of a white pixel.
        mean, std: of each channel, (C,), on the scale 0 to 1.
        image_size: side to which an image is resized, bilinearly; None keeps it.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        full_scale: float,
        mean: torch.Tensor,
        std: torch.Tensor,
        image_size: int | None = None,
    ) -> None:
        self.images, self.labels = images, labels
        self.full_scale, self.mean, self.std = full_scale, mean.view(-1, 1, 1), std.view(-1, 1, 1)
        self.image_size = None if image_size == images.shape[-1] else image_size

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        image = (self.images[index].float() / self.full_scale - self.mean) / self.std
        if self.image_size:
            image = F.interpolate(image[None], size=self.image_size, mode="bilinear", align_corners=False)[0]
        return image, self.labels[index]
