from __future__ import annotations

import dataclasses
import math

import pytest

from labsupport.receipts.claim import Claim, claims_of
from labsupport.receipts.physics import lint_receipts
from labsupport.receipts.receipt import Kind, Receipt
from labsupport.receipts.rule import Severity

METRICS = {
    "test.mfu": ("fraction", "mfu"),
    "test.mfu_percent": ("%", "mfu"),
    "test.share_of_peak": ("fraction", ""),
    "test.step_s": ("s", "step_s"),
    "test.tokens_per_s": ("tokens/s", "tokens_per_s"),
    "test.speedup": ("x", "speedup"),
    "test.scaling_efficiency": ("fraction", "scaling_efficiency"),
    "test.ttft_p50_ms": ("ms", "p50_ms"),
    "test.token_gap_p99_ms": ("ms", "p99_ms"),
}


@pytest.fixture(autouse=True)
def metrics(declare) -> None:
    for name, (unit, quantity) in METRICS.items():
        declare(name, unit, quantity=quantity)


def receipt(name: str, value: float, unit: str, kind: Kind = Kind.MODELLED, **details: object) -> Receipt:
    at = "2026-01-31T12:00:00+00:00"
    return Receipt(name, value, unit, kind, 2000, 0.0, "2 cores", "", "", "a source", at, {"load_1m": 0.1} | details)


def rules(*receipts: Receipt) -> list[str]:
    return [finding.rule for finding in lint_receipts(receipts)]


