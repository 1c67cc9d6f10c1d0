"""One small training, written once for one process and for ranks that split the model; what the tests compare."""

from __future__ import annotations

import torch

from labsupport.training.models.llama import Llama
from labsupport.training.models.llama_config import LlamaConfig
from labsupport.training.models.losses import token_loss
from labsupport.training.parallel.pipeline import Stage, run_step
from labsupport.training.parallel.pipeline_schedule import gpipe, one_forward_one_backward
from labsupport.training.parallel.tensor_parallel import split_over_ranks, whole_state

CONFIG = LlamaConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=4)
STEPS, MICRO_BATCHES, LR = 5, 4, 0.5
SCHEDULES = {"gpipe": gpipe, "1f1b": one_forward_one_backward}


def model() -> Llama:
    torch.manual_seed(0)
    return Llama(CONFIG).double()


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and next tokens, (8, 12) each."""
    tokens = torch.randint(0, 256, (8, 13), generator=torch.Generator().manual_seed(step))
    return tokens[:, :-1], tokens[:, 1:]


def alone() -> tuple[list[float], dict[str, torch.Tensor]]:
    """Train in one process; return losses and parameters."""
    whole = model()
    optimizer = torch.optim.SGD(whole.parameters(), LR, momentum=0.9)
    losses = []
    for step in range(STEPS):
        inputs, targets = batch(step)
        loss = token_loss(whole(inputs), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses, whole.state_dict()


def tensor_parallel(rank: int, world_size: int) -> dict[str, object]:
    split = split_over_ranks(model(), rank, world_size)
    optimizer = torch.optim.SGD(split.parameters(), LR, momentum=0.9)
    losses = []
    for step in range(STEPS):
        inputs, targets = batch(step)
        loss = token_loss(split(inputs), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return {"losses": losses, "state": whole_state(split), "parameters": sum(p.numel() for p in split.parameters())}


def pipeline(rank: int, world_size: int, schedule: str) -> dict[str, object]:
    stage = Stage(model(), rank, world_size)
    actions = SCHEDULES[schedule](world_size, MICRO_BATCHES)[rank]
    optimizer = torch.optim.SGD(stage.parameters(), LR, momentum=0.9)
    losses = []
    for step in range(STEPS):
        inputs, targets = batch(step)
        loss = run_step(stage, actions, rank, inputs.chunk(MICRO_BATCHES), targets.chunk(MICRO_BATCHES), torch.float64)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(None if loss is None else loss.item())
    return {"losses": losses, "state": stage.state_dict()}


def both_ways(rank: int, world_size: int) -> dict[str, object]:
    return {"tensor parallel": tensor_parallel(rank, world_size), "pipeline": pipeline(rank, world_size, "gpipe")}
