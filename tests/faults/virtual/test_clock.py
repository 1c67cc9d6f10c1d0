"""Wall clocks are wrong and jump; monotonic clocks drift and never do."""

from __future__ import annotations

import pytest

from labsupport.faults.virtual.clock import Clock
from labsupport.faults.virtual.log import Happened
from labsupport.faults.virtual.node import Program
from labsupport.faults.virtual.world import World


def test_a_clock_that_nothing_disturbs_shows_the_time():
    clock = Clock()
    assert (clock.wall_s(7.5), clock.monotonic_s(7.5)) == (7.5, 7.5)


def test_an_offset_moves_the_wall_clock_alone():
    clock = Clock()
    clock.offset_s = -3.0
    assert (clock.wall_s(10.0), clock.monotonic_s(10.0)) == (7.0, 10.0)


def test_drift_moves_both_and_its_end_puts_only_the_wall_clock_right():
    clock = Clock()
    clock.set_rate(1.1, 10.0)
    assert (clock.wall_s(20.0), clock.monotonic_s(20.0)) == (pytest.approx(21.0), pytest.approx(21.0))
    clock.set_rate(1.0, 20.0)
    assert (clock.wall_s(20.0), clock.monotonic_s(20.0)) == (20.0, pytest.approx(21.0))
    assert clock.monotonic_s(30.0) == pytest.approx(31.0)


def test_timers_run_by_the_nodes_clock_and_the_node_reads_it():
    class Waits(Program):
        def on_start(self, node):
            node.after(2.0, "done")

        def on_timer(self, node, name):
            node.note(f"{node.now_s:.1f} {node.monotonic_s:.1f}")

    world = World()
    machine = world.add("a", Waits)
    machine.clock.set_rate(0.5, 0.0)
    machine.clock.offset_s = 100.0
    world.run(10.0)
    assert [(e.at_s, e.text) for e in world.log if e.kind is Happened.NOTE] == [(4.0, "102.0 2.0")]
