"""Run a training spec on Ray Train: a thin shell around labsupport.training.loop.

Ray Train V2 starts one process per worker, joins them in a process group (gloo on CPUs, NCCL on GPUs) and restarts the
group when a worker dies. The loop then asks for the newest checkpoint that verifies on every rank; rank 0 decides and
the others follow. `train()` is what the command `labs train` and the labs call.

A checkpoint is written where it stays and is reported from there: Ray's own upload copies files without fsync, and a
copy is not durable because its source was.

What is not covered: elastic worker counts, and storage that the workers of several machines do not share.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labsupport.durable import make_folder_durably
from labsupport.errors import FieldError, LabsError
from labsupport.hardware import machine, usable_gpus
from labsupport.training import determinism, ray_session, run_folder
from labsupport.training.checkpoint import (
    CheckpointError,
    load_verified,
    newest_valid,
    next_checkpoint_name,
)
from labsupport.training.events import EventLog, read_events
from labsupport.training.loop import RUN_STATE, Saved, run_worker
from labsupport.training.result import TrainResult
from labsupport.training.sampler import shard
from labsupport.training.spec import TrainSpec

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

GROUP_TIMEOUT_S = 60  # how long a rank waits for the others; PyTorch's 1800 s would hang a lab
FOLLOW_EVERY_S = 0.2
FOLLOWER_ENDS_WITHIN_S = 5
RAY_INTERRUPTED = (0, 1)  # the exit codes that Ray's handler for SIGINT ends with


class RayReplica:
    """One Ray Train worker, as the training loop sees it."""

    def __init__(self) -> None:
        import ray.train
        import ray.train.torch

        context = ray.train.get_context()
        self.rank, self.world_size = context.get_world_rank(), context.get_world_size()
        self.device = ray.train.torch.get_device()
        self._taken: set[str] = set()  # names of checkpoints that the run already has, the same on every rank

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        import ray.train.torch

        prepared: torch.nn.Module = ray.train.torch.prepare_model(model)
        return prepared

    def saved(self) -> Saved | None:
        import ray.train
        import torch.distributed as dist

        latest = ray.train.get_checkpoint()
        if latest is None:
            return None
        reported = [item.checkpoint for item in ray.train.get_all_reported_checkpoints()]
        candidates = reported[::-1] or [latest]
        self._taken = {Path(candidate.path).name for candidate in candidates}
        choice: list[Any] = [None, (), ""]  # index, skipped, why there is none
        if self.rank == 0:
            try:
                choice[:2] = newest_valid(candidates, _load_all)
            except CheckpointError as error:
                choice[2] = str(error)
        if dist.is_initialized():
            dist.broadcast_object_list(choice, src=0)
        index, skipped, problem = choice
        if index is None:
            raise CheckpointError(problem)
        run_state, random_states = _load_all(candidates[index])
        same_world_size = run_state["world_size"] == self.world_size
        return Saved(run_state, random_states[self.rank] if same_world_size else None, tuple(skipped))

    def broadcast_buffers(self, model: torch.nn.Module) -> None:
        import torch.distributed as dist

        if dist.is_initialized():
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def report(self, metrics: dict[str, float], write: Callable[[Path], None]) -> None:
        import ray.train
        from ray.train import CheckpointUploadMode

        # One folder for all ranks. Ray registers it once every rank has reported it; one that a crash left unreported
        # is written over.
        run = Path(ray.train.get_context().get_storage().experiment_fs_path)
        folder = run / next_checkpoint_name(int(metrics["step"]), self._taken)
        make_folder_durably(folder)
        write(folder)
        ray.train.report(
            metrics,
            checkpoint=ray.train.Checkpoint.from_directory(str(folder)),
            checkpoint_dir_name=folder.name,
            checkpoint_upload_mode=CheckpointUploadMode.NO_UPLOAD,
        )

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        import torch.distributed as dist

        if not dist.is_initialized() or self.world_size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total


def _load_all(checkpoint: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Verify and load every file of one checkpoint."""
    with checkpoint.as_directory() as folder:
        run_state = load_verified(Path(folder) / RUN_STATE)
        return run_state, [load_verified(Path(folder) / f"rank{rank}.pt") for rank in range(run_state["world_size"])]


def _worker(config: dict[str, Any]) -> dict[str, Any]:
    """Run on every Ray Train worker."""
    replica = RayReplica()
    log = EventLog(Path(config["events"]), replica.rank)
    try:
        result = run_worker(TrainSpec.from_dict(config["spec"]), replica, log, config["shard_fn"])
    except BaseException as error:
        log.emit("error", error=f"{type(error).__name__}: {error}")
        raise
    finally:
        log.close()
    return {"accuracy": result.accuracy, "checksum": result.checksum}


