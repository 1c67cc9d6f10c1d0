"""An error that comes again ends a run at once, by rank, step and its last line; a lost process does not."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest
import torch
from ray.exceptions import ActorDiedError
from ray.train import UserCallback

from labsupport.errors import FieldError, LabsError
from labsupport.training.checkpoint import CheckpointError
from labsupport.training.events import EventLog
from labsupport.training.failures import DefectError, ending_on_defects, in_one_line, is_defect, why_given_up
from labsupport.training.recovery import LostRunError


@pytest.mark.parametrize(
    "error",
    [
        LabsError("no such data set"),
        FieldError(lambda name: f"{name('epochs')} is 0"),
        LostRunError("step_0000004: sha256 differs"),
        ValueError("Expected more than 1 value per channel when training"),
        KeyError("image"),
        AssertionError(),
        MemoryError(),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (8x12 and 13x4)"),
        torch.OutOfMemoryError("CUDA out of memory"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "train.bin"),
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_an_error_of_the_data_the_spec_or_the_code_is_a_defect(error):
    assert is_defect(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[../gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:6568: Connection reset by peer"),
        RuntimeError("NCCL communicator was aborted"),
        torch.distributed.DistBackendError("watchdog"),
        torch.distributed.DistNetworkError("the client socket has failed to connect"),
        ActorDiedError(),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        TimeoutError(),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        CheckpointError("run.pt: sha256 differs from its sidecar"),
        torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered", 214),
        KeyboardInterrupt(),
        SystemExit(),
    ],
)
def test_what_a_lost_process_a_network_or_a_disk_causes_is_none(error):
    assert not is_defect(error)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_an_error_is_told_by_rank_step_last_line_and_place():
    line = in_one_line(raised(ValueError("3 channels\nand more")), rank=1, step=12)
    assert line.startswith("rank 1, after step 12: ValueError: 3 channels (test_failures.py:")
    assert line.endswith(" in raised)")
    assert in_one_line(ValueError("x" * 9999), rank=0, step=0).startswith(
        "rank 0, before the first step: ValueError: xxx"
    )
    assert len(in_one_line(ValueError("x" * 9999), rank=0, step=0)) < 500


def test_a_labs_error_is_its_own_sentence():
    assert in_one_line(raised(LabsError("data set x: no file")), 0, 3) == "rank 0, after step 3: data set x: no file"


def test_rays_controller_ends_a_run_at_a_defect_of_any_rank():
    callback = ending_on_defects()
    assert isinstance(callback, UserCallback)
    with pytest.raises(DefectError, match="of rank 1"):
        callback.after_exception(None, {2: DefectError("of rank 2"), 1: DefectError("of rank 1")})


def test_a_defect_beside_a_lost_process_waits_for_the_next_try():
    callback = ending_on_defects()
    callback.after_exception(None, {0: ActorDiedError(), 1: DefectError("perhaps a consequence")})
    callback.after_exception(None, {0: RuntimeError("gloo")})


def log(folder, rank: int, *events: tuple[str, dict]) -> None:
    written = EventLog(folder, rank)
    for event, facts in events:
        written.emit(event, **facts)
    written.close()


def test_a_run_that_ended_for_a_defect_says_which(tmp_path):
    error = SimpleNamespace(controller_failure=DefectError("rank 0, after step 3: ValueError: no"))
    assert why_given_up(tmp_path, error) == "rank 0, after step 3: ValueError: no"


def test_a_run_that_failed_too_often_says_the_first_error_of_the_ranks_that_failed_last(tmp_path):
    log(tmp_path, 0, ("error", {"error": "of a try before"}), ("start", {}))  # killed: it noted nothing
    log(tmp_path, 1, ("start", {}), ("error", {"error": "first"}))
    log(tmp_path, 2, ("start", {}), ("error", {"error": "second"}))
    log(tmp_path, 3, ("start", {}), ("error", {"error": "of a rank that Ray does not name"}))
    failed = RuntimeError("Training failed due to worker errors:\nthe last line")
    failed.worker_failures = dict.fromkeys((0, 1, 2, 7))
    assert why_given_up(tmp_path, failed) == "first"
    failed.worker_failures = {0: None}
    assert why_given_up(tmp_path, failed) == "the last line"
    assert why_given_up(tmp_path, RuntimeError()) == "RuntimeError"
