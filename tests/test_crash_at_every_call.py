"""What a power cut leaves of a file, shown after every system call of its writer.

A killed process keeps the page cache, so even a real SIGKILL shows nothing of a missing fsync. Here each writer runs on
a real folder under a shim, which stops it after one of its system calls, tears a write, or fails a call; then it lays
out what the disk may hold by then: content as of the last fsync of the file, names as of the last fsync of the folder,
and every mixture with what was still on its way. What is left must be readable or refused by name, and what the writer
had acknowledged must be there.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from labsupport import json_lines
from labsupport.course.grading import progress
from labsupport.durable import make_folder_durably, write_durably
from labsupport.errors import LabsError
from labsupport.receipts.ledger import Ledger
from labsupport.receipts.receipt import Kind, Receipt
from labsupport.training.checkpoint import (
    RUN_STATE,
    SIDECAR,
    load_run_state,
    next_checkpoint_name,
    save_checkpoint,
)
from labsupport.training.recovery import checkpoint_names, find_starting_point
from labsupport.training.run_folder import CHECKPOINTS
from labsupport.training.spec import TrainSpec

NAMES = ("synced", "all")  # which names of files and folders have reached the disk
CONTENT = ("synced", "half", "all")  # how much of what was written has


class PowerCut(BaseException):
    """The machine is off: no `except` of the writer may notice."""


@dataclass
class Fault:
    """What happens at one of the writer's calls: "stop" after it, "tear" it if it is a write, or "fail" it."""

    kind: str = ""
    at: int = -1
    error: int = errno.ENOSPC


