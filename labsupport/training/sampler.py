"""Which samples a worker sees, in an order that depends neither on the number of workers nor on interruptions.

One permutation per (seed, epoch) is the global order. Rank r of W takes every W-th sample of it, so the ranks together
walk through the same order for every W, and a run that stops after `start` samples goes on at exactly that sample,
with as many workers as it then has. This is the property that MosaicML's Streaming calls elastic determinism.

Limitations: no weighting or balancing of classes, and no iterable data without random access.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

EPOCH_STRIDE = 1_000_003  # prime, so that (seed, epoch) pairs used in practice never meet in one generator seed


class Shard(Protocol):
    """A rule that deals the samples of one epoch to the ranks. The exercise of week 1 has this signature."""

    def __call__(
        self, num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0
    ) -> Sequence[int]: ...


def shard(num_samples: int, world_size: int, rank: int, *, epoch: int, seed: int, start: int = 0) -> list[int]:
    """Return the sample indices of `rank` for one epoch, from global position `start` on.

    Round robin: the sample at global position p goes to rank (p - start) mod W. Every sample is dealt exactly once and
    the shares differ by at most one.

    Raises:
        ValueError: the rank is not in [0, world_size), or start not in [0, num_samples].
    """
    import torch

    if not 0 <= rank < world_size:
        raise ValueError(f"rank {rank} is not in [0, {world_size})")
    if not 0 <= start <= num_samples:
        raise ValueError(f"start {start} is not in [0, {num_samples}]")
    # A generator of its own: drawing from the global one would move every later dropout mask.
    generator = torch.Generator().manual_seed(seed * EPOCH_STRIDE + epoch)
    order: list[int] = torch.randperm(num_samples, generator=generator)[start:].tolist()
    return order[rank::world_size]


class GlobalBatches:
    """Yield this rank's part of each global batch, and know where the epoch stands.

    A global batch is `global_batch` consecutive samples of the global order, whatever the number of workers. The last
    incomplete batch of an epoch is left out, so that every step averages equal shares.
    """

    def __init__(
        self,
        num_samples: int,
        global_batch: int,
        rank: int = 0,
        world_size: int = 1,
        *,
        seed: int = 0,
        shard_fn: Callable[..., Sequence[int]] = shard,
    ) -> None:
        if world_size < 1 or global_batch % world_size:
            raise ValueError(f"{world_size} workers do not divide the global batch of {global_batch} samples")
        if global_batch > num_samples:
            raise ValueError(f"a global batch of {global_batch} samples is larger than the data set of {num_samples}")
        self.num_samples, self.global_batch = num_samples, global_batch
        self.rank, self.world_size, self.seed, self.shard_fn = rank, world_size, seed, shard_fn
        self.epoch = 0
        self.step = 0  # steps of this epoch already done

    def __len__(self) -> int:
        return self.num_samples // self.global_batch

    def __iter__(self) -> Iterator[list[int]]:
        start = self.step * self.global_batch
        mine = self.shard_fn(
            self.num_samples, self.world_size, self.rank, epoch=self.epoch, seed=self.seed, start=start
        )
        share = self.global_batch // self.world_size
        for first in range(0, (len(self) - self.step) * share, share):
            yield list(mine[first : first + share])

    def next_epoch(self) -> None:
        """Go to the first step of the next epoch."""
        self.epoch, self.step = self.epoch + 1, 0

    def state(self) -> dict[str, int]:
        """Return the position, and what it is only valid for."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "num_samples": self.num_samples,
            "global_batch": self.global_batch,
            "seed": self.seed,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue at a saved position.

        Raises:
            ValueError: the data set, the global batch or the seed has changed, so the position means another sample.
        """
        for name in ("num_samples", "global_batch", "seed"):
            if state[name] != getattr(self, name):
                raise ValueError(f"{name} is {getattr(self, name)}, and {state[name]} in the checkpoint")
        self.epoch, self.step = state["epoch"], state["step"]