def train(
    spec: TrainSpec,
    *,
    folder: Path | None = None,
    shard_fn: Callable[..., Sequence[int]] = shard,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> TrainResult:
    """Train `spec` on Ray workers of this machine and return what happened.

    Args:
        folder: where spec, events and checkpoints go; a new one under `runs` in the workspace by default. Training
            again into the folder of an unfinished run continues it.
        shard_fn: the rule that deals samples to ranks (labsupport.training.sampler.shard).
        on_event: called in a background thread with each event of rank 0, soon after it happens. What it raises is
            logged and ends the calls, not the training.

    Raises:
        LabsError: the spec does not fit this machine, names an unknown model or data set, or is not that of the folder;
            Ray does not start; the training was given up.
    """
    preflight(spec)
    folder = (folder or run_folder.make_for(spec)).resolve()  # Ray takes a relative path for an address
    with (
        run_folder.claimed(folder, spec),
        ray_session.running(),
        _following(folder / "events", on_event),
        _interruptible(),
    ):
        from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        began = time.time()
        resources = {"GPU": spec.gpus_per_worker} if spec.gpus_per_worker else {"CPU": spec.threads_per_worker}
        trainer = TorchTrainer(
            _worker,
            train_loop_config={"spec": spec.as_dict(), "events": str(folder / "events"), "shard_fn": shard_fn},
            torch_config=TorchConfig(timeout_s=GROUP_TIMEOUT_S),
            scaling_config=ScalingConfig(
                num_workers=spec.num_workers, use_gpu=bool(spec.gpus_per_worker), resources_per_worker=resources
            ),
            run_config=RunConfig(
                name="checkpoints",
                storage_path=str(folder),
                worker_runtime_env={"env_vars": determinism.ENVIRONMENT if spec.deterministic else {}},
                failure_config=FailureConfig(max_failures=spec.max_failures),
                checkpoint_config=CheckpointConfig(num_to_keep=spec.checkpoints_to_keep),
            ),
        )
        try:
            returned = trainer.fit().return_value
        except Exception as error:
            raise LabsError(_why(folder / "events", error)) from error
        wall_s = time.time() - began
    events = tuple(read_events(folder / "events"))
    return TrainResult(spec, folder, events, returned["accuracy"], returned["checksum"], began, wall_s)


def preflight(spec: TrainSpec) -> None:
    """Refuse before any process starts what cannot work: too few devices, an unknown model, a data set not to be had.

    Raises:
        LabsError: says what does not fit and what would.
    """
    from labsupport.training.data import load_dataset
    from labsupport.training.models import check_model, check_share

    facts = machine()
    spec.assert_fits(cores=facts.cores, gpus=usable_gpus())
    dataset, info = load_dataset(spec.dataset, "train", **spec.data_options())
    check_model(spec.model, info, width=spec.width)
    check_share(spec.model, info, norm=spec.norm, global_batch=spec.global_batch, num_workers=spec.num_workers)
    if spec.global_batch > len(dataset):
        raise FieldError(
            lambda name: (
                f"{name('global_batch')} {spec.global_batch} is larger than data set {spec.dataset} with its "
                f"{len(dataset)} samples"
            )
        )


def _why(events: Path, error: Exception) -> str:
    """Say in one line why a run was given up: the first error that a rank of the last attempt noted, else Ray's own."""
    last_errors = [
        (noted[-1]["time"], f"rank {rank}: {noted[-1]['error']}")
        for rank in getattr(error, "worker_failures", ())  # absent where Ray's controller failed and not a worker
        if (noted := [event for event in read_events(events, rank) if event["event"] == "error"])
    ]
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"training was given up: {min(last_errors)[1] if last_errors else lines[-1]} (events in {events})"


@contextmanager
def _following(events: Path, on_event: Callable[[dict[str, Any]], None] | None) -> Iterator[None]:
    """Call `on_event` with each new event of rank 0 while the block runs, and with the rest at its end."""
    if on_event is None:
        yield
        return
    seen = len(read_events(events))
    done = threading.Event()

    def deliver() -> None:
        nonlocal seen
        new = read_events(events)[seen:]
        seen += len(new)
        try:
            for event in new:
                on_event(event)
        except Exception as error:  # foreign code: a progress bar that fails must not end hours of training
            done.set()
            log.error("on_event raised %s: %s; it gets no more events of this run", type(error).__name__, error)

    def follow() -> None:
        while not done.wait(FOLLOW_EVERY_S):
            deliver()

    thread = threading.Thread(target=follow, name="follow-training", daemon=True)
    thread.start()
    try:
        yield
    finally:
        listens = not done.is_set()
        done.set()
        # A KeyboardInterrupt can leave a lock of the logging module taken; `on_event` would wait for it for ever.
        thread.join(FOLLOWER_ENDS_WITHIN_S)
        if listens and not thread.is_alive():
            deliver()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the block with KeyboardInterrupt.

    Ray's own handler ends the workers, as it should, and then raises SystemExit; and it stays when the run is over: the
    next interruption of a notebook's cell would end the kernel.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if error.code in RAY_INTERRUPTED:
            raise KeyboardInterrupt from error
        raise  # SIGTERM or SIGHUP: labsupport.processes
    finally:
        signal.signal(signal.SIGINT, before)
