"""What a machine does to the program on it: crash between events or within one, pause, and take time for each event."""

from __future__ import annotations

import pytest

from labsupport.faults.virtual.links import constant
from labsupport.faults.virtual.log import Happened
from labsupport.faults.virtual.node import Program
from labsupport.faults.virtual.world import World


class Counter(Program):
    """Counts what it is sent, in memory."""

    def __init__(self):
        self.count = 0

    def on_message(self, node, message, sender):
        self.count += 1
        node.note(f"{message} at {node.now_s:.2f}")

    def on_timer(self, node, name):
        node.note(f"{name} at {node.now_s:.2f}")


class Feeder(Program):
    """Sends a number to `a` every second."""

    def on_start(self, node):
        self.sent = 0
        node.after(1.0, "next")

    def on_timer(self, node, name):
        self.sent += 1
        node.send("a", self.sent)
        node.after(1.0, "next")


def fed(program=Counter, **more) -> World:
    world = World(delay=constant(0.0))
    world.add("a", program, **more)
    world.add("feeder", Feeder)
    return world


def notes(world: World) -> list[str]:
    return [entry.text for entry in world.log if entry.kind is Happened.NOTE]


class TestCrash:
    def test_memory_and_timers_are_lost_and_messages_to_it_too(self):
        class Remembers(Counter):
            def on_start(self, node):
                node.after(3.5, "alarm")

        world = fed(Remembers)
        machine = world.machine("a")
        world.call_at(2.5, machine.crash)
        world.call_at(4.5, machine.start)
        world.run(6.5)
        assert notes(world) == ["1 at 1.00", "2 at 2.00", "5 at 5.00", "6 at 6.00"]
        assert world.program("a").count == 2
        lost = [entry for entry in world.log if entry.kind is Happened.LOST]
        assert [(entry.at_s, entry.text, entry.peer) for entry in lost] == [
            (3.0, "the node is down", "feeder"),
            (4.0, "the node is down", "feeder"),
        ]

    def test_a_timer_of_the_life_before_does_not_end_in_the_next(self):
        class OneTimer(Counter):
            def on_start(self, node):
                node.after(2.0, f"set at {node.now_s:.0f}")

        world = World()
        world.add("a", OneTimer)
        world.call_at(1.0, world.machine("a").crash)
        world.call_at(1.0, world.machine("a").start)
        world.run(10.0)
        assert notes(world) == ["set at 1 at 3.00"]

    def test_what_was_on_its_way_from_it_still_arrives(self):
        world = World(delay=constant(0.5))
        world.add("a", Counter)
        world.add("feeder", Feeder)
        world.call_at(1.2, world.machine("feeder").crash)
        world.run(5.0)
        assert notes(world) == ["1 at 1.50"]

    def test_facts_are_withdrawn_and_the_program_is_gone(self):
        class Shows(Program):
            def on_start(self, node):
                node.publish(role="leader")

        world = World()
        world.add("a", Shows)
        world.run(1.0)
        world.machine("a").crash()
        assert (world.facts["a"], world.program("a"), world.programs) == ({}, None, {})

    def test_each_life_has_random_numbers_of_its_own(self):
        class Draws(Program):
            def on_start(self, node):
                node.note(node.random.random())

        world = World()
        world.add("a", Draws)
        world.call_at(1.0, world.machine("a").crash)
        world.call_at(1.0, world.machine("a").start)
        world.run(2.0)
        first, second = notes(world)
        assert first != second

    @pytest.mark.parametrize(("action", "left"), [(1, []), (2, ["one"]), (3, ["one", "two"])])
    def test_it_may_hit_in_the_middle_of_a_handler(self, action, left):
        class ThreeActions(Program):
            def on_timer(self, node, name):
                node.disk.write("one", b"")
                node.send("b", "two")
                node.disk.write("three", b"")
                node.note("done")

            def on_start(self, node):
                node.after(1.0, "go")

        world = World()
        world.add("a", ThreeActions)
        world.add("b", Counter)
        world.call_at(0.5, world.machine("a").crash_before, action)
        world.run(2.0)
        assert not world.machine("a").up
        assert "done" not in notes(world)
        done = ["one" for e in world.log if e.kind is Happened.DISK] + [
            "two" for e in world.log if e.kind is Happened.SEND
        ]
        assert done == left

    def test_a_handler_that_swallows_the_crash_goes_down_all_the_same(self):
        class Stubborn(Program):
            def on_start(self, node):
                for _ in range(3):
                    try:
                        node.send("b", "again")
                    except BaseException:
                        node.note("swallowed")

        world = World()
        world.add("b", Counter)
        world.run(0.0)
        machine = world.add("a", Stubborn)
        machine.crash_before(2)
        world.run(1.0)
        assert not machine.up
        assert sum(entry.kind is Happened.SEND for entry in world.log) == 1

    def test_one_that_is_taken_back_does_not_hit(self):
        world = fed()
        machine = world.machine("feeder")
        world.call_at(0.1, machine.crash_before, 3)
        world.call_at(2.5, machine.crash_before, None)
        world.run(5.5)
        assert machine.up

    def test_a_crash_of_what_is_down_and_a_start_of_what_is_up_do_nothing(self):
        world = fed()
        machine = world.machine("a")
        world.run(1.0)
        machine.start()
        machine.crash()
        machine.crash()
        assert [e.kind for e in world.log if e.node == "a" and e.kind in (Happened.START, Happened.CRASH)] == [
            Happened.START,
            Happened.CRASH,
        ]


