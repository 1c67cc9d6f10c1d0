"""A file is there as a whole or as it was; what a power cut leaves is shown by tests/test_crash_at_every_call.py."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from labsupport.durable import make_folder_durably, sync_folder, write_durably


def test_a_file_is_written_over_as_a_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_durably(tmp_path / "spec.json", b"old")
    write_durably(tmp_path / "spec.json", b"new")
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"spec.json": b"new"}


def test_a_write_that_fails_leaves_the_file_as_it_was_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_durably(tmp_path / "spec.json", b"old")

    def fails(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("labsupport.durable.os.fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        write_durably(tmp_path / "spec.json", b"new")
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {"spec.json": b"old"}


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    write_durably(tmp_path / "spec.json", b"new")
    make_folder_durably(tmp_path / "step_1")
    assert os.listdir("/proc/self/fd") == before


def test_a_folder_may_be_there_already(tmp_path: Path) -> None:
    make_folder_durably(tmp_path / "step_1")
    make_folder_durably(tmp_path / "step_1")
    assert (tmp_path / "step_1").is_dir()


@pytest.mark.parametrize(("number", "refused"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_file_system_that_cannot_sync_folders_is_no_failure_and_a_broken_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, refused: bool
) -> None:
    def fails(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("labsupport.durable.os.fsync", fails)
    if refused:
        with pytest.raises(OSError, match="Input/output error"):
            sync_folder(tmp_path)
    else:
        sync_folder(tmp_path)
