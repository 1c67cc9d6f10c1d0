"""The loss of each task, as a pure function of what the model puts out and what the data set expects."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F  # noqa: N812 - the name PyTorch's own documentation uses

from labsupport.training.data.info import Task

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def class_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean cross entropy in nats of logits (N, classes) against labels (N,)."""
    return F.cross_entropy(logits, labels)


def token_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross entropy in nats per token of logits (N, T, vocabulary) against next tokens (N, T)."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


LOSSES: dict[Task, Loss] = {Task.CLASSIFICATION: class_loss, Task.LANGUAGE_MODELLING: token_loss}
