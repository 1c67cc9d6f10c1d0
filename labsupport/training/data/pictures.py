"""From a picture of any size to the tensor a network expects.

Limitations: colour profiles and the orientation tag of a camera are ignored, and so is transparency.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

DEFAULT_SIZE = 224  # pixels, of the networks trained on ImageNet
LEVELS_PER_8_BITS = 256  # of the 65,536 levels of 16 bits
# Of ImageNet's training images on the scale 0 to 1, per channel; the values that public checkpoints were trained with.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# What PIL raises on a file that is no image, is cut off, or claims more pixels than memory holds: its decoders do not
# agree on one class.
DECODING_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture whose pixels have 8 bits per channel; `convert` would cut wider ones off at 255."""
    if picture.mode in ("I", "F"):
        raise ValueError("its pixels have 32 bits, of which black and white are not known: convert it to 8 bits")
    if not picture.mode.startswith("I;16"):
        return picture
    return Image.fromarray((np.asarray(picture) // LEVELS_PER_8_BITS).astype(np.uint8))


def to_tensor(picture: Image.Image, size: int, channels: int = 3, margin: float = 1.0) -> torch.Tensor:
    """Return a normalised (channels, size, size) float32 tensor: the shorter side resized, the centre cut out.

    Grey values of 16 bits, as in medical and satellite images, are scaled to 8.

    Args:
        channels: 3 for colour, 1 for grey.
        margin: the shorter side becomes `margin` times `size` before the cut; 256 / 224 is usual for ImageNet.

    Raises:
        ValueError: pixels of a type whose range is not known; one of `DECODING_ERRORS`, as a file that is no image is.
    """
    picture = _eight_bits(picture).convert("RGB" if channels == 3 else "L")
    if picture.size != (size, size):
        scale = round(size * margin) / min(picture.size)
        width, height = (max(size, round(side * scale)) for side in picture.size)
        left, top = (width - size) // 2, (height - size) // 2
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        picture = picture.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(picture, dtype=np.float32)).view(size, size, channels).permute(2, 0, 1) / 255
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    if channels == 1:
        mean, std = mean.mean(), std.mean()
    return (pixels - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
