"""A scenario is run by its seed, replayed by its schedule, and judged when the quiet tail is over."""

from __future__ import annotations

import pytest

from labsupport.errors import LabsError
from labsupport.faults.virtual import Cause, FaultSpec, Program, Scenario, Schedule


class Counter(Program):
    """Counts seconds in memory."""

    def on_start(self, node):
        self.seconds = 0
        node.after(1.0, "tick")

    def on_timer(self, node, name):
        self.seconds += 1
        node.after(1.0, "tick")


def counting(**more) -> Scenario:
    def build(world):
        world.add("a", Counter)
        world.add("b", Counter)

    settings = {"name": "counting", "build": build, "faults": FaultSpec.of("crash", quiet_s=5.0), "duration_s": 20.0}
    return Scenario(**settings | more)


def counted_all(world):
    short = [name for name, program in world.programs.items() if program.seconds < 19]
    return f"{', '.join(short)} forgot" if short else None


def test_a_seed_gives_the_same_run_every_time():
    assert counting().run(3).digest == counting().run(3).digest
    assert counting().run(3).schedule == counting().schedule(3)
    assert counting().run(3).digest != counting().run(4).digest


def test_a_replay_of_its_schedule_is_the_same_run(tmp_path):
    run = next(counting(at_end=counted_all).failing(range(100)))
    run = counting(at_end=counted_all).run(run.seed)
    saved = run.schedule.save(tmp_path / "schedule.json")
    replay = counting(at_end=counted_all).replay(saved)
    assert (replay.digest, replay.failure) == (run.digest, run.failure)


def test_the_end_is_judged_after_the_quiet_tail():
    run = next(counting(at_end=counted_all).failing(range(100)))
    assert (run.failure.cause, run.failure.name, run.failure.at_s) == (Cause.END, "counted all", 20.0)
    assert "forgot" in run.failure.message


def test_a_replay_that_is_cut_leaves_the_end_out():
    scenario = counting(at_end=counted_all)
    failing = next(scenario.failing(range(100)))
    run = scenario.replay(failing.schedule, until_s=10.0)
    assert run.ok
    assert run.world.now_s == 10.0


def test_without_faults_nothing_is_forgotten():
    assert counting(at_end=counted_all).replay(Schedule("counting", 3)).ok


def test_failing_runs_are_found_one_by_one_and_without_a_log():
    failing = counting(at_end=counted_all).failing(range(10**9))
    first, second = next(failing), next(failing)
    assert first.seed < second.seed
    assert first.log == []


def test_a_schedule_of_another_scenario_is_refused():
    with pytest.raises(LabsError, match="schedule of the scenario 'election': this one is 'counting'"):
        counting().replay(Schedule("election", 3))


def test_a_scenario_without_nodes_is_refused():
    with pytest.raises(LabsError, match="scenario 'counting': its build adds no node"):
        counting(build=lambda world: None).run(1)
