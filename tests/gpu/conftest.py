"""Tests that need a GPU: they are skipped by name without one.

    python -m pytest tests/gpu                           about two minutes with one GPU, no network needed
    LABS_GPU_WORKSPACE=FOLDER python -m pytest tests/gpu   keeps the receipts in FOLDER/receipts.jsonl

A host that has PyTorch and the rest on PYTHONPATH will do; where nbval is installed without Jupyter, add `-p no:nbval`.
"""

from __future__ import annotations

import os

import pytest

from labsupport.hardware import usable_gpus
from labsupport.receipts.ledger import ledger

PYTHONPATH = os.environ.get("PYTHONPATH")  # a host without an installation has the project there
WORKSPACE = os.environ.get("LABS_GPU_WORKSPACE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test here where PyTorch has no GPU to compute on."""
    if not usable_gpus():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU that PyTorch can use"))


@pytest.fixture(autouse=True)
def at_home(isolated, monkeypatch: pytest.MonkeyPatch):
    """Let workers find the project, keep the receipts if asked to, and show them."""
    if PYTHONPATH:
        monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    if WORKSPACE:
        monkeypatch.setenv("LABS_WORKSPACE", WORKSPACE)
    monkeypatch.setenv("LABS_COMMAND", "python -m pytest tests/gpu")
    yield
    for receipt in ledger().read().receipts:
        print(receipt.name, receipt.value, receipt.unit, receipt.hardware)
