"""A fault is data: written, read back, checked, and said in words."""

from __future__ import annotations

import json

import pytest

from labsupport.errors import LabsError
from labsupport.faults.virtual.fault import FACTS, Fault, FaultKind

CRASH = Fault(FaultKind.CRASH, 3.0, 2.0, ("a",))
PARTITION = Fault(FaultKind.PARTITION, 1.5, 0.25, ("a", "b"), ("b", "c"), both_ways=True)


@pytest.mark.parametrize("fault", [CRASH, PARTITION, Fault(FaultKind.LOSS, 0.0, 1.0, ("a",), ("b",), amount=0.5)])
def test_json_gives_the_fault_back(fault):
    assert Fault.from_json(json.loads(json.dumps(fault.to_json()))) == fault


def test_json_leaves_out_what_has_its_default():
    assert CRASH.to_json() == {"kind": "crash", "at_s": 3.0, "duration_s": 2.0, "nodes": ("a",)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "meteor"}, "'meteor' is not a valid FaultKind"),
        ({"at_s": "soon"}, "'soon' is no number"),
        ({"at_s": -1}, "begins at 0 s or later"),
        ({"duration_s": 0}, "lasts longer than 0 s"),
        ({"duration_s": float("nan")}, "lasts longer than 0 s"),
        ({"nodes": "a"}, "'a' is no list of names"),
        ({"nodes": []}, "names its nodes"),
        ({"towards": ["b"]}, "only on links"),
        ({"amount": True}, "True is no number"),
        ({"amount": -1}, "amount -1, allowed for crash: from 0 to"),
        ({"severity": 1}, "has no field 'severity'"),
    ],
)
def test_what_is_wrong_is_refused_with_its_field(change, words):
    with pytest.raises(LabsError, match=words):
        Fault.from_json(CRASH.to_json() | change)


def test_a_missing_field_and_something_else_altogether_are_refused():
    with pytest.raises(LabsError, match="lacks the field 'nodes'"):
        Fault.from_json({"kind": "crash", "at_s": 1, "duration_s": 1})
    with pytest.raises(LabsError, match="fault 7: is an object with kind, at_s, duration_s and nodes"):
        Fault.from_json(7)


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (FaultKind.PAUSE, 1.0),
        (FaultKind.LOSS, 0.0),
        (FaultKind.LOSS, 1.1),
        (FaultKind.THROTTLE, 0.0),
        (FaultKind.CLOCK_DRIFT, -1.0),
        (FaultKind.DELAY, float("nan")),
    ],
)
def test_an_amount_must_make_sense_for_its_kind(kind, amount):
    towards = ("b",) if FACTS[kind].on_links else ()
    with pytest.raises(LabsError, match=rf"allowed for {kind}"):
        Fault(kind, 0.0, 1.0, ("a",), towards, amount=amount)


def test_links_are_those_of_each_pair_in_the_directions_it_hits_and_never_of_a_node_with_itself():
    assert PARTITION.links == (("a", "b"), ("a", "c"), ("b", "c"), ("b", "a"), ("c", "a"), ("c", "b"))
    assert Fault(FaultKind.PARTITION, 0.0, 1.0, ("a",), ("b",)).links == (("a", "b"),)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (CRASH, "3 s: crash a, for 2 s"),
        (PARTITION, "1.5 s: partition a, b <-> b, c, for 0.25 s"),
        (Fault(FaultKind.CRASH, 1.0, 1.0, ("a",), amount=3), "1 s: crash a before action 3, for 1 s"),
        (Fault(FaultKind.LOSS, 1.0, 1.0, ("a",), ("b",), amount=0.25), "1 s: loss a -> b 25% of messages, for 1 s"),
        (Fault(FaultKind.CLOCK_SKEW, 1.0, 1.0, ("a",), amount=-2), "1 s: clock-skew a -2 s, for 1 s"),
    ],
)
def test_a_fault_is_said_in_words(fault, words):
    assert str(fault) == words
