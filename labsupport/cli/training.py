"""`labs train`: one training run on Ray workers, with live progress, MLflow and receipts."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labsupport.errors import LabsError
from labsupport.training.spec import TrainSpec, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labsupport.receipts.receipt import Receipt
    from labsupport.training.result import TrainResult
    from labsupport.training.tracking import RunTracker

DEFAULT = TrainSpec()
ROLES = ("image", "label", "text")  # what a column of a Hugging Face data set can be


def register(app: typer.Typer) -> None:
    """Add the training verbs to the command line."""
    app.command()(train)


def train(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="resnet18, resnet34, resnet50, llama-tiny, ...")] = DEFAULT.model,
    dataset: Annotated[
        str, typer.Option(help="digits and text are bundled; cifar10, imagenet, hf:<name> load the real thing")
    ] = DEFAULT.dataset,
    num_workers: Annotated[int, typer.Option(help="processes, one model replica each")] = DEFAULT.num_workers,
    epochs: Annotated[int, typer.Option(help="passes over the training data")] = DEFAULT.epochs,
    max_steps: Annotated[int | None, typer.Option(help="stop after so many optimiser steps")] = DEFAULT.max_steps,
    global_batch: Annotated[int, typer.Option(help="samples per step over all workers")] = DEFAULT.global_batch,
    base_lr: Annotated[float, typer.Option(help="learning rate at a global batch of 64")] = DEFAULT.base_lr,
    gpus_per_worker: Annotated[int, typer.Option(help="0 trains on CPU cores with gloo, 1 on a GPU with NCCL")] = 0,
    threads_per_worker: Annotated[int, typer.Option(help="CPU threads of each worker")] = DEFAULT.threads_per_worker,
    checkpoint_every: Annotated[int, typer.Option(help="steps between checkpoints")] = DEFAULT.checkpoint_every,
    width: Annotated[int, typer.Option(help="channels of the first ResNet stage")] = DEFAULT.width,
    norm: Annotated[str, typer.Option(help="batch or group normalisation")] = DEFAULT.norm,
    sequence: Annotated[int, typer.Option(help="tokens per sample of a language model")] = DEFAULT.sequence,
    image_size: Annotated[int | None, typer.Option(help="side of the images in pixels")] = DEFAULT.image_size,
    dtype: Annotated[str, typer.Option(help="float32 or float64")] = DEFAULT.dtype,
    seed: Annotated[int, typer.Option(help="decides weights, order of samples and dropout")] = DEFAULT.seed,
    augment: Annotated[bool, typer.Option("--augment", help="shift and mirror training images")] = DEFAULT.augment,
    columns: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=NAME", help="hf: only, such as --columns image=img --columns label=fine_label"),
    ] = None,
    data_root: Annotated[str | None, typer.Option(help="folder of the data set")] = DEFAULT.data_root,
    resume: Annotated[Path | None, typer.Option(help="continue the interrupted run in this folder, as it was")] = None,
    track: Annotated[bool, typer.Option(help="write the run to MLflow")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON, without progress")] = False,
) -> None:
    """Train a model on Ray workers, with live progress.

    The loss does not depend on how many workers there are. First use, about a minute on two cores:

    \b
    labs train --model resnet18 --dataset digits --num-workers 2 --epochs 5
    """
    given = [
        name for name in context.params if _was_given(context, name) and name not in ("resume", "track", "as_json")
    ]
    if resume and given:
        raise LabsError(f"--resume continues a run as it was: leave {option(given[0])} out, or start a new run")
    wanted = TrainSpec(
        model=model, dataset=dataset, num_workers=num_workers, epochs=epochs, max_steps=max_steps,
        global_batch=global_batch, base_lr=base_lr, gpus_per_worker=gpus_per_worker,
        threads_per_worker=threads_per_worker, checkpoint_every=checkpoint_every, width=width, norm=norm,
        sequence=sequence, image_size=image_size, dtype=dtype, seed=seed, augment=augment,
        columns=_columns(columns), data_root=data_root,
    )  # fmt: skip
    from labsupport.processes import supervised
    from labsupport.receipts.ledger import ledger
    from labsupport.training import run_folder, trainer

    spec = run_folder.unfinished(resume) if resume else wanted
    trainer.check(spec)  # a mistake is said before a tracker or Ray is started
    ledger().assert_writable()
    title = f"{spec.model} on {spec.dataset}, {_workers(spec.num_workers)}"
    progress = nullcontext() if as_json else _Progress(title)
    folder = resume
    with supervised():
        tracker = _start_tracker(spec) if track else None
        try:
            folder = folder or run_folder.make_for(spec)
            with progress as bar:
                result = trainer.train(spec, folder=folder, on_event=_all_of(bar, tracker))
            _conclude(result, tracker, as_json)
        except BaseException as error:
            if tracker:
                tracker.fail()
            if isinstance(error, KeyboardInterrupt) and folder:
                typer.echo(f"to go on: labs train --resume {folder}", err=True)
            raise


def _conclude(result: TrainResult, tracker: RunTracker | None, as_json: bool) -> None:
    """Write the receipts, close the tracked run, and show the result: also where the disk or MLflow fails by now."""
    from labsupport.training.receipts import record_run

    receipts: tuple[Receipt, ...] = ()
    try:
        receipts = record_run(result)
        if tracker:
            tracker.finish(result)  # last, so that a run which says FINISHED has its receipts
    finally:
        if as_json:
            summary = _summary(result) | {"receipts": [receipt.id for receipt in receipts]}
            typer.echo(json.dumps(summary, allow_nan=False))
        else:
            _show(result, receipts, tracker)


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _columns(pairs: list[str] | None) -> dict[str, str] | None:
    if not pairs:
        return None
    columns = dict(pair.partition("=")[::2] for pair in pairs)
    for role, column in columns.items():
        if role not in ROLES or not column:
            raise LabsError(f"--columns {role}={column}: write one of {', '.join(ROLES)}, =, and a column's name")
    return columns


def _start_tracker(spec: TrainSpec) -> RunTracker:
    from labsupport.training.tracking import RunTracker

    return RunTracker(spec, name=f"{spec.model}-{spec.dataset}-{spec.num_workers}w")


def _all_of(*listeners: Any) -> Any:
    present = [listener for listener in listeners if listener is not None]

    def on_event(event: dict[str, Any]) -> None:
        for listener in present:
            listener.on_event(event)

    return on_event


class _Progress:
    """A bar that follows rank 0: start-up, steps with loss and rate, restarts."""

    def __init__(self, title: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=12), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[state]}"),
        )  # fmt: skip
        self._task = self._bar.add_task(title, total=None, state="starting Ray and the workers")
        self._restarts = -1

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_event(self, event: dict[str, Any]) -> None:
        if event["event"] == "start":
            self._restarts += 1
            state = f"restarted at step {event['step']}" if self._restarts else "first step"
            self._bar.update(self._task, total=event["last_step"], completed=event["step"], state=state)
        elif event["event"] == "step":
            loss = float.fromhex(event["loss"])
            state = f"epoch {event['epoch'] + 1}  loss {loss:.4f}"
            self._bar.update(self._task, completed=event["step"], state=state)
        elif event["event"] == "epoch":
            state = f"epoch {event['epoch'] + 1} done  accuracy {event['accuracy']:.3f}"
            self._bar.update(self._task, state=state)


def _summary(result: TrainResult) -> dict[str, Any]:
    steps = max(result.losses)
    return {
        "model": result.spec.model,
        "dataset": result.spec.dataset,
        "num_workers": result.world_size,
        "steps": steps,
        "first_loss": _number(result.losses[1]),
        "last_loss": _number(result.losses[steps]),
        "accuracy": result.accuracy,
        "samples_per_s": _number(result.samples_per_s),
        "restarts": result.restarts,
        "wall_s": result.wall_s,
        "folder": str(result.folder),
    }


def _number(value: float) -> float | None:
    """Return None for what JSON has no word for: the rate of a run of few steps, the loss of one that diverged."""
    return value if math.isfinite(value) else None


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _show(result: TrainResult, receipts: Sequence[Receipt], tracker: RunTracker | None) -> None:
    from rich.console import Console

    from labsupport.receipts.table import rich_table

    console = Console()
    steps = max(result.losses)
    restarts = f", {result.restarts} restarts" if result.restarts else ""
    console.print(
        f"loss {result.losses[1]:.4f} -> {result.losses[steps]:.4f} in {steps} steps, "
        f"test accuracy {result.accuracy:.3f}{restarts}"
    )
    if receipts:
        console.print(rich_table(receipts))
    console.print(f"events and checkpoints: {result.folder}", soft_wrap=True)
    if tracker:
        console.print(f"MLflow run {tracker.run_id}: {tracker.place}", soft_wrap=True)
