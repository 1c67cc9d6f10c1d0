"""The learning rate of a step: linear scaling with the global batch, warm-up, cosine decay.

Source: Goyal et al. 2017, "Accurate, Large Minibatch SGD", sections 2.1-2.2 (linear scaling, gradual warm-up from the
unscaled rate); the cosine is that of Loshchilov and Hutter 2016, without restarts.
"""

from __future__ import annotations

import math


def learning_rate(
    step: int, *, base_lr: float, base_batch: int, global_batch: int, warmup_steps: int, total_steps: int
) -> float:
    """Return the rate of optimiser step `step` (0-based).

    The peak is base_lr * global_batch / base_batch. During warm-up the rate rises linearly from base_lr (step 0) to
    the peak (step warmup_steps); then a half cosine falls from the peak to 0 at total_steps.

    Raises:
        ValueError: warmup_steps is not in [0, total_steps), or a size is not positive.
    """
    if not 0 <= warmup_steps < total_steps:
        raise ValueError(f"warmup_steps {warmup_steps} is not in [0, total_steps = {total_steps})")
    if base_batch < 1 or global_batch < 1:
        raise ValueError(f"batch sizes must be positive: base_batch {base_batch}, global_batch {global_batch}")
    peak = base_lr * global_batch / base_batch
    if step < warmup_steps:
        return base_lr + (peak - base_lr) * step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
