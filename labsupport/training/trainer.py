"""Run a training spec on Ray Train: a thin shell around labsupport.training.loop.

Ray Train V2 starts one process per worker, joins them in a process group (gloo on CPUs, NCCL on GPUs) and restarts the
group when a worker dies. Each start resumes from what lies in the folder of the run (labsupport.training.recovery).
`train()` is what the command `labs train` and the labs call.

Checkpoints are written where they stay and are not reported to Ray. Its upload copies files without fsync, and a copy
is not durable because its source was; its register of checkpoints is one file that it writes in place; and its
controller ends a run when a checkpoint that it wants to prune is gone.

Limitations: no elastic worker counts; the workers of several machines must share the storage.
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

from labsupport.errors import FieldError, LabsError
from labsupport.hardware import machine, usable_gpus
from labsupport.training import determinism, failures, ray_session, run_folder
from labsupport.training.events import EventLog, follow_events, read_events
from labsupport.training.loop import run_worker
from labsupport.training.recovery import find_starting_point
from labsupport.training.replica import GroupReplica
from labsupport.training.result import TrainResult
from labsupport.training.run_folder import EVENTS
from labsupport.training.sampler import shard
from labsupport.training.spec import TrainSpec

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

RAY_FOLDER = "ray"  # where Ray may put what it wants; nothing there is ever read
GROUP_TIMEOUT_S = 60  # how long a rank waits for the others; PyTorch's 1800 s would hang a lab
FOLLOW_EVERY_S = 0.2
FOLLOWER_ENDS_WITHIN_S = 5
RAY_INTERRUPTED = (0, 1)  # the exit codes that Ray's handler for SIGINT ends with


class RayReplica(GroupReplica):
    """One Ray Train worker."""

    def __init__(self, run: Path, spec: TrainSpec) -> None:
        import ray.train
        import ray.train.torch

        context = ray.train.get_context()
        super().__init__(run, spec, context.get_world_rank(), context.get_world_size(), ray.train.torch.get_device())

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        import ray.train.torch

        prepared: torch.nn.Module = ray.train.torch.prepare_model(model)
        return prepared


def _worker(config: dict[str, Any]) -> dict[str, Any]:
    """Run on every Ray Train worker."""
    run, spec = Path(config["run"]), TrainSpec.from_dict(config["spec"])
    replica = RayReplica(run, spec)
    log = EventLog(run / EVENTS, replica.rank)
    try:
        result = run_worker(spec, replica, log, config["shard_fn"])
    except BaseException as error:
        line, comes_again = failures.in_one_line(error, replica.rank, log.step), failures.is_defect(error)
        log.emit("error", error=line, retried=not comes_again)
        if comes_again:
            raise failures.DefectError(line) from error
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
            again into the folder of an unfinished run resumes it.
        shard_fn: the rule that deals samples to ranks (labsupport.training.sampler.shard).
        on_event: called in a background thread with each event of rank 0, soon after it happens. What it raises is
            logged and ends the calls, not the training.

    Raises:
        LabsError: the spec does not fit this machine, names an unknown model or data set, or is not that of the folder;
            what the run had saved is lost; Ray does not start; the training was given up.
    """
    preflight(spec)
    folder = (folder or run_folder.make_for(spec)).resolve()  # Ray takes a relative path for an address
    with run_folder.claimed(folder, spec):
        find_starting_point(folder, spec)  # a run that has lost everything is refused before Ray starts
        with ray_session.running(), _following(folder / EVENTS, on_event), _interruptible():
            began = time.time()
            returned = _fit(spec, folder, shard_fn)
            wall_s = time.time() - began
    events = tuple(read_events(folder / EVENTS))
    return TrainResult(spec, folder, events, returned["accuracy"], returned["checksum"], began, wall_s)


def _fit(spec: TrainSpec, folder: Path, shard_fn: Callable[..., Sequence[int]]) -> dict[str, Any]:
    """Run the workers to the end of the spec; return what rank 0 returned."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    resources = {"GPU": spec.gpus_per_worker} if spec.gpus_per_worker else {"CPU": spec.threads_per_worker}
    try:
        trainer = TorchTrainer(
            _worker,
            train_loop_config={"spec": spec.as_dict(), "run": str(folder), "shard_fn": shard_fn},
            torch_config=TorchConfig(timeout_s=GROUP_TIMEOUT_S),
            scaling_config=ScalingConfig(
                num_workers=spec.num_workers, use_gpu=bool(spec.gpus_per_worker), resources_per_worker=resources
            ),
            run_config=RunConfig(
                name=RAY_FOLDER,
                storage_path=str(folder),
                worker_runtime_env={"env_vars": determinism.ENVIRONMENT if spec.deterministic else {}},
                failure_config=FailureConfig(max_failures=spec.max_failures),
                callbacks=[failures.ending_on_defects()],
            ),
        )
        returned: dict[str, Any] = trainer.fit().return_value
    except Exception as error:  # Ray's own kinds, and what a broken controller raises
        why = failures.why_given_up(folder / EVENTS, error)
        raise LabsError(f"training was given up: {why} (events in {folder / EVENTS})") from error
    return returned


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


@contextmanager
def _following(events: Path, on_event: Callable[[dict[str, Any]], None] | None) -> Iterator[None]:
    """Call `on_event` with each new event of rank 0 while the block runs, and with the rest at its end."""
    if on_event is None:
        yield
        return
    follower = follow_events(events)
    follower.new()  # those of before
    done = threading.Event()

    def deliver() -> None:
        try:
            for event in follower.new():
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
