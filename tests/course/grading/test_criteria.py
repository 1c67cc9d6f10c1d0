"""A criterion is judged from receipts: met only on the evidence it names, provisional on less, never from a goal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.course import catalog
from labsupport.course.catalog.success import OVER_SEEDS, Compare, Requirement, SuccessCriterion, gpus
from labsupport.course.grading.criteria import Judgement, Status, judge
from labsupport.receipts.receipt import Kind, Receipt

SCALING = catalog.criterion("201.scaling-efficiency")


def receipt(name: str, value: float, unit: str = "fraction", kind: Kind = Kind.MEASURED, **more: Any) -> Receipt:
    n, at, details = more.pop("n", 5), more.pop("at", "2026-01-05T12:00:00+00:00"), {"seed": 1, **more}
    return Receipt(name, value, unit, kind, n, None, "a machine", "a command", "abc", "a source", at, details)


def efficiency(value: float, **more: Any) -> Receipt:
    return receipt("training.scaling_efficiency", value, **more)


def verdict_on(*receipts: Receipt, criterion: SuccessCriterion = SCALING, **more: Any) -> Judgement:
    return judge(criterion, receipts, **more)


def made_of(*requirements: Requirement) -> SuccessCriterion:
    return SuccessCriterion("201.made", "201", "made for a test", "so", requirements, weeks=(1,))


def satisfying(part: Requirement) -> Receipt:
    """Return a receipt that has all a requirement asks for."""
    step = {Compare.AT_LEAST: 0, Compare.ABOVE: 0.5, Compare.AT_MOST: 0, Compare.BELOW: -0.001, Compare.EXACTLY: 0}
    details = {named.detail: named.at_least for named in part.named}
    kind = Kind.MEASURED if Kind.MEASURED in part.kinds else next(iter(part.kinds))
    return receipt(part.receipt, part.target + step[part.compare], part.unit, kind, n=part.min_n, **details)


def test_without_receipts_a_criterion_is_not_measured() -> None:
    judgement = verdict_on()
    assert judgement.status is Status.NOT_MEASURED
    assert judgement.receipt_ids == ()
    assert judgement.sentence == "training.scaling_efficiency: no receipt yet"


def test_measured_on_the_named_hardware_and_on_target_is_met() -> None:
    good = efficiency(0.91, gpus=4)
    judgement = verdict_on(good)
    assert judgement.status is Status.MET
    assert judgement.receipt_ids == (good.id,)
    assert judgement.sentence == "training.scaling_efficiency is 91 %, measured (at least 85 %)"


def test_measured_on_the_named_hardware_and_off_target_is_not_met() -> None:
    assert verdict_on(efficiency(0.84, gpus=4)).status is Status.NOT_MET


def test_more_gpus_than_named_settle_it_too() -> None:
    assert verdict_on(efficiency(0.85, gpus=8)).status is Status.MET


@pytest.mark.parametrize(("value", "side"), [(0.91, "on target here"), (0.5, "misses the target here")])
def test_smaller_hardware_is_provisional_whichever_way_it_points(value: float, side: str) -> None:
    judgement = verdict_on(efficiency(value, gpus=2))
    assert judgement.status is Status.PROVISIONAL
    assert judgement.parts[0].on_target is (value > 0.85)
    assert f"{side}, but not on 4 GPUs" in judgement.sentence


@pytest.mark.parametrize("stated", [{}, {"gpus": True}, {"gpus": "4"}, {"gpus": 0}])
def test_a_run_that_does_not_state_its_gpus_used_none(stated: dict[str, Any]) -> None:
    assert verdict_on(efficiency(0.91, **stated), machine_gpus=8).status is Status.PROVISIONAL


def test_the_gpus_of_this_machine_only_change_the_advice() -> None:
    small = efficiency(0.91, gpus=1)
    assert "this machine has them: run it again there" in verdict_on(small, machine_gpus=4).sentence
    assert "this machine has 0" in verdict_on(small, machine_gpus=0).sentence
    assert "this machine" not in verdict_on(small).sentence


@pytest.mark.parametrize("kind", [Kind.SIMULATED, Kind.MODELLED])
@pytest.mark.parametrize("value", [0.99, 0.1])
def test_a_simulated_or_modelled_number_is_provisional_where_a_measured_one_is_wanted(kind: Kind, value: float) -> None:
    judgement = verdict_on(efficiency(value, kind=kind, gpus=4))
    assert judgement.status is Status.PROVISIONAL
    assert f"{kind}, not measured" in judgement.sentence


@pytest.mark.parametrize("kind", [Kind.TARGET, Kind.QUOTED])
def test_goals_and_quoted_numbers_never_judge(kind: Kind) -> None:
    assert verdict_on(efficiency(0.99, kind=kind, gpus=4)).status is Status.NOT_MEASURED
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
    criterion = made_of(Requirement("training.gpu_utilization", Compare.AT_LEAST, 0.85, "fraction",
                                    stand_ins=("training.busy_fraction",)))  # fmt: skip
    judgement = verdict_on(receipt("training.busy_fraction", 0.97), criterion=criterion)
    assert judgement.status is Status.PROVISIONAL
    assert "training.busy_fraction stands in for training.gpu_utilization" in judgement.sentence


def test_a_stand_in_gives_way_to_the_receipt_itself() -> None:
    criterion = made_of(Requirement("a.b", Compare.AT_LEAST, 0.85, "fraction", stand_ins=("a.c",)))
    own, stand_in = receipt("a.b", 0.5), receipt("a.c", 0.97, at="2026-02-01T00:00:00+00:00")
    assert verdict_on(own, stand_in, criterion=criterion).status is Status.NOT_MET


def test_fast_generation_by_a_small_model_is_provisional() -> None:
    part = catalog.criterion("202.llm-throughput").requirements[0]
    tiny = receipt(part.receipt, 5000, "tokens/s", gpus=1, parameters=15e6)
    llama = receipt(part.receipt, 120, "tokens/s", gpus=1, parameters=6.74e9)
    assert verdict_on(tiny, criterion=made_of(part)).status is Status.PROVISIONAL
    assert "not on a 7B model" in verdict_on(tiny, criterion=made_of(part)).sentence
    assert verdict_on(llama, criterion=made_of(part)).status is Status.MET


@pytest.mark.parametrize("n", [None, 1, 19])
def test_an_invariant_over_too_few_seeds_is_provisional(n: int | None) -> None:
    part = Requirement("a.failing_seeds", Compare.EXACTLY, 0, "seeds", kinds=OVER_SEEDS, min_n=20)
    few = receipt("a.failing_seeds", 0, "seeds", Kind.SIMULATED, n=n)
    enough = receipt("a.failing_seeds", 0, "seeds", Kind.SIMULATED, n=20)
    assert verdict_on(few, criterion=made_of(part)).status is Status.PROVISIONAL
    assert f"over {n or 1} of at least 20 seeds" in verdict_on(few, criterion=made_of(part)).sentence
    assert verdict_on(enough, criterion=made_of(part)).status is Status.MET


def test_units_of_one_quantity_are_converted() -> None:
    part = Requirement("training.recovery_s", Compare.BELOW, 180, "s")
    for value, unit, status in [(2.5, "min", "met"), (3, "min", "not met"), (179_999, "ms", "met")]:
        judgement = verdict_on(receipt("training.recovery_s", value, unit), criterion=made_of(part))
        assert judgement.status == status


def test_a_receipt_in_another_unit_judges_nothing_and_is_named() -> None:
    odd = receipt("training.scaling_efficiency", 0.91, "widgets", gpus=4)
    judgement = verdict_on(odd)
    assert judgement.status is Status.NOT_MEASURED
    assert judgement.sentence == (
        f"training.scaling_efficiency: recorded in 'widgets' (receipt {odd.id}), the criterion asks for 'fraction'"
    )


def test_a_value_just_off_target_is_not_rounded_onto_it() -> None:
    assert "is 84.9999 %" in verdict_on(efficiency(0.849999, gpus=4)).sentence


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"a": 1, "b": 1, "c": 1}, Status.MET),
        ({"a": 1, "b": 1}, Status.NOT_MEASURED),
        ({"a": 1, "b": 0}, Status.NOT_MET),
        ({"a": 1, "b": 1, "c": 1, "few": 1}, Status.PROVISIONAL),
    ],
)
def test_the_weakest_requirement_decides_and_a_failed_one_before_a_missing_one(values, status) -> None:
    parts = [Requirement(f"t.{name}", Compare.EXACTLY, 1, "bool") for name in ("a", "b", "c")]
    if "few" in values:
        parts.append(Requirement("t.few", Compare.EXACTLY, 1, "bool", named=(gpus(1),)))
    judgement = verdict_on(*(receipt(f"t.{name}", value, "bool") for name, value in values.items()),
                           criterion=made_of(*parts))  # fmt: skip
    assert judgement.status is status
    assert judgement.sentence.count(";") >= len(parts) - 1


def test_the_part_that_decides_is_named_first() -> None:
    criterion = made_of(*(Requirement(f"t.{name}", Compare.EXACTLY, 1, "bool") for name in ("a", "b")))
    sentence = verdict_on(receipt("t.a", 1, "bool"), receipt("t.b", 0, "bool"), criterion=criterion).sentence
    assert sentence == "t.b is false, measured (exactly true); t.a is true, measured (exactly true)"


def test_uptime_is_met_by_a_model_and_not_by_a_short_window() -> None:
    criterion = catalog.criterion("203.uptime")
    failover = receipt("regions.failover_s", 12, "s")
    modelled = receipt("regions.availability", 0.9996, kind=Kind.MODELLED)
    window = receipt("regions.availability", 1.0)
    assert verdict_on(failover, modelled, criterion=criterion).status is Status.MET
    assert verdict_on(failover, window, criterion=criterion).status is Status.PROVISIONAL
    assert verdict_on(modelled, criterion=criterion).status is Status.NOT_MEASURED


def test_allocation_needs_the_naive_placement_to_miss() -> None:
    criterion = catalog.criterion("204.gpu-allocation")
    good = receipt("trainingjobs.allocation", 0.97)
    assert verdict_on(good, criterion=criterion).status is Status.NOT_MEASURED
    for naive, status in [(0.7, Status.MET), (0.96, Status.NOT_MET)]:
        control = receipt("trainingjobs.naive_allocation", naive, kind=Kind.SIMULATED)
        assert verdict_on(good, control, criterion=criterion).status is status


@pytest.mark.parametrize("criterion", catalog.CRITERIA, ids=lambda criterion: criterion.id)
def test_every_criterion_can_be_met_and_each_of_its_requirements_is_needed(criterion: SuccessCriterion) -> None:
    receipts = [satisfying(part) for part in criterion.requirements]
    assert judge(criterion, receipts).status is Status.MET
    for missing in range(len(receipts)):
        rest = receipts[:missing] + receipts[missing + 1 :]
        assert judge(criterion, rest).status is Status.NOT_MEASURED


@pytest.mark.parametrize("criterion", catalog.CRITERIA, ids=lambda criterion: criterion.id)
def test_no_criterion_is_met_by_a_goal(criterion: SuccessCriterion) -> None:
    goals = [
        receipt(item.name, item.value, item.unit, Kind.TARGET, n=item.n, **item.details)
        for item in map(satisfying, criterion.requirements)
    ]
    assert judge(criterion, goals).status is Status.NOT_MEASURED


@given(
    value=st.floats(0, 1),
    used=st.integers(0, 8),
    kind=st.sampled_from(list(Kind)),
    here=st.one_of(st.none(), st.integers(0, 8)),
)
def test_met_means_measured_on_the_named_hardware_and_on_target(value, used, kind, here) -> None:
    status = judge(SCALING, [efficiency(value, kind=kind, gpus=used)], here).status
    assert (status is Status.MET) == (kind is Kind.MEASURED and used >= 4 and value >= 0.85)
    assert (status is Status.NOT_MET) == (kind is Kind.MEASURED and used >= 4 and value < 0.85)
