"""Checkpoints that can be read back or are refused by name.

`torch.load` and PyTorch's distributed checkpoints both load a file with flipped bytes without a word. So each payload
gets a sha256 sidecar, and the sidecar is the commit: a payload without one was cut off by a crash. Loading verifies
first and uses `weights_only=True`, so a checkpoint cannot run code.

A checkpoint is a folder with one file for the state of the run, written by rank 0, and one for the random state of each
rank. It is complete once all of them verify. Which checkpoint a run resumes from: labsupport.training.recovery.

Limitations: no sharded and no asynchronous checkpoints (both week 2).
"""

from __future__ import annotations

import hashlib
import io
import itertools
import random
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from labsupport.durable import write_durably

FORMAT = 1  # of the state of a run: raised when a checkpoint of before can no longer be read
RUN_STATE = "run.pt"  # model, optimiser and position: the same for all ranks
SIDECAR = ".sha256"
RUN_STATE_TYPES = {"model": dict, "optimizer": dict, "position": dict, "step": int, "world_size": int, "spec": dict}
NAME = re.compile(r"step_(\d{7,})(?:_(\d+))?")


class CheckpointError(Exception):
    """A checkpoint is altered, foreign or cannot be read; the message names the file."""


class IncompleteError(CheckpointError):
    """A part of a checkpoint is not there: it was never finished, or has been lost since."""


def random_state_file(rank: int) -> str:
    """Return the name of the file with the random state of a rank."""
    return f"rank{rank}.pt"


def save_checkpoint(folder: Path, rank: int, run_state: dict[str, Any] | None) -> None:
    """Write one rank's part of a checkpoint: its random state, and what the run state is where the rank has it."""
    save_verified(random_state(), folder / random_state_file(rank))
    if run_state is not None:
        save_verified({"format": FORMAT, **run_state}, folder / RUN_STATE)


def load_run_state(folder: Path) -> dict[str, Any]:
    """Read back the state of a run.

    Raises:
        CheckpointError: it is missing or altered, or of another format.
    """
    file = folder / RUN_STATE
    state = load_verified(file)
    if not isinstance(state, dict):
        raise CheckpointError(f"{file}: holds {type(state).__name__} and not the state of a run")
    if state.get("format") != FORMAT:
        raise CheckpointError(f"{file}: has format {state.get('format', 'none')}, and only {FORMAT} can be read")
    if missing := [key for key, kind in RUN_STATE_TYPES.items() if not isinstance(state.get(key), kind)]:
        raise CheckpointError(f"{file}: has no {', '.join(missing)}")
    return state


def load_random_state(folder: Path, rank: int) -> dict[str, Any]:
    """Read back the random state of a rank.

    Raises:
        CheckpointError: it is missing or altered.
    """
    state: dict[str, Any] = load_verified(folder / random_state_file(rank))
    return state


def save_verified(state: Any, path: Path) -> None:
    """Write `state` (tensors and plain Python values) to `path` with its digest, atomically and durably."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    write_durably(path, payload)
    write_durably(path.with_name(path.name + SIDECAR), hashlib.sha256(payload).hexdigest().encode())


def load_verified(path: Path) -> Any:
    """Read back what `save_verified` wrote.

    Raises:
        IncompleteError: the payload or its sidecar is not there.
        CheckpointError: a file cannot be read, or the payload is not the one the digest was made of.
    """
    import torch

    try:
        payload = path.read_bytes()
        digest = path.with_name(path.name + SIDECAR).read_bytes()
    except FileNotFoundError as error:
        raise IncompleteError(f"{error.filename}: {error.strerror}") from error
    except OSError as error:
        raise CheckpointError(f"{error.filename}: {error.strerror}") from error
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise CheckpointError(f"{path}: sha256 differs from its sidecar; the file was altered or cut off")
    try:
        return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # foreign bytes with a digest of their own: what the reader raises is not specified
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: PyTorch cannot read it ({reason})") from error


def serial(name: str) -> tuple[int, int] | None:
    """Return the step in a checkpoint's name, and the how-many-eth of that step it is; None for any other name.

    The newer of two checkpoints has the larger serial.
    """
    match = NAME.fullmatch(name)
    return (int(match[1]), int(match[2] or 1)) if match else None


def newest_first(names: Iterable[str]) -> list[str]:
    """Return the names that are those of checkpoints, the newest first."""
    serials = {name: found for name in names if (found := serial(name)) is not None}
    return sorted(serials, key=lambda name: serials[name], reverse=True)


def next_checkpoint_name(step: int, taken: Collection[str]) -> str:
    """Name the checkpoint of a step; `step_0000015_2` where a run that fell back comes by step 15 once more.

    With the name of an unfinished or damaged checkpoint used again, files of two attempts would lie in one folder, and
    all of them verify.
    """
    name = f"step_{step:07d}"
    again = (f"{name}_{count}" for count in itertools.count(2))
    return name if name not in taken else next(other for other in again if other not in taken)


def random_state() -> dict[str, Any]:
    """Return the state of every global random generator of this process, as tensors and plain values."""
    import numpy as np
    import torch

    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    state: dict[str, Any] = {
        "python": [version, list(internal), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():  # asking would start it, for nothing in a process that computes on the CPU
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` returned. Do it last, before the loader is built: building things draws numbers."""
    import numpy as np
    import torch

    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
