"""Pipeline parallelism of the small Llama: each rank holds some layers, micro-batches travel from rank to rank.

What runs when is a schedule (pipeline_schedule: GPipe, 1F1B, or your own); this module only executes a stage's list of
actions: receive, compute, send. Activations are kept from a micro-batch's forward to its backward and dropped there,
so that memory is what the schedule's validator says.

Limitations: no interleaved stages; sends are not overlapped with a receive of the same action; no dropout (a stage's
random numbers would depend on the schedule).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import nn

from labsupport.errors import LabsError
from labsupport.training.models.llama import Llama, rotation
from labsupport.training.models.losses import token_loss
from labsupport.training.parallel.pipeline_schedule import Action, Pass


class Stage(nn.Module):
    """Consecutive layers of a Llama; the first stage embeds tokens, the last one ends in logits.

    Parameters keep the names they have in the whole model.
    """

    def __init__(self, whole: Llama, stage: int, stages: int) -> None:
        super().__init__()
        config = whole.config
        if config.num_hidden_layers % stages:
            raise LabsError(
                f"num_hidden_layers {config.num_hidden_layers} cannot be split over {stages} stages: use a divisor"
            )
        if config.dropout or config.tie_word_embeddings:
            raise LabsError("dropout and tie_word_embeddings must be off: stages share neither masks nor matrices")
        share = config.num_hidden_layers // stages
        self.config, self.is_first, self.is_last = config, stage == 0, stage == stages - 1
        self.model = nn.Module()
        mine = range(stage * share, (stage + 1) * share)
        self.model.layers = nn.ModuleDict({str(number): whole.model.layers[number] for number in mine})
        if self.is_first:
            self.model.embed_tokens = whole.model.embed_tokens
        if self.is_last:
            self.model.norm, self.lm_head = whole.model.norm, whole.lm_head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Take tokens (N, T) or hidden states (N, T, hidden_size); return hidden states or logits."""
        if self.is_first:
            x = self.model.get_submodule("embed_tokens")(x)
        positions = torch.arange(x.shape[1], device=x.device)
        turn = rotation(positions, self.config.head_size, self.config.rope_theta, x.dtype)
        for layer in self.model.get_submodule("layers").children():
            x = layer(x, turn)
        if self.is_last:
            x = self.lm_head(self.model.get_submodule("norm")(x))
        return x


def run_step(
    stage: Stage,
    actions: Sequence[Action],
    rank: int,
    inputs: Sequence[torch.Tensor],
    targets: Sequence[torch.Tensor],
    dtype: torch.dtype,
) -> torch.Tensor | None:
    """Do one step's forwards and backwards; gradients are those of the mean loss over all micro-batches.

    Args:
        inputs: tokens (N, T) of each micro-batch; only the first stage reads their values.
        targets: next tokens of each micro-batch; only the last stage reads them.

    Returns:
        The mean loss on the last stage, None on the others.
    """
    shape = (*inputs[0].shape, stage.config.hidden_size)
    held: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}  # micro-batch -> what went in and what came out
    sends: list[tuple[dist.Work, torch.Tensor]] = []  # a buffer must live until it has been sent
    total = torch.zeros((), dtype=dtype)
    for action in actions:
        m = action.micro_batch
        if action.part is Pass.FORWARD:
            given = inputs[m] if stage.is_first else _received(shape, dtype, rank - 1, tag=2 * m)
            result = stage(given.requires_grad_(not stage.is_first))
            if stage.is_last:
                result = token_loss(result, targets[m]) / len(inputs)
                total += result.detach()
            else:
                sends.append(_sent(result.detach(), rank + 1, tag=2 * m))
            held[m] = given, result
        else:
            given, result = held.pop(m)
            gradient = None if stage.is_last else _received(shape, dtype, rank + 1, tag=2 * m + 1)
            torch.autograd.backward(result, gradient)
            if not stage.is_first:
                assert given.grad is not None, "the input of a later stage requires a gradient"
                sends.append(_sent(given.grad, rank - 1, tag=2 * m + 1))
    for work, _ in sends:
        work.wait()
    return total if stage.is_last else None


def _received(shape: tuple[int, ...], dtype: torch.dtype, source: int, *, tag: int) -> torch.Tensor:
    buffer = torch.empty(shape, dtype=dtype)
    dist.recv(buffer, src=source, tag=tag)
    return buffer


def _sent(tensor: torch.Tensor, destination: int, *, tag: int) -> tuple[dist.Work, torch.Tensor]:
    tensor = tensor.contiguous()
    work = dist.isend(tensor, dst=destination, tag=tag)
    assert work is not None, "this rank is part of the group"
    return work, tensor
