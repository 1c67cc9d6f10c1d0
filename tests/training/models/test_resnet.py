"""The ResNets are those of the paper, load public checkpoints, and have a variant that distribution does not change."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labsupport.training.models.flops import count_flops
from labsupport.training.models.resnet import ResNet, group_norm


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def on_meta(*args, **options) -> ResNet:
    with torch.device("meta"):
        return ResNet(*args, **options)


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


# Quoted: torchvision's documentation of ResNet18_Weights, ResNet34_Weights and ResNet50_Weights ("num_params").
@pytest.mark.parametrize(
    ("name", "count"), [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)]
)
def test_it_has_as_many_parameters_as_published(name, count):
    assert parameters(on_meta(name)) == count


# Quoted: He et al. 2015, table 1, in multiply-adds: 1.8, 3.6 and 3.8 G; torchvision's documentation, whose ResNet-50
# halves the resolution later in a block: 1.81, 3.66 and 4.09 G.
@pytest.mark.parametrize(("name", "multiply_adds"), [("resnet18", 1.81e9), ("resnet34", 3.66e9), ("resnet50", 4.09e9)])
def test_one_image_of_224_pixels_takes_the_published_multiply_adds(name, multiply_adds):
    image = torch.empty(1, 3, 224, 224, device="meta")
    assert count_flops(on_meta(name), image) / 2 == pytest.approx(multiply_adds, rel=0.005)


def test_a_training_step_counts_three_times_the_forward_pass_less_the_gradient_of_the_image():
    model, images = on_meta("resnet18"), torch.empty(2, 3, 224, 224, device="meta")
    forward = count_flops(model, images)
    first_layer = 2 * 2 * 64 * 112 * 112 * 3 * 7 * 7
    assert count_flops(model, images, training=True) == 3 * forward - first_layer
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "stem", "pixels", "sides"),
    [("resnet18", "imagenet", 224, (56, 28, 14, 7)), ("resnet50", "small", 32, (32, 16, 8, 4))],
)
def test_each_stage_halves_the_resolution_and_doubles_the_channels(name, stem, pixels, sides):
    model, shapes = on_meta(name, stem=stem), []
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        stage.register_forward_hook(lambda _module, _inputs, output: shapes.append(tuple(output.shape)))
    logits = model(torch.empty(2, 3, pixels, pixels, device="meta"))
    widths = [64 * 2**stage * (4 if name == "resnet50" else 1) for stage in range(4)]
    assert shapes == [(2, width, side, side) for width, side in zip(widths, sides, strict=True)]
    assert logits.shape == (2, 1000)


def test_the_keys_of_the_state_are_those_of_public_checkpoints():
    keys = set(on_meta("resnet50").state_dict())
    # Written down from the layout of torchvision's resnet50-*.pth, 320 entries.
    assert len(keys) == 320
    assert {
        "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked",
        "layer1.0.conv1.weight", "layer1.0.conv3.weight", "layer1.0.bn3.running_var",
        "layer1.0.downsample.0.weight", "layer1.0.downsample.1.weight", "layer4.2.bn3.bias", "fc.weight", "fc.bias",
    } <= keys  # fmt: skip
    assert "layer1.1.downsample.0.weight" not in keys


def test_the_keys_do_not_depend_on_the_normalisation():
    batch, group = on_meta("resnet18"), on_meta("resnet18", norm="group")
    assert dict(group.named_parameters()).keys() == dict(batch.named_parameters()).keys()
    assert parameters(group) == parameters(batch)


def gradient_of_split(model: ResNet, images: torch.Tensor, labels: torch.Tensor, parts: int) -> list[torch.Tensor]:
    """Average the gradients of `parts` replicas, each of which sees its share of the batch alone."""
    replicas = [copy.deepcopy(model) for _ in range(parts)]
    for replica, share, target in zip(replicas, images.chunk(parts), labels.chunk(parts), strict=True):
        torch.nn.functional.cross_entropy(replica(share), target).backward()
    return [
        sum(gradients) / parts for gradients in zip(*([p.grad for p in r.parameters()] for r in replicas), strict=True)
    ]


def test_group_norm_makes_the_distributed_gradient_equal_and_batch_norm_does_not():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 1, 16, 16, generator=generator, dtype=torch.float64)
    labels = torch.randint(10, (8,), generator=generator)
    distance = {}
    for norm in ("group", "batch"):
        torch.manual_seed(0)
        model = ResNet("resnet18", num_classes=10, in_channels=1, width=8, stem="small", norm=norm).double()
        one, two = (gradient_of_split(model, images, labels, parts) for parts in (1, 2))
        distance[norm] = max((a - b).abs().max().item() for a, b in zip(one, two, strict=True))
    assert distance["group"] < 1e-12
    assert distance["batch"] > 1e-3


@settings(max_examples=50, deadline=None)
@given(channels=st.integers(1, 300))
def test_groups_divide_the_channels_and_hold_at_least_sixteen(channels):
    norm = group_norm(channels)
    assert channels % norm.num_groups == 0
    assert channels // norm.num_groups >= min(channels, 16)


def test_a_narrow_network_on_8_pixel_digits_learns_a_batch():
    torch.manual_seed(0)
    model = ResNet("resnet18", num_classes=10, in_channels=1, width=8, stem="small")
    images, labels = torch.randn(16, 1, 8, 8), torch.arange(16) % 10
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    losses = []
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "resnet19"}, "name 'resnet19' is unknown: one of resnet18"),
        ({"stem": "tiny"}, "stem 'tiny' is unknown: one of imagenet, small"),
        ({"norm": "layer"}, "norm 'layer' is unknown: one of batch, group"),
    ],
)
def test_an_unknown_choice_names_what_is_allowed(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        on_meta(**options)
