"""Ray's files go where the paths of its sockets fit, wherever TMPDIR points."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from labsupport.errors import LabsError
from labsupport.training import ray_session

SOCKET = "session_2026-11-27_02-48-00_123456_1234567/sockets/plasma_store.1"
LONGEST_SOCKET_PATH = 107  # sun_path of unix(7) has 108 bytes with the zero at its end


@pytest.fixture
def temporary_folder(tmp_path, monkeypatch):
    def set_to(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))

    return set_to


def test_a_short_temporary_folder_is_used_as_it_is(temporary_folder):
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="s") as short:
        temporary_folder(Path(short))
        folder = ray_session._session_folder()
        assert folder.parent == Path(short)
        assert len(f"{folder}/{SOCKET}") <= LONGEST_SOCKET_PATH


def test_a_long_one_gives_way_to_a_short_place_in_which_the_sockets_fit(tmp_path, temporary_folder):
    temporary_folder(tmp_path / "slurm_jobdir" / "1234567" / "tmp.node16")
    folder = ray_session._session_folder()
    try:
        assert str(folder.parent) in ray_session.SHORT_PLACES
        assert len(f"{folder}/{SOCKET}") <= LONGEST_SOCKET_PATH
    finally:
        shutil.rmtree(folder)


def test_the_longest_place_that_is_accepted_just_leaves_room_for_the_longest_socket():
    longest = "/" + "x" * (ray_session.LONGEST_PLACE - 1)
    assert len(f"{longest}/labs-ray-12345678/{SOCKET}") <= LONGEST_SOCKET_PATH


def test_without_any_short_place_one_line_says_what_to_set(tmp_path, temporary_folder, monkeypatch):
    temporary_folder(tmp_path / "a" / "very" / "deep" / "folder")
    monkeypatch.setattr(ray_session, "SHORT_PLACES", ("/nowhere",))
    with pytest.raises(LabsError, match=r"TMPDIR=.*: its path is too long .* set TMPDIR to a shorter folder"):
        ray_session._session_folder()
