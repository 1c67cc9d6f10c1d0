"""Schedules follow from a seed, leave a quiet tail, and come back from their file as they were."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from labsupport.errors import LabsError
from labsupport.faults.virtual.fault import FACTS, Fault, FaultKind
from labsupport.faults.virtual.schedule import FaultSpec, Schedule

NODES = ("a", "b", "c")
EVERYTHING = FaultSpec(dict.fromkeys(FaultKind, 3.0))


def draw(spec: FaultSpec, seed: int = 0, nodes=NODES, duration_s: float = 60.0) -> tuple[Fault, ...]:
    return spec.draw("test", seed, nodes, duration_s).faults


def test_a_seed_repeats_its_schedule_and_another_one_differs():
    assert draw(EVERYTHING, 7) == draw(EVERYTHING, 7)
    assert draw(EVERYTHING, 7) != draw(EVERYTHING, 8)


def test_every_kind_is_drawn_within_its_bounds_and_the_tail_is_quiet():
    kinds = Counter()
    for seed in range(100):
        for fault in draw(EVERYTHING, seed):
            kinds[fault.kind] += 1
            assert 0 <= fault.at_s < fault.ends_s <= 50.0 + 1e-9
            assert fault.duration_s <= 10.0
            lowest, highest = FACTS[fault.kind].drawn
            assert lowest <= fault.amount <= highest or (fault.kind is FaultKind.CRASH and fault.amount == 0)
    assert set(kinds) == set(FaultKind)
    # 3 a minute for 50 s, on 100 seeds: 250 of each, plus the crashes that follow a disk's lies and tears.
    for kind, count in kinds.items():
        assert count == pytest.approx(750 if kind is FaultKind.CRASH else 250, rel=0.2), kind


def test_a_disk_fault_is_followed_by_the_crash_that_shows_it():
    for kind in (FaultKind.DISK_LIES, FaultKind.DISK_TEARS):
        faults = draw(FaultSpec.of(kind))
        for fault in faults:
            if fault.kind is kind:
                assert any(
                    other.kind is FaultKind.CRASH
                    and other.nodes == fault.nodes
                    and fault.at_s <= other.at_s <= fault.ends_s + 1e-3
                    for other in faults
                )


def test_half_of_the_crashes_hit_in_a_handler():
    crashes = [fault for seed in range(100) for fault in draw(FaultSpec.of("crash"), seed)]
    in_a_handler = [fault for fault in crashes if fault.amount]
    assert len(in_a_handler) == pytest.approx(len(crashes) / 2, rel=0.2)
    assert {fault.amount for fault in in_a_handler} == {1, 2, 3, 4, 5, 6}


def test_partitions_cut_pairs_single_nodes_and_halves_in_one_direction_or_both():
    shapes = set()
    for seed in range(100):
        for fault in draw(FaultSpec.of("partition"), seed, nodes=("a", "b", "c", "d", "e")):
            assert not set(fault.nodes) & set(fault.towards)
            shapes.add((len(fault.nodes), len(fault.towards), fault.both_ways))
    assert shapes == {(m, n, both) for m, n in ((1, 1), (1, 4), (3, 2)) for both in (False, True)}


def test_another_rate_of_one_kind_changes_no_other():
    few, many = FaultSpec.of("crash", "pause"), FaultSpec({FaultKind.CRASH: 30.0, FaultKind.PAUSE: 3.0})

    def pauses(spec):
        return [fault for fault in draw(spec) if fault.kind is FaultKind.PAUSE]

    assert pauses(few) == pauses(many) != []


def test_a_schedule_holds_one_fault_at_least():
    assert all(len(draw(FaultSpec.of("crash", per_minute=1e-6), seed)) == 1 for seed in range(20))


def test_only_the_nodes_of_the_spec_are_hit():
    for fault in draw(replace(EVERYTHING, nodes=("b",))):
        assert fault.nodes == ("b",) or (fault.kind is FaultKind.PARTITION and "b" in fault.nodes)


def test_amounts_and_durations_can_be_set():
    spec = FaultSpec.of("delay", shortest_s=1.0, longest_s=2.0, amounts={FaultKind.DELAY: (3.0, 4.0)})
    for fault in (fault for seed in range(20) for fault in draw(spec, seed) if fault.ends_s < 50):
        assert 1.0 <= fault.duration_s <= 2.0
        assert 3.0 <= fault.amount <= 4.0


def test_durations_are_drawn_evenly_over_their_magnitudes():
    durations = [fault.duration_s for seed in range(200) for fault in draw(FaultSpec.of("pause"), seed)]
    short = sum(duration_s < 0.707 for duration_s in durations)  # the middle of 0.05 and 10 s on a log scale
    assert short == pytest.approx(len(durations) / 2, rel=0.15)


def test_a_world_of_one_node_has_no_link_to_fail():
    assert draw(FaultSpec.of("partition", "crash", per_minute=30), nodes=("a",)) != ()
    assert all(fault.kind is FaultKind.CRASH for fault in draw(FaultSpec.of("partition", "crash"), nodes=("a",)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FaultSpec.of("meteor"), "fault 'meteor': there is no such kind; there are clock-drift, "),
        (lambda: FaultSpec({}), "numbers from 0 up, one at least above 0; not none"),
        (lambda: FaultSpec({FaultKind.CRASH: -1.0}), "not crash -1.0"),
        (lambda: FaultSpec({FaultKind.CRASH: float("nan")}), "not crash nan"),
        (lambda: FaultSpec.of("crash", shortest_s=2.0, longest_s=1.0), "durations from 2 to 1 s"),
        (lambda: FaultSpec.of("crash", quiet_s=-1.0), "quiet_s -1"),
        (lambda: draw(FaultSpec.of("crash", quiet_s=60.0)), "a run of 60 s has no room for faults before 60 quiet"),
        (lambda: draw(FaultSpec.of("crash", nodes=("z",))), "node 'z': there is no such node to be hit"),
    ],
)
def test_an_impossible_spec_is_refused(make, words):
    with pytest.raises(LabsError, match=words):
        make()


def test_a_file_gives_the_schedule_back(tmp_path):
    schedule = EVERYTHING.draw("test", 3, NODES, 60.0)
    assert Schedule.load(schedule.save(tmp_path / "schedule.json")) == schedule


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "Expecting value"),
        ("[]", "is an object with format 1"),
        ('{"format": 2}', "is an object with format 1"),
        ('{"format": 1, "scenario": "s", "seed": "x", "faults": []}', "seed a whole number"),
        ('{"format": 1, "scenario": "s", "seed": 1, "faults": [7]}', "fault 7: is an object"),
    ],
)
def test_a_file_that_is_no_schedule_is_refused_by_name(tmp_path, content, words):
    path = tmp_path / "schedule.json"
    path.write_text(content)
    with pytest.raises(LabsError, match=rf"schedule .*schedule\.json: .*{words}"):
        Schedule.load(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(LabsError, match=r"none\.json: cannot be read"):
        Schedule.load(tmp_path / "none.json")


def test_a_schedule_is_said_in_words():
    schedule = Schedule("test", 3, (Fault(FaultKind.CRASH, 1.0, 2.0, ("a",)),))
    assert str(schedule) == "seed 3, 1 fault\n  1 s: crash a, for 2 s"
