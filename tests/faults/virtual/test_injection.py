"""Each fault does to the world what its kind says, for its time, and what overlaps does not heal early."""

from __future__ import annotations

import math

import pytest

from labsupport.errors import LabsError
from labsupport.faults.virtual.fault import FACTS, Fault, FaultKind
from labsupport.faults.virtual.injection import inject
from labsupport.faults.virtual.log import Happened
from labsupport.faults.virtual.node import Program
from labsupport.faults.virtual.world import World

AMOUNT = 0.5


def fault(kind: FaultKind, at_s: float = 1.0, duration_s: float = 2.0, amount: float | None = None, **more) -> Fault:
    facts = FACTS[kind]
    where = {"nodes": ("a",)} | ({"towards": ("b",)} if facts.on_links else {}) | more
    if amount is None:
        amount = AMOUNT if facts.amount and kind is not FaultKind.CRASH else 0.0
    return Fault(kind, at_s, duration_s, amount=amount, **where)


def world_with(*faults: Fault) -> World:
    world = World()
    for name in ("a", "b", "c"):
        world.add(name, Program)
    inject(world, faults)
    return world


CONDITIONS = {
    FaultKind.CRASH: lambda world: not world.machine("a").up,
    FaultKind.PAUSE: lambda world: world.machine("a")._paused,
    FaultKind.SLOW: lambda world: world.machine("a").slower_by_s == AMOUNT,
    FaultKind.CLOCK_SKEW: lambda world: world.machine("a").clock.wall_s(world.now_s) == world.now_s + AMOUNT,
    FaultKind.CLOCK_DRIFT: lambda world: world.machine("a").clock.rate == 1 + AMOUNT,
    FaultKind.DISK_LIES: lambda world: world.machine("a").disk.lies,
    FaultKind.DISK_TEARS: lambda world: world.machine("a").disk.tears,
    FaultKind.DISK_FULL: lambda world: world.machine("a").disk.full,
    FaultKind.PARTITION: lambda world: world.link("a", "b").blocked,
    FaultKind.LOSS: lambda world: world.link("a", "b").loss == AMOUNT,
    FaultKind.DUPLICATE: lambda world: world.link("a", "b").duplicate == AMOUNT,
    FaultKind.DELAY: lambda world: world.link("a", "b").extra_s == AMOUNT,
    FaultKind.JITTER: lambda world: world.link("a", "b").jitter_s == AMOUNT,
    FaultKind.REORDER: lambda world: world.link("a", "b").reorder_s == AMOUNT,
    FaultKind.THROTTLE: lambda world: world.link("a", "b").throttle_bytes_per_s == AMOUNT,
}


def test_every_kind_is_tested_here():
    assert set(CONDITIONS) == set(FaultKind)


@pytest.mark.parametrize("kind", FaultKind)
def test_a_fault_holds_for_its_time_and_is_put_back(kind):
    world = world_with(fault(kind))
    for until_s, active in ((0.9, False), (1.1, True), (2.9, True), (3.1, False)):
        world.run(until_s)
        assert bool(CONDITIONS[kind](world)) is active, until_s
    link = world.link("a", "b")
    assert link.healthy
    assert link.throttle_bytes_per_s == math.inf


@pytest.mark.parametrize("kind", FaultKind)
def test_the_first_end_of_two_that_overlap_heals_nothing(kind):
    world = world_with(fault(kind, 1.0, 3.0), fault(kind, 2.0, 1.0))
    for until_s, active in ((3.5, True), (4.5, False)):
        world.run(until_s)
        assert bool(CONDITIONS[kind](world)) is active, until_s


def test_amounts_of_overlapping_faults_combine():
    kinds = (FaultKind.LOSS, FaultKind.DELAY, FaultKind.THROTTLE, FaultKind.SLOW, FaultKind.CLOCK_SKEW)
    twice = [fault(kind, amount=amount) for kind in kinds for amount in (0.5, 0.2)]
    world = world_with(*twice)
    world.run(2.0)
    link, machine = world.link("a", "b"), world.machine("a")
    assert link.loss == pytest.approx(1 - 0.5 * 0.8)
    assert link.extra_s == pytest.approx(0.7)
    assert link.throttle_bytes_per_s == 0.2
    assert machine.slower_by_s == pytest.approx(0.7)
    assert machine.clock.offset_s == pytest.approx(0.7)


def test_a_fault_leaves_other_nodes_and_the_other_direction_alone():
    world = world_with(fault(FaultKind.PARTITION), fault(FaultKind.PAUSE))
    world.run(2.0)
    assert not world.link("b", "a").blocked
    assert not world.link("a", "c").blocked
    assert not world.machine("b")._paused


def test_both_ways_cuts_both_directions():
    world = world_with(fault(FaultKind.PARTITION, both_ways=True))
    world.run(2.0)
    assert world.link("b", "a").blocked
    assert world.link("a", "b").blocked


def test_a_crash_with_an_amount_waits_for_the_action_and_comes_back_at_the_end_of_its_time():
    class Acts(Program):
        def on_start(self, node):
            node.after(1.5, "act")

        def on_timer(self, node, name):
            node.send("b", 1)
            node.send("b", 2)

    world = World()
    world.add("a", Acts)
    world.add("b", Program)
    inject(world, [fault(FaultKind.CRASH, amount=2)])
    world.run(10.0)
    events = [(entry.at_s, entry.kind) for entry in world.log if entry.kind in (Happened.CRASH, Happened.START)]
    assert events == [(0.0, "start"), (0.0, "start"), (1.5, "crash"), (3.0, "start")]
    # Its second life acts at 4.5 s, when the crash is over: both messages.
    assert sum(entry.kind is Happened.SEND for entry in world.log) == 3


def test_beginnings_and_ends_are_in_the_log():
    world = world_with(fault(FaultKind.PARTITION))
    world.run(5.0)
    told = [(e.at_s, e.kind, e.text) for e in world.log if e.kind in (Happened.FAULT, Happened.REVERT)]
    assert told == [(1.0, "fault", "partition a -> b"), (3.0, "revert", "partition a -> b")]


@pytest.mark.parametrize("more", [{"nodes": ("z",)}, {"towards": ("z",)}])
def test_a_node_that_is_not_there_is_refused(more):
    with pytest.raises(LabsError, match="node 'z': there is no such node; there are a, b, c"):
        world_with(fault(FaultKind.PARTITION, **more))
