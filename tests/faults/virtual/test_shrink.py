"""A failing schedule is made small, keeps its bug, and cannot lose another fault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labsupport.faults.virtual import Fault, FaultKind, FaultSpec, Program, Scenario, Schedule, shrink

NODES = ("a", "b", "c")
NOISE = tuple(Fault(FaultKind.SLOW, 1.0 + n, 0.731, ("c",), amount=0.123) for n in range(12))


class Beats(Program):
    def on_start(self, node):
        self.started_s = node.now_s
        node.after(0.1, "beat")

    def on_timer(self, node, name):
        for peer in node.peers:
            node.send(peer, "beat")
        node.after(0.1, "beat")


def scenario(*invariants, **more) -> Scenario:
    def build(world):
        for name in NODES:
            world.add(name, Beats)
        for invariant in invariants:
            world.invariant(invariant)

    return Scenario("beats", build, FaultSpec.of("crash"), duration_s=30.0, **more)


def down(world) -> set[str]:
    """Return the nodes that are down; while the world begins, those that are not up yet do not count."""
    return {name for name in NODES if not world.machine(name).up} if world.now_s > 0 else set()


def two_are_never_down_together(world):
    return "both are down" if {"a", "b"} <= down(world) else None


def crash(node, at_s, duration_s=3.0, amount=0.0):
    return Fault(FaultKind.CRASH, at_s, duration_s, (node,), amount=amount)


def shrunk_from(scenario, *faults, **more):
    run = scenario.replay(Schedule("beats", 1, faults))
    assert not run.ok
    return shrink(scenario, run, **more)


def test_faults_that_play_no_part_are_dropped_and_the_others_stay():
    result = shrunk_from(
        scenario(two_are_never_down_together), *NOISE, crash("a", 4.0), crash("b", 6.0), crash("c", 5.0)
    )
    assert sorted((fault.kind, fault.nodes) for fault in result.schedule.faults) == [
        ("crash", ("a",)),
        ("crash", ("b",)),
    ]
    assert result.minimal
    assert result.failure.message == "both are down"


def test_without_any_one_of_its_faults_the_smallest_schedule_survives():
    world_scenario = scenario(two_are_never_down_together)
    result = shrunk_from(world_scenario, *NOISE, crash("a", 4.0), crash("b", 6.0))
    for fault in result.schedule.faults:
        rest = tuple(other for other in result.schedule.faults if other != fault)
        assert world_scenario.replay(replace(result.schedule, faults=rest)).ok
    assert not world_scenario.replay(result.schedule).ok


def test_times_are_short_round_and_early():
    result = shrunk_from(scenario(two_are_never_down_together), crash("a", 14.237, 9.871), crash("b", 17.713, 8.113))
    for fault in result.schedule.faults:
        assert fault.duration_s <= 5
        assert len(f"{fault.at_s:g}{fault.duration_s:g}") <= 6
    assert result.failure.at_s < 10


def test_an_amount_that_does_not_matter_is_rounded_or_goes():
    def a_is_up(world):
        return "a is down" if "a" in down(world) else None

    (fault,) = shrunk_from(scenario(a_is_up), crash("a", 3.0, amount=3.0)).schedule.faults
    assert fault.amount == 0

    def messages_to_b_take_no_second(world):
        return world.link("a", "b").extra_s < 0.5

    delay = Fault(FaultKind.DELAY, 3.0, 2.0, ("a",), ("b",), amount=0.7381)
    (fault,) = shrunk_from(scenario(messages_to_b_take_no_second), delay).schedule.faults
    assert fault.amount == 0.7


def test_directions_and_nodes_that_do_not_matter_are_left_out():
    def b_hears_c(world):
        return not world.link("c", "b").blocked

    partition = Fault(FaultKind.PARTITION, 2.0, 3.0, ("a", "b"), ("c",), both_ways=True)
    (fault,) = shrunk_from(scenario(b_hears_c), partition).schedule.faults
    assert (fault.nodes, fault.towards, fault.both_ways) == (("c",), ("b",), False)


def test_two_faults_that_do_the_work_of_one_are_merged():
    def a_is_not_down_at_six_and_nine(world):
        if "a" in down(world) and 6.0 <= world.now_s < 6.1:
            seen.add(world)
        return not ("a" in down(world) and world in seen and 9.0 <= world.now_s < 9.1)

    seen: set = set()
    result = shrunk_from(scenario(a_is_not_down_at_six_and_nine), crash("a", 5.5, 1.0), crash("a", 8.5, 1.0))
    assert len(result.schedule.faults) == 1


def test_another_bug_is_no_smaller_form_of_this_one():
    def c_is_up(world):
        return "c is down" if "c" in down(world) else None

    both = scenario(c_is_up, two_are_never_down_together)
    result = shrunk_from(both, crash("a", 4.0), crash("b", 5.0), crash("c", 9.0))
    assert result.failure.name == "two are never down together"
    assert len(result.schedule.faults) == 2


def test_a_failure_at_the_end_is_judged_at_the_end():
    def nobody_ever_crashed(world):
        return "somebody did" if any(machine._starts > 1 for machine in world.machines.values()) else None

    result = shrunk_from(scenario(at_end=nobody_ever_crashed), *NOISE, crash("a", 4.0), crash("b", 25.0))
    assert len(result.schedule.faults) == 1
    assert result.failure.at_s == 30.0


def test_the_tail_stays_quiet():
    def watch(world):
        if "a" in down(world) and 17.7 <= world.now_s < 17.8:
            down_early.add(world)

    def a_was_not_down_all_the_time(world):
        return not (world in down_early and world.program("a").started_s > 19.8)

    down_early: set = set()
    watched = scenario(watch, at_end=a_was_not_down_all_the_time)
    (fault,) = shrunk_from(watched, crash("a", 17.61, 2.29)).schedule.faults
    assert 19.8 < fault.ends_s <= 19.9  # and not 20, as with halves of a second


def test_a_failure_without_any_fault_has_an_empty_schedule():
    result = shrunk_from(scenario(lambda world: world.now_s < 2.0), *NOISE)
    assert result.schedule.faults == ()
    assert result.minimal


def test_it_stops_when_its_runs_are_used_up_and_says_so():
    faults = (*NOISE, crash("a", 4.0), crash("b", 6.0))
    result = shrunk_from(scenario(two_are_never_down_together), *faults, most_runs=3)
    assert (result.runs, result.minimal) == (3, False)
    assert not scenario(two_are_never_down_together).replay(result.schedule).ok


def test_a_run_that_survived_cannot_be_shrunk():
    survived = scenario().replay(Schedule("beats", 1))
    with pytest.raises(AssertionError, match="seed 1 survived"):
        shrink(scenario(), survived)
