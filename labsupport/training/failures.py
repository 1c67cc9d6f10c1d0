"""What the failure of a worker means: the group is started again, or the run ends.

A lost process, a broken connection or a disk that had a bad moment may be fine at the next try. An error of the data,
the spec or the code comes again, so the run ends at once, with one line that names rank, step and error.

Ray Train restarts the group after every exception of a worker, whatever it is. But its controller ends the run where a
callback raises, which is what `ending_on_defects` does when a worker has called its own error a defect.
"""

from __future__ import annotations

import errno
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labsupport.errors import LabsError
from labsupport.training.checkpoint import CheckpointError
from labsupport.training.events import read_events

if TYPE_CHECKING:
    from ray.train import UserCallback

SHOWN_CHARACTERS = 400  # of the message of a foreign error
# Of the errors of the operating system, those that another try in the same place does not mend.
LASTING = frozenset(
    {
        errno.ENOENT, errno.EACCES, errno.EPERM, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG,
        errno.ENOSPC, errno.EDQUOT, errno.EROFS,
    }
)  # fmt: skip
# What a RuntimeError of gloo or NCCL holds when the process at the other end is gone or silent.
LOST_PEER = ("gloo", "nccl", "connection closed", "connection reset", "connection refused", "broken pipe", "timed out")


class DefectError(Exception):
    """A worker's error that comes again in every try; the message is the line for the person who must act."""


def is_defect(error: BaseException) -> bool:
    """Say whether an error of a worker is one of the data, the spec or the code, and would come again."""
    import torch
    from ray.exceptions import RayError

    if isinstance(error, DefectError | LabsError):
        return True
    if isinstance(error, OSError):
        return error.errno in LASTING
    # A damaged checkpoint is passed over by the next try. AcceleratorError is a fault of the device.
    if isinstance(error, RayError | CheckpointError | torch.distributed.DistError | torch.AcceleratorError):
        return False
    if isinstance(error, RuntimeError):
        return not any(sign in str(error).lower() for sign in LOST_PEER)
    return isinstance(error, Exception)


def in_one_line(error: BaseException, rank: int, step: int) -> str:
    """Return rank, step, and an error as the last line of its traceback with its place; a LabsError as its message."""
    return f"rank {rank}, {f'after step {step}' if step else 'before the first step'}: {_last_line(error)}"


def _last_line(error: BaseException) -> str:
    if isinstance(error, LabsError):
        return str(error)
    last = traceback.format_exception_only(error)[0].splitlines()[0][:SHOWN_CHARACTERS]
    frames = traceback.extract_tb(error.__traceback__)
    return f"{last} ({Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})" if frames else last


def ending_on_defects() -> UserCallback:
    """Return the callback for Ray Train's controller that ends a run at a defect."""
    from ray.train import UserCallback

    class EndOnDefect(UserCallback):
        def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
            # Beside a lost process, an error of another rank may be a consequence; a defect shows again without it.
            if all(isinstance(error, DefectError) for error in worker_exceptions.values()):
                raise worker_exceptions[min(worker_exceptions)]

    return EndOnDefect()


def why_given_up(events: Path, error: Exception) -> str:
    """Say in one line why Ray ended a run: the defect, the first error that a failed rank ended with, or Ray's own."""
    defect = getattr(error, "controller_failure", None)
    if isinstance(defect, DefectError):
        return str(defect)
    last = [
        (noted[-1]["time"], noted[-1]["error"])
        for rank in getattr(error, "worker_failures", ())
        if (noted := read_events(events, rank)) and noted[-1]["event"] == "error"
    ]
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return str(min(last)[1]) if last else lines[-1]
