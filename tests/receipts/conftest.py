"""Metrics that exist for one test alone, so that a rule can be tried on receipts of any quantity."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from labsupport.receipts import metric
from labsupport.receipts.domain import ANY
from labsupport.receipts.metric import Metric

Declare = Callable[..., Metric]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Return a function that declares a metric until the test ends."""
    made: dict[str, Metric] = {}
    of_package = metric._declared_in

    def declared_in(package: str) -> dict[str, Metric]:
        return {**of_package(package), **{name: one for name, one in made.items() if one.package == package}}

    def add(name: str, unit: str, domain=ANY, **more) -> Metric:
        made[name] = Metric(name, unit, domain, f"what {name} means", **more)
        return made[name]

    monkeypatch.setattr(metric, "_declared_in", declared_in)
    return add
