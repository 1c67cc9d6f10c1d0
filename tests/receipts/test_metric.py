"""A metric is declared once, and a number that it cannot have is refused wherever it turns up."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from importlib import import_module

import pytest
import typer

from labsupport.cli.ledger import validate
from labsupport.course.catalog import CRITERIA
from labsupport.course.grading.criteria import CriterionStatus, judge
from labsupport.errors import LabsError
from labsupport.receipts import provenance
from labsupport.receipts.domain import ANY, COUNT, FLAG, NOT_NEGATIVE, POSITIVE, SHARE, Domain
from labsupport.receipts.ledger import ledger, record
from labsupport.receipts.metric import Metric, declared, find, packages
from labsupport.receipts.physics import why_impossible
from labsupport.receipts.quantities import UNITS
from labsupport.receipts.receipt import Kind, Receipt

DECLARED = declared()
each_metric = pytest.mark.parametrize("metric", DECLARED, ids=lambda metric: metric.name)


def impossible(metric: Metric) -> float:
    """Return a value just outside a metric's domain."""
    domain = metric.domain
    if domain.at_least is not None:
        return domain.at_least - (1 if domain.whole else 1e-9)
    if domain.above is not None:
        return domain.above
    if domain.at_most is not None:
        return domain.at_most + 1e-9
    raise AssertionError(f"Nothing is impossible for {metric.name}: its domain refuses no number")


def possible(metric: Metric) -> float:
    domain = metric.domain
    lowest = domain.at_least if domain.at_least is not None else domain.above
    return float(domain.at_most if domain.at_most is not None else (lowest or 0) + 1)


def planted(metric: Metric, value: float, **changes: object) -> Receipt:
    """Return a receipt with everything that any criterion asks for, its id as it should be."""
    details = {"gpus": 64, "parameters": 7e9, "seed": 0, "load_1m": 0.1, "code": provenance.code(metric.package)}
    fields: dict = {"name": metric.name, "value": value, "unit": metric.unit, "kind": Kind.MEASURED, "n": 2000,
                    "spread": 0.0, "hardware": "64 GPUs", "command": "labs", "commit": "abc", "source": "",
                    "at": "2026-01-05T12:00:00+00:00", "details": details}  # fmt: skip
    return Receipt(**(fields | changes))


def assert_refused_everywhere(receipt: Receipt, capsys: pytest.CaptureFixture[str]) -> None:
    """Plant a receipt, and see `labs validate` and every criterion that asks for its metric refuse it."""
    ledger().append(receipt)
    with pytest.raises(typer.Exit) as left:
        validate()
    assert left.value.exit_code == 1
    assert f"R0 error: {receipt.name}" in capsys.readouterr().out
    for criterion in CRITERIA:
        for part in criterion.requirements:
            if receipt.name in [one.name for one in part.metrics]:
                judgement = judge(dataclasses.replace(criterion, requirements=(part,)), [receipt])
                assert judgement.status is CriterionStatus.NOT_MEASURED
                assert f"receipt {receipt.id} refused: R0" in judgement.sentence


@each_metric
def test_an_impossible_value_is_refused_when_written_and_by_validate_and_by_every_criterion(
    metric: Metric, capsys: pytest.CaptureFixture[str]
) -> None:
    value = impossible(metric)
    with pytest.raises(LabsError, match="it can only be"):
        record(metric, value, n=20, spread=0.0, hardware="2 cores")
    assert not ledger().path.exists()
    assert_refused_everywhere(planted(metric, value), capsys)


@each_metric
def test_a_possible_value_is_no_flaw_and_another_unit_is(metric: Metric, capsys: pytest.CaptureFixture[str]) -> None:
    value = possible(metric)
    assert metric.flaw(value, metric.unit, n=2000) is None
    assert_refused_everywhere(planted(metric, value, unit="widgets"), capsys)


@pytest.mark.parametrize("metric", [one for one in DECLARED if one.out_of_n], ids=lambda metric: metric.name)
def test_no_more_seeds_fail_than_were_run(metric: Metric, capsys: pytest.CaptureFixture[str]) -> None:
    assert why_impossible(planted(metric, 20, n=20)) is None
    assert_refused_everywhere(planted(metric, 21, n=20), capsys)


