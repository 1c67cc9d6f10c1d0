"""Which tests run: those of one week, and whether notebooks run by the second runner, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from labsupport.course import catalog

PACKAGES = {"201": "training", "202": "serving", "203": "regions", "204": "trainingjobs", None: "introduction"}


def chosen(items: Sequence[pytest.Item], tests: Path, week: int | None, cross: bool) -> list[pytest.Item]:
    """Return the tests to run, in their order."""
    kept = [item for item in items if cross or item.get_closest_marker("cross") is None]
    if week is None:
        return kept
    package = PACKAGES[catalog.week(week).project]
    return [item for item in kept if item.path.is_relative_to(tests / package) or _is_of(item, week)]


def _is_of(item: pytest.Item, week: int) -> bool:
    """Say whether a test is made for a week: by its parameter `week`, or by one that belongs to a week."""
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params if callspec else {}
    return parameters.get("week") == week or any(getattr(one, "week", None) == week for one in parameters.values())
