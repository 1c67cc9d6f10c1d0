"""`labs train`: one training run on Ray workers, with live progress, MLflow and receipts."""

from __future__ import annotations

import json
import math
import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labsupport.cli.spec_options import given_options, spec_from, spec_options
from labsupport.training.spec import TrainSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labsupport.receipts.receipt import Receipt
    from labsupport.training.result import TrainResult
    from labsupport.training.tracking import RunTracker


def register(app: typer.Typer) -> None:
    """Add the training verbs to the command line."""
    app.command()(train)


@spec_options(TrainSpec)
def train(
    context: typer.Context,
    *,
    resume: Annotated[
        Path | None,
        typer.Option(help="resume the run in this folder; only what does not decide its result can be set otherwise"),
    ] = None,
    track: Annotated[bool, typer.Option(help="write the run to MLflow")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON, without progress")] = False,
    **fields: Any,
) -> None:
    """Train a model on Ray workers, with live progress.

    The loss does not depend on how many workers there are. First use, about a minute on two cores:

    \b
    labs train --model resnet18 --dataset digits --num-workers 2 --epochs 5
    """
    wanted = spec_from(TrainSpec, fields)
    given = {name: getattr(wanted, name) for name in given_options(context, TrainSpec)}
    from labsupport.processes import supervised
    from labsupport.receipts.ledger import ledger
    from labsupport.training import recovery, run_folder, trainer

    spec = run_folder.unfinished(resume, given) if resume else wanted
    trainer.preflight(spec)  # a mistake is reported before a tracker or Ray is started
    if resume and recovery.find_starting_point(resume, spec).checkpoint is None:
        typer.echo(f"{resume}: nothing had been saved there, so the run starts at step 0", err=True)
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
                typer.echo(f"to resume: labs train --resume {shlex.quote(str(folder))}", err=True)
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
    first, last = _first_and_last_loss(result)
    return {
        "model": result.spec.model,
        "dataset": result.spec.dataset,
        "num_workers": result.world_size,
        "steps": result.steps,
        "first_loss": _number(first),
        "last_loss": _number(last),
        "accuracy": result.accuracy,
        "samples_per_s": _number(result.samples_per_s),
        "restarts": result.restarts,
        "skipped": list(result.skipped),
        "wall_s": result.wall_s,
        "folder": str(result.folder),
    }


def _first_and_last_loss(result: TrainResult) -> tuple[float, float]:
    """Return the losses that the events tell of; NaN where they were lost."""
    losses = [loss for _, loss in sorted(result.losses.items())] or [math.nan]
    return losses[0], losses[-1]


def _number(value: float) -> float | None:
    """Return None for what JSON has no word for: the rate of a run of few steps, the loss of one that diverged."""
    return value if math.isfinite(value) else None


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _show(result: TrainResult, receipts: Sequence[Receipt], tracker: RunTracker | None) -> None:
    from rich.console import Console

    from labsupport.receipts.table import rich_table

    console = Console()
    first, last = _first_and_last_loss(result)
    restarts = f", {result.restarts} restarts" if result.restarts else ""
    console.print(
        f"loss {first:.4f} -> {last:.4f} in {result.steps} steps, test accuracy {result.accuracy:.3f}{restarts}"
    )
    for reason in result.skipped:
        console.print(f"skipped: {reason}", soft_wrap=True, markup=False)
    if len(set(result.world_sizes)) > 1:
        console.print(
            f"workers: {', then '.join(map(str, result.world_sizes))}; with another number of them losses agree to "
            "rounding at best: dropout and augmentation draw other numbers, and batch norm sees other shares"
        )
    if receipts:
        console.print(rich_table(receipts))
    console.print(f"events and checkpoints: {result.folder}", soft_wrap=True)
    if tracker:
        console.print(f"MLflow run {tracker.run_id}: {tracker.place}", soft_wrap=True)
