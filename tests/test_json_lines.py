"""Lines are appended whole and durably, and read with what is torn or corrupt named."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from labsupport import json_lines
from labsupport.json_lines import Follower, Lines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lines.jsonl"


def number(line: bytes) -> int:
    """Return the number of a line `{"n": 3}`."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError(f"{found!r} is no object")
    return int(found["n"])


def line(value: int) -> str:
    return json.dumps({"n": value})


def test_lines_are_read_in_the_order_they_were_appended(file: Path) -> None:
    for value in (3, 1, 2):
        json_lines.append(file, line(value))
    assert json_lines.read(file, number) == Lines((3, 1, 2))


def test_a_file_that_does_not_exist_is_empty(file: Path) -> None:
    assert json_lines.read(file, number) == Lines()


def test_a_file_cut_at_any_byte_loses_the_last_line_alone_and_the_next_append_loses_nothing(file: Path) -> None:
    json_lines.append(file, line(1))
    first = file.stat().st_size
    json_lines.append(file, line(2))
    whole = file.read_bytes()
    for end in range(first, len(whole)):
        file.write_bytes(whole[:end])
        kept = (1, 2) if end == len(whole) - 1 else (1,)  # only the line break is missing there
        found = json_lines.read(file, number)
        assert found.entries == kept
        assert [str(skipped) for skipped in found.skipped] == (
            ["line 2: torn, skipped"] if first < end < len(whole) - 1 else []
        )
        json_lines.append(file, line(3))
        found = json_lines.read(file, number)
        assert found.entries == (*kept, 3)
        assert [skipped.torn for skipped in found.skipped] == ([False] if first < end < len(whole) - 1 else [])


def test_a_corrupt_line_is_named_with_its_reason_and_its_content_and_costs_no_other(file: Path) -> None:
    file.write_bytes(b'{"n": 1}\n[2]\n\n{"n": 3}\n' + b"[" * 100_000 + b"\n")
    found = json_lines.read(file, number)
    assert found.entries == (1, 3)
    two, deep = found.skipped
    assert str(two) == "line 2: corrupt ([2] is no object), skipped"
    assert (two.number, two.content) == (2, b"[2]")
    assert deep.number == 5
    for fact, field in ((found, "entries"), (two, "number")):
        with pytest.raises(FrozenInstanceError):
            setattr(fact, field, ())


def test_a_device_or_a_pipe_is_neither_read_nor_taken_for_a_file_that_keeps_lines(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(OSError, match="it is a device or a pipe"):
        json_lines.read(file, number)
    with pytest.raises(OSError, match="Invalid argument"):  # it cannot be synced
        json_lines.append(file, "{}")
    with pytest.raises(OSError, match="No space left"):
        json_lines.append(Path("/dev/full"), "{}")


def test_a_write_cut_short_is_undone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    json_lines.append(file, line(1))
    before = file.read_bytes()
    write = os.write
    monkeypatch.setattr("labsupport.json_lines.os.write", lambda target, content: write(target, content[:4]))
    with pytest.raises(OSError, match="No space left"):
        json_lines.append(file, line(2))
    assert file.read_bytes() == before


def test_a_line_that_could_not_be_synced_is_taken_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    json_lines.append(file, line(1))
    before = file.read_bytes()

    def fails(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("labsupport.json_lines.os.fsync", fails)
    with pytest.raises(OSError, match="Input/output error"):
        json_lines.append(file, line(2))
    assert file.read_bytes() == before


def test_an_append_waits_until_nobody_else_holds_the_lock(file: Path) -> None:
    json_lines.append(file, line(1))
    done = threading.Event()
    waiting = threading.Thread(target=lambda: (json_lines.append(file, line(2)), done.set()))
    with file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting.start()
        assert not done.wait(0.1)
        assert json_lines.read(file, number).entries == (1,)
    waiting.join(30)
    assert json_lines.read(file, number).entries == (1, 2)


def test_the_lock_is_held_until_the_line_is_on_the_disk(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked_at: dict[str, bool] = {}

    def watched(name: str):
        real = getattr(os, name)

        def call(*arguments):
            with file.open("rb") as other:
                try:
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    locked_at[name] = False
                except BlockingIOError:
                    locked_at[name] = True
            return real(*arguments)

        return call

    for name in ("write", "fsync"):
        monkeypatch.setattr(f"labsupport.json_lines.os.{name}", watched(name))
    json_lines.append(file, line(1))
    assert locked_at == {"write": True, "fsync": True}


APPENDER = """
import json, sys
from pathlib import Path
from labsupport import json_lines
for value in range(50):
    entry = {"n": value, "who": sys.argv[2], "padding": "x" * (value * 97 % 5000)}
    json_lines.append(Path(sys.argv[1]), json.dumps(entry))
"""


def test_four_processes_append_at_once_and_every_line_stays_whole(file: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", APPENDER, str(file), name]) for name in "abcd"]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    found = json_lines.read(file, json.loads)
    assert found.skipped == ()
    for name in "abcd":
        assert [entry["n"] for entry in found.entries if entry["who"] == name] == list(range(50))


def test_a_follower_returns_every_entry_once_and_parses_it_once(file: Path) -> None:
    parsed: list[bytes] = []

    def counting(piece: bytes) -> int:
        parsed.append(piece)
        return number(piece)

    follower = Follower(file, counting)
    assert follower.new() == []  # there is no file yet
    json_lines.append(file, line(1))
    json_lines.append(file, line(2))
    assert follower.new() == [1, 2]
    assert follower.new() == []
    json_lines.append(file, line(3))
    assert follower.new() == [3]
    assert len(parsed) == 3


def test_a_follower_leaves_a_line_that_is_still_being_written_for_later(file: Path) -> None:
    follower = Follower(file, number)
    whole = line(1) + "\n" + line(2) + "\n"
    returned = []
    for end in range(len(whole) + 1):
        file.open("a").close()
        with file.open("a") as writer:
            writer.write(whole[end - 1 : end])
        returned.append(follower.new())
    assert [entries for entries in returned if entries] == [[1], [2]]
    assert returned[-1] == [2]


def test_a_follower_leaves_out_what_is_no_entry(file: Path) -> None:
    file.write_bytes(line(1).encode() + b'\n{"n": \n\n[2]\n' + line(3).encode() + b"\n")
    assert Follower(file, number).new() == [1, 3]


def test_a_follower_reads_a_file_that_shrank_or_was_replaced_from_its_start(file: Path) -> None:
    follower = Follower(file, number)
    file.write_text(f"{line(1)}\n{line(2)}\n")
    assert follower.new() == [1, 2]
    file.write_text(f"{line(5)}\n")
    assert follower.new() == [5]
    other = file.with_name("other")
    other.write_text(f"{line(6)}\n{line(7)}\n{line(8)}\n")
    other.replace(file)
    assert follower.new() == [6, 7, 8]
    file.unlink()
    assert follower.new() == []
    file.write_text(f"{line(9)}\n")
    assert follower.new() == [9]