def test_a_planted_receipt_of_an_undeclared_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    odd = Metric("training.happiness", "x", COUNT, "made up")
    assert_refused_everywhere(planted(odd, 1.0), capsys)


@each_metric
def test_a_metric_is_declared_under_the_name_that_messages_give(metric: Metric) -> None:
    module, _, constant = metric.constant.rpartition(".")
    assert getattr(import_module(module), constant) is metric
    assert find(metric.name) is metric
    assert metric.meaning


@each_metric
def test_a_name_ends_as_its_unit_says(metric: Metric) -> None:
    what = metric.name.rpartition(".")[2]
    if metric.unit in UNITS and metric.unit not in ("fraction", "x"):
        assert what.endswith("_" + metric.unit.lower().replace("/", "_per_")) or metric.name == "training.throughput"
    elif metric.domain == COUNT:
        assert what.rpartition("_")[2] == metric.unit


@each_metric
def test_what_is_counted_is_whole_and_what_is_true_or_false_is_a_flag(metric: Metric) -> None:
    assert (metric.unit == "bool") == (metric.domain == FLAG)
    if metric.unit == "fraction":
        assert metric.domain.at_most is not None


def test_names_are_declared_once() -> None:
    assert len({metric.name for metric in DECLARED}) == len(DECLARED)
    assert all(metric.package in packages() for metric in DECLARED)


def test_the_packages_are_the_five_that_measure() -> None:
    assert packages() == ("introduction", "regions", "serving", "training", "trainingjobs")


@pytest.mark.parametrize(
    "name", ["", "training", "training.", "os.path", "receipts.x", "..training.loss", "course.x.y"]
)
def test_a_foreign_name_is_no_metric_and_imports_nothing(name: str) -> None:
    before = set(sys.modules)
    assert find(name) is None
    assert {module for module in set(sys.modules) - before if "metrics" not in module} == set()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "Recovery"}, "a name is <package>"),
        ({"name": "training.Recovery_s"}, "a name is <package>"),
        ({"quantity": "zeal"}, "'zeal' is not a number that rules know"),
        ({"quantity": "spread"}, "'spread' is not a number that rules know"),
        ({"quantity": "price_region"}, "'price_region' is not a number that rules know"),
        ({"quantity": "usage_hours"}, "'usage_hours' is not a number that rules know"),
        ({"quantity": "mfu"}, "mfu is in 'fraction', not in 's'"),
    ],
)
def test_a_metric_that_contradicts_itself_cannot_be_made(changes: dict, reason: str) -> None:
    fields = {"name": "training.a_s", "unit": "s", "domain": POSITIVE, "meaning": "a time"} | changes
    with pytest.raises(ValueError, match=reason):
        Metric(**fields)


@pytest.mark.parametrize(
    ("domain", "inside", "outside", "words"),
    [
        (ANY, [-math.pi, 0, 1e300], [], "any number"),
        (POSITIVE, [1e-300, 5], [0, -1], "above 0"),
        (NOT_NEGATIVE, [0, 0.5], [-1e-9], "at least 0"),
        (SHARE, [0, 0.5, 1], [-0.1, 1.0000001], "at least 0 and at most 1"),
        (COUNT, [0, 1, 1e9], [-1, 0.5], "a whole number, at least 0"),
        (FLAG, [0, 1], [0.5, 2, -1], "0 or 1"),
        (Domain(above=0, at_most=1.5), [0.1, 1.5], [0, 1.51, 7], "above 0 and at most 1.5"),
        (Domain(whole=True), [-3, 7], [7.5], "a whole number"),
    ],
)
def test_a_domain_says_what_it_refuses(domain: Domain, inside: list, outside: list, words: str) -> None:
    assert all(value in domain for value in inside)
    assert not any(value in domain for value in outside)
    assert str(domain) == words


def test_a_refused_value_is_named_with_the_bound_it_breaks() -> None:
    assert Domain(above=0, at_most=1.5).broken_bound(7) == 1.5
    assert Domain(above=0, at_most=1.5).broken_bound(-7) == 0
    assert COUNT.broken_bound(2.6) == 3


def test_looking_a_metric_up_loads_nothing_heavy() -> None:
    code = "import sys; from labsupport.receipts.metric import declared; declared(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "ray", "numpy", "mlflow"} & set(loaded)
