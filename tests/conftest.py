"""Every test has its own home: no test touches a learner's workspace, and sizes are those of the smoke profile."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the workspace to an empty folder and clear the variables that change what labsupport does."""
    for variable in ("LABS_HIDDEN_SEEDS", "LABS_PROGRESS", "LABS_COMMAND", "PYTHONPATH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LABS_PROFILE", "smoke")
    monkeypatch.setenv("LABS_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"