@pytest.mark.parametrize(
    ("quantities", "reason"),
    [
        ({"tokens_per_sec": 1}, "did you mean 'tokens_per_s'"),
        ({"zzz": 1}, "see QUANTITIES"),
        ({"step_s": "fast"}, "must be a finite number"),
        ({"step_s": True}, "must be a finite number"),
        ({"step_s": math.nan}, "must be a finite number"),
        ({"step_s": 10**400}, "must be a finite number"),
        ({"step_s": None}, "must be a finite number"),
        ({"step_s": [1, 2]}, "must be a finite number"),
        ({"scaling_mode": 1}, "must be text"),
        ({"part_quantiles": []}, "is empty"),
        ({"part_quantiles": [1, "x"]}, "must be a finite number"),
    ],
)
def test_a_claim_with_an_unknown_name_or_type_is_refused(quantities: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        Claim("line 3", quantities)
    assert "line 3" in str(refusal.value)


def test_a_series_of_one_may_be_a_plain_number() -> None:
    assert Claim("x", {"usage_hours": 10}).quantities == {"usage_hours": (10.0,)}


def test_a_receipt_states_its_value_in_the_quantitys_own_unit() -> None:
    (claim,), findings = claims_of([receipt("test.mfu_percent", 42.0, "%", parameters=6.74e9)])
    assert not findings
    assert claim.quantities["mfu"] == pytest.approx(0.42)
    assert claim.quantities["parameters"] == 6.74e9
    assert claim.subject.startswith("test.mfu_percent (")


def test_the_metric_says_which_quantity_a_receipt_states_and_no_detail_changes_that() -> None:
    assert rules(receipt("test.mfu", 1.3, "fraction")) == ["R1"]
    assert rules(receipt("test.mfu", 1.3, "fraction", quantity="hit_rate")) == ["R1"]
    assert rules(receipt("test.share_of_peak", 1.3, "fraction")) == []


@pytest.mark.parametrize(
    ("name", "unit", "reason"),
    [
        ("test.step_s", "ms", "its unit is 's', not 'ms'"),
        ("training.recovery", "s", "no metric is declared as 'training.recovery'; did you mean training.recovery_s?"),
        ("zzz", "s", "no metric is declared as 'zzz'; a package declares its metrics in its metrics.py"),
    ],
)
def test_a_receipt_in_another_unit_or_of_no_declared_metric_is_an_error(name: str, unit: str, reason: str) -> None:
    (finding,) = lint_receipts([receipt(name, 1.0, unit)])
    assert (finding.rule, finding.severity, finding.sentence) == ("R0", Severity.ERROR, reason)


def test_a_detail_of_the_wrong_type_is_a_finding_and_not_a_crash() -> None:
    (finding,) = lint_receipts([receipt("training.loss", 1.0, "nats", gpus="two")])
    assert finding.rule == "R0"
    assert "gpus is 'two'" in finding.sentence


def test_details_that_no_rule_knows_are_left_alone() -> None:
    assert rules(receipt("training.loss", 1.0, "nats", seed=3, tolerance=900.0, optimiser="adam", step_s=None)) == []


def test_receipts_of_one_run_are_judged_together() -> None:
    shape = {"global_batch": 256, "sequence_length": 4096}
    tokens = receipt("test.tokens_per_s", 1.98e6, "tokens/s", run="r1", **shape)
    step = receipt("test.step_s", 0.129, "s", run="r1", **shape)
    (finding,) = lint_receipts([tokens, step])
    assert finding.rule == "R2"
    assert finding.subject == "run r1: test.tokens_per_s, test.step_s"
    assert rules(tokens, receipt("test.step_s", 0.129, "s", run="r2", **shape)) == []


def test_what_one_receipt_breaks_is_not_repeated_for_its_run() -> None:
    assert rules(receipt("test.mfu", 1.2, "fraction", run="r"), receipt("test.step_s", 1.0, "s", run="r")) == ["R1"]


def test_what_receipts_of_a_run_disagree_on_is_not_joined() -> None:
    points = [receipt("test.speedup", speedup, "x", run="r", workers=count) for count, speedup in ((2, 1.9), (4, 3.6))]
    half = receipt("test.scaling_efficiency", 0.9, "fraction", run="r", workers=4, scaling_mode="weak")
    assert rules(*points, half) == []


def test_quantiles_of_two_metrics_of_a_run_are_not_compared() -> None:
    ttft, gap = receipt("test.ttft_p50_ms", 200, "ms", run="r"), receipt("test.token_gap_p99_ms", 30, "ms", run="r")
    assert rules(ttft, gap) == []


def efficiency(value: float, workers: int, **details: object) -> Receipt:
    return receipt("test.scaling_efficiency", value, "fraction", workers=workers, scaling_mode="weak", **details)


def test_efficiencies_at_several_worker_counts_are_a_curve() -> None:
    (finding,) = lint_receipts([efficiency(1.0, 1), efficiency(0.998, 8), efficiency(0.97, 4)])
    assert finding.rule == "R5"
    assert finding.subject == "test.scaling_efficiency over 1, 4, 8 workers"


def test_a_repeated_point_of_a_curve_replaces_the_earlier_one() -> None:
    assert rules(efficiency(0.97, 4), efficiency(0.998, 8), efficiency(0.95, 8)) == []


def test_curves_of_different_runs_are_not_mixed() -> None:
    assert rules(efficiency(0.97, 4, run="cpu"), efficiency(0.998, 8, run="gpu")) == []


def test_a_curve_as_noisy_as_its_points_is_left_alone() -> None:
    points = [efficiency(0.90, 4), efficiency(0.93, 8)]
    assert rules(*points) == ["R5"]
    assert rules(*(dataclasses.replace(point, spread=0.06) for point in points)) == []


def measured(name: str, value: float, unit: str, n: int | None = 1, **details: object) -> Receipt:
    return dataclasses.replace(receipt(name, value, unit, Kind.MEASURED, **details), n=n, spread=None)


def test_what_is_true_or_counted_needs_no_spread_and_a_maximum_needs_its_n_alone() -> None:
    assert rules(measured("training.resume_exact", 1.0, "bool")) == []
    assert rules(measured("training.lost_steps", 9.0, "steps")) == []
    assert rules(measured("training.ddp_difference", 2e-6, "nats", n=80, statistic="max")) == []
    assert rules(measured("training.ddp_difference", 2e-6, "nats", n=1, statistic="max")) == ["R19"]


def test_a_rate_and_a_latency_without_repeats_and_spread_are_still_anecdotes() -> None:
    assert rules(measured("training.throughput", 320.0, "samples/s", n=19)) == ["R19"]
    assert rules(measured("training.recovery_s", 12.0, "s")) == ["R19"]
    assert rules(measured("training.accuracy", 0.694, "fraction")) == ["R19"]


def test_a_time_that_calls_itself_a_count_is_judged_as_a_measurement() -> None:
    assert rules(measured("training.recovery_s", 12.0, "s", statistic="count")) == ["R0", "R19"]
