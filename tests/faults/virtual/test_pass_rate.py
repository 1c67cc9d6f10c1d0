"""How many schedules are survived, with the first that is not made small and drawn."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from labsupport.faults.virtual import FaultSpec, Program, Scenario, Schedule, pass_rate


class Remembers(Program):
    """Counts in memory, or on disk."""

    durable = False

    def on_start(self, node):
        self.count = int(node.disk.read("count")) if node.disk.exists("count") else 0
        node.after(1.0, "tick")

    def on_timer(self, node, name):
        self.count += 1
        if self.durable:
            node.disk.write("count", str(self.count).encode())
            node.disk.fsync("count")
        node.accepted("counter", self.count, node.name)
        node.after(1.0, "tick")


class RemembersForGood(Remembers):
    durable = True


def counting(program) -> Scenario:
    def build(world):
        world.add("a", program)

        @world.invariant
        def the_count_grows(world):
            counts = [accepted.epoch for accepted in world.history.accepts]
            return "it went back" if counts != sorted(counts) else None

    return Scenario("A count: it grows!", build, FaultSpec.of("crash", per_minute=2, quiet_s=10), duration_s=20)


def test_a_protocol_that_holds_survives_all(tmp_path):
    rate = pass_rate(counting(RemembersForGood), range(30), folder=tmp_path)
    assert rate.ok
    assert rate.sentence == "30 of 30 schedules survived"
    assert (rate.failure, rate.smallest, rate.timeline) == (None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_one_that_does_not_shows_its_first_failing_seed_small_and_drawn(tmp_path):
    rate = pass_rate(counting(Remembers), range(30), folder=tmp_path)
    first = rate.failing_seeds[0]
    assert not rate.ok
    assert rate.sentence.startswith(
        f"{30 - len(rate.failing_seeds)} of 30 schedules survived; first failing seed {first}: "
    )
    assert "the count grows: it went back" in rate.sentence
    assert len(rate.smallest.faults) == 1
    assert rate.timeline == tmp_path / f"a-count-it-grows-seed-{first}.html"
    assert "the count grows" in rate.timeline.read_text()
    saved = tmp_path / f"a-count-it-grows-seed-{first}.json"
    assert Schedule.load(saved) == rate.smallest
    assert counting(Remembers).replay(saved).failure == rate.failure
    assert f"timeline: {rate.timeline}" in str(rate)
    assert f"smallest failing schedule: seed {first}, 1 fault" in str(rate)


def test_its_truth_is_whether_enough_survived(tmp_path):
    share = len(pass_rate(counting(Remembers), range(30), folder=tmp_path).failing_seeds) / 30
    assert 0.1 < share < 0.9
    for required, ok in ((1 - share, True), (1 - share + 0.01, False)):
        assert bool(pass_rate(counting(Remembers), range(30), required=required, folder=tmp_path)) is ok


def test_a_progress_bar_is_told_after_each_seed(tmp_path):
    told = []
    pass_rate(counting(RemembersForGood), [5, 6, 7], progress=lambda *how_far: told.append(how_far), folder=tmp_path)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_it_stops_when_asked_and_is_not_ok_then(tmp_path):
    answers = iter([True, True, False])
    rate = pass_rate(counting(RemembersForGood), range(30), keep_going=lambda: next(answers), folder=tmp_path)
    assert rate.sentence == "2 of 2 schedules survived (stopped before the other 28)"
    assert not rate.ok


def test_no_seeds_prove_nothing():
    assert not pass_rate(counting(RemembersForGood), [])


def test_a_program_that_is_not_repeatable_is_told_where_it_differs(tmp_path):
    class Random(Program):
        def on_start(self, node):
            node.note(random.random())

    rate = pass_rate(counting(Random), range(30), folder=tmp_path)
    assert not rate.ok
    assert rate.sentence.startswith("two runs of one seed differ: seed 0, log entry 2: first 0.000000 a note 0.")
    assert "random numbers from node.random" in rate.sentence


def test_the_workspace_is_where_timelines_go_by_default(isolated):
    rate = pass_rate(counting(Remembers), range(30))
    assert rate.timeline.parent == isolated / "timelines"


def test_a_folder_that_cannot_be_written_costs_the_page_and_not_the_verdict(tmp_path):
    rate = pass_rate(counting(Remembers), range(30), folder=Path(tmp_path, "missing"))
    assert rate.timeline is None
    assert "first failing seed" in rate.sentence


def test_shrinking_can_be_left_out(tmp_path):
    scenario = counting(Remembers)
    rate = pass_rate(scenario, range(30), shrink_runs=0, folder=tmp_path)
    assert rate.smallest == scenario.schedule(rate.failing_seeds[0])


def test_an_exercise_that_nobody_has_begun_is_no_rate():
    class Stub(Program):
        def on_start(self, node):
            raise NotImplementedError("exercise 10.3: on_start")

    with pytest.raises(NotImplementedError, match=r"exercise 10\.3"):
        pass_rate(counting(Stub), range(3))