@dataclass
class Disk:
    """A folder, with what of it is on the disk. Inodes are held open, so that no number is used for two files."""

    root: Path
    fault: Fault = field(default_factory=Fault)
    calls: list[str] = field(default_factory=list)
    off: bool = False
    content: dict[int, bytes] = field(default_factory=dict)
    entries: dict[int, dict[str, int]] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in [self.root, *self.root.rglob("*")]:  # what was there before is on the disk
            self.hold(path)
            inode = path.stat().st_ino
            if path.is_dir():
                self.entries[inode] = {item.name: item.stat().st_ino for item in path.iterdir()}
            else:
                self.content[inode] = path.read_bytes()

    def hold(self, path: Path) -> None:
        inode = path.stat().st_ino
        if inode not in self.held:
            self.held[inode] = REAL["open"](path, os.O_RDONLY)

    def release(self) -> None:
        for descriptor in self.held.values():
            os.close(descriptor)

    def owns(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(os.fspath(path)).is_relative_to(self.root)

    def owns_descriptor(self, descriptor: int) -> bool:
        return os.fstat(descriptor).st_ino in self.held

    def call(self, name: str, act: Callable[[], Any], tear: Callable[[], Any] | None = None) -> Any:
        """Do one system call of the writer, unless the fault is due."""
        if self.off:
            raise PowerCut
        self.calls.append(name)
        due = len(self.calls) - 1 == self.fault.at
        if due and self.fault.kind == "fail":
            raise OSError(self.fault.error, os.strerror(self.fault.error))
        tears = due and self.fault.kind == "tear" and tear is not None
        result = tear() if tears and tear else act()
        if due and (tears or self.fault.kind == "stop"):
            self.off = True
            if name == "open":  # nobody else will
                result.close() if isinstance(result, io.FileIO) else os.close(result)
            raise PowerCut
        return result

    def made(self, path: Any, result: Any) -> Any:
        """Hold what a call has just made, and return its result."""
        self.hold(Path(path))
        return result

    def synced(self, descriptor: int) -> None:
        inode = os.fstat(descriptor).st_ino
        path = Path(f"/proc/self/fd/{descriptor}")
        if path.is_dir():
            self.entries[inode] = {item.name: item.stat().st_ino for item in path.iterdir()}
        else:
            self.content[inode] = path.read_bytes()

    def lay_out(self, target: Path, names: str, content: str) -> Path:
        """Write what may be left into `target`, in one of the mixtures of `NAMES` and `CONTENT`."""
        self._lay_out(self.root.stat().st_ino, target, names, content)
        return target

    def _lay_out(self, inode: int, target: Path, names: str, content: str) -> None:
        here = Path(f"/proc/self/fd/{self.held[inode]}")
        if not here.is_dir():
            target.write_bytes(self._left_of(inode, here.read_bytes(), content))
            return
        target.mkdir()
        cached = {item.name: item.stat().st_ino for item in here.iterdir()}
        for name, child in (cached if names == "all" else self.entries.get(inode, {})).items():
            self._lay_out(child, target / name, names, content)

    def _left_of(self, inode: int, cached: bytes, content: str) -> bytes:
        synced = self.content.get(inode, b"")
        if content == "half" and cached != synced:
            begin = len(synced) if cached.startswith(synced) else 0
            return cached[: begin + (len(cached) - begin) // 2]
        return cached if content == "all" else synced


REAL = {
    name: getattr(os, name) for name in ("open", "write", "fsync", "replace", "ftruncate", "close", "mkdir", "unlink")
}
REAL_OPEN = io.open


@contextlib.contextmanager
def shimmed(disk: Disk) -> Iterator[None]:
    """Send the system calls of this process that concern the folder through the disk."""

    class TracedFile(io.FileIO):
        def write(self, data: Any) -> int:
            if disk.off:
                return len(data)  # Python empties its buffers when a file object goes; nothing arrives any more
            whole = bytes(data)
            return disk.call("write", lambda: super(TracedFile, self).write(whole),
                             lambda: super(TracedFile, self).write(whole[: len(whole) // 2]))  # fmt: skip

    def traced_open(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if not disk.owns(file) or not set(mode) & set("wax+"):
            return REAL_OPEN(file, mode, *arguments, **options)
        assert "b" in mode, "The shim knows files of bytes only"
        return io.BufferedWriter(disk.call("open", lambda: disk.made(file, TracedFile(file, mode.replace("b", "")))))

    def os_open(path: Any, flags: int, mode: int = 0o777) -> int:
        if not disk.owns(path):
            return REAL["open"](path, flags, mode)
        return disk.call("open", lambda: disk.made(path, REAL["open"](path, flags, mode)))

    def os_write(descriptor: int, data: bytes) -> int:
        if not disk.owns_descriptor(descriptor):
            return REAL["write"](descriptor, data)
        return disk.call("write", lambda: REAL["write"](descriptor, data),
                         lambda: REAL["write"](descriptor, data[: len(data) // 2]))  # fmt: skip

    def os_fsync(descriptor: int) -> None:
        disk.call("fsync", lambda: disk.synced(descriptor))

    def os_ftruncate(descriptor: int, size: int) -> None:
        disk.call("ftruncate", lambda: REAL["ftruncate"](descriptor, size))

    def os_mkdir(path: Any, mode: int = 0o777) -> None:
        if not disk.owns(path) or os.path.exists(path):  # then it changes nothing
            return REAL["mkdir"](path, mode)
        return disk.call("mkdir", lambda: disk.made(path, REAL["mkdir"](path, mode)))

    def os_replace(source: Any, target: Any) -> None:
        disk.call("replace", lambda: REAL["replace"](source, target))

    def os_unlink(path: Any) -> None:
        disk.call("unlink", lambda: REAL["unlink"](path))

    traced = {"open": os_open, "write": os_write, "fsync": os_fsync, "ftruncate": os_ftruncate, "mkdir": os_mkdir,
              "replace": os_replace, "unlink": os_unlink}  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        for name, function in traced.items():
            patched.setattr(os, name, function)
        patched.setattr(io, "open", traced_open)
        yield


@dataclass
class Writer:
    """A writer, what is there before it, and what must hold of anything that is left."""

    prepare: Callable[[Path], None]
    write: Callable[[Path], None]
    assert_sound: Callable[[Path], None]
    assert_kept: Callable[[Path], None]
    refusals: tuple[type[Exception], ...] = (OSError,)


# ---------------------------------------------------------------------------------------------------------------------
# The writers


def spec_over(before: bytes | None) -> Writer:
    new = json.dumps({"model": "resnet18"}).encode()

    def prepare(folder: Path) -> None:
        if before is not None:
            (folder / "spec.json").write_bytes(before)

    def left(folder: Path) -> bytes | None:
        file = folder / "spec.json"
        return file.read_bytes() if file.exists() else None

    def assert_sound(folder: Path) -> None:
        assert left(folder) in (before, new)

    def assert_kept(folder: Path) -> None:
        assert left(folder) == new

    return Writer(prepare, lambda folder: write_durably(folder / "spec.json", new), assert_sound, assert_kept)


def checkpoint(cut_off_before: bool) -> Writer:
    """The checkpoint of step 2 beside that of step 1; perhaps a crash cut one of step 2 off before."""

    def state(step: int) -> dict[str, Any]:
        return {
            "model": {"weights": torch.full((64,), float(step))}, "optimizer": {}, "position": {}, "step": step,
            "accuracy": None, "world_size": 1, "spec": {},
        }  # fmt: skip

    def save(run: Path, step: int) -> Path:
        folder = run / CHECKPOINTS / next_checkpoint_name(step, checkpoint_names(run))
        make_folder_durably(folder)
        save_checkpoint(folder, 0, state(step))
        return folder

    def prepare(run: Path) -> None:
        (run / CHECKPOINTS).mkdir()
        save(run, 1)
        if cut_off_before:
            (save(run, 2) / f"{RUN_STATE}{SIDECAR}").unlink()

    def left(run: Path) -> int:
        start = find_starting_point(run, TrainSpec())
        assert start.checkpoint is not None
        return int(load_run_state(run / CHECKPOINTS / start.checkpoint)["model"]["weights"][0])

    def assert_sound(run: Path) -> None:
        assert left(run) in (1, 2)

    def assert_kept(run: Path) -> None:
        assert left(run) == 2

    return Writer(prepare, lambda run: save(run, 2), assert_sound, assert_kept)


def receipt(value: float) -> Receipt:
    at = "2026-01-31T12:00:00+00:00"
    return Receipt("training.recovery_s", value, "s", Kind.MEASURED, 20, 0.01, "2 cores", "labs", "abc", "", at)


def ledger_of(before: int, torn: bytes = b"") -> Writer:
    """A ledger of some receipts, its last line perhaps torn."""

    def prepare(folder: Path) -> None:
        if before or torn:
            lines = "".join(receipt(float(value)).to_json_line() + "\n" for value in range(before))
            (folder / "receipts.jsonl").write_bytes(lines.encode() + torn)

    def values(folder: Path) -> list[float]:
        return [item.value for item in Ledger(folder / "receipts.jsonl").read().receipts]

    def assert_sound(folder: Path) -> None:
        old = [float(value) for value in range(before)]
        assert values(folder) in (old, [*old, 99.0])

    def assert_kept(folder: Path) -> None:
        assert values(folder)[-1] == 99.0

    return Writer(
        prepare, lambda folder: Ledger(folder / "receipts.jsonl").append(receipt(99.0)), assert_sound, assert_kept,
        (LabsError,),
    )  # fmt: skip


def progress_of(before: int) -> Writer:
    def prepare(folder: Path) -> None:
        os.environ["LABS_WORKSPACE"] = str(folder)  # restored by the fixture that isolates every test
        for number in range(before):
            progress.append(f"1.{number + 1}", "passed")

    def exercises(folder: Path) -> list[str]:
        return [verdict.exercise for verdict in progress.read(folder / progress.FILE_NAME).verdicts]

    def assert_sound(folder: Path) -> None:
        old = [f"1.{number + 1}" for number in range(before)]
        assert exercises(folder) in (old, [*old, "2.1"])

    def assert_kept(folder: Path) -> None:
        assert exercises(folder)[-1] == "2.1"

    return Writer(prepare, lambda folder: progress.append("2.1", "failed"), assert_sound, assert_kept, (LabsError,))


WRITERS = {
    "the spec of a new run": spec_over(None),
    "a spec over an older one": spec_over(b"{}" * 100),
    "a checkpoint": checkpoint(cut_off_before=False),
    "a checkpoint beside one that a crash cut off": checkpoint(cut_off_before=True),
    "the first receipt": ledger_of(0),
    "another receipt": ledger_of(2),
    "a receipt after a torn line": ledger_of(2, torn=b'{"id": "0123'),
    "the first verdict": progress_of(0),
    "another verdict": progress_of(2),
}
each_writer = pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())


# ---------------------------------------------------------------------------------------------------------------------
# What must hold


@dataclass
class Workshop:
    """Runs one writer again and again, each time in a folder of its own."""

    folder: Path
    writer: Writer
    runs: int = 0

    def run(self, fault: Fault) -> tuple[Disk, bool]:
        """Return the disk after one run, and whether the writer acknowledged its work."""
        self.runs += 1
        root = self.folder / f"run{self.runs}"
        root.mkdir()
        self.writer.prepare(root)
        disk = Disk(root, fault)
        acknowledged = False
        with shimmed(disk), contextlib.suppress(PowerCut, *self.writer.refusals):
            self.writer.write(root)
            acknowledged = True
        return disk, acknowledged

    def assert_all_that_may_be_left(self, disk: Disk, kept: bool) -> None:
        for names, content in product(NAMES, CONTENT):
            left = disk.lay_out(self.folder / "left", names, content)
            try:
                self.writer.assert_sound(left)
                if kept:
                    self.writer.assert_kept(left)
            except (AssertionError, Exception) as error:
                done = ", ".join(disk.calls)
                raise AssertionError(
                    f"after {done} ({disk.fault}), with names {names} and content {content}: {error!r}"
                ) from error
            finally:
                shutil.rmtree(left)
        disk.release()


@pytest.fixture
def workshop(tmp_path: Path, writer: Writer) -> Workshop:
    torch.zeros(1)
    json_lines.append(tmp_path / "warm", "{}")  # imports the lock, which opens files of its own
    return Workshop(tmp_path, writer)


@each_writer
def test_what_was_acknowledged_survives_a_power_cut(workshop: Workshop) -> None:
    disk, acknowledged = workshop.run(Fault())
    assert acknowledged
    assert disk.calls.count("fsync") >= 1
    workshop.assert_all_that_may_be_left(disk, kept=True)


@each_writer
@pytest.mark.parametrize("kind", ["stop", "tear"])
def test_after_a_power_cut_at_any_call_what_is_left_is_readable_or_refused_by_name(
    workshop: Workshop, kind: str
) -> None:
    calls = len(workshop.run(Fault())[0].calls)
    for at in range(calls):
        disk, acknowledged = workshop.run(Fault(kind, at))
        assert disk.off or kind == "tear"  # not every call can be torn
        workshop.assert_all_that_may_be_left(disk, kept=acknowledged)


@each_writer
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_call_that_fails_is_reported_and_loses_nothing_and_the_next_try_succeeds(
    workshop: Workshop, error: int
) -> None:
    calls = len(workshop.run(Fault())[0].calls)
    for at in range(calls):
        disk, acknowledged = workshop.run(Fault("fail", at, error))
        assert not acknowledged, f"call {at} of {disk.calls} failed and nobody was told"
        workshop.writer.assert_sound(disk.root)
        disk.fault = replace(disk.fault, kind="")
        with shimmed(disk):
            workshop.writer.write(disk.root)
        workshop.writer.assert_sound(disk.root)
        workshop.assert_all_that_may_be_left(disk, kept=True)
