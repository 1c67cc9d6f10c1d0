"""Checkpoints that can be read back or are refused by name.

`torch.load` and PyTorch's distributed checkpoints both load a file with flipped bytes without a word. So each payload
gets a sha256 sidecar: payload -> fsync -> rename -> fsync of the folder, then the sidecar in the same way. The sidecar
is the commit: a payload without one was cut off by a crash. Loading verifies first and uses
`weights_only=True`, so a checkpoint cannot run code.

Limitations: sharded and asynchronous checkpoints are not supported.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import random
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from labsupport.durable import write_durably

SIDECAR = ".sha256"
T = TypeVar("T")


class CheckpointError(Exception):
    """A checkpoint file is missing, cut off or altered; the message names it."""


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
        CheckpointError: a file is missing, or the payload is not the one the digest was made of.
    """
    import torch

    try:
        payload = path.read_bytes()
        digest = path.with_name(path.name + SIDECAR).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{error.filename}: {error.strerror}") from error
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise CheckpointError(f"{path}: sha256 differs from its sidecar; the file was altered or cut off")
    return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)


def next_checkpoint_name(step: int, taken: Collection[str]) -> str:
    """Name the checkpoint of a step; `step_0000015_2` where a run that fell back comes by step 15 once more.

    Ray Train prunes old checkpoints by their folder. With the damaged checkpoint's name used again, pruning it would
    remove the good one that was written in its place.
    """
    name = f"step_{step:07d}"
    again = (f"{name}_{count}" for count in itertools.count(2))
    return name if name not in taken else next(other for other in again if other not in taken)


def newest_valid(candidates: Sequence[T], load: Callable[[T], Any]) -> tuple[int, list[str]]:
    """Return the index of the first candidate that loads (newest first) and why each one before it did not.

    Raises:
        CheckpointError: there are candidates and none loads. Starting again at step 0 would hide the loss of the run.
    """
    skipped: list[str] = []
    for index, candidate in enumerate(candidates):
        try:
            load(candidate)
        except CheckpointError as error:
            skipped.append(str(error))
        else:
            return index, skipped
    raise CheckpointError("no usable checkpoint: " + "; ".join(skipped))


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
