"""A training run in virtual time under seeded crashes: is every step applied once, in order, whatever dies when?

The parts that decide this are the real ones: `sampler.GlobalBatches` with its saved position, `checkpoint.newest_valid`
and `checkpoint.next_checkpoint_name`. Storage keeps the newest checkpoints as Ray Train does: a list of names, whose
oldest entry is removed together with the folder of that name. In place of a model there is a chain of digests: its
state is the sha256 of the state before and the batch, so that two runs end in the same state only if they applied the
same batches in the same order.

A schedule kills the group after some steps, several times; it may damage the newest checkpoint at that moment, cut off
the one being written, and bring the group back with another number of workers.

What is not covered: time (week 2 chooses the interval), random states of the ranks (tests/training/test_loop.py and
the drill do), and a storage that lies about what it keeps.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labsupport.training.checkpoint import CheckpointError, newest_valid, next_checkpoint_name
from labsupport.training.sampler import GlobalBatches, shard

NUM_SAMPLES = 70  # not a multiple of the batch: the incomplete one at the end of an epoch is left out
GLOBAL_BATCH = 8
EPOCHS = 3
CHECKPOINT_EVERY = 5
CHECKPOINTS_TO_KEEP = 3
WORKERS = (1, 2, 4, 8)
MOST_CRASHES = 4
CHAIN = b'"chain": "'  # in front of the digest in a payload

Load = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class Crash:
    """The group dies once it has done so many steps since its start, and comes back with some number of workers."""

    after_steps: int
    while_writing: bool
    """The step's checkpoint, if it has one, is cut off, and was never reported."""
    damages_newest: bool
    """As long as another one is sound: with every checkpoint damaged a run must refuse, not recover."""
    workers: int


def crash_schedule(seed: int) -> tuple[Crash, ...]:
    """Return the crashes of one seed, from 1 to `MOST_CRASHES`."""
    draw = random.Random(seed)  # noqa: S311 - a schedule that can be repeated, no secret
    return tuple(
        Crash(draw.randint(1, 12), draw.random() < 0.3, draw.random() < 0.5, draw.choice(WORKERS))
        for _ in range(draw.randint(1, MOST_CRASHES))
    )


@dataclass(frozen=True)
class Recovery:
    """What a run relies on when it comes back. Replacing one of them shows what that one is for."""

    choose: Callable[[Sequence[str], Load], tuple[int, list[str]]] = newest_valid
    resume: Callable[[GlobalBatches, dict[str, Any]], None] = GlobalBatches.load_state
    name: Callable[[int, Collection[str]], str] = next_checkpoint_name
    shard_fn: Callable[..., Sequence[int]] = shard
    verifies: bool = True


@dataclass(frozen=True)
class Survival:
    """How one schedule ended; `problem` is None where the run equals the undisturbed one."""

    seed: int
    crashes: int
    repeated_steps: int
    problem: str | None


def survive(seed: int, recovery: Recovery | None = None) -> Survival:
    """Run one schedule to the end of the training."""
    recovery = recovery or Recovery()
    storage, crashes, repeated = _Storage(recovery), crash_schedule(seed), 0
    before, workers = 0, 1
    try:
        for crash in (*crashes, None):
            chain, step, batches = _come_back(storage, recovery, workers)
            repeated += max(0, before - step)
            chain, step, finished = _train(chain, step, batches, storage, crash)
            if finished:
                break
            assert crash is not None, "without a crash a run goes on to its end"
            before, workers = step, crash.workers
            if crash.damages_newest:
                storage.damage_newest()
    except (CheckpointError, KeyError, ValueError) as error:
        return Survival(seed, len(crashes), repeated, f"{type(error).__name__}: {error}")
    equal = (chain, step) == baseline(recovery.shard_fn)
    return Survival(
        seed, len(crashes), repeated, None if equal else "applied other batches, or the same in another order"
    )


def failing_seeds(seeds: Iterable[int], recovery: Recovery | None = None) -> list[Survival]:
    """Return how the schedules ended in which something was lost, repeated or refused."""
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
    candidates = storage.reported[::-1]
    if not candidates:
        return "", 0, batches
    index, _ = recovery.choose(candidates, storage.load)
    saved = storage.load(candidates[index])
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
    """Checkpoints by name, with the newest few reported; a payload carries its digest."""

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery
        self._files: dict[str, tuple[bytes, str]] = {}
        self.reported: list[str] = []

    def write(self, state: dict[str, Any], *, cut_off: bool) -> None:
        payload = json.dumps(state).encode()
        name, digest = self._recovery.name(state["step"], self.reported), hashlib.sha256(payload).hexdigest()
        if cut_off:
            self._files[name] = payload[: len(payload) // 2], digest
            return
        self._files[name] = payload, digest
        self.reported.append(name)
        while len(self.reported) > CHECKPOINTS_TO_KEEP:
            del self._files[self.reported.pop(0)]

    def load(self, name: str) -> dict[str, Any]:
        payload, _ = self._files[name]
        if self._recovery.verifies and not self._is_sound(name):
            raise CheckpointError(f"{name}: sha256 differs from its sidecar")
        state: dict[str, Any] = json.loads(payload)
        return state

    def damage_newest(self) -> None:
        """Change one digit of the newest state: a file that still loads, as a torch file with flipped bytes does."""
        sound = [name for name in self.reported if self._is_sound(name)]
        if len(sound) > 1 and sound[-1] == self.reported[-1]:
            payload, digest = self._files[sound[-1]]
            digit = payload.index(CHAIN) + len(CHAIN)
            self._files[sound[-1]] = payload[:digit] + bytes([payload[digit] ^ 1]) + payload[digit + 1 :], digest

    def _is_sound(self, name: str) -> bool:
        payload, digest = self._files[name]
        return hashlib.sha256(payload).hexdigest() == digest
