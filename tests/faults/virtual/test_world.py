"""One event loop: the same run for the same seed, invariants at every event, and every failure said with its moment."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from labsupport.errors import LabsError
from labsupport.faults.virtual.failure import Cause
from labsupport.faults.virtual.links import constant
from labsupport.faults.virtual.log import Happened, log_digest, log_text
from labsupport.faults.virtual.node import Program
from labsupport.faults.virtual.world import World


class Rally(Program):
    """Two nodes return a ball; the first one serves."""

    returns = 0

    def on_start(self, node):
        if node.name == "a":
            node.send("b", {"hit": 1})

    def on_message(self, node, message, sender):
        self.returns += 1
        node.note(f"hit {message['hit']}")
        node.send(sender, {"hit": message["hit"] + 1})


def rally(**more) -> World:
    world = World(**{"delay": constant(0.1)} | more)
    world.add("a", Rally)
    world.add("b", Rally)
    return world


def longest(world: World) -> int:
    return max(program.returns for program in world.programs.values())


class TestTime:
    def test_messages_take_the_links_delay_and_timers_theirs(self):
        class Late(Program):
            def on_start(self, node):
                node.after(0.25, "later")

            def on_timer(self, node, name):
                node.note(f"{name} at {node.now_s}")

        world = rally()
        world.add("c", Late)
        world.run(0.35)
        notes = [(entry.at_s, entry.text) for entry in world.log if entry.kind is Happened.NOTE]
        assert notes == [(0.1, "hit 1"), (0.2, "hit 2"), (0.25, "later at 0.25"), (pytest.approx(0.3), "hit 3")]

    def test_time_goes_on_to_the_end_when_nothing_happens(self):
        world = World()
        world.add("a", Program)
        assert world.run(60.0) is None
        assert (world.now_s, world.events) == (60.0, 1)

    def test_events_of_one_time_happen_in_the_order_in_which_they_were_made(self):
        order = []
        world = World()
        for name in ("first", "second", "third"):
            world.call_at(1.0, order.append, name)
        world.run(1.0)
        assert order == ["first", "second", "third"]

    def test_a_run_can_be_continued(self):
        world, whole = rally(), rally()
        world.run(0.55)
        world.run(1.0)
        whole.run(1.0)
        assert log_text(world.log) == log_text(whole.log)


class TestTimers:
    def test_a_timer_that_is_set_again_ends_once_and_at_its_new_time(self):
        class Again(Program):
            def on_start(self, node):
                node.after(1.0, "watchdog")
                node.after(0.5, "postpone")

            def on_timer(self, node, name):
                if name == "postpone":
                    node.after(1.0, "watchdog")
                else:
                    node.note(f"{name} at {node.now_s}")

        world = World()
        world.add("a", Again)
        world.run(5.0)
        assert [entry.text for entry in world.log if entry.kind is Happened.NOTE] == ["watchdog at 1.5"]
        assert world.events == 3  # the start and two timers: the one that was replaced is no event

    def test_a_cancelled_timer_never_ends(self):
        class Cancels(Program):
            def on_start(self, node):
                node.after(1.0, "no")
                node.cancel("no")
                node.cancel("never set")

        world = World()
        world.add("a", Cancels)
        world.run(5.0)
        assert not any(entry.kind is Happened.TIMER for entry in world.log)

    @pytest.mark.parametrize("delay_s", [-1, float("nan"), float("inf")])
    def test_an_impossible_delay_is_refused_with_its_value(self, delay_s):
        class Sets(Program):
            def on_start(self, node):
                node.after(delay_s, "x")

        world = World()
        world.add("a", Sets)
        failure = world.run(1.0)
        assert failure.cause is Cause.ERROR
        assert f"after({delay_s!r}, 'x')" in failure.message


class TestDeterminism:
    def test_a_seed_repeats_its_run_and_another_one_does_not(self):
        def digest(seed):
            world = World(seed)
            world.add("a", Rally)
            world.add("b", Rally)
            world.run(1.0)
            return log_digest(world.log)

        assert digest(1) == digest(1)
        assert digest(1) != digest(2)

    def test_the_log_is_the_same_in_another_process_with_another_hash_seed(self):
        program = textwrap.dedent(
            """
            from labsupport.faults.examples.lease import failover
            from labsupport.faults.virtual import Program, World

            class Gossip(Program):
                def on_start(self, node):
                    node.send("b", {"seen": {"x", "y", "z"}, "who": object(), "at": 0.1 + 0.2})
                    node.send("b", frozenset(["one", "two", "three"]))

            world = World()
            world.add("a", Gossip)
            world.add("b", Program)
            world.run(1.0)
            print(*world.log, failover(fenced=True).run(3).digest)
            """
        )
        outputs = {
            subprocess.run(
                [sys.executable, "-c", program],
                env=os.environ | {"PYTHONHASHSEED": hash_seed},
                capture_output=True,
                check=True,
            ).stdout
            for hash_seed in ("1", "2")
        }
        assert len(outputs) == 1

    def test_an_extra_draw_in_one_component_moves_no_other(self):
        world, other = World(5), World(5)
        other.stream("curious").random()
        assert world.stream("link/a/b").random() == other.stream("link/a/b").random()
        assert world.stream("link/a/b").random() != world.stream("link/b/a").random()

    def test_not_recording_changes_nothing_but_the_log(self):
        loud, quiet = rally(), rally(recording=False)
        loud.run(10.0)
        quiet.run(10.0)
        assert quiet.log == []
        assert quiet.events == loud.events
        assert quiet.program("a").returns == loud.program("a").returns == 50


class TestMessages:
    def test_a_receiver_gets_a_copy(self):
        class Sends(Program):
            def on_start(self, node):
                self.shared = {"list": [1]}
                if node.name == "a":
                    node.send("b", self.shared)
                    self.shared["list"].append(2)

            def on_message(self, node, message, sender):
                self.shared = message

        world = World()
        world.add("a", Sends)
        world.add("b", Sends)
        world.run(1.0)
        assert world.program("b").shared == {"list": [1]}

    def test_a_message_to_oneself_arrives_at_once_as_an_event_of_its_own(self):
        class Talks(Program):
            def on_start(self, node):
                node.send("a", "hello")
                node.note("sent")

            def on_message(self, node, message, sender):
                node.note(f"{message} from {sender}")

        world = World()
        world.add("a", Talks)
        world.run(0.0)
        assert [entry.text for entry in world.log if entry.kind is Happened.NOTE] == ["sent", "hello from a"]

    def test_an_unknown_receiver_is_named_with_those_there_are(self):
        class Sends(Program):
            def on_start(self, node):
                node.send("c", 1)

        world = World()
        world.add("a", Sends)
        world.add("b", Program)
        assert "node a: sends to 'c', which is no node; there are a, b" in world.run(1.0).message

    def test_a_node_cannot_travel(self):
        class Sends(Program):
            def on_start(self, node):
                node.send("a", [node])

        world = World()
        world.add("a", Sends)
        assert "cannot be copied" in world.run(1.0).message


class TestInvariants:
    def test_a_broken_invariant_ends_the_run_at_its_event(self):
        world = rally()
        world.invariant(lambda world: "too long" if longest(world) >= 2 else None, name="short rallies")
        failure = world.run(60.0)
        assert failure.cause is Cause.INVARIANT
        assert str(failure) == "invariant broken at 0.300 s, event 5: short rallies: too long"
        assert world.now_s == pytest.approx(0.3)
        assert world.log[-1].kind is Happened.BROKEN

    def test_an_invariant_may_assert_and_is_called_by_its_name_in_words(self):
        world = rally()

        @world.invariant
        def rallies_are_short(world):
            assert longest(world) < 2, "somebody had to return twice"

        assert "rallies are short: somebody had to return twice" in str(world.run(60.0))

    def test_false_is_broken_and_true_is_not(self):
        world = rally()
        world.invariant(lambda world: True, name="always")
        world.invariant(lambda world: world.now_s < 0.5, name="early")
        assert world.run(60.0).name == "early"

    def test_one_that_is_checked_after_a_change_is_called_only_then(self):
        class Publishes(Program):
            def on_start(self, node):
                node.after(1.0, "tick")

            def on_timer(self, node, name):
                node.publish(late=node.now_s > 3.5)
                node.after(1.0, "tick")

        def called_at(world):
            times.append(world.now_s)

        times = []
        world = World()
        world.add("a", Publishes)
        world.invariant(called_at, after_change=True)
        world.run(10.0)
        assert times == [0.0, 1.0, 4.0]

    def test_a_history_that_grows_is_a_change(self):
        class Client(Program):
            def on_start(self, node):
                self.number = node.invoke("write", "x", 1)
                node.after(1.0, "done")

            def on_timer(self, node, name):
                if name == "done":
                    node.complete(self.number)
                    node.after(1.0, "accept")
                else:
                    node.accepted("a", 1, "me")

        times = []
        world = World()
        world.add("a", Client)
        world.add("b", Rally)
        world.invariant(lambda world: times.append(world.now_s), name="times", after_change=True)
        world.run(10.0)
        assert times == [0.0, 1.0, 2.0]

    def test_facts_say_who_shows_what(self):
        class Leads(Program):
            def on_start(self, node):
                node.publish(role="leader" if node.name == "b" else "follower", term=1)

        world = World()
        for name in "abc":
            world.add(name, Leads)
        world.run(0.0)
        assert world.nodes_where(role="leader", term=1) == ("b",)
        assert world.nodes_where(term=1) == ("a", "b", "c")
        assert world.nodes_where(term=2) == ()

    def test_what_must_hold_at_the_end_is_judged_once(self):
        world = rally()
        world.run(1.0)
        assert world.judge("quiet", lambda world: None) is None
        failure = world.judge("agreement", lambda world: "they differ")
        assert (failure.cause, failure.name, failure.message) == (Cause.END, "agreement", "they differ")


class TestErrors:
    def test_a_program_that_raises_is_a_failed_run_with_its_line(self):
        class Broken(Program):
            def on_message(self, node, message, sender):
                return {}[message]  # the line at fault

        world = World(delay=constant(0.5))
        world.add("a", Rally)
        world.add("b", Broken)
        failure = world.run(60.0)
        assert (failure.cause, failure.name, failure.at_s) == (Cause.ERROR, "b", 0.5)
        assert failure.line.endswith("return {}[message]  # the line at fault")
        assert isinstance(failure.error, KeyError | TypeError)

    def test_the_line_is_the_programs_own_where_a_library_raises(self):
        class Parses(Program):
            def on_start(self, node):
                __import__("json").loads("{")

        world = World()
        world.add("a", Parses)
        assert world.run(1.0).line.endswith("""__import__("json").loads("{")""")

    def test_a_program_that_cannot_be_made_is_a_failed_run_too(self):
        def broken():
            raise RuntimeError("no memory")

        world = World()
        world.add("a", broken)
        assert "RuntimeError: no memory" in str(world.run(1.0))

    def test_a_message_of_an_error_that_cannot_be_made_costs_nothing(self):
        class Nasty(Exception):
            def __str__(self):
                raise ValueError

        class Raises(Program):
            def on_start(self, node):
                raise Nasty

        world = World()
        world.add("a", Raises)
        assert "Nasty: (its message could not be made: ValueError)" in str(world.run(1.0))

    def test_a_broken_invariant_of_a_learner_is_a_failed_run(self):
        world = rally()
        world.invariant(lambda world: world.nothing, name="mine")
        failure = world.run(1.0)
        assert (failure.cause, failure.name) == (Cause.ERROR, "mine")

    def test_a_stub_is_no_failed_run(self):
        class Stub(Program):
            def on_start(self, node):
                raise NotImplementedError("exercise 10.1: on_start")

        world = World()
        world.add("a", Stub)
        with pytest.raises(NotImplementedError, match=r"exercise 10\.1"):
            world.run(1.0)

    def test_a_storm_ends_at_the_limit_and_says_what_it_is_made_of(self):
        class Storm(Program):
            def on_start(self, node):
                node.after(0, "retry")

            def on_timer(self, node, name):
                node.after(0, "retry")

        world = rally(event_limit=500)
        world.add("c", Storm)
        failure = world.run(60.0)
        assert failure.cause is Cause.EVENT_LIMIT
        assert (failure.event, failure.at_s) == (500, 0.0)
        assert "500 events and no end; of the next 1,000, 1,000 are timers 'retry' of c" in failure.message

    def test_a_storm_of_messages_is_told_by_its_link(self):
        failure = rally(event_limit=1000, delay=constant(0.0)).run(60.0)
        assert "are messages from" in failure.message


class TestBuilding:
    @pytest.mark.parametrize("name", ["", "a b", "a,b", "a->b"])
    def test_a_name_that_a_fault_could_not_write_is_refused(self, name):
        with pytest.raises(LabsError, match="holds no blank, comma, < or >"):
            World().add(name, Program)

    def test_a_name_is_given_once(self):
        world = World()
        world.add("a", Program)
        with pytest.raises(LabsError, match="node 'a': there is one of that name already"):
            world.add("a", Program)

    def test_links_are_between_nodes(self):
        world = World()
        world.add("a", Program)
        with pytest.raises(LabsError, match="node 'b': there is no such node; there are a"):
            world.link("a", "b")

    def test_peers_are_the_others_in_the_order_in_which_they_were_added(self):
        class Looks(Program):
            def on_start(self, node):
                node.publish(peers=node.peers)

        world = World()
        for name in ("c", "a", "b"):
            world.add(name, Looks)
        world.run(0.0)
        assert world.facts["a"] == {"peers": ("c", "b")}
