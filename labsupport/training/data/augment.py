"""Random shifts and mirrorings of training images, drawn from torch's *global* random numbers.

The draws are part of a run's random state on purpose: a run that resumes without restoring it sees other images and
reaches other weights. With loader processes (`num_workers > 0`) the draws come from those processes instead.

Limitations: no change of scale or colour, and no mixing of images.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812 - the name PyTorch's own documentation uses

from labsupport.training.data.samples import Sample, Samples


class Augmented(Samples):
    """Show each image of another data set at a random offset, and by an even chance mirrored.

    Args:
        padding: largest shift in pixels, in each direction; what comes in from outside is zero, the mean after
            normalisation.
        mirror: False where a mirrored image means something else, as with digits.
    """

    def __init__(self, samples: Samples, *, padding: int, mirror: bool = True) -> None:
        self.samples, self.padding, self.mirror = samples, padding, mirror

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        image, label = self.samples[index]
        height, width = image.shape[-2:]
        top, left = torch.randint(2 * self.padding + 1, (2,)).tolist()
        image = F.pad(image, (self.padding,) * 4)[..., top : top + height, left : left + width]
        if self.mirror and torch.rand(()) < 0.5:
            image = image.flip(-1)
        return image, label
