"""Pixels of any type come out on the scale they were meant on, or are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from labsupport.training.data.pictures import DECODING_ERRORS, MEAN, STD, to_tensor

RAMP = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16), (64, 1))


def levels(picture: Image.Image, channels: int = 3) -> torch.Tensor:
    """Return the middle row of a picture on the scale 0 to 255, (channels, 64)."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    if channels == 1:
        mean, std = mean.mean(), std.mean()
    pixels = to_tensor(picture, 64, channels) * std.view(-1, 1, 1) + mean.view(-1, 1, 1)
    return (pixels[:, 32] * 255).round()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_ramp_of_sixteen_bits_becomes_the_ramp_of_its_upper_eight(tmp_path, suffix, channels):
    Image.fromarray(RAMP).save(tmp_path / f"ramp.{suffix}")
    with Image.open(tmp_path / f"ramp.{suffix}") as picture:
        shown = levels(picture, channels)
    assert shown.shape == (channels, 64)
    assert shown[0].tolist() == (RAMP[32] >> 8).tolist()


def test_sixteen_bits_in_the_other_byte_order_are_the_same_picture():
    swapped = Image.frombytes("I;16B", (64, 64), RAMP.astype(">u2").tobytes())
    assert levels(swapped)[0].tolist() == (RAMP[32] >> 8).tolist()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_mode_of_eight_bits_is_read(mode):
    grey = Image.fromarray((RAMP >> 8).astype(np.uint8)).convert("RGB")
    picture = grey.convert("P") if mode == "PA" else grey.convert(mode)
    shown = levels(picture.convert("PA") if mode == "PA" else picture)
    assert shown[0, 0] < 60
    assert shown[0, -1] > 190
    assert len(set(shown[0].tolist())) >= 2


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_of_32_bits_are_refused_since_nobody_knows_their_white(dtype):
    picture = Image.fromarray(RAMP.astype(dtype))
    with pytest.raises(DECODING_ERRORS, match="its pixels have 32 bits, of which black and white are not known"):
        to_tensor(picture, 32)
