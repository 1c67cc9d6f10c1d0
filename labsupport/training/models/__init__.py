"""Models by name: what a data set needs decides the rest of their shape.

Importing this module does not import torch; building a model does.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from labsupport.errors import FieldError, LabsError
from labsupport.hardware import machine
from labsupport.training.data.info import DatasetInfo, Task
from labsupport.training.models.llama_config import PRESETS, LlamaConfig

if TYPE_CHECKING:
    import torch

    from labsupport.training.models.losses import Loss

__all__ = ["MODELS", "NORMS", "build_model", "check_model", "check_share", "loss_function"]

MODELS: dict[str, Task] = {
    "resnet18": Task.CLASSIFICATION,
    "resnet34": Task.CLASSIFICATION,
    "resnet50": Task.CLASSIFICATION,
    "llama-tiny": Task.LANGUAGE_MODELLING,
    "llama-2-7b": Task.LANGUAGE_MODELLING,
    "llama-3-8b": Task.LANGUAGE_MODELLING,
}
NORMS = ("batch", "group")  # of the ResNets
SMALL_IMAGE = 64  # pixels; the ImageNet stem would leave a 64-pixel image as 16 x 16 before the first block
FLOAT32_BYTES = 4


def check_model(name: str, info: DatasetInfo, *, width: int = 64) -> None:
    """Refuse what cannot be trained on a data set by one replica in single precision, before anything is built.

    Raises:
        FieldError: an unknown model, one for another task, or one larger than the memory of any device here.
    """
    _check_task(name, info)
    if name in PRESETS:
        parameters, way_out = _llama_config(name, info, 0.0).parameters, "train llama-tiny"
    else:
        parameters, way_out = _resnet_parameters(name, info, width), "use a smaller width"
    facts = machine()
    largest = max([facts.usable_memory_bytes, *(gpu.memory_bytes or 0 for gpu in facts.gpus)])
    needed = 3 * FLOAT32_BYTES * parameters
    if needed > largest:
        raise FieldError(
            lambda field: (
                f"{field('model')} {name} needs {needed / 1e9:.0f} GB for weights, gradients and momentum in float32, "
                f"the largest memory here is {largest / 1e9:.0f} GB: {way_out}, or shard the model over more devices"
            )
        )


def _resnet_parameters(name: str, info: DatasetInfo, width: int) -> int:
    import torch

    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_model(name, info, width=width).parameters())


def check_share(name: str, info: DatasetInfo, *, norm: str, global_batch: int, num_workers: int) -> None:
    """Refuse shares of a batch that leave batch normalisation one value per channel: its variance would be 0.

    Raises:
        FieldError: names a batch that is large enough.
    """
    if norm != "batch" or MODELS[name] is not Task.CLASSIFICATION:
        return
    share, values = global_batch // num_workers, _values_per_channel(name, info)
    if share * values < 2:
        raise FieldError(
            lambda field: (
                f"{field('global_batch')} {global_batch} over {field('num_workers')} {num_workers} leaves each worker "
                f"{share} sample with one value per channel, and batch normalisation needs at least two: use a "
                f"{field('global_batch')} of at least {2 * num_workers}, or {field('norm')} group"
            )
        )


def _values_per_channel(name: str, info: DatasetInfo) -> int:
    """Return the smallest number of values per channel that one sample gives a normalisation layer of a model."""
    import torch

    found = []
    with torch.device("meta"):
        model = build_model(name, info, width=1).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0][0, 0].numel()))
        model(torch.empty(1, info.channels or 1, info.image_size or 1, info.image_size or 1))
    return min(found)


def build_model(
    name: str,
    info: DatasetInfo,
    *,
    norm: str = "batch",
    dtype: torch.dtype | None = None,
    seed: int = 0,
    width: int = 64,
    dropout: float = 0.0,
) -> torch.nn.Module:
    """Build a model for a data set; equal arguments give equal weights, and no global random state is touched.

    Under `with torch.device("meta")` only the shape is built, at any size.

    Args:
        norm: normalisation of a ResNet, "batch" or "group".
        dtype: None is float32. The weights are drawn in float32 and then cast, so that every type starts at the same
            point.
        width: channels of the first stage of a ResNet.
        dropout: of a Llama; ResNets have none.

    Raises:
        LabsError: an unknown model or norm, a model for another task, or weights that do not fit in memory.
    """
    import torch

    _check_task(name, info)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs, which fork_rng leaves out
        model: torch.nn.Module
        if name in PRESETS:
            from labsupport.training.models.llama import Llama

            config = _llama_config(name, info, dropout)
            if torch.get_default_device().type != "meta":
                _check_weights_fit(name, config)
            model = Llama(config)
        else:
            from labsupport.training.models.resnet import ResNet

            if norm not in NORMS:
                raise FieldError(
                    lambda field: f"{field('norm')} {norm!r} is unknown: one of {', '.join(NORMS)} is needed"
                )
            assert info.num_classes is not None, "a classification data set says its number of classes"
            assert info.channels is not None, "and its number of channels"
            model = ResNet(
                name,
                num_classes=info.num_classes,
                in_channels=info.channels,
                width=width,
                stem="small" if (info.image_size or 0) <= SMALL_IMAGE else "imagenet",
                norm=norm,
            )
    return model.to(dtype or torch.float32)


def loss_function(task: str) -> Loss:
    """Return the loss of a task: a function of the model's outputs and the targets, the mean in nats."""
    from labsupport.training.models.losses import LOSSES

    return LOSSES[Task(task)]


def _llama_config(name: str, info: DatasetInfo, dropout: float) -> LlamaConfig:
    """Return the preset, with the vocabulary of the data set in the tiny one; published shapes stay as published."""
    preset = replace(PRESETS[name], dropout=dropout)
    vocabulary = info.vocabulary or 0
    if name == "llama-tiny":
        return replace(preset, vocab_size=vocabulary)
    if vocabulary > preset.vocab_size:
        raise LabsError(f"data set {info.name} has {vocabulary} tokens, model {name} knows only {preset.vocab_size}")
    return preset


def _check_task(name: str, info: DatasetInfo) -> None:
    if name not in MODELS:
        close = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise FieldError(
            lambda field: f"{field('model')} {name!r} is unknown: {hint}The models are {', '.join(MODELS)}"
        )
    if MODELS[name] != info.task:
        fitting = [model for model, task in MODELS.items() if task == info.task]
        raise FieldError(
            lambda field: (
                f"{field('model')} {name} is for {MODELS[name]}, data set {info.name} for {info.task}: "
                f"use {', '.join(fitting)}"
            )
        )


def _check_weights_fit(name: str, config: LlamaConfig) -> None:
    # Linux would hand out the memory and end the process without a word once it is written.
    needed, present = FLOAT32_BYTES * config.parameters, machine().usable_memory_bytes
    if needed > present:
        raise FieldError(
            lambda field: (
                f"{field('model')} {name} has {needed / 1e9:.0f} GB of float32 weights, this machine "
                f"{present / 1e9:.0f} GB of memory: use llama-tiny, or build it on the meta device to study its shape"
            )
        )
