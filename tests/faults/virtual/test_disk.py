"""What a crash leaves of a file: what was fsynced, unless the disk lies or tears."""

from __future__ import annotations

import errno

import pytest

from labsupport.faults.virtual.disk import Disk

OLD, NEW = b"old content", b"new, longer content"


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda action: None)


def holds(disk: Disk) -> dict[str, bytes]:
    return {name: disk.read(name) for name in disk.names()}


def with_old(disk: Disk) -> Disk:
    disk.write("f", OLD)
    disk.fsync("f")
    return disk


class TestHonestDisk:
    def test_reads_see_writes_and_a_crash_forgets_what_was_not_fsynced(self, disk):
        with_old(disk).write("f", NEW)
        disk.append("g", b"x")
        assert holds(disk) == {"f": NEW, "g": b"x"}
        disk.crash()
        assert holds(disk) == {"f": OLD}

    def test_an_fsync_keeps_what_stands_there_then(self, disk):
        disk.write("f", OLD)
        disk.append("f", b"+1")
        disk.fsync("f")
        disk.append("f", b"+2")
        disk.crash()
        assert holds(disk) == {"f": OLD + b"+1"}

    def test_an_fsync_is_of_one_file_and_sync_of_all(self, disk):
        disk.write("f", OLD)
        disk.write("g", NEW)
        disk.fsync("f")
        disk.crash()
        assert holds(disk) == {"f": OLD}
        disk.write("g", NEW)
        disk.sync()
        disk.crash()
        assert holds(disk) == {"f": OLD, "g": NEW}

    def test_a_rename_is_atomic_and_durable_with_an_fsync_of_the_new_name(self, disk):
        with_old(disk).write("f.new", NEW)
        disk.fsync("f.new")
        disk.rename("f.new", "f")
        assert holds(disk) == {"f": NEW}
        disk.crash()
        assert holds(disk) == {"f": OLD, "f.new": NEW}
        disk.rename("f.new", "f")
        disk.fsync("f")
        disk.crash()
        assert holds(disk) == {"f": NEW}

    def test_a_file_renamed_twice_leaves_its_first_name(self, disk):
        with_old(disk).rename("f", "g")
        disk.rename("g", "h")
        disk.fsync("h")
        disk.crash()
        assert holds(disk) == {"h": OLD}

    def test_a_name_that_is_used_again_survives_the_rename_that_freed_it(self, disk):
        with_old(disk).rename("f", "g")
        disk.write("f", NEW)
        disk.fsync("f")
        disk.fsync("g")
        disk.crash()
        assert holds(disk) == {"f": NEW, "g": OLD}

    def test_a_rename_to_its_own_name_changes_nothing(self, disk):
        with_old(disk).rename("f", "f")
        disk.fsync("f")
        disk.crash()
        assert holds(disk) == {"f": OLD}

    def test_a_removal_is_durable_with_sync(self, disk):
        with_old(disk).remove("f")
        assert not disk.exists("f")
        disk.crash()
        assert disk.exists("f")
        disk.remove("f")
        disk.sync()
        disk.crash()
        assert not disk.exists("f")

    @pytest.mark.parametrize("action", [Disk.read, Disk.fsync, Disk.remove, lambda disk, name: disk.rename(name, "g")])
    def test_a_missing_file_is_an_oserror_as_on_a_real_disk(self, disk, action):
        with pytest.raises(FileNotFoundError, match="nothing"):
            action(disk, "nothing")

    def test_text_is_refused_with_what_to_do(self, disk):
        with pytest.raises(TypeError, match=r"disk.write\('f'\): takes bytes, not str; encode"):
            disk.write("f", "text")


class TestLies:
    def test_an_fsync_that_lies_keeps_nothing_until_an_honest_one(self, disk):
        disk.lies = True
        with_old(disk)
        disk.sync()
        disk.crash()
        assert holds(disk) == {}
        with_old(disk)
        disk.lies = False
        disk.fsync("f")
        disk.crash()
        assert holds(disk) == {"f": OLD}

    def test_a_rename_is_not_durable_either(self, disk):
        with_old(disk)
        disk.lies = True
        disk.rename("f", "g")
        disk.fsync("g")
        disk.crash()
        assert holds(disk) == {"f": OLD}


class TestTears:
    @pytest.fixture
    def disk(self, disk):
        disk.tears = True
        return disk

    def test_a_file_written_in_place_is_half_new_and_its_old_content_gone(self, disk):
        with_old(disk).write("f", NEW)
        disk.crash()
        assert holds(disk) == {"f": NEW[: len(NEW) // 2]}

    def test_an_append_is_half_there_after_what_was_fsynced(self, disk):
        with_old(disk).append("f", b"1234")
        disk.crash()
        assert holds(disk) == {"f": OLD + b"12"}

    def test_what_was_fsynced_is_whole(self, disk):
        with_old(disk).crash()
        assert holds(disk) == {"f": OLD}

    def test_a_rename_after_an_fsync_is_safe(self, disk):
        with_old(disk).write("f.new", NEW)
        disk.fsync("f.new")
        disk.rename("f.new", "f")
        disk.crash()
        assert holds(disk) == {"f": OLD, "f.new": NEW}

    def test_a_rename_before_the_fsync_tears_under_the_new_name(self, disk):
        with_old(disk).write("f.new", NEW)
        disk.rename("f.new", "f")
        disk.crash()
        assert holds(disk) == {"f": NEW[: len(NEW) // 2]}


class TestFull:
    def test_half_of_a_write_lands_and_the_rest_is_enospc(self, disk):
        with_old(disk).full = True
        with pytest.raises(OSError, match="No space left") as raised:
            disk.write("f", NEW)
        assert raised.value.errno == errno.ENOSPC
        assert holds(disk) == {"f": NEW[: len(NEW) // 2]}
        with pytest.raises(OSError, match="No space left"):
            disk.append("g", b"1234")
        assert disk.read("g") == b"12"

    def test_what_is_there_can_be_kept_renamed_and_removed(self, disk):
        with_old(disk).full = True
        disk.rename("f", "g")
        disk.fsync("g")
        disk.remove("g")
        assert holds(disk) == {}


def test_every_operation_that_changes_something_is_announced_before_it_happens():
    actions: list[str] = []
    disk = Disk(actions.append)
    disk.write("f", OLD)
    disk.append("f", b"x")
    disk.fsync("f")
    disk.rename("f", "g")
    disk.remove("g")
    disk.sync()
    disk.read("h") if disk.exists("h") else disk.names()
    assert actions == ["write f (11 bytes)", "append f (1 bytes)", "fsync f", "rename f to g", "remove g", "sync"]


@pytest.mark.parametrize("action", ["write", "append", "fsync", "rename", "remove", "sync"])
def test_a_crash_at_an_operation_comes_before_its_effect(action):
    class Crash(BaseException):
        pass

    def hit(announced: str) -> None:
        if armed and announced.startswith(action):
            raise Crash

    armed = False
    disk = with_old(Disk(hit))
    disk.write("h", NEW)
    before = holds(disk)
    armed = True
    calls = {
        "write": ("f", NEW),
        "append": ("f", NEW),
        "fsync": ("h",),
        "rename": ("f", "g"),
        "remove": ("f",),
        "sync": (),
    }
    with pytest.raises(Crash):
        getattr(disk, action)(*calls[action])
    assert holds(disk) == before
    disk.crash()
    assert holds(disk) == {"f": OLD}
