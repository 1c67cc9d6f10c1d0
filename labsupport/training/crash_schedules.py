"""A training run in virtual time under seeded crashes: is every step applied once, in order, whatever dies when?

The parts that decide this are the real ones: `sampler.GlobalBatches` with its saved position, the choice of the
checkpoint to resume from and of those that can be removed (labsupport.training.recovery), and the names of checkpoints.
In place of a model there is a chain of digests: its state is the sha256 of the state before and the batch, so that two
runs end in the same state only if they applied the same batches in the same order.

A schedule kills the group after some steps, several times, and brings it back with some number of workers. At such a
moment the checkpoint that is being written may be cut off, the newest one may be damaged or deleted, or all of them may
be gone, and the run must be refused.

Limitations: no time (week 2 chooses the interval), no random states of the ranks (tests/training/test_loop.py and the
drill have them), and no storage that lies about what it keeps.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from labsupport.training.checkpoint import CheckpointError, IncompleteError, newest_first, next_checkpoint_name
from labsupport.training.recovery import LostRunError, StartingPoint, obsolete, starting_point
from labsupport.training.sampler import GlobalBatches, shard

NUM_SAMPLES = 70  # not a multiple of the batch: the incomplete one at the end of an epoch is left out
GLOBAL_BATCH = 8
EPOCHS = 3
CHECKPOINT_EVERY = 5
CHECKPOINTS_TO_KEEP = 3
WORKERS = (1, 2, 4, 8)
MOST_CRASHES = 4
CHAIN = b'"chain": "'  # in front of the digest in a payload


class Loss(Enum):
    """What happens to the checkpoints while the group is down."""

    NOTHING = "nothing"
    NEWEST_DAMAGED = "the newest is damaged"
    NEWEST_DELETED = "the newest is deleted"
    ALL_DELETED = "all are deleted"


# Two of the losses leave the run as it is when only one checkpoint is sound: `Loss.ALL_DELETED` is the case of none.
LOSSES = (Loss.NOTHING,) * 8 + (Loss.NEWEST_DAMAGED,) * 8 + (Loss.NEWEST_DELETED,) * 3 + (Loss.ALL_DELETED,)


@dataclass(frozen=True)
class Crash:
    """The group dies once it has done so many steps since its start, and comes back with some number of workers."""

    after_steps: int
    while_writing: bool
    """The step's checkpoint, if it has one, is cut off."""
    loss: Loss
    workers: int


def crash_schedule(seed: int) -> tuple[Crash, ...]:
    """Return the crashes of one seed, from 1 to `MOST_CRASHES`."""
    draw = random.Random(seed)  # noqa: S311 - a schedule that can be repeated, no secret
    return tuple(
        Crash(draw.randint(1, 12), draw.random() < 0.3, draw.choice(LOSSES), draw.choice(WORKERS))
        for _ in range(draw.randint(1, MOST_CRASHES))
    )


def newest_only(names: Collection[str], verify: Callable[[str], Any], saved_step: int) -> StartingPoint:
    """Choose the newest checkpoint, or none: what a trainer does that knows no other."""
    return starting_point(newest_first(names)[:1], verify, saved_step)


@dataclass(frozen=True)
class Recovery:
    """What a run relies on when it comes back. Replacing one of them shows what that one is for."""

    choose: Callable[[Collection[str], Callable[[str], Any], int], StartingPoint] = starting_point
    resume: Callable[[GlobalBatches, dict[str, Any]], None] = GlobalBatches.load_state
    shard_fn: Callable[..., Sequence[int]] = shard
    verifies: bool = True
    remembers: bool = True
    """That checkpoints were written, also where they are gone."""


@dataclass(frozen=True)
class Survival:
    """How one schedule ended."""

    seed: int
    crashes: int
    repeated_steps: int
    problem: str | None
    """None where the run equals the baseline, and where nothing was left that it could have resumed from."""
    refused: bool = False
    """The run was given up by name."""


def survive(seed: int, recovery: Recovery | None = None) -> Survival:
    """Run one schedule to the end of the training."""
    recovery = recovery or Recovery()
    storage, crashes, repeated = _Storage(recovery), crash_schedule(seed), 0
    before, workers = 0, 1

    def ended(problem: str | None, *, refused: bool = False) -> Survival:
        return Survival(seed, len(crashes), repeated, problem, refused)

    for crash in (*crashes, None):
        saved_step = storage.saved_step
        try:
            chain, step, batches = _come_back(storage, recovery, workers)
        except LostRunError as error:
            return ended(f"refused: {error}" if storage.sound() else None, refused=True)
        except ValueError as error:
            return ended(f"{type(error).__name__}: {error}")
        if saved_step and not step:
            return ended(f"started again at step 0, although step {saved_step} had been saved")
        repeated += max(0, before - step)
        chain, step, finished = _train(chain, step, batches, storage, crash)
        if finished:
            break
        assert crash is not None, "without a crash a run goes on to its end"
        before, workers = step, crash.workers
        storage.lose(crash.loss)
    equal = (chain, step) == baseline(recovery.shard_fn)
    return ended(None if equal else "applied other batches, or the same in another order")


