"""Tensor parallelism of the small Llama: every matrix of a block split over the ranks, two all-reduces per block.

The first matrices of a block (q, k, v; gate, up) are cut by output rows, so that each rank computes its own heads or
its own part of the inner width from the whole input; the last one (o; down) is cut by input columns, so that each
rank's output is a summand of the block's. One all-reduce adds the summands up in the forward pass; in the backward pass
one all-reduce adds up the gradients of the shared input. Embeddings, norms and the output matrix are replicated and
get the same gradients on every rank.

Source: Shoeybi et al. 2019, "Megatron-LM" (arXiv:1909.08053), section 3.

Limitations: no sequence parallelism, no split of the vocabulary, no dropout (each rank would need the same mask).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from labsupport.errors import LabsError
from labsupport.training.models.llama import Attention, Llama, SwiGLU

BY_ROWS = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")
BY_COLUMNS = ("o_proj", "down_proj")


class _ShareInput(torch.autograd.Function):
    """The identity; its gradient is the sum over the ranks, each of which used the input for its own part."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class _SumOutputs(torch.autograd.Function):
    """The sum over the ranks; its gradient is the identity, since every rank's output is a summand."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0]


class SplitBlock(nn.Module):
    """A rank's part of an attention or SwiGLU block, which takes and returns what the whole block does."""

    def __init__(self, block: Attention | SwiGLU, rank: int, world_size: int) -> None:
        super().__init__()
        for name, linear in block.named_children():
            assert isinstance(linear, nn.Linear), "the blocks of the Llama hold linear layers only"
            by_rows = name in BY_ROWS
            weight = linear.weight.detach().chunk(world_size, dim=0 if by_rows else 1)[rank]
            linear.weight = nn.Parameter(weight.clone())
            linear.out_features, linear.in_features = linear.weight.shape
        self.block = block

    def forward(self, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        shared: torch.Tensor = _ShareInput.apply(x)
        out: torch.Tensor = _SumOutputs.apply(self.block(shared, *rest))
        return out


def split_over_ranks(model: Llama, rank: int, world_size: int) -> Llama:
    """Replace every block of a model, which is the same on all ranks, by this rank's part of it.

    Raises:
        LabsError: the heads or the inner width cannot be split equally, or the model drops values at random.
    """
    config = model.config
    for what, size in (
        ("num_key_value_heads", config.num_key_value_heads),
        ("num_attention_heads", config.num_attention_heads),
        ("intermediate_size", config.intermediate_size),
    ):
        if size % world_size:
            raise LabsError(f"{what} {size} cannot be split over {world_size} ranks: use a divisor of {size}")
    if config.dropout:
        raise LabsError(f"dropout is {config.dropout}: the ranks would drop other values; set it to 0")
    for layer in model.model.layers:
        for name, block in list(layer.named_children()):
            if isinstance(block, Attention | SwiGLU):
                setattr(layer, name, SplitBlock(block, rank, world_size))
    return model


def whole_state(model: Llama) -> dict[str, torch.Tensor]:
    """Gather the parts of all ranks into the state dict of the model that was split. Every rank calls it.

    Names and shapes are those of the whole model, so the result loads into one.
    """
    world_size = dist.get_world_size()
    state = {}
    for name, tensor in model.state_dict().items():
        matrix = name.split(".")[-2]
        whole = tensor
        if ".block." in name and world_size > 1:
            parts = [torch.empty_like(tensor) for _ in range(world_size)]
            dist.all_gather(parts, tensor.contiguous())
            whole = torch.cat(parts, dim=1 if matrix in BY_COLUMNS else 0)
        state[name.replace(".block.", ".")] = whole
    return state
