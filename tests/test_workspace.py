"""Where a learner's files go: one absolute folder, whatever the process that asks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labsupport.errors import LabsError
from labsupport.workspace import VARIABLE, home, workspace

ASK = "from labsupport.workspace import home, workspace; print(workspace())"


def test_a_relative_workspace_stays_where_the_command_was_given(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "mine/labs")
    assert workspace("runs") == tmp_path / "mine" / "labs" / "runs"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert workspace() == tmp_path / "mine" / "labs"
    asked = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert Path(asked.stdout.strip()) == tmp_path / "mine" / "labs"


def test_an_absolute_workspace_is_taken_as_it_is(isolated):
    assert workspace() == isolated
    assert os.environ[VARIABLE] == str(isolated)


def test_a_home_folder_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv(VARIABLE, "~nobody-of-this-name/labs")
    with pytest.raises(LabsError, match="~nobody-of-this-name/labs: there is no such home folder"):
        workspace()


def test_a_user_without_a_home_folder_has_none(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 54_321)
    assert home() is None


def test_a_user_without_a_home_folder_can_still_take_a_receipt(monkeypatch):
    from labsupport.receipts import provenance

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 54_321)
    assert provenance.short_command(["/x/labs", "train"]) == "labs train"
