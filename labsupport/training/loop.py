"""The training loop of one worker, free of Ray: what it needs from outside is the `Replica` it is given.

The same function trains alone (`Alone`: one process, no checkpoints, the reference that every distributed run is
compared with) and inside a Ray worker (labsupport.training.trainer). Everything that decides a loss is fixed by the
spec: the model's first weights by the seed, the order of samples by seed and epoch, and each rank's random numbers by
seed and rank.

Limitations: no mixed precision, no gradient accumulation and no sharded models (all week 2).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from labsupport.errors import FieldError
from labsupport.hardware import usable_gpus
from labsupport.training.checkpoint import random_state, restore_random_state, save_checkpoint
from labsupport.training.determinism import repeatable
from labsupport.training.device_use import arithmetic
from labsupport.training.events import EventLog, read_events
from labsupport.training.learning_rate import learning_rate
from labsupport.training.result import TrainResult
from labsupport.training.sampler import GlobalBatches, shard
from labsupport.training.spec import TrainSpec
from labsupport.training.step_log import StepLog

if TYPE_CHECKING:
    import torch

    from labsupport.training.data.samples import Samples


@dataclass(frozen=True)
class Saved:
    """What a run starts from."""

    run_state: dict[str, Any] | None = None
    """None: it starts at step 0."""
    random_state: dict[str, Any] | None = None
    """Of this rank; None where the number of workers has changed, since their streams cannot be continued then. Such a
    resume repeats the order of samples exactly, and the losses to rounding if the model draws no random numbers."""
    skipped: tuple[str, ...] = ()
    """Newer checkpoints that cannot be used, and why."""


class Replica(Protocol):
    """What a training loop needs to know of the group of workers it is part of."""

    rank: int
    world_size: int
    device: torch.device

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the model so wrapped that backward() averages gradients over all workers."""

    def saved(self) -> Saved:
        """Return what the newest usable checkpoint of the run holds."""

    def broadcast_buffers(self, model: torch.nn.Module) -> None:
        """Give every worker rank 0's buffers: the running statistics of batch norm, which each takes of its share."""

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """Keep a checkpoint, of which `write` puts this rank's part into a folder. Every rank calls it alike."""

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the element-wise sum of `values` over all workers."""


class Alone:
    """A group of one: the reference run, in this process."""

    rank, world_size = 0, 1

    def __init__(self, device: torch.device | None = None) -> None:
        import torch

        self.device = device or torch.device("cpu")

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        return model.to(self.device)

    def saved(self) -> Saved:
        return Saved()

    def broadcast_buffers(self, model: torch.nn.Module) -> None:
        """There is nobody to agree with."""

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """Nothing is kept; the events of the log are the record."""

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        return values


@dataclass(frozen=True)
class WorkerResult:
    """What one worker returns: plain values, equal on all ranks."""

    accuracy: float
    checksum: str


def run_worker(
    spec: TrainSpec, replica: Replica, log: EventLog, shard_fn: Callable[..., Sequence[int]] = shard
) -> WorkerResult:
    """Train one replica from the newest checkpoint, or from the start, to the end of the spec."""
    with repeatable(spec.deterministic, replica.device):
        return _run(spec, replica, log, shard_fn)


def _run(spec: TrainSpec, replica: Replica, log: EventLog, shard_fn: Callable[..., Sequence[int]]) -> WorkerResult:
    import random

    import numpy as np
    import torch
    from torch.utils.data import DataLoader

    from labsupport.training.data import load_dataset
    from labsupport.training.models import build_model, check_share, loss_function

    torch.set_num_threads(spec.threads_per_worker)
    dataset, info = load_dataset(spec.dataset, "train", **spec.data_options())
    test_set, _ = load_dataset(spec.dataset, "test", **spec.data_options())
    check_share(spec.model, info, norm=spec.norm, global_batch=spec.global_batch, num_workers=replica.world_size)
    dtype = getattr(torch, spec.dtype)
    model = build_model(
        spec.model, info, norm=spec.norm, dtype=dtype, seed=spec.seed, width=spec.width, dropout=spec.dropout
    )
    model = replica.prepare(model)
    core = getattr(model, "module", model)
    optimizer = torch.optim.SGD(
        model.parameters(), spec.base_lr, momentum=spec.momentum, weight_decay=spec.weight_decay
    )
    loss_of = loss_function(info.task)
    # From here on every rank draws its own numbers: dropout and augmentation must differ between replicas.
    own_seed = spec.seed + 99 + replica.rank
    torch.manual_seed(own_seed)
    np.random.seed(own_seed)
    random.seed(own_seed)
    batches = GlobalBatches(
        len(dataset), spec.global_batch, replica.rank, replica.world_size, seed=spec.seed, shard_fn=shard_fn
    )
    total_steps = spec.epochs * len(batches)
    last_step = min(total_steps, spec.max_steps or total_steps)
    step, accuracy = 0, None

    saved = replica.saved()
    if saved.run_state is not None:
        core.load_state_dict(saved.run_state["model"])
        optimizer.load_state_dict(saved.run_state["optimizer"])
        batches.load_state(saved.run_state["position"])
        step, accuracy = saved.run_state["step"], saved.run_state["accuracy"]
        if saved.random_state is not None:
            restore_random_state(saved.random_state)
    log.emit(
        "start", step=step, world_size=replica.world_size, last_step=last_step, steps_per_epoch=len(batches),
        device=str(replica.device), deterministic=spec.deterministic, samples=len(dataset), skipped=saved.skipped,
    )  # fmt: skip

    def write(folder: Path) -> None:
        state = {
            "model": core.state_dict(),
            "optimizer": optimizer.state_dict(),
            "position": batches.state(),
            "step": step,
            "accuracy": accuracy,
            "world_size": replica.world_size,
            "spec": spec.as_dict(),
        }
        save_checkpoint(folder, replica.rank, state if replica.rank == 0 else None)

    steps = StepLog(log, replica)
    while step < last_step:
        model.train()
        # Without a generator of its own, building the iterator draws from the global one: a run resumed inside an
        # epoch builds one iterator more and every dropout mask after it would be another.
        loader = DataLoader(dataset, batch_sampler=batches, generator=torch.Generator().manual_seed(batches.epoch))
        steps.waits_for_data()
        for inputs, targets in loader:
            inputs = inputs.to(replica.device, dtype if inputs.is_floating_point() else None)
            targets = targets.to(replica.device)
            rate = learning_rate(
                step, base_lr=spec.base_lr, base_batch=spec.base_batch, global_batch=spec.global_batch,
                warmup_steps=int(spec.warmup_fraction * total_steps), total_steps=total_steps,
            )  # fmt: skip
            steps.begins()
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = loss_of(model(inputs), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            batches.step += 1
            steps.ends(step, batches.epoch, loss)
            ends_epoch = batches.step == len(batches)
            if not (ends_epoch or step == last_step or step % spec.checkpoint_every == 0):
                continue
            mean_loss = steps.settle()
            if ends_epoch or step == last_step:
                # The shares of a test set must be judged by one model, the one that is saved.
                replica.broadcast_buffers(core)
                accuracy = evaluate(core, test_set, spec, replica)
                log.emit("epoch", step=step, epoch=batches.epoch, loss=mean_loss.hex(), accuracy=accuracy)
            if ends_epoch:
                batches.next_epoch()
            started = time.perf_counter()
            replica.save(step, write)
            log.emit("checkpoint", step=step, seconds=time.perf_counter() - started)
            if ends_epoch or step == last_step:
                break
            steps.waits_for_data()
    checksum = digest(core)
    measures = replica.device.type == "cuda" and replica.rank == 0
    flops = arithmetic(spec, info, dataset[0][0], replica.device) if measures else {}
    log.emit("end", step=step, checksum=checksum, **flops)
    if accuracy is None:
        raise AssertionError("unreachable: the last step evaluates")
    return WorkerResult(accuracy, checksum)


def digest(model: torch.nn.Module) -> str:
    """Return the sha256 of all parameters and buffers, which is equal only where every bit of them is."""
    import torch

    result = hashlib.sha256()
    for tensor in model.state_dict().values():
        result.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return result.hexdigest()


def evaluate(model: torch.nn.Module, dataset: Samples, spec: TrainSpec, replica: Replica) -> float:
    """Return the share of correct predictions on a split, of images or of tokens, over all workers.

    `model` is the bare one and not DDP's: the workers' shares differ in length, and its broadcasts would hang.
    """
    import torch

    mine = range(replica.rank, len(dataset), replica.world_size)
    dtype = getattr(torch, spec.dtype)
    counts = torch.zeros(2, dtype=torch.float64, device=replica.device)  # correct, all
    model.eval()
    with torch.no_grad():
        for first in range(0, len(mine), spec.global_batch):
            pairs = [dataset[index] for index in mine[first : first + spec.global_batch]]
            inputs = torch.stack([pair[0] for pair in pairs]).to(replica.device)
            targets = torch.stack([torch.as_tensor(pair[1]) for pair in pairs]).to(replica.device)
            predictions = model(inputs.to(dtype) if inputs.is_floating_point() else inputs).argmax(-1)
            counts[0] += (predictions == targets).sum()
            counts[1] += targets.numel()
    model.train()
    correct, total = replica.sum(counts).tolist()
    return correct / total


def train_alone(spec: TrainSpec, folder: Path, shard_fn: Callable[..., Sequence[int]] = shard) -> TrainResult:
    """Train in this process, on the same global batches as any distributed run of the spec; events go to `folder`.

    The device is that of the spec's workers: a GPU where each of them gets one, else the CPU. PyTorch's threads and
    settings and the global random generators are afterwards as they were.

    Raises:
        LabsError: there is no such device, or the spec cannot be trained on it.
    """
    import torch

    device = torch.device("cuda" if spec.gpus_per_worker else "cpu")
    if spec.gpus_per_worker and not usable_gpus():
        raise FieldError(lambda name: f"{name('gpus_per_worker')} is {spec.gpus_per_worker}: no GPU can be used here")
    began = time.time()
    log = EventLog(folder / "events", rank=0)
    with closing(log), repeatable(spec.deterministic, device), _left_alone(device):
        worker = run_worker(spec, Alone(device), log, shard_fn)
    return TrainResult(
        spec, folder, tuple(read_events(folder / "events")), worker.accuracy, worker.checksum, began=began,
        wall_s=time.time() - began,
    )  # fmt: skip


@contextmanager
def _left_alone(device: torch.device) -> Iterator[None]:
    """Put PyTorch's threads and the global random generators of this process back after the block."""
    import torch

    if device.type == "cuda":
        torch.cuda.init()  # its generator is one of them
    threads, numbers = torch.get_num_threads(), random_state()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        restore_random_state(numbers)