def failing_seeds(seeds: Iterable[int], recovery: Recovery | None = None) -> list[Survival]:
    """Return how the schedules ended in which something was lost, repeated or wrongly refused."""
    return [survival for seed in seeds if (survival := survive(seed, recovery)).problem is not None]


def baseline(shard_fn: Callable[..., Sequence[int]] = shard) -> tuple[str, int]:
    """Return the last state and step of one worker that nothing disturbs; written without `GlobalBatches`."""
    chain, step = "", 0
    for epoch in range(EPOCHS):
        order = shard_fn(NUM_SAMPLES, 1, 0, epoch=epoch, seed=0)
        for first in range(0, NUM_SAMPLES - GLOBAL_BATCH + 1, GLOBAL_BATCH):
            chain, step = _applied(chain, order[first : first + GLOBAL_BATCH]), step + 1
    return chain, step


def _applied(chain: str, batch: Iterable[int]) -> str:
    # Sorted: which worker has which sample of a global batch makes no difference to the step.
    return hashlib.sha256(f"{chain}{sorted(batch)}".encode()).hexdigest()


def _come_back(storage: _Storage, recovery: Recovery, workers: int) -> tuple[str, int, list[GlobalBatches]]:
    batches = [
        GlobalBatches(NUM_SAMPLES, GLOBAL_BATCH, rank, workers, shard_fn=recovery.shard_fn) for rank in range(workers)
    ]
    start = recovery.choose(storage.names(), storage.load, storage.saved_step if recovery.remembers else 0)
    saved: dict[str, Any] = {"chain": "", "step": 0}
    if start.checkpoint is not None:
        saved = storage.load(start.checkpoint)
    storage.begin(saved["step"], start.skipped)
    if start.checkpoint is not None:
        for rank in batches:
            recovery.resume(rank, saved["position"])
    return saved["chain"], saved["step"], batches


def _train(
    chain: str, step: int, batches: list[GlobalBatches], storage: _Storage, crash: Crash | None
) -> tuple[str, int, bool]:
    """Train until the crash or the end; say which of the two it was."""
    done, length, last_step = 0, len(batches[0]), EPOCHS * len(batches[0])
    while step < last_step:
        for shares in zip(*batches, strict=True):
            chain, step, done = _applied(chain, (sample for share in shares for sample in share)), step + 1, done + 1
            for rank in batches:
                rank.step += 1
            ends_epoch = batches[0].step == length
            if ends_epoch:
                for rank in batches:
                    rank.next_epoch()
            dies = crash is not None and done == crash.after_steps
            if ends_epoch or step % CHECKPOINT_EVERY == 0:
                state = {"chain": chain, "step": step, "position": batches[0].state()}
                storage.write(state, cut_off=dies and crash is not None and crash.while_writing)
            if dies:
                return chain, step, False
            if ends_epoch or step == last_step:
                break
    return chain, step, True


class _Storage:
    """Checkpoints by name, each a payload with its digest, which one that was cut off has not; and the last event."""

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery
        self._files: dict[str, tuple[bytes, str | None]] = {}
        self._skipped: Collection[str] = ()
        self.saved_step = 0

    def names(self) -> list[str]:
        return list(self._files)

    def begin(self, step: int, skipped: Collection[str]) -> None:
        """Note where the group has come back."""
        self.saved_step, self._skipped = step, skipped

    def write(self, state: dict[str, Any], *, cut_off: bool) -> None:
        payload = json.dumps(state).encode()
        name = next_checkpoint_name(state["step"], self._files)
        assert name not in self._files, "two attempts never write into one folder"
        if cut_off:
            self._files[name] = payload[: len(payload) // 2], None
            return
        self._files[name] = payload, hashlib.sha256(payload).hexdigest()
        self.saved_step = state["step"]
        for old in obsolete(self._files, self._skipped, CHECKPOINTS_TO_KEEP):
            del self._files[old]

    def load(self, name: str) -> dict[str, Any]:
        payload, digest = self._files[name]
        if digest is None:
            raise IncompleteError(f"{name}: No such file or directory")
        if self._recovery.verifies and not self._is_sound(name):
            raise CheckpointError(f"{name}: sha256 differs from its sidecar")
        state: dict[str, Any] = json.loads(payload)
        return state

    def lose(self, loss: Loss) -> None:
        """Damage or delete checkpoints."""
        newest, *others = self.sound() or ("",)
        if loss is Loss.ALL_DELETED:
            self._files.clear()
        elif loss is Loss.NEWEST_DELETED and others:
            del self._files[newest]
        elif loss is Loss.NEWEST_DAMAGED and others:
            # One digit of the state: a file that still loads, as a torch file with flipped bytes does.
            payload, digest = self._files[newest]
            digit = payload.index(CHAIN) + len(CHAIN)
            self._files[newest] = payload[:digit] + bytes([payload[digit] ^ 1]) + payload[digit + 1 :], digest

    def sound(self) -> list[str]:
        """Return the names of what can be resumed from, the newest first."""
        return [name for name in newest_first(self._files) if self._is_sound(name)]

    def _is_sound(self, name: str) -> bool:
        payload, digest = self._files[name]
        return hashlib.sha256(payload).hexdigest() == digest
