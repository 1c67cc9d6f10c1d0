"""ResNet-18, 34 and 50 (He et al. 2015, arXiv:1512.03385, table 1), with the parameter names of torchvision.

A public checkpoint for ImageNet therefore loads with `load_state_dict`. As in torchvision, ResNet-50 halves the
resolution in the 3x3 convolution of a block and not in the 1x1 before it: 4.1 instead of the paper's 3.8 G
multiply-adds at 224 pixels.

Limitations: no ResNet-101/152, no wide or grouped variants, and not the paper's own three-stage networks for CIFAR-10
(`stem="small"` takes only their first layer).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import nn

from labsupport.training.models import NORMS

BATCH = "batch"
IMAGENET, SMALL = "imagenet", "small"
STEMS = (IMAGENET, SMALL)
# Wu & He 2018 (arXiv:1803.08494, table 3) find 16 channels a group as good as 32 groups, and it also suits a narrow
# network: 32 groups of 64 channels on a 1x1 map would leave two values to normalise.
CHANNELS_PER_GROUP = 16

MakeNorm = Callable[[int], nn.Module]


def group_norm(channels: int) -> nn.GroupNorm:
    """Return a GroupNorm with groups of 16 channels, or the nearest larger size that divides `channels`."""
    groups = max(1, channels // CHANNELS_PER_GROUP)
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut: the block of ResNet-18 and 34."""

    expansion: Final = 1

    def __init__(self, in_channels: int, channels: int, stride: int, norm: MakeNorm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = norm(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(in_channels, channels, stride, norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        out: torch.Tensor = self.relu(x + shortcut)
        return out


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, four times wider outside than inside: ResNet-50's block."""

    expansion: Final = 4

    def __init__(self, in_channels: int, channels: int, stride: int, norm: MakeNorm) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = norm(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = norm(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(in_channels, out_channels, stride, norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        out: torch.Tensor = self.relu(x + shortcut)
        return out


Block = type[BasicBlock] | type[Bottleneck]

# Blocks per stage (table 1 of the paper).
DEPTHS: dict[str, tuple[Block, tuple[int, int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(nn.Module):
    """Classify images (N, in_channels, H, W) into logits (N, num_classes).

    Args:
        name: a key of `DEPTHS`.
        width: channels of the first stage; each later stage has twice as many. 64 in the paper.
        stem: "imagenet" (7x7 stride 2, then 3x3 max-pooling stride 2), or "small" (3x3 stride 1, no pooling), which
            keeps the resolution of images up to 64 pixels.
        norm: "batch", or "group", whose result does not depend on how a batch is split over replicas.

    Raises:
        ValueError: an unknown name, stem or norm.
    """

    def __init__(
        self,
        name: str = "resnet18",
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        width: int = 64,
        stem: str = IMAGENET,
        norm: str = BATCH,
    ) -> None:
        super().__init__()
        for argument, value, allowed in (("name", name, DEPTHS), ("stem", stem, STEMS), ("norm", norm, NORMS)):
            if value not in allowed:
                raise ValueError(f"{argument} {value!r} is unknown: one of {', '.join(allowed)}")
        block, depths = DEPTHS[name]
        make_norm: MakeNorm = nn.BatchNorm2d if norm == BATCH else group_norm
        if stem == IMAGENET:
            self.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        # Named bn1 for a GroupNorm, too, so that the keys of a checkpoint do not depend on the normalisation.
        self.bn1 = make_norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == IMAGENET else nn.Identity()
        channels = [width * 2**stage for stage in range(4)]
        inputs = [width] + [outer * block.expansion for outer in channels]
        self.layer1 = _stage(block, inputs[0], channels[0], depths[0], 1, make_norm)
        self.layer2 = _stage(block, inputs[1], channels[1], depths[1], 2, make_norm)
        self.layer3 = _stage(block, inputs[2], channels[2], depths[2], 2, make_norm)
        self.layer4 = _stage(block, inputs[3], channels[3], depths[3], 2, make_norm)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs[4], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He et al. 2015, arXiv:1502.01852
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: torch.Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return logits


def _stage(block: Block, in_channels: int, channels: int, depth: int, stride: int, norm: MakeNorm) -> nn.Sequential:
    """Return `depth` blocks, of which the first changes resolution and channels."""
    first = block(in_channels, channels, stride, norm)
    return nn.Sequential(first, *(block(channels * block.expansion, channels, 1, norm) for _ in range(depth - 1)))


def _projection(in_channels: int, out_channels: int, stride: int, norm: MakeNorm) -> nn.Sequential | None:
    """Return the 1x1 convolution of a shortcut that changes shape, or None where the shape stays (option B)."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), norm(out_channels))