class TestPause:
    def test_what_arrives_waits_and_is_taken_in_order_afterwards(self):
        class WithTimer(Counter):
            def on_start(self, node):
                node.after(2.5, "alarm")

        world = fed(WithTimer)
        machine = world.machine("a")
        world.call_at(1.5, machine.pause, True)
        world.call_at(3.5, machine.pause, False)
        world.run(4.5)
        assert notes(world) == ["1 at 1.00", "2 at 3.50", "alarm at 3.50", "3 at 3.50", "4 at 4.00"]

    def test_a_timer_that_is_cancelled_by_what_waited_before_it_does_not_end(self):
        class Cancels(Counter):
            def on_start(self, node):
                node.after(2.5, "alarm")

            def on_message(self, node, message, sender):
                super().on_message(node, message, sender)
                if message == 2:
                    node.cancel("alarm")

        world = fed(Cancels)
        world.call_at(1.5, world.machine("a").pause, True)
        world.call_at(3.5, world.machine("a").pause, False)
        world.run(4.5)
        assert "alarm at 3.50" not in notes(world)

    def test_a_crash_ends_it_and_drops_what_waited(self):
        world = fed()
        machine = world.machine("a")
        world.call_at(0.5, machine.pause, True)
        world.call_at(2.5, machine.crash)
        world.call_at(2.5, machine.start)
        world.run(3.5)
        assert notes(world) == ["3 at 3.00"]

    def test_what_is_down_cannot_be_paused(self):
        world = fed()
        machine = world.machine("a")
        world.call_at(0.1, machine.crash)
        world.call_at(0.2, machine.pause, True)
        world.call_at(0.3, machine.start)
        world.run(1.5)
        assert notes(world) == ["1 at 1.00"]


class TestServiceTime:
    def test_each_event_occupies_the_node_and_the_others_queue(self):
        class Burst(Program):
            def on_start(self, node):
                for number in range(3):
                    node.send("a", number)

        world = World(delay=constant(0.0))
        world.add("a", Counter, service_s=0.5)
        world.add("burst", Burst)
        world.run(5.0)
        assert notes(world) == ["0 at 0.50", "1 at 1.00", "2 at 1.50"]

    def test_a_slow_node_takes_longer_and_is_quick_again_afterwards(self):
        world = fed()
        machine = world.machine("a")
        world.call_at(0.5, setattr, machine, "slower_by_s", 0.4)
        world.call_at(2.5, setattr, machine, "slower_by_s", 0.0)
        world.run(3.5)
        assert notes(world) == ["1 at 1.40", "2 at 2.40", "3 at 3.00"]

    def test_a_pause_in_the_middle_of_a_service_delays_it(self):
        world = fed(service_s=0.5)
        machine = world.machine("a")
        world.call_at(1.2, machine.pause, True)
        world.call_at(1.8, machine.pause, False)
        world.run(2.9)
        assert notes(world) == ["1 at 2.30", "2 at 2.80"]

    def test_a_crash_in_the_middle_of_a_service_loses_it_and_the_next_life_serves_anew(self):
        world = fed(service_s=0.5)
        machine = world.machine("a")
        world.call_at(1.2, machine.crash)
        world.call_at(1.3, machine.start)
        world.run(2.9)
        assert notes(world) == ["2 at 2.50"]
