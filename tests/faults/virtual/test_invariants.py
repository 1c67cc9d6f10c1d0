"""The history checkers as invariants: silent while their history holds, and saying what is wrong with it."""

from __future__ import annotations

from labsupport.faults.histories.history import Completion
from labsupport.faults.virtual import (
    World,
    linearizable_registers,
    nothing_acknowledged_is_lost,
    one_writer_per_epoch,
)


def test_one_writer_per_epoch_follows_the_accepted_writes_as_they_come():
    world, holds = World(), one_writer_per_epoch()
    world.history.accept("store", 1, "a", 0.0)
    assert holds(world) is None
    world.history.accept("store", 2, "b", 1.0)
    assert holds(world) is None
    world.history.accept("store", 1, "a", 2.0)
    assert "a was accepted with epoch 1" in holds(world)


def test_registers_are_judged_and_one_that_stays_undecided_is_not_passed():
    world = World()

    def done(process, action, argument, result, start, end):
        number = world.history.invoke(process, action, "x", argument, start)
        world.history.complete(number, result, Completion.OK, end)

    done("a", "read", None, 0, 0.0, 1.0)
    assert linearizable_registers(initial=0)(world) is None
    assert "read x -> 0" in linearizable_registers(initial=1)(world)
    for writer in range(16):
        world.history.invoke(f"w{writer}", "write", "x", writer, 2.0)
    for writer in range(16):
        world.history.complete(writer + 1, None, Completion.OK, 3.0)
    done("a", "read", None, 3, 4.0, 5.0)
    done("a", "read", None, 4, 6.0, 7.0)
    assert "register x: undecided after" in linearizable_registers(initial=0)(world)


def test_a_set_whose_elements_no_read_could_tell_is_not_passed():
    world = World()
    number = world.history.invoke("a", "add", "", 1, 0.0)
    world.history.complete(number, None, Completion.OK, 1.0)
    assert nothing_acknowledged_is_lost()(world) == "1 adds, 1 acknowledged, 0 stable, 1 never read (1)"
    number = world.history.invoke("a", "read", "", None, 2.0)
    world.history.complete(number, [1], Completion.OK, 3.0)
    assert nothing_acknowledged_is_lost()(world) is None
