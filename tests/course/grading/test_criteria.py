"""A criterion is judged from receipts: met only on the evidence it names, provisional on less, never from a goal."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.course import catalog
from labsupport.course.catalog.success import MODELLED, OVER_SEEDS, Compare, Requirement, SuccessCriterion, gpus
from labsupport.course.grading.criteria import CriterionStatus, Judgement, judge
from labsupport.receipts import provenance
from labsupport.receipts.ledger import Dropped
from labsupport.receipts.metric import Metric
from labsupport.receipts.receipt import Kind, Receipt
from labsupport.regions import metrics as regions
from labsupport.training import metrics as training
from labsupport.trainingjobs import metrics as trainingjobs

SCALING = catalog.criterion("201.scaling-efficiency")


# A largest lag is impossible without its distribution (R15).
EVIDENCE = {regions.LAG_MAX_S: {"lag_p50_s": 0.4, "lag_p99_s": 2.1, "samples": 2000, "object_bytes": 1e6}}


def receipt(metric: Metric, value: float, kind: Kind = Kind.MEASURED, **more: Any) -> Receipt:
    """Return a receipt of the code that is here now."""
    n, at, unit = more.pop("n", 5), more.pop("at", "2026-01-05T12:00:00+00:00"), more.pop("unit", metric.unit)
    details = {"seed": 1, "code": provenance.code(metric.package), **EVIDENCE.get(metric, {}), **more}
    return Receipt(metric.name, value, unit, kind, n, None, "a machine", "a command", "abc", "a source", at, details)


def efficiency(value: float, **more: Any) -> Receipt:
    return receipt(training.SCALING_EFFICIENCY, value, **more)


def verdict_on(*receipts: Receipt, criterion: SuccessCriterion = SCALING, **more: Any) -> Judgement:
    return judge(criterion, receipts, **more)


def made_of(*requirements: Requirement) -> SuccessCriterion:
    return SuccessCriterion("201.made", "201", "made for a test", requirements, weeks=(1,))


def satisfying(part: Requirement) -> Receipt:
    """Return a receipt that has all a requirement asks for."""
    step = {Compare.AT_LEAST: 0, Compare.ABOVE: 0.5, Compare.AT_MOST: 0, Compare.BELOW: -0.001, Compare.EXACTLY: 0}
    details = {named.detail: named.at_least for named in part.named}
    kind = Kind.MEASURED if Kind.MEASURED in part.kinds else next(iter(part.kinds))
    return receipt(part.metric, part.target + step[part.compare], kind, n=part.min_n, **details)


def test_without_receipts_a_criterion_is_not_measured() -> None:
    judgement = verdict_on()
    assert judgement.status is CriterionStatus.NOT_MEASURED
    assert judgement.receipt_ids == ()
    assert judgement.sentence == "training.scaling_efficiency: no receipt yet"


def test_the_statuses_read_as_words_and_the_earlier_ones_decide() -> None:
    assert list(CriterionStatus) == ["not met", "not measured", "provisional", "met"]


def test_a_judgement_is_a_fact_about_its_criterion() -> None:
    judgement = verdict_on(efficiency(0.91, gpus=4))
    assert judgement.criterion is SCALING
    assert [part.requirement for part in judgement.parts] == list(SCALING.requirements)
    assert verdict_on().parts[0].requirement is SCALING.requirements[0]
    for fact in (judgement, *judgement.parts):
        with pytest.raises(FrozenInstanceError):
            fact.status = CriterionStatus.NOT_MET


def test_measured_on_the_named_hardware_and_on_target_is_met() -> None:
    good = efficiency(0.91, gpus=4)
    judgement = verdict_on(good)
    assert judgement.status is CriterionStatus.MET
    assert judgement.receipt_ids == (good.id,)
    assert judgement.sentence == "training.scaling_efficiency is 91 %, measured (at least 85 %)"


def test_measured_on_the_named_hardware_and_off_target_is_not_met() -> None:
    assert verdict_on(efficiency(0.84, gpus=4)).status is CriterionStatus.NOT_MET


def test_more_gpus_than_named_settle_it_too() -> None:
    assert verdict_on(efficiency(0.85, gpus=8)).status is CriterionStatus.MET


@pytest.mark.parametrize(("value", "side"), [(0.91, "on target here"), (0.5, "misses the target here")])
def test_smaller_hardware_is_provisional_whichever_way_it_points(value: float, side: str) -> None:
    judgement = verdict_on(efficiency(value, gpus=2))
    assert judgement.status is CriterionStatus.PROVISIONAL
    assert judgement.parts[0].on_target is (value > 0.85)
    assert f"{side}, but not on 4 GPUs" in judgement.sentence


def test_a_run_that_does_not_state_its_gpus_used_none() -> None:
    assert verdict_on(efficiency(0.91), machine_gpus=8).status is CriterionStatus.PROVISIONAL


@pytest.mark.parametrize("stated", [{"gpus": True}, {"gpus": "4"}, {"gpus": 0}])
def test_a_run_that_states_no_number_of_gpus_is_refused(stated: dict[str, Any]) -> None:
    judgement = verdict_on(efficiency(0.91, **stated))
    assert judgement.status is CriterionStatus.NOT_MEASURED
    assert "refused: R0 " in judgement.sentence


def test_the_gpus_of_this_machine_only_change_the_advice() -> None:
    small = efficiency(0.91, gpus=1)
    assert "this machine has them: run it again there" in verdict_on(small, machine_gpus=4).sentence
    assert "this machine has 0" in verdict_on(small, machine_gpus=0).sentence
    assert "this machine" not in verdict_on(small).sentence


@pytest.mark.parametrize("kind", [Kind.SIMULATED, Kind.MODELLED])
@pytest.mark.parametrize("value", [0.99, 0.1])
def test_a_simulated_or_modelled_number_is_provisional_where_a_measured_one_is_wanted(kind: Kind, value: float) -> None:
    judgement = verdict_on(efficiency(value, kind=kind, gpus=4))
    assert judgement.status is CriterionStatus.PROVISIONAL
    assert f"{kind}, not measured" in judgement.sentence


def test_everything_that_is_lacking_is_named_and_gpus_are_advised_only_where_they_lack() -> None:
    lacking = verdict_on(efficiency(0.91, kind=Kind.MODELLED, gpus=1), machine_gpus=0).sentence
    assert lacking.endswith("but modelled, not measured, not on 4 GPUs (this machine has 0)")
    modelled = verdict_on(efficiency(0.91, kind=Kind.MODELLED, gpus=4), machine_gpus=0).sentence
    assert modelled.endswith("on target here, but modelled, not measured")


def test_a_ratio_reads_as_times() -> None:
    criterion = made_of(Requirement(regions.DELIVERED_WORK, Compare.AT_LEAST, 1))
    assert verdict_on(receipt(regions.DELIVERED_WORK, 1.25), criterion=criterion).sentence == (
        "regions.delivered_work is 1.25x, measured (at least 1x)"
    )


def test_a_flag_reads_as_true_or_false() -> None:
    criterion = made_of(Requirement(training.RESUME_EXACT, Compare.EXACTLY, 1))
    for value, word in ((1, "true"), (0, "false")):
        sentence = verdict_on(receipt(training.RESUME_EXACT, value), criterion=criterion).sentence
        assert sentence == f"training.resume_exact is {word}, measured (exactly true)"


@pytest.mark.parametrize("kind", [Kind.TARGET, Kind.QUOTED])
def test_goals_and_quoted_numbers_never_judge(kind: Kind) -> None:
    assert verdict_on(efficiency(0.99, kind=kind, gpus=4)).status is CriterionStatus.NOT_MEASURED
    measured = efficiency(0.5, gpus=4, at="2026-01-01T00:00:00+00:00")
    assert verdict_on(measured, efficiency(0.99, kind=kind, gpus=4)).receipt_ids == (measured.id,)


def test_the_newest_of_equal_receipts_wins_whatever_their_order() -> None:
    older, newer = efficiency(0.91, gpus=4), efficiency(0.6, gpus=4, at="2026-01-05T12:00:01Z")
    for order in [(older, newer), (newer, older)]:
        assert verdict_on(*order).receipt_ids == (newer.id,)


def test_of_two_receipts_of_one_second_the_later_written_wins() -> None:
    first, second = efficiency(0.91, gpus=4), efficiency(0.6, gpus=4)
    assert verdict_on(first, second).receipt_ids == (second.id,)
    assert verdict_on(second, first).receipt_ids == (first.id,)


def test_a_newer_run_on_a_laptop_does_not_undo_the_named_hardware() -> None:
    settled = efficiency(0.91, gpus=4)
    assert verdict_on(settled, efficiency(0.4, gpus=0, at="2026-02-01T00:00:00+00:00")).receipt_ids == (settled.id,)


def test_a_measured_number_comes_before_a_newer_modelled_one() -> None:
    measured = efficiency(0.7, gpus=2)
    modelled = efficiency(0.9, kind=Kind.MODELLED, gpus=4, at="2026-02-01T00:00:00+00:00")
    assert verdict_on(measured, modelled).receipt_ids == (measured.id,)


def test_a_stand_in_can_make_a_criterion_provisional_never_met() -> None:
    criterion = catalog.criterion("201.gpu-utilization")
    judgement = verdict_on(receipt(training.BUSY_FRACTION, 0.97), criterion=criterion)
    assert judgement.status is CriterionStatus.PROVISIONAL
    assert "training.busy_fraction stands in for training.gpu_utilization" in judgement.sentence


def test_a_stand_in_gives_way_to_the_receipt_itself() -> None:
    criterion = made_of(Requirement(training.GPU_UTILIZATION, Compare.AT_LEAST, 0.85, stand_ins=(training.ACCURACY,)))
    own, stand_in = receipt(training.GPU_UTILIZATION, 0.5), receipt(training.ACCURACY, 0.97, at="2026-02-01T00:00:00Z")
    assert verdict_on(own, stand_in, criterion=criterion).status is CriterionStatus.NOT_MET


def test_fast_generation_by_a_small_model_is_provisional() -> None:
    part = catalog.criterion("202.llm-throughput").requirements[0]
    tiny = receipt(part.metric, 5000, gpus=1, parameters=15e6)
    llama = receipt(part.metric, 120, gpus=1, parameters=6.74e9)
    assert verdict_on(tiny, criterion=made_of(part)).status is CriterionStatus.PROVISIONAL
    assert "not on a 7B model" in verdict_on(tiny, criterion=made_of(part)).sentence
    assert verdict_on(llama, criterion=made_of(part)).status is CriterionStatus.MET


@pytest.mark.parametrize("n", [None, 1, 19])
def test_an_invariant_over_too_few_seeds_is_provisional(n: int | None) -> None:
    part = Requirement(training.RECOVERY_FAILING_SEEDS, Compare.EXACTLY, 0, kinds=OVER_SEEDS, min_n=20)
    few = receipt(part.metric, 0, Kind.SIMULATED, n=n)
    enough = receipt(part.metric, 0, Kind.SIMULATED, n=20)
    assert verdict_on(few, criterion=made_of(part)).status is CriterionStatus.PROVISIONAL
    assert f"over {n or 1} of at least 20 seeds" in verdict_on(few, criterion=made_of(part)).sentence
    assert verdict_on(enough, criterion=made_of(part)).status is CriterionStatus.MET


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"unit": "%"}, "R0 its unit is 'fraction', not '%'"),
        ({"value": 7.0}, "it can only be above 0 and at most 1.5, not 7 fraction"),
        ({"value": -0.9}, "it can only be above 0 and at most 1.5, not -0.9 fraction"),
        ({"workers": 4, "speedup": 2.0, "scaling_mode": "strong"}, "R4 efficiency is printed as 0.91"),
        ({"workers": 4}, "R4 an efficiency at 4 workers with scaling_mode '': say 'strong' or 'weak'"),
    ],
)
def test_a_receipt_that_cannot_be_true_never_judges_and_is_named_with_the_reason(changes: dict, reason: str) -> None:
    odd = efficiency(changes.pop("value", 0.91), gpus=4, **changes)
    judgement = verdict_on(odd)
    assert judgement.status is CriterionStatus.NOT_MEASURED
    assert judgement.receipt_ids == ()
    assert judgement.sentence.startswith("training.scaling_efficiency: no receipt that can be true; receipt ")
    assert f"receipt {odd.id} refused: " in judgement.sentence
    assert reason in judgement.sentence


def test_a_receipt_that_cannot_be_true_gives_way_to_an_older_one_that_can_and_is_named_beside_it() -> None:
    good = efficiency(0.91, gpus=4)
    odd = efficiency(7.0, gpus=4, at="2026-02-01T00:00:00Z")
    judgement = verdict_on(good, odd)
    assert (judgement.status, judgement.receipt_ids) == (CriterionStatus.MET, (good.id,))
    assert f"; receipt {odd.id} refused: R0 " in judgement.sentence
    assert odd.id not in verdict_on(odd, efficiency(0.92, gpus=4, at="2026-03-01T00:00:00Z")).sentence


@pytest.mark.parametrize(("value", "side"), [(0.91, "on target here"), (0.5, "misses the target here")])
@pytest.mark.parametrize("code", [None, "0" * 12])
def test_a_stale_receipt_is_provisional_and_says_so(code: str | None, value: float, side: str) -> None:
    stale = efficiency(value, gpus=4, code=code)
    judgement = verdict_on(stale)
    assert (judgement.status, judgement.receipt_ids) == (CriterionStatus.PROVISIONAL, (stale.id,))
    assert f"{side}, but stale: measured by other code than is here now" in judgement.sentence


def test_a_receipt_without_n_is_one_run() -> None:
    criterion = made_of(Requirement(training.RESUME_EXACT, Compare.EXACTLY, 1, min_n=2))
    for n, status in ((None, CriterionStatus.PROVISIONAL), (2, CriterionStatus.MET)):
        assert verdict_on(receipt(training.RESUME_EXACT, 1, n=n), criterion=criterion).status is status


def test_a_stale_receipt_comes_after_every_fresh_one() -> None:
    stale = efficiency(0.91, gpus=4, code="0" * 12, at="2026-02-01T00:00:00Z")
    for fresh in (efficiency(0.4, gpus=4), efficiency(0.4), efficiency(0.9, kind=Kind.MODELLED)):
        for order in ((stale, fresh), (fresh, stale)):
            assert verdict_on(*order).receipt_ids == (fresh.id,)


def test_a_modelled_number_does_not_grow_stale() -> None:
    criterion = made_of(Requirement(regions.AVAILABILITY, Compare.AT_LEAST, 0.9995, kinds=MODELLED))
    modelled = receipt(regions.AVAILABILITY, 0.9996, Kind.MODELLED, code=None)
    assert verdict_on(modelled, criterion=criterion).status is CriterionStatus.MET


def test_a_line_that_was_dropped_is_mentioned_where_it_names_the_metric() -> None:
    dropped = [
        Dropped("receipts.jsonl line 2: corrupt (edited by hand), skipped", "training.scaling_efficiency"),
        Dropped("receipts.jsonl line 3: torn, skipped", "training.loss"),
        Dropped("receipts.jsonl line 4: torn, skipped", ""),
    ]
    none_left = verdict_on(dropped=dropped)
    assert none_left.sentence == f"training.scaling_efficiency: no receipt yet; {dropped[0].sentence}"
    met = verdict_on(efficiency(0.91, gpus=4), dropped=dropped)
    assert met.status is CriterionStatus.MET
    assert met.sentence.endswith(f"(at least 85 %); {dropped[0].sentence}")


def test_a_value_just_off_target_is_not_rounded_onto_it() -> None:
    assert "is 84.9999 %" in verdict_on(efficiency(0.849999, gpus=4)).sentence


FLAGS = {
    "a": training.RESUME_EXACT,
    "b": training.LOST_STEPS,
    "c": training.VALIDATOR_ERRORS,
    "few": training.MLFLOW_RUNS,
}


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"a": 1, "b": 1, "c": 1}, CriterionStatus.MET),
        ({"a": 1, "b": 1}, CriterionStatus.NOT_MEASURED),
        ({"a": 1, "b": 0}, CriterionStatus.NOT_MET),
        ({"a": 1, "b": 1, "c": 1, "few": 1}, CriterionStatus.PROVISIONAL),
        ({"a": 1, "b": 1, "few": 1}, CriterionStatus.NOT_MEASURED),
    ],
)
def test_the_weakest_requirement_decides_and_a_failed_one_before_a_missing_one(values, status) -> None:
    parts = [Requirement(FLAGS[name], Compare.EXACTLY, 1) for name in ("a", "b", "c")]
    if "few" in values:
        parts.append(Requirement(FLAGS["few"], Compare.EXACTLY, 1, named=(gpus(1),)))
    judgement = verdict_on(*(receipt(FLAGS[name], value) for name, value in values.items()), criterion=made_of(*parts))
    assert judgement.status is status
    assert judgement.sentence.count(";") >= len(parts) - 1


def test_the_part_that_decides_is_named_first() -> None:
    criterion = made_of(*(Requirement(FLAGS[name], Compare.EXACTLY, 1) for name in ("a", "b")))
    sentence = verdict_on(receipt(FLAGS["a"], 1), receipt(FLAGS["b"], 0), criterion=criterion).sentence
    assert sentence == (
        "training.lost_steps is 0 steps, measured (exactly 1 steps); "
        "training.resume_exact is true, measured (exactly true)"
    )


def test_uptime_is_met_by_a_model_and_not_by_a_short_window() -> None:
    criterion = catalog.criterion("203.uptime")
    failover = receipt(regions.FAILOVER_S, 12)
    modelled = receipt(regions.AVAILABILITY, 0.9996, Kind.MODELLED)
    window = receipt(regions.AVAILABILITY, 1.0)
    assert verdict_on(failover, modelled, criterion=criterion).status is CriterionStatus.MET
    assert verdict_on(failover, window, criterion=criterion).status is CriterionStatus.PROVISIONAL
    assert verdict_on(modelled, criterion=criterion).status is CriterionStatus.NOT_MEASURED


def test_allocation_needs_the_naive_placement_to_miss() -> None:
    criterion = catalog.criterion("204.gpu-allocation")
    good = receipt(trainingjobs.ALLOCATION, 0.97)
    assert verdict_on(good, criterion=criterion).status is CriterionStatus.NOT_MEASURED
    for naive, status in [(0.7, CriterionStatus.MET), (0.96, CriterionStatus.NOT_MET)]:
        control = receipt(trainingjobs.NAIVE_ALLOCATION, naive, Kind.SIMULATED)
        assert verdict_on(good, control, criterion=criterion).status is status


@pytest.mark.parametrize("criterion", catalog.CRITERIA, ids=lambda criterion: criterion.id)
def test_every_criterion_can_be_met_and_each_of_its_requirements_is_needed(criterion: SuccessCriterion) -> None:
    receipts = [satisfying(part) for part in criterion.requirements]
    assert judge(criterion, receipts).status is CriterionStatus.MET
    for missing in range(len(receipts)):
        rest = receipts[:missing] + receipts[missing + 1 :]
        assert judge(criterion, rest).status is CriterionStatus.NOT_MEASURED


@pytest.mark.parametrize("criterion", catalog.CRITERIA, ids=lambda criterion: criterion.id)
def test_no_criterion_is_met_by_a_goal(criterion: SuccessCriterion) -> None:
    goals = [replace(satisfying(part), kind=Kind.TARGET) for part in criterion.requirements]
    assert judge(criterion, goals).status is CriterionStatus.NOT_MEASURED


@given(
    value=st.floats(0.01, 1),
    used=st.integers(0, 8),
    kind=st.sampled_from(list(Kind)),
    here=st.one_of(st.none(), st.integers(0, 8)),
)
def test_met_means_measured_on_the_named_hardware_and_on_target(value, used, kind, here) -> None:
    stated = {"gpus": used} if used else {}
    status = judge(SCALING, [efficiency(value, kind=kind, **stated)], here).status
    assert (status is CriterionStatus.MET) == (kind is Kind.MEASURED and used >= 4 and value >= 0.85)
    assert (status is CriterionStatus.NOT_MET) == (kind is Kind.MEASURED and used >= 4 and value < 0.85)
